import type { Files } from '@copain/core';
import { frameStreamPair, manualClock } from '@copain/core/testing';
import { encodeZone, encodeZoneVersion, loadZone, nameOf, type ZoneVersion } from '@copain/dns';
import { sha256 } from '@copain/mesh/io';
import { memoryFiles, memoryTable } from '@copain/store';
import { encodeHoldsRecord } from '@copain/trust';
import { pino } from 'pino';
import { afterAll, expect, it } from 'vitest';
import { type HeldZones, openHeldZones } from './held-zones.ts';
import type { Identity } from './identity.ts';
import { ownRecords } from './own-records.ts';
import { openRecordStore, type RecordStore } from './record-store.ts';
import { countRefusals } from './refusals.ts';
import { admit, alone, testPeople } from './testing.ts';
import { serveContent, storeContent } from './zone-content.ts';

const clock = manualClock(1_000_000);
const { person, remove } = testPeople();
afterAll(remove);

const origin = nameOf('bob.example');

/** A version of bob.example whose web server is at 192.0.2.`host`, with its content. */
function version(owner: string, host: number): { header: ZoneVersion; body: Uint8Array } {
  const text = [
    '$TTL 300',
    '@ SOA ns.bob.example. post.bob.example. 1 3600 600 604800 300',
    '@ NS ns.bob.example.',
    'ns A 192.0.2.1',
    `www A 192.0.2.${host}`,
    '',
  ].join('\n');
  const { zone, problems } = loadZone({ text, origin, file: 'bob.zone' });
  if (zone === undefined) throw new Error(problems.map((one) => one.text).join());
  const body = encodeZone(zone);
  const header = {
    owner,
    origin,
    serial: 1,
    epoch: 0,
    sequence: 1,
    contentHash: sha256(body),
    previousHash: new Uint8Array(32),
    sizeBytes: body.length,
    expiresAfterMs: 3_600_000,
    atMs: 1,
  };
  return { header, body };
}

interface Served {
  zones: HeldZones;
  records: RecordStore;
  files: Map<string, Uint8Array>;
  rows: Map<string, Uint8Array>;
  /** What bob has. */
  his: Files;
  /** Whom a content was asked of. */
  asked: string[];
  /** The disk takes nothing. */
  isFull: boolean;
  isBobAway: boolean;
  /** Starts again from what is on disk. */
  again(): Promise<HeldZones>;
  counts: () => Record<string, number>;
}

/** Alice's box, which serves bob.example; bob's box says that it has `says` and delivers `delivers`. */
async function aliceServing(
  bob: Identity,
  says: ZoneVersion,
  delivers: { header: ZoneVersion; body: Uint8Array },
  liar?: Identity,
): Promise<Served> {
  const alice = await person('alice');
  const records = await openRecordStore({
    table: memoryTable(),
    clock,
    key: alice.box,
    ownerId: alice.ownerId,
    onChange: () => {},
    events: { refused: () => {}, damaged: () => {} },
  });
  await ownRecords(alice, records, alone).found('alice', 5);
  await admit(alice, records, bob, 'bob');
  if (liar !== undefined) await admit(alice, records, liar, 'liar');
  const said = await records.offer('zone', await bob.box.seal('zone', encodeZoneVersion(says)));
  expect(said.kind).toBe('new');

  const his = memoryFiles();
  await storeContent(his, delivers.header, delivers.body);
  const theirs: Files = {
    ...his,
    read: async (name) => (await his.read(name)) ?? (await his.read((await his.list())[0] ?? '')),
  };
  const [files, rows] = [new Map<string, Uint8Array>(), new Map<string, Uint8Array>()];
  const disk = memoryFiles(files);
  const refusals = countRefusals(clock, pino({ level: 'silent' }));
  const served = {
    records,
    files,
    rows,
    isFull: false,
    isBobAway: false,
    asked: [] as string[],
    his,
  } as Served;
  served.again = async () =>
    await openHeldZones({
      self: alice.box.peer,
      files: {
        ...disk,
        write: async (name, bytes) => {
          if (served.isFull) throw new Error('no space left');
          await disk.write(name, bytes);
        },
      },
      table: memoryTable(rows),
      clock,
      records,
      connectedPeers: () => [
        ...(liar === undefined ? [] : [liar.box.peer]),
        ...(served.isBobAway ? [] : [bob.box.peer]),
      ],
      open: async (peer) => {
        const [here, there] = frameStreamPair();
        served.asked.push(peer);
        if (peer === liar?.box.peer) {
          await there.end();
          return here;
        }
        serveContent(theirs, there, () => true).catch(() => undefined);
        return here;
      },
      nameOf: () => 'bob',
      events: {
        add: () => {},
        list: () => [],
        follow: () => () => {},
        [Symbol.asyncDispose]: async () => {},
      },
      refusals,
      log: pino({ level: 'silent' }),
      changed: () => {},
      replaced: async () => {},
      stepped: () => {},
    });
  served.zones = await served.again();
  served.counts = () =>
    Object.fromEntries(refusals.totals().flatMap(({ step, count }) => (count > 0 ? [[step, count]] : [])));
  served.zones.tick();
  served.zones.configure([{ ownerId: bob.ownerId, origin: 'bob.example' }]);
  return served;
}

