import { manualClock } from '@copain/core/testing';
import { memoryTable } from '@copain/store';
import { expect, it } from 'vitest';
import { openStanding } from './standing.ts';

const silent = {
  clock: manualClock(0),
  friends: [],
  doubted: () => {},
  greet: () => {},
  found: () => {},
  changed: () => {},
};

it('on a full disk a box runs under the number of its last run, and says so; one that never ran does not start', async () => {
  const rows = new Map<string, Uint8Array>();
  const full = {
    ...memoryTable(rows),
    write: async () => {
      throw new Error('ENOSPC');
    },
  };
  const failures: unknown[] = [];
  const failed = (error: unknown): void => {
    failures.push(error);
  };
  await expect(openStanding({ ...silent, table: full, failed })).rejects.toThrow('ENOSPC');
  const first = await openStanding({ ...silent, table: memoryTable(rows), failed });
  expect(failures).toEqual([]);
  const second = await openStanding({ ...silent, table: full, failed });
  expect(second.bootId).toEqual(first.bootId);
  expect(failures).toHaveLength(1);
  const third = await openStanding({ ...silent, table: memoryTable(rows), failed });
  expect(third.bootId).not.toEqual(first.bootId);
  expect(third.previousBootId).toEqual(first.bootId);
});
