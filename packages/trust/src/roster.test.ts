import { toHex } from '@copain/core';
import { seededRandom } from '@copain/core/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { claimConflict } from './claims.ts';
import { duties, mergeGrants, offered, providersOf } from './duties.ts';
import { admitInvite, admitJoiner } from './join.ts';
import type { InviteRecord, RemovalRecord } from './membership-records.ts';
import type { OwnerRecord } from './owner-record.ts';
import { keyFromPeerId, peerIdFromKey } from './peer-id.ts';
import { computeRoster, inviteState, type Roster, type SignedMember } from './roster.ts';
import type { Signed } from './signed.ts';

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
    ownerId: undefined,
    previous: undefined,
    proofs: [],
    revoked: [],
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
    record: { circle, name, owner: new Uint8Array(1), inviteId, redeemed: undefined, atMs: 0 },
    ownerRecord: who.owner,
  };
}

const rosterOf = (
  members: SignedMember[],
  removals: Signed<RemovalRecord>[] = [],
  self = '',
  names = new Map<string, string>(),
  owners: Signed<OwnerRecord>[] = [],
) => computeRoster(circle, { members, removals, owners }, { self, names, toId: toHex });
const namesOf = (roster: Roster): string[] => [...roster.members.values()].map((one) => one.name).sort();
const removal = (ownerId: string, signer: string, seen: Uint8Array[] = []): Signed<RemovalRecord> => ({
  signer,
  hash: random.bytes(32),
  record: { circle, ownerId, seen },
});

const founder = member(alice, 'alice', alice.box);
const addBob = member(bob, 'bob', alice.box, '01'.repeat(8));
const addCarol = member(carol, 'carol', bob.box, '02'.repeat(8));
const roster = rosterOf([founder, addBob, addCarol]);

it('the founder, whom he admitted, and whom those admitted, in whatever order the records come', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([founder, addBob, addCarol], { minLength: 3 }), (records) => {
      const names = [...rosterOf(records).members.values()].map((one) => one.name).sort();
      expect(names).toEqual(['alice', 'bob', 'carol']);
    }),
  );
});

it('a record leads to nobody while its signer is no member, and does so later', () => {
  expect([...rosterOf([founder, addCarol]).members.values()].map((one) => one.name)).toEqual(['alice']);
});

it('nobody founds a circle whose id is not his own, and nobody admits himself', () => {
  expect(rosterOf([member(bob, 'bob', bob.box)]).members.size).toBe(0);
  expect(rosterOf([founder, member(bob, 'bob', bob.box, '03'.repeat(8))]).members.size).toBe(1);
});

it('an owner record signed by a key it does not name counts for nothing', () => {
  const forged = { ...addBob, ownerRecord: { ...bob.owner, signer: newPeer() } };
  expect(rosterOf([founder, forged]).members.size).toBe(1);
});

it('two members admitted under one invite: the lower hash wins, on every box alike', () => {
  const first = { ...addBob, hash: new Uint8Array(32).fill(1) };
  const second = { ...member(carol, 'carol', alice.box, '01'.repeat(8)), hash: new Uint8Array(32).fill(2) };
  for (const records of [
    [founder, first, second],
    [second, first, founder],
  ]) {
    expect([...rosterOf(records).members.values()].map((one) => one.name)).toEqual(['alice', 'bob']);
  }
});

it('the lower hash wins wherever the hash of who admitted them lies', () => {
  const hashed = (signed: SignedMember, first: number): SignedMember => ({
    ...signed,
    hash: signed.hash.with(0, first),
  });
  const [low, high] = [
    hashed(member(bob, 'bob', alice.box, '01'.repeat(8)), 10),
    hashed(member(carol, 'carol', alice.box, '01'.repeat(8)), 200),
  ];
  for (const first of [1, 100, 250]) {
    const found = rosterOf([hashed(founder, first), high, low]);
    expect([first, ...namesOf(found)]).toEqual([first, 'alice', 'bob']);
  }
});

it('two members of one name stay two, told apart', () => {
  const other = member(carol, 'bob', alice.box, '04'.repeat(8));
  const names = [...rosterOf([founder, addBob, other]).members.values()].map((one) => one.name);
  expect(names.sort()).toEqual(['alice', 'bob', 'bob-2']);
});