it('a content that is not what was signed is refused at its meaning: nothing is written, nothing served', async () => {
  const bob = await person('bob');
  const signed = version(bob.ownerId, 2);
  const { zones, files, rows, counts } = await aliceServing(bob, signed.header, version(bob.ownerId, 3));
  await expect.poll(counts).toEqual({ meaning: 1 });
  expect([files.size, rows.size, zones.served(), zones.holds()]).toEqual([0, 0, [], []]);
});

it('a content that cannot be written is not served, and is once there is room', async () => {
  const bob = await person('bob');
  const signed = version(bob.ownerId, 2);
  const served = await aliceServing(bob, signed.header, signed);
  served.isFull = true;
  await expect.poll(served.counts).toEqual({ write: 1 });
  expect([served.rows.size, served.zones.served(), served.zones.holds()]).toEqual([0, [], []]);
  served.isFull = false;
  clock.advance(10_000);
  served.zones.tick();
  await expect.poll(() => served.zones.served().length).toBe(1);
  expect([served.rows.size, served.counts()]).toEqual([1, { write: 1 }]);
});

it('what was held back by a full disk is fetched once when there is room', async () => {
  const bob = await person('bob');
  const first = version(bob.ownerId, 2);
  const served = await aliceServing(bob, first.header, first);
  await expect.poll(() => served.zones.served().length).toBe(1);
  const publish = async (host: number, sequence: number): Promise<void> => {
    const { header, body } = version(bob.ownerId, host);
    const next = { ...header, sequence, previousHash: first.header.contentHash, atMs: clock.nowMs() };
    await storeContent(served.his, next, body);
    await served.records.offer('zone', await bob.box.seal('zone', encodeZoneVersion(next)));
    served.zones.announced(bob.ownerId, 'bob.example');
  };
  served.isFull = true;
  await publish(3, 2);
  await expect.poll(served.counts).toEqual({ write: 1 });
  await publish(4, 3);
  served.asked.length = 0;
  for (let i = 0; i < 20; i++) {
    // Longer than an answer is waited for.
    clock.advance(121_000);
    served.zones.tick();
  }
  served.isFull = false;
  await expect
    .poll(() => {
      clock.advance(1000);
      served.zones.tick();
      return served.zones.holds()[0]?.sequence;
    })
    .toBe(3);
  expect(served.asked).toEqual([bob.box.peer]);
});

it('a content that is not whole on disk any more is not served from it', async () => {
  const bob = await person('bob');
  const signed = version(bob.ownerId, 2);
  const served = await aliceServing(bob, signed.header, signed);
  await expect.poll(() => served.zones.served().length).toBe(1);
  expect((await served.again()).served()).toHaveLength(1);
  for (const [name, bytes] of served.files) served.files.set(name, bytes.with(20, (bytes[20] ?? 0) ^ 1));
  expect((await served.again()).served()).toEqual([]);
  expect(served.counts()).toEqual({ serve: 1 });
});

