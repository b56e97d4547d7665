/** A record whose envelope was opened: who signed it, what it says, and the SHA-256 of its payload. */
export interface Signed<T> {
  signer: string;
  hash: Uint8Array;
  record: T;
}
