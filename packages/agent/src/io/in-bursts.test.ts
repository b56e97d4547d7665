import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { inBursts } from './in-bursts.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Work that takes 10 ms of a clock that only it and the test move. */
function worked(more: { restMs?: () => number } = {}) {
  let nowMs = 0;
  const doneAtMs: number[] = [];
  const bursts = inBursts(
    () => {
      nowMs += 10;
      doneAtMs.push(nowMs);
    },
    { nowMs: () => nowMs, ...more },
  );
  const pass = (ms: number): void => {
    nowMs += ms;
    vi.advanceTimersByTime(ms);
  };
  return { bursts, doneAtMs, pass };
}

it('one change is taken in at once, and so is one that comes after a rest', () => {
  const { bursts, doneAtMs, pass } = worked();
  bursts.ask();
  expect(doneAtMs).toEqual([10]);
  pass(100);
  bursts.ask();
  expect(doneAtMs).toEqual([10, 120]);
});

it('of a burst the first is taken in at once and all others together, after three times as long as the work took', () => {
  const { bursts, doneAtMs, pass } = worked();
  for (let n = 0; n < 1000; n++) bursts.ask();
  pass(29);
  expect(doneAtMs).toEqual([10]);
  pass(1);
  expect(doneAtMs).toEqual([10, 50]);
  pass(1000);
  expect(doneAtMs).toHaveLength(2);
});

it('what waits is done at once where somebody needs it, and nothing where nothing waits', () => {
  const { bursts, doneAtMs, pass } = worked();
  bursts.settle();
  bursts.ask();
  bursts.settle();
  expect(doneAtMs).toHaveLength(1);
  bursts.ask();
  bursts.settle();
  expect(doneAtMs).toHaveLength(2);
  pass(1000);
  expect(doneAtMs).toHaveLength(2);
});

it('what waits is left undone once it is disposed of', () => {
  const { bursts, doneAtMs, pass } = worked();
  bursts.ask();
  bursts.ask();
  bursts[Symbol.dispose]();
  pass(1000);
  expect(doneAtMs).toHaveLength(1);
});

it('rests as long as it is told to', () => {
  let restMs = 500;
  const { bursts, doneAtMs, pass } = worked({ restMs: () => restMs });
  bursts.ask();
  restMs = 0;
  bursts.ask();
  pass(499);
  expect(doneAtMs).toHaveLength(1);
  pass(1);
  expect(doneAtMs).toHaveLength(2);
  bursts.ask();
  expect(doneAtMs).toHaveLength(3);
});
