import { compareBytes, equalBytes, fromHex } from '@copain/core';
import { encodeCanonical } from './canonical.ts';
import { maxOwnerSignedInARow, maxPaperSigned } from './limits.ts';
import type { BoxEntry, OwnerKey, OwnerRecord } from './owner-record.ts';
import type { Signed } from './signed.ts';

/** What the holder of a new key signs with it: that it is held, and may be named by this owner. */
export interface KeyProofSubject {
  ownerId: string;
  /** Epoch of the record that names it first, and the hash of the record before that one. */
  epoch: number;
  previous: Uint8Array;
  key: string;
}

/** The bytes under a key proof. */
export function keyProofBytes(subject: KeyProofSubject): Uint8Array {
  return encodeCanonical({
    d: 'copain/key-proof/1',
    owner: fromHex(subject.ownerId) ?? new Uint8Array(),
    epoch: subject.epoch,
    previous: subject.previous,
    key: subject.key,
  });
}

/** What all owner records of one owner add up to. */
export interface OwnerState {
  /** The record that counts now. */
  current: Signed<OwnerRecord>;
  /** The records by which it is reached, the first one (epoch 0) and `current` among them; all others are void. */
  path: readonly Signed<OwnerRecord>[];
  /** Epoch of the last record that the paper key signed, 0 where it signed none. */
  paperEpoch: number;
  /** Boxes that were his: by PeerId the ids (`toId`) of those of their records that stand. */
  revoked: ReadonlyMap<string, ReadonlySet<string>>;
}

export const ownerKeyOf = (record: OwnerRecord, use: OwnerKey['use']): OwnerKey => {
  const key = record.keys.find((one) => one.use === use);
  if (key === undefined) throw new TypeError(`an owner record has a key for ${use}`);
  return key;
};

/** Every key and box that the first record does not name must have shown that it is held. */
function isProven(first: OwnerRecord, record: OwnerRecord): boolean {
  const known = new Set([...first.keys, ...first.boxes, ...record.proofs].map((one) => one.peer));
  return [...record.keys, ...record.boxes].every((one) => known.has(one.peer));
}

const best = (records: readonly Signed<OwnerRecord>[]): Signed<OwnerRecord> | undefined =>
  [...records].sort((a, b) => a.record.epoch - b.record.epoch || compareBytes(a.hash, b.hash))[0];

/**
 * Which owner record counts, whatever order the records came in. The caller has checked every envelope and every proof.
 *
 * 1. The paper key outranks the owner key. From the first record on, the next one signed by the paper key in force counts,
 *    whatever came before it: the lowest epoch, then the lowest hash. It may name another paper key, which is then the one
 *    in force.
 * 2. From the last of these on, each record signed by the owner key in force counts that names its predecessor and leaves
 *    the paper key as it is; two of one epoch (two boxes at once): the lower hash.
 *
 * So a stolen owner key is healed by one record of the paper key, and nothing that the thief signs, before or after,
 * undoes it. Records that lead nowhere are void.
 */
export function resolveOwner(
  first: Signed<OwnerRecord>,
  records: readonly Signed<OwnerRecord>[],
  toId: (hash: Uint8Array) => string,
): OwnerState {
  const ownerId = toId(first.hash);
  const candidates = records.filter(
    ({ record }) => record.ownerId === ownerId && isProven(first.record, record),
  );
  const path = [first];
  let current = first;
  const follow = (next: (one: Signed<OwnerRecord>) => boolean): boolean => {
    const found = best(candidates.filter(next));
    if (found === undefined) return false;
    path.push(found);
    current = found;
    return true;
  };
  const bySigner = (one: Signed<OwnerRecord>, use: OwnerKey['use']): boolean =>
    one.signer === ownerKeyOf(current.record, use).peer;
  for (let signed = 0; signed < maxPaperSigned; signed++) {
    if (!follow((one) => one.record.epoch > current.record.epoch && bySigner(one, 'paper'))) break;
  }
  const paperEpoch = current.record.epoch;
  for (let signed = 0; signed < maxOwnerSignedInARow; signed++) {
    const more = follow(
      (one) =>
        one.record.epoch === current.record.epoch + 1 &&
        bySigner(one, 'owner') &&
        one.record.previous !== undefined &&
        equalBytes(one.record.previous, current.hash) &&
        samePaperKey(one.record, current.record),
    );
    if (!more) break;
  }
  return { current, path, paperEpoch, revoked: revokedOf(path, current.record.boxes, toId) };
}

function samePaperKey(a: OwnerRecord, b: OwnerRecord): boolean {
  const [one, other] = [ownerKeyOf(a, 'paper'), ownerKeyOf(b, 'paper')];
  return one.peer === other.peer && one.sealTo === other.sealTo;
}

/** Whatever box was named and is not any more; the newest record that says what of it stands counts. */
function revokedOf(
  path: readonly Signed<OwnerRecord>[],
  boxes: readonly BoxEntry[],
  toId: (hash: Uint8Array) => string,
): Map<string, Set<string>> {
  const revoked = new Map<string, Set<string>>();
  for (const { record } of path) {
    for (const box of record.boxes) if (!revoked.has(box.peer)) revoked.set(box.peer, new Set());
    for (const { peer, seen } of record.revoked) revoked.set(peer, new Set(seen.map(toId)));
  }
  for (const box of boxes) revoked.delete(box.peer);
  return revoked;
}

/**
 * The epoch of the next record by this key. That of the paper key lies above whatever an owner key can reach, so that it
 * heals everything, whether it is known here or not, and zone versions signed under it are newer than any of a thief.
 */
export function nextOwnerEpoch(state: OwnerState, by: OwnerKey['use']): number {
  const { epoch } = state.current.record;
  return by === 'owner' ? epoch + 1 : Math.max(epoch, state.paperEpoch + maxOwnerSignedInARow) + 1;
}

/**
 * A number by which two records of one owner and epoch are ordered as `resolveOwner` orders them: those of the paper key
 * above those of the owner key, then the lower hash first.
 */
export function ownerRecordRank(bySigner: OwnerKey['use'], hash: Uint8Array): number {
  const prefix = hash.subarray(0, 6).reduce((sum, byte) => sum * 256 + byte, 0);
  return (bySigner === 'paper' ? 2 ** 49 : 2 ** 48) - prefix;
}
