import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Table } from '@copain/core';
import { Level } from 'level';
import { openTable, type TableOptions } from './level-table.ts';

/** How an index was found: `repaired` from what its files still hold, or `lost`: it begins empty, the old one set aside. */
export type IndexFound = 'whole' | 'repaired' | 'lost';

export interface IndexTable {
  table: Table;
  found: IndexFound;
  /** Where what cannot be read lies; set where `found` is `lost`. */
  setAside: string | undefined;
}

/**
 * Opens a table whose rows can be made again from what they point at, so that its loss is no reason not to start: one that
 * is gone or cannot be opened is repaired from what is left of its files, and where that does not help set aside as
 * `<dir>.lost` (an older one goes) and begun anew. `mayRepair` says whether it can be the index that is at fault: a table
 * does not open on a full disk either, nor while another process has it. Rejects where neither helps.
 */
export async function openIndexTable(
  dir: string,
  options: TableOptions & { mayRepair: () => Promise<boolean> },
): Promise<IndexTable> {
  try {
    return { table: await openTable(dir, options), found: 'whole', setAside: undefined };
  } catch (error) {
    if (isLocked(error) || !(await options.mayRepair())) throw error;
  }
  try {
    await repair(join(dir, 'db'));
    return { table: await openTable(dir, options), found: 'repaired', setAside: undefined };
  } catch {
    // Not even the row that says what this is came back: nothing of it can be trusted.
  }
  const setAside = `${dir}.lost`;
  await rm(setAside, { recursive: true, force: true });
  await rename(dir, setAside);
  return { table: await openTable(dir, options), found: 'lost', setAside };
}

/** What the class has on every system but a browser, and its types leave out. */
async function repair(path: string): Promise<void> {
  await (Level as unknown as { repair(location: string): Promise<void> }).repair(path);
}

/** Another process has the table: level says so in a cause, at some depth. */
function isLocked(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if ('code' in cause && cause.code === 'LEVEL_LOCKED') return true;
  return false;
}
