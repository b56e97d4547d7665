import { createHash } from 'node:crypto';
import { concatBytes, toHex } from '@copain/core';
import { manualClock, seededRandom } from '@copain/core/testing';
import { encodeZoneVersion, nameOf } from '@copain/dns';
import { versionLimit } from '@copain/mesh';
import { type SigningKey, sha256, signingKeyFromSeed } from '@copain/mesh/io';
import { memoryTable } from '@copain/store';
import {
  encodeAddressRecord,
  encodeCanonical,
  encodeGrantsRecord,
  encodeHoldsRecord,
  encodeInviteRecord,
  encodeMemberRecord,
  encodeOffersRecord,
  encodeOwnerRecord,
  encodeRemovalRecord,
  encodeRevocationRecord,
  encodeVoteRecord,
  inviteIdOf,
  joinProofBytes,
  type RecordKind,
} from '@copain/trust';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Identity } from './identity.ts';
import { ownRecords } from './own-records.ts';
import { openRecordStore, type RecordStore } from './record-store.ts';
import { alone, testPeople } from './testing.ts';

const clock = manualClock(1_000_000);
const { person, remove } = testPeople();
afterAll(remove);
let alice: Identity;
let bob: Identity;
let stranger: SigningKey;

beforeAll(async () => {
  alice = await person('alice');
  bob = await person('bob');
  stranger = await signingKeyFromSeed(new Uint8Array(32).fill(3));
});

interface Opened {
  store: RecordStore;
  /** Everything on disk and everything known, as one hash. */
  picture(): string;
  refusals: string[];
  changes: number;
}

/** Alice's box in a circle with bob; everything that it refuses and everything that it tells its rooms is counted. */
async function circleOfTwo(): Promise<Opened> {
  const rows = new Map<string, Uint8Array>();
  const refusals: string[] = [];
  const opened: Opened = {
    refusals,
    changes: 0,
    store: await openRecordStore({
      table: memoryTable(rows),
      clock,
      key: alice.box,
      ownerId: alice.ownerId,
      onChange: () => {
        opened.changes += 1;
      },
      events: { refused: (_kind, _signer, why) => refusals.push(why), damaged: () => {} },
    }),
    picture: () => {
      const hash = createHash('sha256').update(opened.store.log().digest);
      for (const [key, value] of [...rows].sort(([a], [b]) => (a < b ? -1 : 1)))
        hash.update(key).update(value);
      return hash.digest('hex');
    },
  };
  const { store } = opened;
  await ownRecords(alice, store, alone).found('alice', 5);
  const invite = {
    circle: alice.ownerId,
    id: inviteIdOf(stranger.peer, sha256),
    name: 'bob',
    key: stranger.peer,
  };
  await store.publish('invite', encodeInviteRecord({ ...invite, may: ['dns'], expiresAtMs: 9e9 }));
  await store.publish('member', await memberBob());
  return opened;
}

async function memberBob(atMs = 6): Promise<Uint8Array> {
  const challenge = new Uint8Array(32).fill(8);
  const joiner = bob.box.peer;
  const circle = alice.ownerId;
  const proof = joinProofBytes({
    circle,
    ownerId: bob.ownerId,
    joiner,
    responder: alice.box.peer,
    challenge,
  });
  return encodeMemberRecord({
    circle,
    name: 'bob',
    owner: bob.ownerEnvelope,
    inviteId: inviteIdOf(stranger.peer, sha256),
    redeemed: { key: stranger.peer, joiner, challenge, signature: await stranger.sign(proof) },
    atMs,
  });
}

const zone = (sequence: number, owner: string): Uint8Array =>
  encodeZoneVersion({
    owner,
    origin: nameOf('bob.example'),
    serial: sequence,
    epoch: 0,
    sequence,
    contentHash: new Uint8Array(32).fill(sequence % 256),
    previousHash: new Uint8Array(32),
    sizeBytes: 100,
    expiresAfterMs: 1000,
    atMs: 1,
  });

