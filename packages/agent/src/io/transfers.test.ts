import { setImmediate } from 'node:timers/promises';
import { manualClock } from '@copain/core/testing';
import {
  decodeMessage,
  encodeMessage,
  type NameKey,
  nameKey,
  nameOf,
  RecordType,
  signTsigQuery,
  type TsigKey,
} from '@copain/dns';
import { tsigCrypto } from '@copain/dns/io';
import { zoneAt } from '@copain/dns/testing';
import { memoryTable } from '@copain/store';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { openEventLog } from './event-log.ts';
import { startTransfers } from './transfers.ts';

const nowMs = 1_800_000_000_000;
const catalog = 'catalog.alice.invalid';

const served = (origin: string) => ({
  zone: zoneAt(origin, 7),
  expired: false,
  contentHash: new Uint8Array(32),
});

const soaQuery = (name: string, key?: TsigKey): Uint8Array => query(name, RecordType.SOA, key);

function query(name: string, type: number, key?: TsigKey): Uint8Array {
  const message = encodeMessage({
    id: 1,
    flags: 0,
    questions: [{ name: nameOf(name), type, class: 1 }],
    answers: [],
    authority: [],
    additional: [],
  });
  if (message === undefined) throw new Error('it fits');
  return key ? signTsigQuery(message, key, { crypto: tsigCrypto, nowS: nowMs / 1000 }).message : message;
}

async function start(table: ReturnType<typeof memoryTable>) {
  const clock = manualClock(nowMs);
  const events = await openEventLog({ table: memoryTable(), clock, onAdd: () => {}, failed: () => {} });
  const transfers = await startTransfers({
    transfer: [{ address: { host: '127.0.0.1', port: 5301 }, tsigFile: undefined }],
    configFile: '/nowhere/peer.toml',
    boxName: 'alice',
    ownerId: 'a'.repeat(64),
    table,
    clock,
    answer: () => undefined,
    events,
    log: pino({ level: 'silent' }),
  });
  const ask = (message: Uint8Array) =>
    transfers.answer(message, { transport: 'tcp', address: '127.0.0.1', nowMs });
  /** The serial of the catalog; undefined where there is none. */
  const serial = (): number | undefined => {
    const answer = ask(soaQuery(catalog));
    const [soa] = (answer instanceof Uint8Array && decodeMessage(answer)?.answers) || [];
    return soa && new DataView(soa.rdata.buffer, soa.rdata.byteOffset).getUint32(soa.rdata.length - 20);
  };
  return { transfers, clock, events, ask, serial };
}

const owned = (...origins: string[]): ReadonlyMap<NameKey, string> =>
  new Map(origins.map((origin) => [nameKey(nameOf(origin)), 'a'.repeat(64)]));

it('after a restart the catalog is the same, in whatever order zones are opened, and there is none before all are known', async () => {
  const table = memoryTable();
  const [one, two] = [served('one.example'), served('two.example')];
  const all = owned('one.example', 'two.example');
  const first = await start(table);
  first.transfers.zonesChanged({ zones: [one, two], ownerOf: all, awaited: new Set() });
  await expect.poll(first.serial).toBe(nowMs / 1000);
  await first.transfers[Symbol.asyncDispose]();

  const again = await start(table);
  again.clock.advance(5000);
  again.transfers.zonesChanged({ zones: [], ownerOf: undefined, awaited: new Set() });
  again.transfers.zonesChanged({ zones: [two], ownerOf: undefined, awaited: new Set() });
  // A table in memory is written within one turn of the event loop.
  await setImmediate();
  expect(again.serial()).toBeUndefined();
  const awaited = new Set([one.zone.originKey]);
  again.transfers.zonesChanged({ zones: [two], ownerOf: owned('two.example', 'one.example'), awaited });
  await expect.poll(again.serial).toBe(nowMs / 1000);
  again.transfers.zonesChanged({ zones: [two], ownerOf: owned('two.example'), awaited: new Set() });
  await expect.poll(again.serial).toBe(nowMs / 1000 + 5);
  await again.transfers[Symbol.asyncDispose]();
});

it('of zones that change one after the other a catalog is made once', async () => {
  const table = memoryTable();
  let made = 0;
  const { transfers, serial } = await start({
    ...table,
    get: async (key) => {
      made++;
      return await table.get(key);
    },
  });
  const origins = Array.from({ length: 50 }, (_, i) => `z${i}.example`);
  for (const [i] of origins.entries())
    transfers.zonesChanged({ zones: [], ownerOf: owned(...origins.slice(0, i + 1)), awaited: new Set() });
  await expect.poll(serial).toBe(nowMs / 1000);
  await transfers[Symbol.asyncDispose]();
  expect(made).toBe(1);
});

it('a zone that is not here yet, or has expired, is SERVFAIL to whoever transfers it, and no reason to drop it', async () => {
  const { transfers, ask } = await start(memoryTable());
  const [here, expired] = [served('here.example'), { ...served('expired.example'), expired: true }];
  const awaited = new Set([nameKey(nameOf('awaited.example'))]);
  transfers.zonesChanged({ zones: [here, expired], ownerOf: undefined, awaited });
  const rcodes = ['expired', 'awaited', 'other'].map((name) => {
    const answer = ask(query(`${name}.example`, RecordType.AXFR));
    return answer instanceof Uint8Array && (decodeMessage(answer)?.flags ?? 0) & 15;
  });
  expect(rcodes).toEqual([2, 2, 9]);
  await transfers[Symbol.asyncDispose]();
});

it('a query with a key that is not known is an event, once', async () => {
  const { transfers, events, ask } = await start(memoryTable());
  const key: TsigKey = { name: nameOf('other'), algorithm: 'hmac-sha256', secret: new Uint8Array(32) };
  for (let i = 0; i < 3; i++) ask(soaQuery('one.example', key));
  expect(events.list().map(({ kind, text }) => `${kind}: ${text}`)).toEqual([
    expect.stringMatching(/^transfer\.signature: A server at 127\.0\.0\.1 .* key "other" .*BADKEY/),
  ]);
  expect(transfers.counts()).toEqual([{ kind: 'badsig', count: 3 }]);
  await transfers[Symbol.asyncDispose]();
});
