import { manualClock } from '@copain/core/testing';
import { expect, it } from 'vitest';
import { inOrder } from './in-order.ts';

function started() {
  const clock = manualClock(1_000_000);
  const tried: string[] = [];
  const failures: unknown[] = [];
  const broken = new Set<string>();
  const work = inOrder<string>({
    act: async (piece) => {
      tried.push(piece);
      if (broken.has(piece)) throw new Error('no room');
    },
    failed: (error) => failures.push(error),
    retryAfterMs: 5000,
    clock,
  });
  return { clock, tried, failures, broken, work };
}

it('does one piece after the other, and what came meanwhile', async () => {
  const { tried, work } = started();
  work.add(['a', 'b']);
  work.start();
  work.add(['c']);
  await expect.poll(() => work.waiting().length).toBe(0);
  expect(tried).toEqual(['a', 'b', 'c']);
});

it('tries a piece that failed again after a while, also where the clock was set back, and the rest waits for it', async () => {
  for (const laterMs of [5000, -86_400_000]) {
    const { clock, tried, failures, broken, work } = started();
    broken.add('a');
    work.add(['a', 'b']);
    work.start();
    await expect.poll(() => failures.length).toBe(1);
    clock.advance(4999);
    work.start();
    broken.delete('a');
    clock.set(clock.nowMs() - 4999 + laterMs);
    work.start();
    await expect.poll(() => work.waiting().length).toBe(0);
    expect(tried).toEqual(['a', 'a', 'b']);
  }
});

it('leaves the rest undone where it ends', async () => {
  const { tried, work } = started();
  work.add(['a', 'b']);
  work.start();
  await work[Symbol.asyncDispose]();
  work.start();
  expect([tried, work.waiting()]).toEqual([['a'], ['b']]);
});