/** A payload of every kind that bob's box may sign and alice's box takes. `n` numbers it where its kind is numbered. */
async function payloads(n = 1): Promise<[RecordKind, Uint8Array][]> {
  const key = (await signingKeyFromSeed(new Uint8Array(32).fill(100 + n))).peer;
  const invite = { circle: alice.ownerId, id: inviteIdOf(key, sha256), name: 'dave', key };
  const seen = [new Uint8Array(32).fill(n)];
  return [
    ['invite', encodeInviteRecord({ ...invite, may: [], expiresAtMs: 9e9 })],
    ['revocation', encodeRevocationRecord({ circle: alice.ownerId, inviteId: invite.id })],
    [
      'removal',
      encodeRemovalRecord({ circle: alice.ownerId, ownerId: toHex(new Uint8Array(32).fill(9)), seen }),
    ],
    ['offers', encodeOffersRecord({ sequence: n, offers: [{ to: alice.ownerId, may: ['dns'] }] })],
    [
      'grants',
      encodeGrantsRecord({ sequence: n, zones: [{ name: 'bob.example', to: undefined }], mail: [] }),
    ],
    ['address', encodeAddressRecord({ sequence: n, addresses: ['192.0.2.1:4853'] })],
    ['holds', encodeHoldsRecord({ sequence: n, zones: [] })],
    ['vote', encodeVoteRecord({ sequence: n, about: alice.box.peer, heardAtMs: 5, silent: true })],
    ['zone', zone(n, bob.ownerId)],
  ];
}

/** Offers what must be refused, and checks that nothing at all came of it. */
async function refusesAll(
  opened: Opened,
  records: Iterable<readonly [RecordKind, Uint8Array]> | AsyncIterable<readonly [RecordKind, Uint8Array]>,
): Promise<number> {
  const [before, changes] = [opened.picture(), opened.changes];
  const accepted: string[] = [];
  let count = 0;
  for await (const [kind, envelope] of records) {
    count += 1;
    const outcome = await opened.store.offer(kind, envelope);
    if (outcome.kind === 'new') accepted.push(`${kind} ${toHex(envelope).slice(0, 200)}`);
  }
  expect(accepted).toEqual([]);
  expect(opened.picture()).toBe(before);
  expect(opened.changes).toBe(changes);
  return count;
}

it('every kind of record is taken from whom it may come, and from a stranger never', async () => {
  const opened = await circleOfTwo();
  const all = await payloads();
  const forged: [RecordKind, Uint8Array][] = [];
  for (const [kind, payload] of all) forged.push([kind, await stranger.seal(kind, payload)]);
  forged.push(['member', await stranger.seal('member', await memberBob(7))]);
  await refusesAll(opened, forged);
  expect(new Set(opened.refusals)).toEqual(new Set(['wrong-signer', 'bad-proof']));
  for (const [kind, payload] of all)
    expect([kind, (await opened.store.offer(kind, await bob.box.seal(kind, payload))).kind]).toEqual([
      kind,
      'new',
    ]);
});

it('a record under the name of another kind is refused', async () => {
  const opened = await circleOfTwo();
  const swapped: [RecordKind, Uint8Array][] = [];
  const all = await payloads();
  for (const [kind, payload] of all) {
    for (const [other] of all) {
      if (other === kind) continue;
      swapped.push([other, await bob.box.seal(kind, payload)]);
      if (other !== 'zone' && kind !== 'zone') swapped.push([other, await bob.box.seal(other, payload)]);
    }
  }
  await refusesAll(opened, swapped);
});

