import { soaOf, type Zone } from '@copain/dns';
import { sha256 } from '@copain/dns/io';
import { zoneAt } from '@copain/dns/testing';
import { memoryTable } from '@copain/store';
import { expect, it } from 'vitest';
import { openTransferJournal, type TransferJournal, type ZoneOfContent } from './transfer-journal.ts';

const fail = (error: unknown): never => {
  throw error;
};

/** A zone with enough records that a change is shorter than all of it. */
function zoneOf(serial: number, lines: readonly string[] = [], origin = 'alice.example'): ZoneOfContent {
  const filler = Array.from({ length: 60 }, (_, i) => `f${i} A 192.0.2.${i}`);
  const zone = zoneAt(origin, serial, ...filler, ...lines);
  return { zone, contentHash: sha256(new TextEncoder().encode(`${origin} ${serial} ${lines.join()}`)) };
}

const serialAt = (rdata: Uint8Array): number =>
  new DataView(rdata.buffer, rdata.byteOffset).getUint32(rdata.length - 20);
/** The serials that a secondary may have and get a change for. */
const known = (journal: TransferJournal, { zone }: ZoneOfContent): number[] =>
  (journal.zones().get(zone.originKey)?.changes ?? []).map(({ fromSoa }) => serialAt(fromSoa.rdata));
const addressed = (host: number): string[] => [`www A 192.0.2.${host}`];

async function rowsIn(table: ReturnType<typeof memoryTable>): Promise<number> {
  let count = 0;
  for await (const _ of table.entries('transfer-change/')) count++;
  return count;
}

it('knows after a restart what was served before it, and goes on from there', async () => {
  const table = memoryTable();
  const first = await openTransferJournal({ table, failed: fail });
  for (const serial of [1, 2, 3]) first.serve([zoneOf(serial, addressed(serial))]);
  await first[Symbol.asyncDispose]();

  await using again = await openTransferJournal({ table, failed: fail });
  again.serve([]);
  again.serve([zoneOf(3, addressed(3))]);
  expect(known(again, zoneOf(3))).toEqual([1, 2]);
  again.serve([zoneOf(4, addressed(4))]);
  expect(known(again, zoneOf(4))).toEqual([1, 2, 3]);
});

it('begins anew where the zone that is served after a restart is not the one that was served before it', async () => {
  for (const served of [zoneOf(4, addressed(4)), zoneOf(3, addressed(9)), zoneOf(2, addressed(2))]) {
    const table = memoryTable();
    const first = await openTransferJournal({ table, failed: fail });
    for (const serial of [1, 2, 3]) first.serve([zoneOf(serial, addressed(serial))]);
    await first[Symbol.asyncDispose]();
    const again = await openTransferJournal({ table, failed: fail });
    again.serve([served]);
    expect(known(again, served)).toEqual([]);
    await again[Symbol.asyncDispose]();
    expect(await rowsIn(table)).toBe(0);
  }
});

it('forgets a zone that is not served any more, on disk too, and leaves others alone', async () => {
  const table = memoryTable();
  const journal = await openTransferJournal({ table, failed: fail });
  const other = zoneOf(2, addressed(2), 'bob.example');
  journal.serve([zoneOf(1), zoneOf(1, addressed(1), 'bob.example')]);
  journal.serve([zoneOf(2, addressed(2)), other]);
  journal.serve([other]);
  await journal[Symbol.asyncDispose]();
  expect(await rowsIn(table)).toBe(1);
  await using again = await openTransferJournal({ table, failed: fail });
  again.serve([zoneOf(2, addressed(2)), other]);
  expect([known(again, zoneOf(2)), known(again, other)]).toEqual([[], [1]]);
});

it('what is too large to keep, or of a content that no version names, makes what was before it useless', async () => {
  const large = Array.from({ length: 25 }, (_, i) => `t${i} TXT ${`"${'x'.repeat(250)}" `.repeat(12)}`);
  const unnamed = { ...zoneOf(3, addressed(3)), contentHash: undefined };
  for (const third of [zoneOf(3, large), unnamed]) {
    const table = memoryTable();
    const journal = await openTransferJournal({ table, failed: fail });
    for (const zone of [zoneOf(1), zoneOf(2, addressed(2)), third]) journal.serve([zone]);
    // It is known as long as this process runs.
    expect(known(journal, third)).toEqual([1, 2]);
    await journal[Symbol.asyncDispose]();
    expect(await rowsIn(table)).toBe(0);
  }
});

