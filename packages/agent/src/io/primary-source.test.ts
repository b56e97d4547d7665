import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Table } from '@copain/core';
import { manualClock, seededRandom } from '@copain/core/testing';
import { encodeZone, journalZones, nameOf, TransferOut, type Zone } from '@copain/dns';
import { sha256, startDnsServer, tsigCrypto } from '@copain/dns/io';
import { zoneOf } from '@copain/dns/testing';
import { memoryTable } from '@copain/store';
import { encodeCanonical } from '@copain/trust';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { openEventLog } from './event-log.ts';
import { primarySource } from './primary-source.ts';

const origin = nameOf('alice.example');
const startMs = 1_800_000_000_000;
/** As `zoneOf` has it. */
const expireS = 14 * 86_400;

/** A port that nothing listens at. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 1;
}

/** A primary that gives this zone to whoever asks. */
async function primaryOf(zone: Zone) {
  const journal = journalZones(new Map(), [zone]);
  const out = new TransferOut({
    peers: [{ address: { host: '127.0.0.1', port: 53 }, key: undefined }],
    crypto: tsigCrypto,
    find: (name) => journal.get(name),
    isHidden: () => true,
    answer: () => undefined,
    noted: () => {},
  });
  const server = await startDnsServer({
    listen: [{ host: '127.0.0.1', port: 0 }],
    answer: (query, asker) => out.answer(query, asker),
  });
  return { server, port: server.addresses()[0]?.port ?? 1 };
}

/** The source as it starts after a run that received serial 3, which is published as serial 20. */
async function started(
  published: Zone,
  {
    port,
    isFull = false,
    table = memoryTable(),
    whenFree = async (work) => await work(),
  }: {
    /** Of the primary, which is off without one. */
    port?: number;
    /** The disk takes nothing more. */
    isFull?: boolean;
    /** Of a run before. */
    table?: Table;
    whenFree?: (work: () => Promise<void>) => Promise<void>;
  } = {},
) {
  const clock = manualClock(startMs);
  const row = {
    serial: 3,
    content: sha256(encodeZone(zoneOf(3))),
    at: startMs,
    refreshS: 3600,
    retryS: 600,
    expireS,
  };
  const key = 'zone-primary/alice.example';
  if ((await table.get(key)) === undefined) await table.write([{ key, value: encodeCanonical(row) }]);
  const events = await openEventLog({
    table,
    clock,
    onAdd: () => {},
    failed: (error) => {
      throw error;
    },
  });
  const source = primarySource({
    origin,
    originText: 'alice.example',
    primary: { host: '127.0.0.1', port: port ?? (await closedPort()) },
    tsigFile: undefined,
    table: isFull ? { ...table, write: () => Promise.reject(new Error('no room')) } : table,
    clock,
    random: seededRandom(1),
    whenFree,
    onChange: () => {},
    onFact: () => {},
    onTransfer: () => {},
    events,
    log: pino({ level: 'silent' }),
  });
  await source.open(published);
  return { clock, events, source, table };
}

it('what was received by the last run is known again by what is published of it, under the serial of the primary', async () => {
  const { events, source } = await started(zoneOf(20));
  expect((await source.read())?.zone?.serial).toBe(3);
  const other = await started(zoneOf(20, 'other A 192.0.2.9'));
  expect(await other.source.read()).toBeUndefined();
  for (const one of [source, other.source]) await one[Symbol.asyncDispose]();
  for (const one of [events, other.events]) await one[Symbol.asyncDispose]();
});

it('a silent primary leaves the zone current until EXPIRE, and then no longer, which is told once', async () => {
  const { clock, events, source } = await started(zoneOf(20));
  await source.renew();
  expect(source.isCurrent()).toBe(true);
  expect(source.fact().failing?.why).toMatch(/connection refused/);
  clock.advance(expireS * 1000 - 1);
  await source.renew();
  expect(source.isCurrent()).toBe(true);
  clock.advance(1);
  await source.renew();
  await source.renew();
  expect(source.isCurrent()).toBe(false);
  expect(source.fact()).toMatchObject({ isExpired: true, serial: 3 });
  expect((await source.read())?.zone?.serial).toBe(3);
  expect(events.list().filter(({ kind }) => kind === 'zone.primary-expired')).toHaveLength(1);
  await source[Symbol.asyncDispose]();
  await events[Symbol.asyncDispose]();
});

it('what came is known again by the next run', async () => {
  const { server, port } = await primaryOf(zoneOf(4, 'new A 192.0.2.4'));
  const first = await started(zoneOf(20), { port });
  await first.source.renew();
  const second = await started(zoneOf(21, 'new A 192.0.2.4'), { table: first.table });
  expect((await second.source.read())?.zone?.serial).toBe(4);
  for (const one of [first, second])
    for (const part of [one.source, one.events]) await part[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

it('a full disk that takes no note of what came is no failure of the primary', async () => {
  const { server, port } = await primaryOf(zoneOf(4));
  const { events, source } = await started(zoneOf(20), { port, isFull: true });
  await source.renew();
  expect((await source.read())?.zone?.serial).toBe(4);
  expect(source.fact()).toMatchObject({ serial: 4, checkedAtMs: startMs, failing: undefined });
  for (const part of [source, events, server]) await part[Symbol.asyncDispose]();
});

it('ends at once where its question has not had its turn yet', async () => {
  let waiting = 0;
  const { events, source } = await started(zoneOf(20), {
    whenFree: () => {
      waiting++;
      return new Promise(() => {});
    },
  });
  await expect.poll(() => waiting).toBe(1);
  await source[Symbol.asyncDispose]();
  await events[Symbol.asyncDispose]();
});