it('a record of another circle is refused, whoever signed it', async () => {
  const opened = await circleOfTwo();
  const circle = bob.ownerId;
  const id = inviteIdOf(stranger.peer, sha256);
  const foreign: [RecordKind, Uint8Array][] = [
    [
      'invite',
      encodeInviteRecord({ circle, id, name: 'eve', key: stranger.peer, may: [], expiresAtMs: 9e9 }),
    ],
    ['revocation', encodeRevocationRecord({ circle, inviteId: id })],
    ['removal', encodeRemovalRecord({ circle, ownerId: alice.ownerId, seen: [] })],
    [
      'member',
      encodeMemberRecord({
        circle,
        name: 'bob',
        owner: bob.ownerEnvelope,
        inviteId: undefined,
        redeemed: undefined,
        atMs: 1,
      }),
    ],
  ];
  const sealed = foreign.map(async ([kind, payload]) => [kind, await bob.box.seal(kind, payload)] as const);
  await refusesAll(opened, await Promise.all(sealed));
  expect(new Set(opened.refusals)).toEqual(new Set(['wrong-circle']));
});

/** The fields of a payload, so that it can be spelled otherwise. */
const text = (value: string): Uint8Array => {
  const bytes = new TextEncoder().encode(value);
  return concatBytes(Uint8Array.of(0x60 + bytes.length), bytes);
};
const map = (count: number, ...parts: Uint8Array[]): Uint8Array =>
  concatBytes(Uint8Array.of(0xa0 + count), ...parts);
const one = Uint8Array.of(1);

/** Ways of writing {v: 1, type: 'holds', zones: [], sequence: 9} that are not its one canonical form, or more than it. */
function otherSpellings(): [string, Uint8Array][] {
  const v = [text('v'), one] as const;
  const type = [text('type'), text('holds')] as const;
  const zones = [text('zones'), Uint8Array.of(0x80)] as const;
  const sequence = [text('sequence'), Uint8Array.of(9)] as const;
  const nested = concatBytes(new Uint8Array(20_000).fill(0x81), Uint8Array.of(0));
  return [
    ['keys in another order', map(4, ...type, ...v, ...zones, ...sequence)],
    ['a key twice', map(5, ...v, ...v, ...type, ...zones, ...sequence)],
    ['a float', map(4, text('v'), Uint8Array.of(0xf9, 0x3c, 0), ...type, ...zones, ...sequence)],
    ['minus zero', map(4, ...v, ...type, ...zones, text('sequence'), Uint8Array.of(0xf9, 0x80, 0))],
    ['a longer integer', map(4, text('v'), Uint8Array.of(0x18, 1), ...type, ...zones, ...sequence)],
    ['a tag', map(4, ...v, ...type, ...zones, text('sequence'), Uint8Array.of(0xc1, 9))],
    ['undefined', map(4, ...v, ...type, ...zones, text('sequence'), Uint8Array.of(0xf7))],
    ['null', map(4, ...v, ...type, ...zones, text('sequence'), Uint8Array.of(0xf6))],
    ['an integer key', map(5, Uint8Array.of(0), one, ...v, ...type, ...zones, ...sequence)],
    [
      'an unending map',
      concatBytes(Uint8Array.of(0xbf), ...v, ...type, ...zones, ...sequence, Uint8Array.of(0xff)),
    ],
    ['more after the end', concatBytes(map(4, ...v, ...type, ...zones, ...sequence), one)],
    [
      '2^53',
      map(4, ...v, ...type, ...zones, text('sequence'), Uint8Array.of(0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0)),
    ],
    [
      '2^64 - 1',
      map(
        4,
        ...v,
        ...type,
        ...zones,
        text('sequence'),
        Uint8Array.of(0x1b, 255, 255, 255, 255, 255, 255, 255, 255),
      ),
    ],
    ['below zero', map(4, ...v, ...type, ...zones, text('sequence'), Uint8Array.of(0x20))],
    ['20 kB of nesting', map(4, ...v, ...type, text('zones'), nested, ...sequence)],
    ['another version', map(4, text('v'), Uint8Array.of(2), ...type, ...zones, ...sequence)],
    ['another type inside', map(4, ...v, text('type'), text('offers'), ...zones, ...sequence)],
    ['a field missing', map(3, ...v, ...type, ...zones)],
    [
      'a list for a map',
      concatBytes(Uint8Array.of(0x84), one, text('holds'), Uint8Array.of(0x80), Uint8Array.of(9)),
    ],
    ['no bytes at all', new Uint8Array()],
    ['__proto__ for a field', map(4, ...v, ...type, ...sequence, text('__proto__'), Uint8Array.of(0x80))],
    [
      'an unknown field that it calls critical',
      encodeCanonical({ v: 1, type: 'holds', zones: [], sequence: 9, later: true, crit: ['later'] }),
    ],
    [
      'crit that is no list',
      encodeCanonical({ v: 1, type: 'holds', zones: [], sequence: 9, crit: 'sequence' }),
    ],
    [
      'over its size',
      encodeCanonical({ v: 1, type: 'holds', zones: [], sequence: 9, more: new Uint8Array(200_000) }),
    ],
  ];
}

