import { createHash } from 'node:crypto';
import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { concatBytes, equalBytes, type Table, type TableChange, toUtf8 } from '@copain/core';
import { Level } from 'level';
import { keyMaxLength } from '../limits.ts';
import { makeFolder, replaceFile } from './durable-files.ts';
import { StoreError } from './errors.ts';

/** What the table needs of a database; `level` fulfils it, tests put one that fails in its place. */
export interface Database {
  get(key: string): Promise<Uint8Array | undefined>;
  /** All or nothing, synced. */
  batch(changes: readonly TableChange[]): Promise<void>;
  range(from: string, before: string): AsyncIterable<[string, Uint8Array]>;
  close(): Promise<void>;
}

/** `damaged` hears the key of each row that `entries` had to pass over. */
export interface TableOptions {
  damaged?: (key: string) => void;
}

const checksumBytes = 8;
const formatKey = '!format';
const formatValue = toUtf8('copain-table/1');
const markerName = 'initialised';

/**
 * Opens the table in `dir` (made with mode 0700 where it is missing). The database lies in `dir/db`; the file
 * `dir/initialised` beside it is written after the first synced row. Its rules:
 *
 * - No marker: whatever lies in `db` is the rest of a first start that was cut short, and is made anew. A fresh database
 *   survives a power cut only from its first synced write on.
 * - Marker, but no database or an empty one: `MISSING`, because a new empty database would look like one that forgot.
 * - A row that fails its checksum: `get` of it rejects with `DAMAGED`; `entries` passes over it and tells `damaged` its
 *   key, so that one rotten row of many does not keep a whole box from starting. Without `damaged` it rejects too.
 */
export async function openTable(dir: string, options: TableOptions = {}): Promise<Table> {
  await makeFolder(dir);
  const path = join(dir, 'db');
  const initialised = await exists(join(dir, markerName));
  if (!initialised) {
    await rm(path, { recursive: true, force: true });
    const fresh = await openLevel(path, true);
    await fresh.batch([{ key: formatKey, value: sealRow(formatKey, formatValue) }]);
    await fresh.close();
    await replaceFile(dir, { name: markerName, temporary: '.new-marker', bytes: formatValue });
  }
  const open = async (): Promise<Database> => {
    if (!(await exists(join(path, 'CURRENT'))))
      throw new StoreError({ code: 'MISSING', where: path, temporary: false });
    return await openLevel(path, false);
  };
  const table = await tableOver(open, path, options);
  const format = await table.readFormat();
  if (!format || !equalBytes(format, formatValue)) {
    await table.close();
    throw new StoreError({ code: 'MISSING', where: path, temporary: false });
  }
  return table;
}

/**
 * A Table over whatever `open` opens; after a failed write it closes and opens again before anything else is done, since
 * level refuses every write after one I/O error until it is reopened.
 */
export async function tableOver(
  open: () => Promise<Database>,
  where: string,
  { damaged }: TableOptions = {},
): Promise<Table & { readFormat(): Promise<Uint8Array | undefined> }> {
  let database: Database | undefined = await open();
  let closed = false;
  let reopening: Promise<void> | undefined;

  const current = async (): Promise<Database> => {
    await reopening;
    if (closed) throw new StoreError({ code: 'CLOSED', where, temporary: true });
    if (!database) await reopen();
    if (!database) throw new StoreError({ code: 'DISK', where, temporary: true });
    return database;
  };
  const reopen = (): Promise<void> => {
    reopening ??= (async () => {
      const broken = database;
      database = undefined;
      try {
        await broken?.close();
      } catch {
        // A database that cannot be closed after an I/O error is given up; opening again tells whether that helped.
      }
      try {
        database = await open();
      } catch {
        // Stays undefined: the next caller tries to open again and is told DISK if that fails too.
      } finally {
        reopening = undefined;
      }
    })();
    return reopening;
  };
  const get = async (key: string): Promise<Uint8Array | undefined> => {
    const row = await (await current()).get(key);
    if (row === undefined) return undefined;
    const value = readRow(key, row);
    if (value === undefined) throw rotten(where, key);
    return value;
  };

  return {
    readFormat: () => get(formatKey),
    get: (key) => get(`k${key}`),
    write: async (changes) => {
      for (const { key } of changes) {
        if (key.length > keyMaxLength) throw new RangeError('table key too long');
      }
      const rows = changes.map(({ key, value }) => ({
        key: `k${key}`,
        value: value && sealRow(`k${key}`, value),
      }));
      const used = await current();
      try {
        await used.batch(rows);
      } catch (error) {
        if (database === used) await reopen();
        throw new StoreError({ code: 'DISK', where, temporary: true }, { cause: error });
      }
    },
    entries: async function* (prefix) {
      const used = await current();
      for await (const [key, row] of used.range(`k${prefix}`, `k${prefix}\u{10ffff}`)) {
        const value = readRow(key, row);
        if (value !== undefined) yield [key.slice(1), value] as const;
        else if (damaged === undefined) throw rotten(where, key);
        else damaged(key.slice(1));
      }
    },
    close: async () => {
      await reopening;
      if (closed) return;
      closed = true;
      await database?.close();
    },
  };
}

async function openLevel(path: string, createIfMissing: boolean): Promise<Database> {
  const level = new Level<string, Uint8Array>(path, { keyEncoding: 'utf8', valueEncoding: 'view' });
  await level.open({ createIfMissing, errorIfExists: createIfMissing });
  return {
    get: (key) => level.get(key),
    batch: (changes) =>
      level.batch(
        changes.map(({ key, value }) =>
          value === undefined ? { type: 'del' as const, key } : { type: 'put' as const, key, value },
        ),
        { sync: true },
      ),
    range: (from, before) => level.iterator({ gte: from, lt: before }),
    close: () => level.close(),
  };
}

/** Key and value both count, so that a value that turns up under another key is noticed too. */
function checksum(key: string, value: Uint8Array): Uint8Array {
  const hash = createHash('sha256').update(key).update('\0').update(value).digest();
  return new Uint8Array(hash.subarray(0, checksumBytes));
}

function sealRow(key: string, value: Uint8Array): Uint8Array {
  return concatBytes(checksum(key, value), value);
}

/** The value in a row, or undefined where its checksum does not fit. */
function readRow(key: string, row: Uint8Array): Uint8Array | undefined {
  const value = Uint8Array.from(row.subarray(checksumBytes));
  const fits =
    row.length >= checksumBytes && equalBytes(row.subarray(0, checksumBytes), checksum(key, value));
  return fits ? value : undefined;
}

const rotten = (where: string, key: string): StoreError =>
  new StoreError({ code: 'DAMAGED', where: `${where} ${key.slice(1)}`, temporary: false });

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
