import { hash } from 'node:crypto';

/** SHA-256, for content hashes of zones. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}

/** SHA-1, for the names of NSEC3 records only (RFC 5155 §11). */
export function sha1(bytes: Uint8Array): Uint8Array {
  return hash('sha1', bytes, 'buffer');
}
