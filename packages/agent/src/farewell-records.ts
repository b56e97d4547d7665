import { toHex } from '@copain/core';
import { maxFarewellRecords } from '@copain/mesh';
import type { Knowledge } from './known-records.ts';

/**
 * Keys of the signed records that show the box `peer` that it is in the circle no more: the removals of its owner, and
 * how those who signed them came in, in case that happened while it was off; or its owner's records, where he revoked
 * it. None for a box that is a member's, or never was one.
 */
export function farewellRecords({ roster, records }: Knowledge, peer: string): ReadonlySet<string> {
  const keys = new Set<string>();
  const ownerId = roster.everOwnerOf.get(peer);
  if (ownerId === undefined || roster.ownerOf.has(peer)) return keys;
  /** Owners whose records are needed; it grows while it is gone through. */
  const owners = new Set<string>(roster.revoked.has(peer) ? [ownerId] : []);
  const needSigner = (signer: string): void => {
    const by = roster.everOwnerOf.get(signer);
    if (by !== undefined) owners.add(by);
  };
  for (const [key, { kind, signed }] of records) {
    if (kind !== 'removal' || signed.record.ownerId !== ownerId) continue;
    keys.add(key);
    needSigner(signed.signer);
  }
  for (const owner of owners) {
    for (const [key, record] of records) {
      if (record.kind === 'member' && toHex(record.signed.ownerRecord.hash) === owner) {
        keys.add(key);
        needSigner(record.signed.signer);
      }
      if (record.kind === 'owner' && record.signed.record.ownerId === owner) keys.add(key);
    }
  }
  return new Set([...keys].slice(0, maxFarewellRecords));
}