it('a name once given stays with its owner, whatever newcomer bears it too', () => {
  const eve = person('eve');
  const other = { ...member(eve, 'bob', alice.box, '0c'.repeat(8)), hash: new Uint8Array(32) };
  const first = rosterOf([founder, addBob]);
  const known = new Map([...first.members.values()].map((one) => [one.ownerId, one.name]));
  const later = rosterOf([founder, addBob, other], [], '', known);
  expect(later.members.get(bob.ownerId)?.name).toBe('bob');
  expect(later.members.get(eve.ownerId)?.name).toBe('bob-2');
});

const all = [founder, addBob, addCarol];

it('a removal counts when it is signed by the member himself, by who admitted him, or by two members', () => {
  expect(namesOf(rosterOf(all, [removal(carol.ownerId, carol.box)]))).toEqual(['alice', 'bob']);
  expect(namesOf(rosterOf(all, [removal(carol.ownerId, bob.box)]))).toEqual(['alice', 'bob']);
  expect(namesOf(rosterOf(all, [removal(carol.ownerId, alice.box)]))).toEqual(['alice', 'bob', 'carol']);
  const stranger = newPeer();
  expect(
    namesOf(rosterOf(all, [removal(carol.ownerId, stranger), removal(carol.ownerId, alice.box)])),
  ).toEqual(['alice', 'bob', 'carol']);
  const dave = person('dave');
  const withDave = [...all, member(dave, 'dave', alice.box, '07'.repeat(8))];
  const two = [removal(dave.ownerId, bob.box), removal(dave.ownerId, carol.box)];
  expect(namesOf(rosterOf(withDave, two))).toEqual(['alice', 'bob', 'carol']);
  expect(namesOf(rosterOf(withDave, two.slice(1)))).toEqual(['alice', 'bob', 'carol', 'dave']);
});

it('a removal counts at once for whoever signed it, and for nobody else', () => {
  const mine = [removal(carol.ownerId, alice.box)];
  expect(namesOf(rosterOf(all, mine, alice.ownerId))).toEqual(['alice', 'bob']);
  expect(namesOf(rosterOf(all, mine, bob.ownerId))).toEqual(['alice', 'bob', 'carol']);
});

it('whom the removed one admitted stays if that was seen; what he admits besides, or afterwards, is void', () => {
  const byAlice = (seen: Uint8Array[]) => [removal(bob.ownerId, alice.box, seen)];
  expect(namesOf(rosterOf(all, byAlice([addCarol.hash])))).toEqual(['alice', 'carol']);
  expect(namesOf(rosterOf(all, byAlice([])))).toEqual(['alice']);
  const eve = person('eve');
  const late = member(eve, 'eve', bob.box, '08'.repeat(8));
  expect(namesOf(rosterOf([...all, late], byAlice([addCarol.hash])))).toEqual(['alice', 'carol']);
});

it('removal stays: another add of the same person, or by another member, does not bring him back', () => {
  const again = member(bob, 'bob', carol.box, '0b'.repeat(8));
  fc.assert(
    fc.property(fc.shuffledSubarray([...all, again], { minLength: 4 }), (records) => {
      expect(namesOf(rosterOf(records, [removal(bob.ownerId, alice.box, [addCarol.hash])]))).toEqual([
        'alice',
        'carol',
      ]);
    }),
  );
});

it('who is removed takes nobody out afterwards, and whom he took out before does not come back', () => {
  const his = removal(carol.ownerId, bob.box);
  const out = (seen: Uint8Array[]) =>
    namesOf(rosterOf(all, [his, removal(bob.ownerId, alice.box, [addCarol.hash, ...seen])]));
  expect(out([])).toEqual(['alice', 'carol']);
  expect(out([his.hash])).toEqual(['alice']);
});

