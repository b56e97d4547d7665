import type { Table } from '@copain/core';
import { manualClock } from '@copain/core/testing';
import { nameOf, type Term, type ZoneVersion } from '@copain/dns';
import { memoryTable } from '@copain/store';
import { encodeHoldsRecord } from '@copain/trust';
import { pino } from 'pino';
import { afterAll, expect, it } from 'vitest';
import type { Identity } from './identity.ts';
import { ownRecords } from './own-records.ts';
import { openRecordStore, type RecordStore } from './record-store.ts';
import { admit, alone, testPeople } from './testing.ts';
import { openZoneFreshness, type ZoneFreshness } from './zone-freshness.ts';

const { person, remove } = testPeople();
afterAll(remove);

const [minute, hour] = [60_000, 3_600_000];
const expiresAfterMs = 1000 * hour;

/** Alice's box: what it keeps for friends, what she signed, and what was told; time is what the test says. */
interface Alice {
  clock: ReturnType<typeof manualClock>;
  held: { origin: string; ownerId: string; term: Term | undefined }[];
  own: { origin: string; published: ZoneVersion | undefined }[];
  providers: string[];
  records: RecordStore;
  table: Table;
  rows: Map<string, Uint8Array>;
  events: string[];
  /** Ticks every minute. */
  pass(spanMs: number): Promise<void>;
  /** Signs a version of a zone of hers. */
  sign(origin: string): void;
  restart(): Promise<ZoneFreshness>;
  freshness: ZoneFreshness;
}

async function startAlice(friends: readonly [Identity, string][]): Promise<Alice> {
  const identity = await person('alice');
  const clock = manualClock(1_000_000_000);
  const rows = new Map<string, Uint8Array>();
  const table = memoryTable(rows);
  const records = await openRecordStore({
    table: memoryTable(),
    clock,
    key: identity.box,
    ownerId: identity.ownerId,
    onChange: () => {},
    events: { refused: () => {}, damaged: () => {} },
  });
  await ownRecords(identity, records, alone).found('alice', 5);
  for (const [friend, name] of friends) await admit(identity, records, friend, name);
  const nameById = new Map(friends.map(([friend, name]) => [friend.ownerId, name]));
  const alice: Alice = {
    clock,
    held: [],
    own: [],
    providers: friends.map(([friend]) => friend.ownerId),
    records,
    table,
    rows,
    events: [],
    pass: async (spanMs) => {
      for (let passed = 0; passed < spanMs; passed += 10 * minute) {
        clock.advance(Math.min(10 * minute, spanMs - passed));
        alice.freshness.tick();
        await Promise.resolve();
      }
    },
    sign: (origin) => {
      const at = alice.own.findIndex((zone) => zone.origin === origin);
      const before = alice.own[at]?.published;
      const published: ZoneVersion = {
        owner: identity.ownerId,
        origin: nameOf(origin),
        serial: 1,
        epoch: 0,
        sequence: (before?.sequence ?? 0) + 1,
        contentHash: new Uint8Array(32),
        previousHash: new Uint8Array(32),
        sizeBytes: 100,
        expiresAfterMs,
        atMs: clock.nowMs(),
      };
      alice.own.splice(at === -1 ? alice.own.length : at, 1, { origin, published });
    },
    restart: async () =>
      await openZoneFreshness({
        ownerId: identity.ownerId,
        table,
        clock,
        records,
        own: () => alice.own,
        held: () => alice.held,
        providers: () => alice.providers,
        nameOf: (ownerId) => nameById.get(ownerId) ?? 'somebody',
        events: { add: (kind, text) => alice.events.push(`${kind}: ${text}`) },
        log: pino({ level: 'silent' }),
      }),
    freshness: undefined as unknown as ZoneFreshness,
  };
  alice.freshness = await alice.restart();
  return alice;
}

/** What alice's box is told that bob's holds: her zones at these sequences, unless it is another owner's. */
async function holds(
  alice: Alice,
  bob: Identity,
  sequence: number,
  zones: readonly { origin: string; sequence: number; owner?: string }[],
): Promise<void> {
  const record = encodeHoldsRecord({
    sequence,
    zones: zones.map((zone) => ({ owner: ownerOf(alice), ...zone, epoch: 0, serial: 1 })),
  });
  expect(await alice.records.offer('holds', await bob.box.seal('holds', record))).toMatchObject({
    kind: 'new',
  });
}
const ownerOf = (alice: Alice): string => alice.records.knowledge().self;

it("a friend's zone is told of at 25, 50 and 75 % of its time, once each, and when it is heard of again", async () => {
  const bob = await person('bob');
  const alice = await startAlice([[bob, 'bob']]);
  const heard = (): void => {
    const term = { freshUntilMs: alice.clock.nowMs() + expiresAfterMs, expiresAfterMs };
    alice.held = [{ origin: 'bob.example', ownerId: bob.ownerId, term }];
  };
  heard();
  await alice.pass(249 * hour);
  expect(alice.events).toEqual([]);
  await alice.pass(1001 * hour);
  expect(alice.events).toEqual([
    'zone.aging: Nothing was heard from bob about bob.example for 10 d, 25 % of the time: answered here for 31 d more.',
    'zone.aging: Nothing was heard from bob about bob.example for 20 d, 50 % of the time: answered here for 20 d more.',
    'zone.aging: Nothing was heard from bob about bob.example for 31 d, 75 % of the time: answered here for 10 d more.',
  ]);
  alice.events.length = 0;
  heard();
  await alice.pass(260 * hour);
  expect(alice.events).toEqual([
    'zone.fresh: bob was heard again: bob.example lasts 41 d more here.',
    'zone.aging: Nothing was heard from bob about bob.example for 10 d, 25 % of the time: answered here for 31 d more.',
  ]);
});

