import { toHex } from '@copain/core';
import { seededRandom } from '@copain/core/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { claimConflict } from './claims.ts';
import { duties, providersOf } from './duties.ts';
import { admitInvite, admitJoiner, firstOffers } from './join.ts';
import { keyFromPeerId, peerIdFromKey } from './peer-id.ts';
import type { InviteRecord, OwnerRecord } from './records.ts';
import { computeRoster, inviteState, type Signed, type SignedMember } from './roster.ts';

const random = seededRandom(7);
const newPeer = (): string => peerIdFromKey(random.bytes(32));
const recipient = `age1${'q'.repeat(58)}`;

interface Person {
  ownerId: string;
  box: string;
  owner: Signed<OwnerRecord>;
}

function person(name: string): Person {
  const box = newPeer();
  const key = newPeer();
  const hash = random.bytes(32);
  const record: OwnerRecord = {
    epoch: 0,
    previous: undefined,
    keys: [
      { use: 'owner', peer: key, sealTo: recipient },
      { use: 'paper', peer: newPeer(), sealTo: recipient },
    ],
    boxes: [{ peer: box, name, roles: ['sign-zone', 'sign-grant', 'mail'], sealTo: recipient }],
    atMs: 0,
  };
  return { ownerId: toHex(hash), box, owner: { signer: key, hash, record } };
}

const alice = person('alice');
const bob = person('bob');
const carol = person('carol');
const circle = alice.ownerId;

function member(who: Person, name: string, signer: string, inviteId?: string): SignedMember {
  return {
    signer,
    hash: random.bytes(32),
    record: { circle, name, owner: new Uint8Array(1), inviteId, atMs: 0 },
    ownerRecord: who.owner,
  };
}

const founder = member(alice, 'alice', alice.box);
const addBob = member(bob, 'bob', alice.box, '01'.repeat(8));
const addCarol = member(carol, 'carol', bob.box, '02'.repeat(8));
const roster = computeRoster(circle, [founder, addBob, addCarol], toHex);

it('the founder, whom he admitted, and whom those admitted, in whatever order the records come', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([founder, addBob, addCarol], { minLength: 3 }), (records) => {
      const names = [...computeRoster(circle, records, toHex).members.values()].map((one) => one.name).sort();
      expect(names).toEqual(['alice', 'bob', 'carol']);
    }),
  );
});

it('a record leads to nobody while its signer is no member, and does so later', () => {
  expect(
    [...computeRoster(circle, [founder, addCarol], toHex).members.values()].map((one) => one.name),
  ).toEqual(['alice']);
});

it('nobody founds a circle whose id is not his own, and nobody admits himself', () => {
  expect(computeRoster(circle, [member(bob, 'bob', bob.box)], toHex).members.size).toBe(0);
  expect(
    computeRoster(circle, [founder, member(bob, 'bob', bob.box, '03'.repeat(8))], toHex).members.size,
  ).toBe(1);
});

it('an owner record signed by a key it does not name counts for nothing', () => {
  const forged = { ...addBob, ownerRecord: { ...bob.owner, signer: newPeer() } };
  expect(computeRoster(circle, [founder, forged], toHex).members.size).toBe(1);
});

it('two members admitted under one invite: the lower hash wins, on every box alike', () => {
  const first = { ...addBob, hash: new Uint8Array(32).fill(1) };
  const second = { ...member(carol, 'carol', alice.box, '01'.repeat(8)), hash: new Uint8Array(32).fill(2) };
  for (const records of [
    [founder, first, second],
    [second, first, founder],
  ]) {
    expect([...computeRoster(circle, records, toHex).members.values()].map((one) => one.name)).toEqual([
      'alice',
      'bob',
    ]);
  }
});

it('two members of one name stay two, told apart', () => {
  const other = member(carol, 'bob', alice.box, '04'.repeat(8));
  const names = [...computeRoster(circle, [founder, addBob, other], toHex).members.values()].map(
    (one) => one.name,
  );
  expect(names.sort()).toEqual(['alice', 'bob', 'bob-2']);
});

const invite: Signed<InviteRecord> = {
  signer: alice.box,
  hash: random.bytes(32),
  record: { circle, id: '09'.repeat(8), name: 'dave', key: newPeer(), may: ['dns'], expiresAtMs: 1000 },
};