it('two who remove each other at once, each with enough votes, are both out, in whatever order it is heard', () => {
  const [dave, eve] = [person('dave'), person('eve')];
  const five = [
    ...all,
    member(dave, 'dave', alice.box, '0c'.repeat(8)),
    member(eve, 'eve', alice.box, '0d'.repeat(8)),
  ];
  const votes = [
    removal(dave.ownerId, bob.box),
    removal(dave.ownerId, carol.box),
    removal(bob.ownerId, dave.box),
    removal(bob.ownerId, eve.box, [addCarol.hash]),
  ];
  fc.assert(
    fc.property(fc.shuffledSubarray(votes, { minLength: 4 }), (removals) => {
      expect(namesOf(rosterOf(five, removals))).toEqual(['alice', 'carol', 'eve']);
    }),
  );
  // One vote each, by no admitter: both stay, for everybody but themselves.
  const alone = [removal(dave.ownerId, eve.box), removal(eve.ownerId, dave.box)];
  expect(namesOf(rosterOf(five, alone))).toHaveLength(5);
  expect(namesOf(rosterOf(five, alone, eve.ownerId))).toEqual(['alice', 'bob', 'carol', 'eve']);
});

it('nothing that a removed member signs brings him back, whoever helps him to remove those who did it', () => {
  const more = ['dave', 'eve', 'fay'].map(person);
  const people = [alice, bob, carol, ...more];
  const six = [
    ...all,
    ...more.map((who, i) => member(who, `friend-${i}`, i === 2 ? bob.box : alice.box, `${20 + i}`.repeat(8))),
  ];
  const one = fc.constantFrom(...people);
  const vote = (signer: fc.Arbitrary<Person>) =>
    fc.tuple(one, signer).map(([of, by]) =>
      removal(
        of.ownerId,
        by.box,
        six.map(({ hash }) => hash),
      ),
    );
  fc.assert(
    fc.property(
      fc.array(vote(one), { maxLength: 6 }),
      one,
      fc.infiniteStream(one),
      (before, who, targets) => {
        const known = before.filter(
          (removed) => removed.record.ownerId !== who.ownerId || removed.signer !== who.box,
        );
        if (rosterOf(six, known).members.has(who.ownerId)) return;
        const his = [...targets.take(4)].filter((target) => target !== who);
        const after = [...known, ...his.map((target) => removal(target.ownerId, who.box))];
        expect(rosterOf(six, after).members.has(who.ownerId)).toBe(false);
      },
    ),
    { numRuns: 3000 },
  );
});

it('whom a revoked box admitted stays if that was seen; what it admits or removes besides is void', () => {
  const stolen = newPeer();
  const later = (boxes: string[], revoked: OwnerRecord['revoked'], epoch: number, previous: Uint8Array) => ({
    signer: alice.owner.signer,
    hash: random.bytes(32),
    record: {
      ...alice.owner.record,
      epoch,
      ownerId: alice.ownerId,
      previous,
      boxes: [
        ...alice.owner.record.boxes,
        ...boxes.map((peer) => ({ peer, name: 'second', roles: [], sealTo: recipient })),
      ],
      proofs: [{ peer: stolen, epoch: 1, previous, signature: new Uint8Array(64) }],
      revoked,
    } satisfies OwnerRecord,
  });
  const added = later([stolen], [], 1, alice.owner.hash);
  const dave = person('dave');
  const byStolen = member(dave, 'dave', stolen, '0d'.repeat(8));
  const against = removal(bob.ownerId, stolen);
  const names = (owners: Signed<OwnerRecord>[], removals: Signed<RemovalRecord>[] = []) =>
    namesOf(rosterOf([founder, addBob, byStolen], removals, '', new Map(), owners));
  expect(names([])).toEqual(['alice', 'bob']);
  expect(names([added])).toEqual(['alice', 'bob', 'dave']);
  expect(names([added], [against])).toEqual(['alice', 'dave']);
  const unseen = later([], [{ peer: stolen, seen: [] }], 2, added.hash);
  expect(names([unseen, added], [against])).toEqual(['alice', 'bob']);
  const seen = later([], [{ peer: stolen, seen: [byStolen.hash, against.hash] }], 2, added.hash);
  expect(names([added, seen])).toEqual(['alice', 'bob', 'dave']);
  expect(names([added, seen], [against])).toEqual(['alice', 'dave']);
  const roster = rosterOf([founder], [], '', new Map(), [added, unseen]);
  expect(roster.ownerOf.has(stolen)).toBe(false);
  expect(roster.everOwnerOf.get(stolen)).toBe(alice.ownerId);
});

