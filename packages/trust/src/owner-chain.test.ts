import { toHex } from '@copain/core';
import { seededRandom } from '@copain/core/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { maxOwnerSignedInARow } from './limits.ts';
import { nextOwnerEpoch, ownerKeyOf, ownerRecordRank, resolveOwner } from './owner-chain.ts';
import { decodeOwnerRecord, encodeOwnerRecord, type KeyProof, type OwnerRecord } from './owner-record.ts';
import { peerIdFromKey } from './peer-id.ts';
import type { Signed } from './signed.ts';

const random = seededRandom(11);
const newPeer = (): string => peerIdFromKey(random.bytes(32));
const sealTo = `age1${'q'.repeat(58)}`;
const keys = (owner: string, paper: string): OwnerRecord['keys'] => [
  { use: 'owner', peer: owner, sealTo },
  { use: 'paper', peer: paper, sealTo },
];
const box = (peer: string, name: string): OwnerRecord['boxes'][number] => ({
  peer,
  name,
  roles: ['sign-zone', 'mail'],
  sealTo,
});
const proof = (peer: string): KeyProof => ({
  peer,
  epoch: 1,
  previous: new Uint8Array(32),
  signature: new Uint8Array(64),
});

const [owner, paper, thief, home] = [newPeer(), newPeer(), newPeer(), newPeer()];
const first: Signed<OwnerRecord> = {
  signer: owner,
  hash: random.bytes(32),
  record: {
    epoch: 0,
    ownerId: undefined,
    previous: undefined,
    keys: keys(owner, paper),
    boxes: [box(home, 'home')],
    proofs: [],
    revoked: [],
    atMs: 0,
  },
};
const ownerId = toHex(first.hash);

/** A record after `before`, signed by `signer`; what it adds is proven unless said otherwise. */
function after(
  before: Signed<OwnerRecord>,
  signer: string,
  change: Partial<OwnerRecord> = {},
  hash = random.bytes(32),
): Signed<OwnerRecord> {
  const record = {
    ...before.record,
    epoch: before.record.epoch + 1,
    ownerId,
    previous: before.hash,
    ...change,
  };
  const named = [...record.keys, ...record.boxes].map((one) => one.peer);
  return { signer, hash, record: { ...record, proofs: change.proofs ?? named.map(proof) } };
}
const resolve = (...records: Signed<OwnerRecord>[]) => resolveOwner(first, records, toHex);
const currentOf = (...records: Signed<OwnerRecord>[]) => resolve(...records).current;

const second = newPeer();
const added = after(first, owner, { boxes: [box(home, 'home'), box(second, 'second')] });

it('the owner key adds a box, and the record before it stays what the chain begins with', () => {
  expect(currentOf(added)).toBe(added);
  expect(currentOf()).toBe(first);
});

it('signed by nobody of the epoch before, about another owner, after another record, or beyond a gap: void', () => {
  expect(currentOf(after(first, thief))).toBe(first);
  expect(currentOf(after(first, owner, { ownerId: '00'.repeat(32) }))).toBe(first);
  expect(currentOf(after(first, owner, { previous: random.bytes(32) }))).toBe(first);
  expect(currentOf(after(added, owner))).toBe(first);
  expect(currentOf(after(first, owner, { epoch: 7 }))).toBe(first);
});

it('a key or box without a proof that it is held is not taken', () => {
  expect(
    currentOf(after(first, owner, { boxes: [box(home, 'home'), box(newPeer(), 'x')], proofs: [] })),
  ).toBe(first);
  expect(currentOf(after(first, owner, { keys: keys(newPeer(), paper), proofs: [] }))).toBe(first);
  const carried = after(added, owner, { proofs: [] });
  expect(currentOf(added, carried)).toBe(added);
});

it('a stolen owner key can take the owner key, and never the paper key', () => {
  const stolen = after(first, owner, { keys: keys(thief, paper) });
  expect(currentOf(stolen)).toBe(stolen);
  expect(currentOf(after(first, owner, { keys: keys(thief, newPeer()) }))).toBe(first);
});

it('the paper key heals a stolen owner key, whatever the thief signs before or after, at whatever epoch', () => {
  const mine = newPeer();
  const stolen = after(first, owner, { keys: keys(thief, paper), boxes: [box(newPeer(), 'evil')] });
  const run: Signed<OwnerRecord>[] = [stolen];
  for (let n = 0; n < 20; n++) run.push(after(run.at(-1) ?? stolen, thief));
  const top = run.at(-1) ?? stolen;
  const healed = after(top, paper, { keys: keys(mine, paper), boxes: [box(home, 'home')] });
  expect(currentOf(...run, healed)).toBe(healed);
  // Gaps below a record of the paper key are none, so whatever the thief puts in place of an older record is in vain.
  const rewritten = after(first, owner, { keys: keys(thief, paper) }, new Uint8Array(32));
  expect(currentOf(...run, rewritten, healed)).toBe(healed);
  expect(currentOf(healed)).toBe(healed);
  expect(currentOf(...run, healed, after(healed, thief), after(healed, owner))).toBe(healed);
  const next = after(healed, mine);
  expect(currentOf(...run, healed, next)).toBe(next);
});