it('a record in any but its one form is refused at the form, after its signer and before its number', async () => {
  const opened = await circleOfTwo();
  expect(
    (
      await opened.store.offer(
        'holds',
        await bob.box.seal('holds', encodeHoldsRecord({ sequence: 9, zones: [] })),
      )
    ).kind,
  ).toBe('new');
  for (const [what, payload] of otherSpellings()) {
    const seen = opened.refusals.length;
    await refusesAll(opened, [['holds', await bob.box.seal('holds', payload)]]);
    // Under the same number it would have been equivocation, had its form been taken.
    const expected = what === 'over its size' ? 'envelope' : 'malformed';
    expect([what, opened.refusals.slice(seen)]).toEqual([what, [expected]]);
    // From a stranger the form is never looked at.
    await refusesAll(opened, [['holds', await stranger.seal('holds', payload)]]);
    expect([what, opened.refusals.at(-1)]).toEqual([
      what,
      expected === 'envelope' ? 'envelope' : 'wrong-signer',
    ]);
  }
});

it('an unknown field changes nothing, also under a name that objects have by themselves', async () => {
  const opened = await circleOfTwo();
  const fields = { v: 1, type: 'holds', zones: [], sequence: 1 };
  const more = { ['__proto__']: 1, constructor: 'x', toString: true };
  const record = await bob.box.seal(
    'holds',
    encodeCanonical(Object.assign(Object.create(null), fields, more)),
  );
  expect((await opened.store.offer('holds', record)).kind).toBe('new');
  expect(({} as Record<string, unknown>).zones).toBeUndefined();
});

it('whatever was replaced never comes back, in whatever order old and new arrive', async () => {
  const opened = await circleOfTwo();
  const versions: [RecordKind, Uint8Array][][] = [];
  for (const n of [1, 2, 3, 4]) {
    const numbered = (await payloads(n)).filter(
      ([kind]) => !['invite', 'revocation', 'removal'].includes(kind),
    );
    versions.push(
      await Promise.all(
        numbered.map(
          async ([kind, payload]) => [kind, await bob.box.seal(kind, payload)] as [RecordKind, Uint8Array],
        ),
      ),
    );
  }
  const newest = versions.pop() ?? [];
  for (const [kind, envelope] of newest) expect((await opened.store.offer(kind, envelope)).kind).toBe('new');
  const random = seededRandom(11);
  const old = versions.flat();
  const histories = Array.from({ length: 40 }, () => [...old].sort(() => random.fraction() - 0.5)).flat();
  await refusesAll(opened, histories);
  // The newest again is known, and another one under its number is equivocation.
  await refusesAll(opened, newest);
  const other = await bob.box.seal(
    'address',
    encodeAddressRecord({ sequence: 4, addresses: ['198.51.100.1:1'] }),
  );
  const seen = opened.refusals.length;
  await refusesAll(opened, [['address', other]]);
  expect(opened.refusals.slice(seen)).toEqual(['equivocation']);
});