it('an invite is open until it is used, expired, or revoked by a box of its inviter', () => {
  const revocation = (signer: string) => ({
    signer,
    hash: random.bytes(32),
    record: { circle, inviteId: invite.record.id },
  });
  expect(inviteState(invite, { roster, revocations: [] }, 999)).toBe('open');
  expect(inviteState(invite, { roster, revocations: [] }, 1000)).toBe('expired');
  expect(inviteState(invite, { roster, revocations: [revocation(bob.box)] }, 999)).toBe('open');
  expect(inviteState(invite, { roster, revocations: [revocation(alice.box)] }, 999)).toBe('revoked');
  const used = { ...invite, record: { ...invite.record, id: '01'.repeat(8) } };
  expect(inviteState(used, { roster, revocations: [] }, 999)).toBe('used');
  expect(admitInvite(undefined, { roster, revocations: [] }, 0)).toBe('unknown-invite');
  expect(admitInvite(used, { roster, revocations: [] }, 0)).toBe('used');
});

it('a joiner needs the proof, an owner record of his own that names his box, and to be new', () => {
  const dave = person('dave');
  const asking = { peer: dave.box, owner: dave.owner, ownerId: dave.ownerId, proofHolds: true };
  expect(admitJoiner(asking, roster)).toBeUndefined();
  expect(admitJoiner({ ...asking, proofHolds: false }, roster)).toBe('bad-proof');
  expect(admitJoiner({ ...asking, peer: newPeer() }, roster)).toBe('bad-owner');
  expect(admitJoiner({ ...asking, owner: bob.owner, ownerId: bob.ownerId, peer: bob.box }, roster)).toBe(
    'already-member',
  );
});

it('a new member offers the inviter what was offered, everybody else to be a witness', () => {
  expect(firstOffers(roster, { self: carol.ownerId, inviter: bob.ownerId, may: ['dns', 'mail'] })).toEqual([
    { to: alice.ownerId, may: ['witness'] },
    { to: bob.ownerId, may: ['dns', 'mail'] },
  ]);
});

it('service is offer and grant: either alone gives nothing', () => {
  const offers = new Map([
    [bob.ownerId, { sequence: 1, offers: [{ to: alice.ownerId, may: ['dns' as const] }] }],
  ]);
  const grant = { name: 'alice.example', to: undefined };
  const grants = new Map([
    [alice.ownerId, { sequence: 1, zones: [grant], mail: [{ ...grant, quotaBytes: 5 }] }],
  ]);
  const agreements = { offers, grants };
  expect(duties(roster, agreements, bob.ownerId)).toEqual([
    { service: 'dns', ownerId: alice.ownerId, name: 'alice.example', quotaBytes: 0 },
  ]);
  expect(duties(roster, agreements, carol.ownerId)).toEqual([]);
  expect(duties(roster, { offers, grants: new Map() }, bob.ownerId)).toEqual([]);
  const wanted = { ownerId: alice.ownerId, service: 'dns' as const, name: 'alice.example' };
  expect(providersOf(roster, agreements, wanted)).toEqual([bob.ownerId]);
  expect(providersOf(roster, agreements, { ...wanted, service: 'mail' })).toEqual([]);
});

it("a claim equal to, above or below another owner's name is refused; the same owner may nest his own", () => {
  const claims = new Map([['dns:alice.example', alice.ownerId]]);
  const by = (name: string, ownerId: string, service: 'dns' | 'mail' = 'dns') =>
    claimConflict(claims, { service, name, ownerId });
  for (const name of ['alice.example', 'www.alice.example', 'example'])
    expect(by(name, bob.ownerId)).toEqual({ name: 'alice.example', ownerId: alice.ownerId });
  expect(by('malice.example', bob.ownerId)).toBeUndefined();
  expect(by('www.alice.example', alice.ownerId)).toBeUndefined();
  expect(by('alice.example', bob.ownerId, 'mail')).toBeUndefined();
});

it('PeerId texts come from keys and go back, and nothing else passes for one', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
      expect(keyFromPeerId(peerIdFromKey(key))).toEqual(key);
    }),
  );
  expect(peerIdFromKey(new Uint8Array(32))).toMatch(/^12D3KooW/);
  expect(keyFromPeerId('QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG')).toBeUndefined();
});
