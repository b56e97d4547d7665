import { createPublicKey, hash, type JsonWebKey, type KeyObject, verify } from 'node:crypto';
import { checkSignatures, type VerifySignature } from '../dnssec-check.ts';
import type { ZoneProblem } from '../master-file.ts';
import { sha1 } from './hash.ts';
import type { ZoneFile } from './zone-file.ts';

/** What validators would find wrong in a signed zone that was read from a file. Slow for large zones: see `checkSignatures`. */
export function signatureProblems(file: string, { zone, reading }: ZoneFile, nowMs: number): ZoneProblem[] {
  if (zone === undefined) return [];
  return checkSignatures(zone, {
    nowMs,
    verify: signatureVerifier(),
    sha1,
    digest: dsDigest,
    placeOf: (key, type) => {
      const records = reading?.byName.get(key) ?? [];
      const found = records.find((record) => record.type === type) ?? records[0];
      return { file: found?.file ?? file, line: found?.line ?? 1, column: found?.column ?? 1 };
    },
  });
}

const digestNames = new Map([
  [1, 'sha1'],
  [2, 'sha256'],
  [4, 'sha384'],
]);

/** RFC 4509, RFC 6605 §2. */
export function dsDigest(type: number, octets: Uint8Array): Uint8Array | undefined {
  const name = digestNames.get(type);
  return name === undefined ? undefined : hash(name, octets, 'buffer');
}

/** How the keys of an algorithm are read and what they sign with (RFC 3110, 5702, 6605, 8080). */
interface Scheme {
  hash: string | null;
  jwk: (publicKey: Uint8Array) => JsonWebKey | undefined;
}

const base64url = (octets: Uint8Array): string => Buffer.from(octets).toString('base64url');

function rsa(publicKey: Uint8Array): JsonWebKey | undefined {
  const isShort = publicKey[0] !== 0;
  const from = isShort ? 1 : 3;
  const length = isShort ? (publicKey[0] ?? 0) : ((publicKey[1] ?? 0) << 8) | (publicKey[2] ?? 0);
  if (publicKey.length <= from + length) return undefined;
  const e = publicKey.subarray(from, from + length);
  return { kty: 'RSA', e: base64url(e), n: base64url(publicKey.subarray(from + length)) };
}
const curve =
  (crv: string, octets: number) =>
  (publicKey: Uint8Array): JsonWebKey | undefined => {
    if (publicKey.length !== 2 * octets) return undefined;
    const [x, y] = [publicKey.subarray(0, octets), publicKey.subarray(octets)].map(base64url);
    return { kty: 'EC', crv, x: x ?? '', y: y ?? '' };
  };
const edwards =
  (crv: string) =>
  (publicKey: Uint8Array): JsonWebKey => ({ kty: 'OKP', crv, x: base64url(publicKey) });

const schemes = new Map<number, Scheme>([
  [5, { hash: 'sha1', jwk: rsa }],
  [7, { hash: 'sha1', jwk: rsa }],
  [8, { hash: 'sha256', jwk: rsa }],
  [10, { hash: 'sha512', jwk: rsa }],
  [13, { hash: 'sha256', jwk: curve('P-256', 32) }],
  [14, { hash: 'sha384', jwk: curve('P-384', 48) }],
  [15, { hash: null, jwk: edwards('Ed25519') }],
  [16, { hash: null, jwk: edwards('Ed448') }],
]);

/** Verifies with what Node has; each key is read once. */
export function signatureVerifier(): VerifySignature {
  const read = new Map<string, KeyObject | undefined>();
  const keyOf = ({ jwk }: Scheme, algorithm: number, publicKey: Uint8Array): KeyObject | undefined => {
    const name = `${algorithm}/${base64url(publicKey)}`;
    if (read.has(name)) return read.get(name);
    let key: KeyObject | undefined;
    try {
      const written = jwk(publicKey);
      key = written && createPublicKey({ key: written, format: 'jwk' });
    } catch {
      // No key at all: no signature by it can hold.
    }
    read.set(name, key);
    return key;
  };
  return ({ algorithm, publicKey }, data, signature) => {
    const scheme = schemes.get(algorithm);
    if (scheme === undefined) return undefined;
    const key = keyOf(scheme, algorithm, publicKey);
    return key !== undefined && verify(scheme.hash, data, { key, dsaEncoding: 'ieee-p1363' }, signature);
  };
}