it('at one epoch the paper key wins, and of two records of one key the lower hash', () => {
  const low = after(first, owner, {}, new Uint8Array(32).fill(1));
  const high = after(first, owner, {}, new Uint8Array(32).fill(2));
  const byPaper = after(first, paper, {}, new Uint8Array(32).fill(3));
  expect(currentOf(high, low)).toBe(low);
  expect(currentOf(high, low, byPaper)).toBe(byPaper);
  expect(ownerRecordRank('owner', low.hash)).toBeGreaterThan(ownerRecordRank('owner', high.hash));
  expect(ownerRecordRank('paper', byPaper.hash)).toBeGreaterThan(ownerRecordRank('owner', low.hash));
});

it('a replaced paper key signs nothing any more', () => {
  const replaced = after(first, paper, { keys: keys(owner, newPeer()) });
  expect(currentOf(replaced, after(replaced, paper))).toBe(replaced);
  const bySuccessor = after(replaced, ownerKeyOf(replaced.record, 'paper').peer);
  expect(currentOf(replaced, bySuccessor)).toBe(bySuccessor);
});

it('an owner key cannot use up the epochs: after so many the paper key has to sign', () => {
  const run = [after(first, owner)];
  for (let n = 1; n < maxOwnerSignedInARow + 5; n++) run.push(after(run[n - 1] ?? first, owner));
  const { current } = resolve(...run);
  expect(current.record.epoch).toBe(maxOwnerSignedInARow);
  // What the holder of the paper key knows of it or not: his record is above it.
  expect(nextOwnerEpoch(resolve(), 'paper')).toBeGreaterThan(current.record.epoch);
  expect(nextOwnerEpoch(resolve(), 'owner')).toBe(1);
  const relieved = after(current, paper, { epoch: nextOwnerEpoch(resolve(...run), 'paper') });
  const next = after(relieved, owner);
  expect(currentOf(...run, relieved, next)).toBe(next);
});

it('a revoked box keeps what was seen of it; one that vanished unsaid keeps nothing; one that is named again is back', () => {
  const seen = random.bytes(32);
  const revoked = after(added, owner, {
    boxes: [box(home, 'home')],
    revoked: [{ peer: second, seen: [seen] }],
  });
  expect(resolve(added, revoked).revoked.get(second)).toEqual(new Set([toHex(seen)]));
  const dropped = after(added, owner, { boxes: [box(home, 'home')] });
  expect(resolve(added, dropped).revoked.get(second)).toEqual(new Set());
  const back = after(revoked, owner, { boxes: added.record.boxes, revoked: [] });
  expect(resolve(added, revoked, back).revoked.size).toBe(0);
});

it('what counts does not depend on the order of arrival, and letting go of what is void changes nothing', () => {
  const mine = newPeer();
  const stolen = after(first, owner, { keys: keys(thief, paper) });
  const stolenOn = after(stolen, thief);
  const healed = after(stolenOn, paper, { keys: keys(mine, paper) });
  const healedOn = after(healed, mine);
  const fork = after(healed, mine);
  const forkOn = after(fork, mine);
  const all = [
    added,
    stolen,
    stolenOn,
    healed,
    healedOn,
    fork,
    forkOn,
    after(added, owner),
    after(first, thief),
  ];
  fc.assert(
    fc.property(fc.shuffledSubarray(all), (records) => {
      const expected = resolve(...all.filter((one) => records.includes(one)));
      const shuffled = resolve(...records);
      expect(shuffled.current).toBe(expected.current);
      expect([...shuffled.path]).toEqual([...expected.path]);
      // A box keeps only what stands, and is told again what it lacks until nothing changes any more.
      let kept: Signed<OwnerRecord>[] = [];
      for (let round = 0; round < records.length; round++) {
        for (const one of records) kept = resolve(...kept, one).path.slice(1);
      }
      expect(resolve(...kept).current).toBe(expected.current);
      expect(kept).toEqual(expected.path.slice(1));
    }),
  );
});

it('an owner record of a later epoch is read back as written; one that lacks what such a record has is none', () => {
  const revoked = after(added, owner, {
    boxes: [{ ...box(home, 'home'), inviteId: '0a'.repeat(8) }],
    revoked: [{ peer: second, seen: [random.bytes(32)] }],
  }).record;
  expect(decodeOwnerRecord(encodeOwnerRecord(revoked))).toEqual(revoked);
  expect(decodeOwnerRecord(encodeOwnerRecord(first.record))).toEqual(first.record);
  expect(decodeOwnerRecord(encodeOwnerRecord({ ...revoked, ownerId: undefined }))).toBeUndefined();
  expect(decodeOwnerRecord(encodeOwnerRecord({ ...revoked, previous: undefined }))).toBeUndefined();
  expect(decodeOwnerRecord(encodeOwnerRecord({ ...first.record, ownerId }))).toBeUndefined();
  const twice = [...revoked.boxes, { ...box(second, 'home') }];
  expect(decodeOwnerRecord(encodeOwnerRecord({ ...revoked, revoked: [], boxes: twice }))).toBeUndefined();
});