it('hundreds of zones of one friend are one event', async () => {
  const bob = await person('bob');
  const alice = await startAlice([[bob, 'bob']]);
  const term = { freshUntilMs: alice.clock.nowMs() + expiresAfterMs, expiresAfterMs };
  for (let zone = 0; zone < 400; zone += 1)
    alice.held.push({ origin: `z${zone}.example`, ownerId: bob.ownerId, term });
  await alice.pass(251 * hour);
  expect(alice.events).toEqual([
    'zone.aging: Nothing was heard from bob about z0.example, z1.example, z2.example and 397 more for 10 d, 25 % of the time: answered here for 31 d more.',
  ]);
});

it('the owner hears that a friend has had no word on his zone, however often he signs one that does not reach him', async () => {
  const [bob, carol] = [await person('bob'), await person('carol')];
  const alice = await startAlice([
    [bob, 'bob'],
    [carol, 'carol'],
  ]);
  alice.sign('alice.example');
  await holds(alice, bob, 1, [{ origin: 'alice.example', sequence: 1 }]);
  await holds(alice, carol, 1, [{ origin: 'alice.example', sequence: 1 }]);
  await alice.pass(10 * minute);
  const firstEnd = alice.clock.nowMs() - 10 * minute + expiresAfterMs;
  expect(alice.freshness.copyTerm('alice.example', bob.ownerId)?.freshUntilMs).toBe(firstEnd);
  // A version every six hours, which carol has soon and bob never.
  for (let version = 2; version < 45; version += 1) {
    alice.sign('alice.example');
    await holds(alice, carol, version, [{ origin: 'alice.example', sequence: version }]);
    await alice.pass(6 * hour);
  }
  expect(alice.freshness.copyTerm('alice.example', bob.ownerId)?.freshUntilMs).toBe(firstEnd);
  expect(alice.events).toEqual([
    'zone.copy-aging: bob has had no word on alice.example for 10 d, 25 % of the time: his copy is answered for 31 d more.',
  ]);
  alice.events.length = 0;
  await holds(alice, bob, 2, [{ origin: 'alice.example', sequence: 44 }]);
  await alice.pass(hour);
  expect(alice.events).toEqual([
    'zone.copy-fresh: bob has the newest word on alice.example again, which lasts 41 d more.',
  ]);
  alice.events.length = 0;
  await alice.pass(1100 * hour);
  expect(alice.events.filter((text) => text.includes('bob'))).toEqual([
    expect.stringContaining('25 %'),
    expect.stringContaining('50 %'),
    expect.stringContaining('75 %'),
    expect.stringMatching(/^zone.copy-expired: bob stopped answering alice.example/),
  ]);
});

it("somebody else's zone of the same name is no copy of ours, and a clock that was set back keeps none from being seen", async () => {
  const bob = await person('bob');
  const alice = await startAlice([[bob, 'bob']]);
  alice.sign('alice.example');
  await holds(alice, bob, 1, [{ origin: 'alice.example', sequence: 9, owner: bob.ownerId }]);
  await alice.pass(10 * minute);
  expect(alice.freshness.copyTerm('alice.example', bob.ownerId)).toBeUndefined();
  alice.clock.advance(-24 * hour);
  await holds(alice, bob, 2, [{ origin: 'alice.example', sequence: 1 }]);
  await alice.pass(10 * minute);
  expect(alice.freshness.copyTerm('alice.example', bob.ownerId)).toBeDefined();
});

it('a restart tells nothing twice, and forgets neither when a friend heard last nor who was told', async () => {
  const bob = await person('bob');
  const alice = await startAlice([[bob, 'bob']]);
  alice.sign('alice.example');
  await holds(alice, bob, 1, [{ origin: 'alice.example', sequence: 1 }]);
  await alice.pass(300 * hour);
  expect(alice.events).toHaveLength(1);
  await alice.freshness[Symbol.asyncDispose]();
  const term = alice.freshness.copyTerm('alice.example', bob.ownerId);
  alice.sign('alice.example');
  alice.freshness = await alice.restart();
  expect(alice.freshness.copyTerm('alice.example', bob.ownerId)).toEqual(term);
  await alice.pass(190 * hour);
  expect(alice.events).toHaveLength(1);
  await alice.pass(20 * hour);
  expect(alice.events).toHaveLength(2);
  // Whoever is not granted it any more is forgotten, on disk too.
  alice.providers = [];
  await alice.pass(hour);
  await alice.freshness[Symbol.asyncDispose]();
  expect([...alice.rows.keys()]).toEqual([]);
});
