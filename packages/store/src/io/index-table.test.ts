import { mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromUtf8, toUtf8 } from '@copain/core';
import { afterEach, expect, it } from 'vitest';
import { type IndexTable, openIndexTable } from './index-table.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});
const mayRepair = async (): Promise<boolean> => true;

/** A closed index of 300 rows, written in several runs. */
async function filled(): Promise<string> {
  const base = await mkdtemp(join(tmpdir(), 'copain-index-'));
  folders.push(base);
  const dir = join(base, 'index');
  for (let run = 0; run < 3; run += 1) {
    const { table, found } = await openIndexTable(dir, { mayRepair });
    expect(found).toBe('whole');
    for (let i = 0; i < 100; i += 1)
      await table.write([{ key: `row/${run}-${i}`, value: toUtf8('x'.repeat(500)) }]);
    await table.close();
  }
  return dir;
}

async function rows({ table }: IndexTable): Promise<number> {
  let count = 0;
  for await (const [, value] of table.entries('row/')) {
    expect(fromUtf8(value)).toBe('x'.repeat(500));
    count += 1;
  }
  return count;
}

const names = async (dir: string): Promise<string[]> => await readdir(join(dir, 'db'));

it.each<[string, (dir: string) => Promise<void>]>([
  ['CURRENT is gone', async (dir) => await rm(join(dir, 'db/CURRENT'))],
  ['CURRENT is empty', async (dir) => await truncate(join(dir, 'db/CURRENT'))],
  [
    'the MANIFEST is gone',
    async (dir) => {
      for (const name of await names(dir)) if (name.startsWith('MANIFEST')) await rm(join(dir, 'db', name));
    },
  ],
  [
    'the MANIFEST is rubbish',
    async (dir) => {
      for (const name of await names(dir))
        if (name.startsWith('MANIFEST')) await writeFile(join(dir, 'db', name), 'rubbish'.repeat(50));
    },
  ],
])('an index of which %s is repaired, and every row is there', async (_name, damage) => {
  const dir = await filled();
  await damage(dir);
  const index = await openIndexTable(dir, { mayRepair });
  expect(index).toMatchObject({ found: 'repaired', setAside: undefined });
  expect(await rows(index)).toBe(300);
  await index.table.write([{ key: 'row/new', value: toUtf8('x'.repeat(500)) }]);
  await index.table.close();
  const again = await openIndexTable(dir, { mayRepair });
  expect(again.found).toBe('whole');
  expect(await rows(again)).toBe(301);
  await again.table.close();
});

it.each<[string, (dir: string) => Promise<void>]>([
  ['its database is gone', async (dir) => await rm(join(dir, 'db'), { recursive: true })],
  [
    'every file is rubbish',
    async (dir) => {
      for (const name of await names(dir)) await writeFile(join(dir, 'db', name), 'rubbish');
    },
  ],
])('an index of which %s is set aside and begins empty', async (_name, damage) => {
  const dir = await filled();
  await damage(dir);
  const index = await openIndexTable(dir, { mayRepair });
  expect(index).toMatchObject({ found: 'lost', setAside: `${dir}.lost` });
  expect(await rows(index)).toBe(0);
  await index.table.close();
  expect((await stat(`${dir}.lost`)).isDirectory()).toBe(true);
});

it('whose folder was removed whole begins empty like one that never was', async () => {
  const dir = await filled();
  await rm(dir, { recursive: true });
  const index = await openIndexTable(dir, { mayRepair });
  expect(await rows(index)).toBe(0);
  await index.table.close();
});

it('that is merely locked, or that nobody may repair now, stays as it is', async () => {
  const dir = await filled();
  const held = await openIndexTable(dir, { mayRepair });
  await expect(openIndexTable(dir, { mayRepair })).rejects.toThrow();
  expect(await rows(held)).toBe(300);
  await held.table.close();
  await rm(join(dir, 'db/CURRENT'));
  await expect(openIndexTable(dir, { mayRepair: async () => false })).rejects.toThrow('missing');
  const index = await openIndexTable(dir, { mayRepair });
  expect(await rows(index)).toBe(300);
  await index.table.close();
});
