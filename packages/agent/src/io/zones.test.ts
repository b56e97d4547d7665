import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Files, Table } from '@copain/core';
import { frameStreamPair, manualClock, seededRandom } from '@copain/core/testing';
import type { ZoneVersion } from '@copain/dns';
import { memoryFiles, memoryTable } from '@copain/store';
import { pino } from 'pino';
import { afterAll, expect, it, vi } from 'vitest';
import type { ZoneConfig } from '../config-dns.ts';
import { recordsOf } from '../known-records.ts';
import { openEventLog } from './event-log.ts';
import type { Identity } from './identity.ts';
import { ownRecords } from './own-records.ts';
import { openRecordStore, type RecordStore } from './record-store.ts';
import { countRefusals } from './refusals.ts';
import { openStanding } from './standing.ts';
import { admit, alone, testPeople } from './testing.ts';
import { fetchContent } from './zone-content.ts';
import { startZones, type Zones } from './zones.ts';

const { folder, person, remove } = testPeople();
afterAll(remove);
const clock = manualClock(1_000_000);
const log = pino({ level: 'silent' });
const fail = (error: unknown): never => {
  throw error;
};

const zoneAt = (host: number): string =>
  [
    '$TTL 300',
    '@ SOA ns host 1 3600 600 3600000 300',
    '@ NS ns',
    `ns A 192.0.2.${host}`,
    `www A 192.0.2.${host}`,
    '',
  ].join('\n');

const zoneOf = (origin: string): ZoneConfig => ({
  origin,
  source: { kind: 'file', file: origin },
  secondaries: undefined,
  follow: [],
});

/** The dns room of alice's box, which listens nowhere and hears nobody. */
async function roomOf(options: {
  alice: Identity;
  table: Table;
  records: RecordStore;
  home: string;
  files?: Files;
  providers?: (owner: string, origin: string) => string[];
}): Promise<Zones> {
  const { alice, table, records, home } = options;
  const events = await openEventLog({ table, clock, onAdd: () => {}, failed: fail });
  const standing = await openStanding({
    table,
    clock,
    friends: [],
    doubted: () => {},
    greet: () => {},
    found: () => {},
    changed: () => {},
    failed: fail,
  });
  return await startZones({
    dns: {
      listen: [],
      workers: 1,
      nsid: undefined,
      hostname: undefined,
      version: undefined,
      answersPerSecond: 0,
      transfer: [],
    },
    configFile: join(home, 'peer.toml'),
    boxName: 'alice',
    files: options.files ?? memoryFiles(),
    table,
    clock,
    random: seededRandom(1),
    identity: alice,
    standing,
    records,
    publicAddress: { current: () => ({ ipv4: undefined, ipv6: undefined }) },
    connectedPeers: () => [],
    open: async () => fail(new Error('nobody is asked')),
    providers: options.providers ?? (() => []),
    overlay: () => undefined,
    holds: () => {},
    nameOf: () => 'alice',
    events,
    refusals: countRefusals(clock, log),
    log,
    changed: () => {},
  });
}

/** Alice's records, in a circle that she founded. */
async function recordsOfAlice(alice: Identity, table: Table): Promise<RecordStore> {
  const records = await openRecordStore({
    table,
    clock,
    key: alice.box,
    ownerId: alice.ownerId,
    onChange: () => {},
    events: { refused: () => {}, damaged: () => {} },
  });
  await ownRecords(alice, records, alone).found('alice', 5);
  return records;
}

it('a friend gets the contents of the zones that were granted to him, under their own names, and no others', async () => {
  const [alice, bob] = [await person('alice'), await person('bob')];
  const table = memoryTable();
  const records = await recordsOfAlice(alice, table);
  await admit(alice, records, bob, 'bob');
  const home = await folder('zones');
  const zones: ZoneConfig[] = [];
  for (const [index, origin] of ['public.example', 'secret.example'].entries()) {
    await writeFile(join(home, origin), zoneAt(index + 1));
    zones.push(zoneOf(origin));
  }
  await using room = await roomOf({
    alice,
    table,
    records,
    home,
    providers: (_owner, origin) => (origin === 'public.example' ? [bob.ownerId] : []),
  });
  room.configure(zones, []);
  for (const { origin } of zones) await room.push(origin, { force: false });
  const headers = recordsOf(records.knowledge(), 'zone').map(({ signed }) => signed.record);
  const [shown, hidden] = ['public', 'secret'].map((label) =>
    headers.find(({ origin }) => new TextDecoder().decode(origin).includes(label)),
  ) as [ZoneVersion, ZoneVersion];

  const ask = async (header: ZoneVersion): Promise<number> => {
    const [here, there] = frameStreamPair();
    const serving = room.serve(there, bob.box.peer).catch((error: Error) => there.abort(error));
    const content = await fetchContent(header, here);
    await serving;
    return content.body.length;
  };
  expect(await ask(shown)).toBe(shown.sizeBytes);
  await expect(ask(hidden)).rejects.toThrow('he does not have it');
  // The other zone's content by its hash, under the name of the one that he serves.
  await expect(ask({ ...hidden, origin: shown.origin })).rejects.toThrow('he does not have it');
});

it('a zone that could not be published is as soon as it can be, though its file stays as it is', async () => {
  const alice = await person('alice');
  const table = memoryTable();
  const records = await recordsOfAlice(alice, table);
  const home = await folder('zones');
  await writeFile(join(home, 'alice.example'), zoneAt(1));
  const files = memoryFiles();
  let isFull = true;
  const write = async (name: string, bytes: Uint8Array): Promise<void> => {
    if (isFull) throw new Error('ENOSPC');
    await files.write(name, bytes);
  };
  await using room = await roomOf({ alice, table, records, home, files: { ...files, write } });
  const serial = (): number | undefined => room.facts()[0]?.serial;
  room.configure([zoneOf('alice.example')], []);
  await room.push('alice.example', { force: false });
  expect(serial()).toBeUndefined();
  isFull = false;
  room.tick();
  clock.advance(5000);
  room.tick();
  await vi.waitFor(() => expect(serial()).toBe(1));
});
