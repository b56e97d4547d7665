import { memoryTable } from '@copain/store';
import { expect, it } from 'vitest';
import { openHistories } from './history.ts';

const dayMs = 86_400_000;

function clockAt(startMs: number) {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}
const failed = (error: unknown): void => {
  throw error;
};

it('what was seen is known after a restart, but for the time in which nobody looked', async () => {
  const table = memoryTable();
  const clock = clockAt(Date.UTC(2026, 10, 22));
  const histories = await openHistories({ table, clock, failed });
  for (let tick = 0; tick < 1080; tick++) {
    histories.tick(() => new Map([['friend/bob', tick < 540 ? ('up' as const) : ('down' as const)]]));
    clock.pass(10_000);
  }
  await histories.close();
  clock.pass(7_200_000);
  const again = await openHistories({ table, clock, failed });
  expect(again.summary('friend/bob')?.day).toBeCloseTo(0.5, 2);
  again.tick(() => new Map([['friend/bob', 'up' as const]]));
  expect(again.changes('friend/bob').map(({ state }) => state)).toEqual(['up', 'down', undefined, 'up']);
  expect(again.summary('friend/carol')).toBeUndefined();
});

it('a crash costs five minutes at most', async () => {
  const table = memoryTable();
  const clock = clockAt(Date.UTC(2026, 10, 22));
  const histories = await openHistories({ table, clock, failed });
  for (let tick = 0; tick < 100; tick++) {
    histories.tick(() => new Map([['friend/bob', 'up' as const]]));
    clock.pass(10_000);
  }
  await expect
    .poll(async () => (await openHistories({ table, clock, failed })).summary('friend/bob')?.day)
    .toBe(1);
});

it('keeps as many as the limit, those looked at last, and none for more than a year after', async () => {
  const table = memoryTable();
  const clock = clockAt(Date.UTC(2026, 0, 1));
  const histories = await openHistories({ table, clock, failed });
  const seen = (from: number, to: number) =>
    new Map(Array.from({ length: to - from }, (_, index) => [`service/${from + index}`, 'up' as const]));
  histories.tick(() => seen(0, 200));
  clock.pass(10_000);
  histories.tick(() => seen(200, 300));
  await histories.close();
  const rows: string[] = [];
  for await (const [key] of table.entries('history/now/')) rows.push(key);
  expect(rows).toHaveLength(256);
  expect(histories.summary('service/0')).toBeUndefined();
  expect(histories.summary('service/299')).toBeDefined();
  clock.pass(400 * dayMs);
  histories.tick(() => new Map());
  await histories.close();
  const left: string[] = [];
  for await (const [key] of table.entries('history/')) left.push(key);
  expect(left).toEqual([]);
});
