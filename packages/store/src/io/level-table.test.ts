import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Table, toUtf8 } from '@copain/core';
import { expect, it } from 'vitest';
import { tableContract } from './contract-suite.ts';
import { type Database, openTable, tableOver } from './level-table.ts';

const folder = () => mkdtemp(join(tmpdir(), 'copain-table-'));

tableContract('openTable', async () => {
  const dir = await folder();
  let current: Table = await openTable(dir);
  return {
    store: current,
    reopen: async () => {
      await current.close();
      current = await openTable(dir);
      return current;
    },
    dispose: async () => {
      await current.close();
      await rm(dir, { recursive: true });
    },
  };
});

it('a first start that was cut short before the marker begins anew', async () => {
  const dir = await folder();
  await (await openTable(dir)).close();
  await rm(join(dir, 'initialised'));
  await writeFile(join(dir, 'db', 'CURRENT'), 'nonsense\n');
  const table = await openTable(dir);
  await table.write([{ key: 'a', value: toUtf8('1') }]);
  expect(await table.get('a')).toEqual(toUtf8('1'));
  await table.close();
  await rm(dir, { recursive: true });
});

it('a table that was set up and is gone or empty is refused, not replaced by an empty one', async () => {
  for (const damage of ['CURRENT', 'everything']) {
    const dir = await folder();
    const table = await openTable(dir);
    await table.write([{ key: 'a', value: toUtf8('1') }]);
    await table.close();
    if (damage === 'CURRENT') await rm(join(dir, 'db', 'CURRENT'));
    else await rm(join(dir, 'db'), { recursive: true });
    await expect(openTable(dir)).rejects.toMatchObject({ detail: { code: 'MISSING' } });
    await rm(dir, { recursive: true });
  }
});

it('a flipped byte in a stored value is an error, never a wrong value', async () => {
  const dir = await folder();
  let table = await openTable(dir);
  const value = toUtf8('the-value-that-rots-'.repeat(20));
  await table.write([{ key: 'a', value }]);
  await table.close();
  // Opening moves the log into a table file; the flip has to hit wherever the value lies now.
  table = await openTable(dir);
  await table.close();
  let flipped = 0;
  for (const name of await readdir(join(dir, 'db'))) {
    const bytes = await readFile(join(dir, 'db', name));
    const at = bytes.indexOf('value-that-rots');
    if (at < 0) continue;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(join(dir, 'db', name), bytes);
    flipped += 1;
  }
  expect(flipped).toBeGreaterThan(0);
  table = await openTable(dir);
  const outcome = await table.get('a').catch((error: unknown) => error);
  // level itself may drop the row (its log is checked) or give rotten bytes; neither may look like a value.
  if (outcome !== undefined) expect(outcome).toMatchObject({ detail: { code: 'DAMAGED' } });
  await table.close();
  await rm(dir, { recursive: true });
});

it('a damaged row among others is passed over and told, or rejects where nobody listens', async () => {
  const rows = new Map<string, Uint8Array>();
  const open = async (): Promise<Database> => ({
    get: async (key) => rows.get(key),
    batch: async (changes) => {
      for (const { key, value } of changes) if (value) rows.set(key, value);
    },
    range: async function* () {
      yield* rows;
    },
    close: async () => {},
  });
  const damaged: string[] = [];
  const table = await tableOver(open, 'test', { damaged: (key) => damaged.push(key) });
  await table.write(['a', 'b', 'c'].map((key) => ({ key, value: toUtf8(key) })));
  const row = rows.get('kb')?.slice() ?? new Uint8Array();
  row[row.length - 1] = 0;
  rows.set('kb', row);

  const found: string[] = [];
  for await (const [key] of table.entries('')) found.push(key);
  expect(found).toEqual(['a', 'c']);
  expect(damaged).toEqual(['b']);
  await expect(table.get('b')).rejects.toMatchObject({ detail: { code: 'DAMAGED' } });

  const strict = await tableOver(open, 'test');
  const readAll = async (): Promise<void> => {
    for await (const [key] of strict.entries('')) expect(key).toBe('a');
  };
  await expect(readAll()).rejects.toMatchObject({ detail: { code: 'DAMAGED' } });
});

it('after a failed write it opens the database again; the write that failed rejects, the next one works', async () => {
  const rows = new Map<string, Uint8Array>();
  let opened = 0;
  const open = async (): Promise<Database> => {
    const number = ++opened;
    return {
      get: async (key) => rows.get(key),
      batch: async (changes) => {
        if (number === 1) throw new Error('EIO');
        for (const { key, value } of changes) if (value) rows.set(key, value);
      },
      range: async function* () {},
      close: async () => {
        if (number === 1) throw new Error('cannot close either');
      },
    };
  };
  const table = await tableOver(open, 'test');
  const failing = [
    table.write([{ key: 'a', value: toUtf8('1') }]),
    table.write([{ key: 'b', value: toUtf8('1') }]),
  ];
  for (const outcome of await Promise.allSettled(failing)) expect(outcome.status).toBe('rejected');
  await table.write([{ key: 'a', value: toUtf8('2') }]);
  expect(await table.get('a')).toEqual(toUtf8('2'));
  expect(opened).toBe(2);
  await table.close();
  await expect(table.get('a')).rejects.toMatchObject({ detail: { code: 'CLOSED' } });
});