it('of 100,000 altered, cut, joined and renamed records not one is taken, and the store stays as it was to the byte', async () => {
  const opened = await circleOfTwo();
  const corpus: [RecordKind, Uint8Array][] = [['member', await alice.box.seal('member', await memberBob(7))]];
  for (const [kind, payload] of await payloads()) corpus.push([kind, await bob.box.seal(kind, payload)]);
  const random = seededRandom(2026);
  const below = (n: number): number => Math.floor(random.fraction() * n);
  const pick = (): [RecordKind, Uint8Array] => corpus[below(corpus.length)] ?? ['vote', new Uint8Array()];
  function mutate(): [RecordKind, Uint8Array] {
    const [kind, good] = pick();
    // A signature costs a fifth of a millisecond, so most mutants are of the kinds that fall before it.
    switch (below(16)) {
      case 0:
      case 10:
      case 11:
      case 12:
        return [kind, good.subarray(0, below(good.length))];
      case 1:
        return [kind, good.subarray(1 + below(good.length - 1))];
      case 2:
        return [kind, concatBytes(good, random.bytes(1 + below(40)))];
      case 3: {
        const at = below(good.length);
        return [kind, concatBytes(good.subarray(0, at), random.bytes(1 + below(4)), good.subarray(at))];
      }
      case 4: {
        const [, other] = pick();
        const at = 1 + below(Math.min(good.length, other.length) - 1);
        const spliced = concatBytes(good.subarray(0, at), other.subarray(at));
        return [kind, toHex(spliced) === toHex(good) ? spliced.subarray(1) : spliced];
      }
      case 5: {
        const at = below(good.length);
        return [kind, concatBytes(good.subarray(0, at), good.subarray(at + 1 + below(8)))];
      }
      case 6:
      case 13:
      case 14:
        return [kind, random.bytes(below(400))];
      case 7: {
        const other = corpus.find(([one]) => one !== kind);
        return [other?.[0] ?? kind, good];
      }
      case 8:
      case 9: {
        const [from, length] = [below(good.length), 1 + below(12)];
        const altered = good.slice();
        altered.set(random.bytes(Math.min(length, good.length - from)), from);
        return [kind, toHex(altered) === toHex(good) ? altered.subarray(1) : altered];
      }
      default: {
        const at = below(good.length);
        return [kind, good.with(at, (good[at] ?? 0) ^ (1 + below(255)))];
      }
    }
  }
  function* mutants(): Generator<[RecordKind, Uint8Array]> {
    for (let i = 0; i < 100_000; i++) yield mutate();
  }
  expect(await refusesAll(opened, mutants())).toBe(100_000);
  expect(new Set(opened.refusals)).toEqual(new Set(['envelope']));
}, 120_000);

it('nobody makes the whole circle write by counting up: what is too much is refused, and taken later', async () => {
  const opened = await circleOfTwo();
  let taken = 0;
  const say = async (sequence: number): Promise<string> => {
    const payload = encodeAddressRecord({ sequence, addresses: ['192.0.2.1:4853'] });
    return (await opened.store.offer('address', await bob.box.seal('address', payload))).kind;
  };
  const flood = 2 * versionLimit.burst;
  for (let n = 1; n <= flood; n++) if ((await say(n)) === 'new') taken += 1;
  // The first is no replacement, and costs nothing.
  expect(taken).toBe(versionLimit.burst + 1);
  expect(opened.refusals.at(-1)).toBe('too-often');
  // Others are not held up by him, and this box's own word never is.
  const vote = encodeVoteRecord({ sequence: 1, about: bob.box.peer, heardAtMs: 0, silent: true });
  await opened.store.publish('vote', vote);
  clock.advance(2000);
  expect(await say(flood + 1)).toBe('new');
});