it('an invite that admitted somebody who was removed since stays used', () => {
  const roster = rosterOf(all, [removal(bob.ownerId, alice.box, [addCarol.hash])]);
  const used = { ...invite, record: { ...invite.record, id: '01'.repeat(8) } };
  expect(inviteState(used, { roster, revocations: [] }, 0)).toBe('used');
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

it('service is offer and grant: either alone gives nothing', () => {
  const offers = new Map([
    [bob.box, { sequence: 1, offers: [{ to: alice.ownerId, may: ['dns' as const] }] }],
  ]);
  const grant = { name: 'alice.example', to: undefined };
  const grants = new Map([
    [alice.ownerId, { sequence: 1, zones: [grant], mail: [{ ...grant, quotaBytes: 5 }] }],
  ]);
  const agreements = { offers, grants };
  expect(duties(roster, agreements, bob)).toEqual([
    { service: 'dns', ownerId: alice.ownerId, name: 'alice.example', quotaBytes: 0 },
  ]);
  expect(duties(roster, agreements, carol)).toEqual([]);
  expect(duties(roster, { offers, grants: new Map() }, bob)).toEqual([]);
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

it('grants of several boxes of one owner add up; each box does what it offered itself', () => {
  const second = newPeer();
  const previous = bob.owner.hash;
  const boxes = [
    ...bob.owner.record.boxes,
    { peer: second, name: 'second', roles: ['mail' as const], sealTo: `age1${'p'.repeat(58)}` },
  ];
  const proofs = [{ peer: second, epoch: 1, previous, signature: new Uint8Array(64) }];
  const record = { ...bob.owner.record, epoch: 1, ownerId: bob.ownerId, previous, boxes, proofs };
  const owners = [{ signer: bob.owner.signer, hash: random.bytes(32), record }];
  const both = rosterOf(all, [], '', new Map(), owners);
  expect(both.members.get(bob.ownerId)?.sealTo).toEqual([
    recipient,
    `age1${'p'.repeat(58)}`,
    recipient,
    recipient,
  ]);
  const offers = new Map([
    [bob.box, { sequence: 1, offers: [{ to: alice.ownerId, may: ['dns' as const] }] }],
    [second, { sequence: 9, offers: [{ to: alice.ownerId, may: ['relay' as const] }] }],
  ]);
  const grants = (sequence: number, names: [string, number][]) => ({
    sequence,
    zones: names.map(([name]) => ({ name, to: undefined })),
    mail: names.map(([name, quotaBytes]) => ({ name, to: undefined, quotaBytes })),
  });
  const merged = mergeGrants([
    {
      signer: alice.box,
      record: grants(3, [
        ['a.example', 3],
        ['b.example', 3],
      ]),
    },
    {
      signer: second,
      record: grants(5, [
        ['b.example', 5],
        ['c.example', 5],
      ]),
    },
  ]);
  expect(merged?.mail.map(({ name, quotaBytes }) => [name, quotaBytes]).sort()).toEqual([
    ['a.example', 3],
    ['b.example', 5],
    ['c.example', 5],
  ]);
  expect(mergeGrants([])).toBeUndefined();
  if (merged === undefined) throw new Error('there are grants');
  const agreements = { offers, grants: new Map([[alice.ownerId, merged]]) };
  expect(offered(both, agreements, bob.ownerId, alice.ownerId)).toEqual(['dns', 'relay']);
  expect(
    duties(both, agreements, bob)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['a.example', 'b.example', 'c.example']);
  expect(duties(both, agreements, { ownerId: bob.ownerId, box: second })).toEqual([]);
  // A zone of one's own is kept by all of one's boxes.
  const own = { offers, grants: new Map([[bob.ownerId, grants(1, [['bob.example', 0]])]]) };
  expect(duties(both, own, { ownerId: bob.ownerId, box: second })).toEqual([
    { service: 'dns', ownerId: bob.ownerId, name: 'bob.example', quotaBytes: 0 },
  ]);
});