it('a friend who lies about what he or others hold changes neither what is served nor for how long', async () => {
  const [bob, liar] = [await person('bob'), await person('liar')];
  const first = version(bob.ownerId, 2);
  const served = await aliceServing(bob, first.header, first, liar);
  await expect.poll(() => served.zones.served().length).toBe(1);
  const term = served.zones.facts();
  const lie = { owner: bob.ownerId, origin: 'bob.example', epoch: 9, sequence: 99, serial: 99 };
  const others = { ...lie, origin: 'alice.example' };
  const holds = encodeHoldsRecord({ sequence: 1, zones: [lie, others] });
  expect((await served.records.offer('holds', await liar.box.seal('holds', holds))).kind).toBe('new');
  // Nor does he sign a version in the owner's place.
  const forged = encodeZoneVersion({ ...first.header, epoch: 9, sequence: 99 });
  const outcome = await served.records.offer('zone', await liar.box.seal('zone', forged));
  expect(outcome).toMatchObject({ kind: 'refused', why: 'wrong-signer' });
  served.zones.holdersChanged();
  served.zones.tick();
  expect(served.zones.facts()).toEqual(term);
  expect(served.zones.served()).toMatchObject([{ expired: false, zone: { serial: 1 } }]);

  // The next version is asked of him first, since he says that he has more, and comes from who has it.
  const other = version(bob.ownerId, 5);
  const second = { ...other.header, sequence: 2 };
  await storeContent(served.his, second, other.body);
  served.asked.length = 0;
  await served.records.offer('zone', await bob.box.seal('zone', encodeZoneVersion(second)));
  served.zones.announced(bob.ownerId, 'bob.example');
  await expect.poll(() => served.zones.holds()[0]?.sequence).toBe(2);
  expect(served.asked).toEqual([liar.box.peer, bob.box.peer]);
});

it('a fresh word of the owner that a friend passes on prolongs a zone, and nothing is fetched for it', async () => {
  const bob = await person('bob');
  const first = version(bob.ownerId, 2);
  const served = await aliceServing(bob, first.header, first);
  await expect.poll(() => served.zones.served().length).toBe(1);
  served.asked.length = 0;
  clock.advance(1_800_000);
  const fresh = { ...first.header, sequence: 2, previousHash: first.header.contentHash, atMs: clock.nowMs() };
  await served.records.offer('zone', await bob.box.seal('zone', encodeZoneVersion(fresh)));
  served.zones.announced(bob.ownerId, 'bob.example');
  await expect.poll(() => served.zones.holds()[0]?.sequence).toBe(2);
  expect(served.asked).toEqual([]);
  expect(served.zones.facts()).toMatchObject([
    { term: { freshUntilMs: clock.nowMs() + first.header.expiresAfterMs } },
  ]);
  const restarted = await served.again();
  expect(restarted.holds()).toMatchObject([{ sequence: 2 }]);
  expect(restarted.served()).toMatchObject([{ expired: false }]);
});

it('a zone whose owner was silent for all its time is expired, which is SERVFAIL to strangers, until he is heard', async () => {
  const bob = await person('bob');
  const first = version(bob.ownerId, 2);
  const header = { ...first.header, atMs: clock.nowMs() };
  const served = await aliceServing(bob, header, first);
  await expect.poll(() => served.zones.served().length).toBe(1);
  clock.advance(header.expiresAfterMs - 1);
  served.zones.tick();
  expect(served.zones.served()).toMatchObject([{ expired: false }]);
  clock.advance(1);
  const term = { freshUntilMs: clock.nowMs(), expiresAfterMs: header.expiresAfterMs };
  expect(served.zones.facts()).toMatchObject([{ term }]);
  served.isBobAway = true;
  served.zones.tick();
  expect(served.zones.served()).toMatchObject([{ expired: true }]);
  // Over a restart too, before anybody is reached.
  expect((await served.again()).served()).toMatchObject([{ expired: true }]);
  const word = { ...header, sequence: 2, previousHash: header.contentHash, atMs: clock.nowMs() };
  await served.records.offer('zone', await bob.box.seal('zone', encodeZoneVersion(word)));
  served.zones.announced(bob.ownerId, 'bob.example');
  await expect.poll(() => served.zones.served()).toMatchObject([{ expired: false }]);
});