/** Somebody who does not exist, admitted by somebody who does not either; every signature in it is good. */
async function madeUpAdmission(n: number): Promise<Uint8Array> {
  const [box, own, paper, invite, by] = await Promise.all(
    [1, 2, 3, 4, 5].map((use) =>
      signingKeyFromSeed(sha256(Uint8Array.of(use, n % 256, Math.floor(n / 256)))),
    ),
  );
  if (!box || !own || !paper || !invite || !by) throw new Error('five keys were made');
  const sealTo = `age1${'q'.repeat(58)}`;
  const first = encodeOwnerRecord({
    epoch: 0,
    ownerId: undefined,
    previous: undefined,
    keys: [
      { use: 'owner', peer: own.peer, sealTo },
      { use: 'paper', peer: paper.peer, sealTo },
    ],
    boxes: [{ peer: box.peer, name: 'box', roles: [], sealTo }],
    proofs: [],
    revoked: [],
    atMs: 1,
  });
  const circle = alice.ownerId;
  const challenge = new Uint8Array(32);
  const ownerId = toHex(sha256(first));
  const proof = joinProofBytes({ circle, ownerId, joiner: box.peer, responder: by.peer, challenge });
  const redeemed = { key: invite.peer, joiner: box.peer, challenge, signature: await invite.sign(proof) };
  const record = { circle, name: 'eve', owner: await own.seal('owner', first), redeemed, atMs: 1 };
  return await by.seal(
    'member',
    encodeMemberRecord({ ...record, inviteId: inviteIdOf(invite.peer, sha256) }),
  );
}

it('made-up members admitted by made-up members fill a room of their own, and keep nobody from being admitted', async () => {
  const opened = await circleOfTwo();
  const outcomes: string[] = [];
  for (let n = 0; n < 260; n++)
    outcomes.push((await opened.store.offer('member', await madeUpAdmission(n))).kind);
  expect(outcomes.filter((kind) => kind === 'new')).toHaveLength(256);
  expect(opened.refusals.at(-1)).toBe('too-many');
  expect(opened.store.knowledge().roster.members.size).toBe(2);
  expect((await opened.store.offer('member', await alice.box.seal('member', await memberBob(9)))).kind).toBe(
    'new',
  );
});

it('nobody founds the circle again, and a member whose owner record is not signed by himself is none', async () => {
  const opened = await circleOfTwo();
  const { circle } = opened.store.knowledge();
  const founding = { circle, name: 'eve', inviteId: undefined, redeemed: undefined, atMs: 1 };
  const records: Uint8Array[] = [
    encodeMemberRecord({ ...founding, owner: bob.ownerEnvelope }),
    encodeMemberRecord({ ...founding, owner: alice.ownerEnvelope }),
    encodeMemberRecord({
      ...founding,
      owner: await stranger.seal('owner', encodeOwnerRecord(bob.owner.record)),
    }),
    encodeMemberRecord({ ...founding, owner: new Uint8Array(200) }),
  ];
  await refusesAll(
    opened,
    await Promise.all(records.map(async (one) => ['member', await bob.box.seal('member', one)] as const)),
  );
  expect(opened.refusals).toEqual(['wrong-signer', 'wrong-signer', 'malformed', 'malformed']);
});

it('dates are no rank: what is dated a century ahead replaces nothing that has a higher number', async () => {
  const opened = await circleOfTwo();
  const vote = async (sequence: number, heardAtMs: number): Promise<string> => {
    const payload = encodeVoteRecord({ sequence, about: alice.box.peer, heardAtMs, silent: true });
    return (await opened.store.offer('vote', await bob.box.seal('vote', payload))).kind;
  };
  const century = clock.nowMs() + 100 * 365 * 86_400_000;
  expect(await vote(2, 5)).toBe('new');
  expect(await vote(1, century)).toBe('known');
  expect(opened.refusals).toEqual(['older']);
  expect(await vote(3, century)).toBe('new');
  expect(await vote(4, 5)).toBe('new');
  // No instant is beyond what a clock can show.
  const beyond = encodeVoteRecord({
    sequence: 5,
    about: alice.box.peer,
    heardAtMs: 8.64e15 + 1,
    silent: true,
  });
  expect((await opened.store.offer('vote', await bob.box.seal('vote', beyond))).kind).toBe('refused');
});