it('a damaged row is removed, and so is what cannot be reached without it', async () => {
  const table = memoryTable();
  const first = await openTransferJournal({ table, failed: fail });
  for (const serial of [1, 2, 3, 4]) first.serve([zoneOf(serial, addressed(serial))]);
  await first[Symbol.asyncDispose]();
  await table.write([{ key: 'transfer-change/000000000001', value: Uint8Array.of(1, 2, 3) }]);
  const again = await openTransferJournal({ table, failed: fail });
  const served = zoneOf(4, addressed(4));
  again.serve([served]);
  expect(known(again, served)).toEqual([3]);
  await again[Symbol.asyncDispose]();
  expect(await rowsIn(table)).toBe(1);
});

it('keeps sixteen megabytes at most, and lets the oldest go', async () => {
  const table = memoryTable();
  const journal = await openTransferJournal({ table, failed: fail });
  const filler = Array.from({ length: 200 }, (_, i) => `g${i} A 192.0.2.1`);
  const texts = (serial: number) =>
    Array.from({ length: 8 }, (_, i) => `t${i} TXT "${serial}" ${`"${'x'.repeat(250)}" `.repeat(14)}`);
  const zonesOf = (serial: number): ZoneOfContent[] =>
    Array.from({ length: 30 }, (_, i) => zoneOf(serial, [...filler, ...texts(serial)], `z${i}.example`));
  for (let serial = 1; serial <= 12; serial++) journal.serve(zonesOf(serial));
  await journal[Symbol.asyncDispose]();
  let bytes = 0;
  for await (const [, value] of table.entries('transfer-change/')) bytes += value.length;
  expect(bytes).toBeLessThanOrEqual(16_777_216);
  expect(bytes).toBeGreaterThan(16_000_000);
  await using again = await openTransferJournal({ table, failed: fail });
  again.serve(zonesOf(12));
  const last = zonesOf(12).at(-1) as ZoneOfContent;
  expect(known(again, last).at(-1)).toBe(11);
  expect(known(again, last)[0]).toBeGreaterThan(1);
});

it('a write that fails is said, and costs no more than the past', async () => {
  const table = memoryTable();
  const failures: unknown[] = [];
  const broken = { ...table, write: async () => fail(new Error('no room')) };
  const journal = await openTransferJournal({ table: broken, failed: (error) => failures.push(error) });
  const zone: Zone = zoneOf(2, addressed(2)).zone;
  journal.serve([zoneOf(1)]);
  journal.serve([zoneOf(2, addressed(2))]);
  await journal[Symbol.asyncDispose]();
  expect(failures).toHaveLength(1);
  expect(soaOf(journal.zones().get(zone.originKey)?.zone ?? zone)).toEqual(soaOf(zone));
});

it('a row that could not be removed joins nothing that it does not belong to', async () => {
  const table = memoryTable();
  const first = await openTransferJournal({ table, failed: fail });
  for (const serial of [1, 2]) first.serve([zoneOf(serial, addressed(serial))]);
  await first[Symbol.asyncDispose]();
  let isFull = true;
  const full: typeof table = {
    ...table,
    write: async (changes) => (isFull ? fail(new Error('no room')) : await table.write(changes)),
  };
  const second = await openTransferJournal({ table: full, failed: () => {} });
  second.serve([zoneOf(2, addressed(2))]);
  second.serve([zoneOf(2, addressed(9))]);
  await second[Symbol.asyncDispose]();
  isFull = false;
  const served = zoneOf(3, addressed(3));
  second.serve([served]);
  await second[Symbol.asyncDispose]();
  await using again = await openTransferJournal({ table, failed: fail });
  again.serve([served]);
  expect(known(again, served)).toEqual([2]);
});
