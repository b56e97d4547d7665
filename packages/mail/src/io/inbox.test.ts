import { toHex } from '@copain/core';
import { memorySegments, memoryTable } from '@copain/store';
import { StoreError } from '@copain/store/io';
import { expect, it } from 'vitest';
import { tagPrefix } from '../queue-row.ts';
import { Inbox } from './inbox.ts';
import { recordEvents } from './testing.ts';

it('a tag whose row is damaged was seen, and one that cannot be read now is not known', async () => {
  const inner = memoryTable();
  const faults = new Map<string, StoreError>();
  const table = {
    ...inner,
    get: async (key: string) => {
      const fault = faults.get(key);
      if (fault) throw fault;
      return await inner.get(key);
    },
  };
  const { events, told } = recordEvents();
  await using stack = new AsyncDisposableStack();
  stack.defer(() => inner.close());
  const inbox = await Inbox.open({
    segments: memorySegments(),
    table,
    domains: () => [],
    identities: () => [],
    canaries: { judge: async () => 'mail' },
    clock: { nowMs: () => 1_700_000_000_000 },
    events,
  });
  const tag = new Uint8Array(16).fill(7);
  const key = tagPrefix + toHex(tag);
  expect(await inbox.knowsAll([tag])).toBe(false);
  faults.set(key, new StoreError({ code: 'DAMAGED', where: key, temporary: false }));
  expect(await inbox.knowsAll([tag])).toBe(true);
  expect(told).toEqual([expect.objectContaining({ kind: 'trouble', where: `the row of tag ${toHex(tag)}` })]);
  faults.set(key, new StoreError({ code: 'DISK', where: key, temporary: true }));
  await expect(inbox.knowsAll([tag])).rejects.toThrow('disk');
});
