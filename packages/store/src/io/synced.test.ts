import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toUtf8 } from '@copain/core';
import { Level } from 'level';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openFiles } from './durable-files.ts';
import { openTable } from './level-table.ts';
import { openSegments } from './segment-store.ts';

// kill -9 takes nothing from the page cache, so only the calls themselves show that a power cut would not either.
let dir: string;
let datasync: ReturnType<typeof spyOn>;

const spyOn = (files: FileHandle, method: 'datasync' | 'sync') => vi.spyOn(files, method);

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'copain-synced-'));
  await using file = await open(dir, 'r');
  const shared: FileHandle = Object.getPrototypeOf(file);
  datasync = spyOn(shared, 'datasync');
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(dir, { recursive: true });
});

it('a record is on the disk itself when it counts as stored, and so is its end when it counts as removed', async () => {
  const segments = await openSegments(dir);
  datasync.mockClear();
  const outcome = await segments.append(toUtf8('a message'));
  expect(datasync).toHaveBeenCalledTimes(1);
  if (outcome.kind === 'stored') await segments.remove(outcome.entry.id);
  expect(datasync).toHaveBeenCalledTimes(2);
  await segments.close();
});

it('a file is on the disk itself when it counts as written', async () => {
  const files = await openFiles(dir);
  await files.write('zone', toUtf8('whole'));
  expect(datasync).toHaveBeenCalledTimes(1);
});

it('every row of a table is written synced', async () => {
  const batch = vi.spyOn(Level.prototype, 'batch');
  const table = await openTable(join(dir, 'table'));
  batch.mockClear();
  await table.write([{ key: 'a', value: toUtf8('b') }]);
  expect(batch.mock.calls.map((call: unknown[]) => call[1])).toEqual([{ sync: true }]);
  await table.close();
});
