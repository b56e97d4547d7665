import type { DomainName, ZoneVersion } from '@copain/dns';

/** A version that would be newer than any that the owner signed. */
export const fetchable = (owner: string, origin: DomainName): ZoneVersion => ({
  owner,
  origin,
  serial: 4_000_000,
  epoch: 0,
  sequence: 1_000_000,
  contentHash: new Uint8Array(32).fill(3),
  previousHash: new Uint8Array(32),
  sizeBytes: 100,
  expiresAfterMs: 1e9,
  atMs: 1,
});
