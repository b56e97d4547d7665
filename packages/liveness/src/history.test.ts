import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  emptyHistory,
  type History,
  type HistoryState,
  historyStates,
  historySummary,
  upPart,
  withState,
} from './history.ts';
import { decodeHistory, encodeHistory } from './history-row.ts';
import { historyBytesMax, historyChangesMax, historyDays, historyGapMs, historyHours } from './limits.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const startMs = Date.UTC(2026, 10, 22);

/** Looks every `stepMs` for `forMs`; `stateAt` is what is seen. */
function watched(
  history: History,
  forMs: number,
  stateAt: (atMs: number) => HistoryState | undefined,
  stepMs = 10_000,
): History {
  let now = history;
  const endMs = history.countedToMs + forMs;
  for (let atMs = history.countedToMs + stepMs; atMs <= endMs; atMs += stepMs)
    now = withState(now, stateAt(atMs), atMs);
  return now;
}

it('counts each state by the hour and the day, and says how much of the known time was up', () => {
  const begun = withState(emptyHistory(startMs), 'up', startMs);
  const day = watched(begun, dayMs, (atMs) =>
    atMs >= startMs + 6 * hourMs && atMs < startMs + 9 * hourMs ? 'down' : 'up',
  );
  const { day: last24h, days } = historySummary(day, startMs + dayMs - 1, 3);
  expect(last24h).toBeCloseTo(21 / 24, 3);
  expect(days.slice(0, 2)).toEqual([undefined, undefined]);
  expect(days[2]).toBeCloseTo(21 / 24, 3);
  expect(day.hours.length).toBe(24);
  expect(day.changes.map(({ state }) => state)).toEqual(['up', 'down', 'up']);
});

it('planned absence and time in which this box saw nothing count as neither up nor down', () => {
  const begun = withState(emptyHistory(startMs), 'up', startMs);
  const away = watched(
    watched(begun, hourMs, () => 'up'),
    20 * hourMs,
    () => 'away',
  );
  expect(upPart(away.days)).toBe(1);
  const blind = watched(away, hourMs, () => undefined);
  expect(upPart(blind.days)).toBe(1);
  expect(blind.changes.at(-1)?.state).toBeUndefined();
  expect(upPart([])).toBeUndefined();
});

it('a box that was off knows nothing of that time, and a clock that is set back counts nothing twice', () => {
  const before = watched(withState(emptyHistory(startMs), 'down', startMs), hourMs, () => 'down');
  const after = withState(before, 'up', before.countedToMs + 5 * hourMs);
  expect(after.days[0]?.seconds).toEqual(before.days[0]?.seconds);
  expect(after.changes.slice(-2)).toEqual([
    { atMs: before.countedToMs, state: undefined },
    { atMs: before.countedToMs + 5 * hourMs, state: 'up' },
  ]);
  const back = watched(withState(after, 'up', startMs), hourMs / 2, () => 'up');
  const seconds = (back.hours.find(({ at }) => at === startMs / hourMs)?.seconds ?? []).reduce(
    (a, b) => a + b,
    0,
  );
  expect(seconds).toBeLessThanOrEqual(5400);
});

it('a year and more of restless states stays within its bytes, and comes back from disk as it was', () => {
  let history = emptyHistory(startMs);
  for (let index = 0; index < 400 * 24 * 2; index++) {
    const state = historyStates[index % historyStates.length];
    const atMs = startMs + index * (hourMs / 2);
    // A look just before, so that half an hour is no gap.
    history = withState(history, state, atMs - historyGapMs + 1);
    history = withState(history, state, atMs);
  }
  expect(history.changes).toHaveLength(historyChangesMax);
  expect(history.hours).toHaveLength(historyHours);
  expect(history.days).toHaveLength(historyDays);
  const rows = encodeHistory(history);
  expect(rows.now.length + rows.past.length).toBeLessThanOrEqual(historyBytesMax);
  // What is written every few minutes is small.
  expect(rows.now.length).toBeLessThanOrEqual(1024);
  const again = decodeHistory(rows);
  expect(again?.changes).toEqual(
    history.changes.map(({ atMs, state }) => ({ atMs: Math.round(atMs), state })),
  );
  expect(again?.days.length).toBe(historyDays);
  expect(historySummary(again ?? emptyHistory(0), history.countedToMs, 90).year).toBeCloseTo(
    historySummary(history, history.countedToMs, 90).year ?? 0,
    3,
  );
});

it('whatever is seen, and whenever, an hour never has more seconds than there are, and the limits hold', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          state: fc.option(fc.constantFrom(...historyStates), { nil: undefined }),
          afterMs: fc.oneof(
            fc.integer({ min: 0, max: 60_000 }),
            fc.integer({ min: -7_200_000, max: 90_000_000 }),
          ),
        }),
        { maxLength: 300 },
      ),
      (looks) => {
        let history = emptyHistory(startMs);
        let atMs = startMs;
        let isBack = false;
        for (const { state, afterMs } of looks) {
          atMs += afterMs;
          isBack ||= afterMs < 0;
          history = withState(history, state, atMs);
        }
        for (const { seconds } of history.hours) {
          const sum = seconds.reduce((a, b) => a + b, 0);
          if (!isBack) expect(sum).toBeLessThanOrEqual(3600.001);
        }
        expect(history.hours.map(({ at }) => at)).toEqual(
          history.hours.map(({ at }) => at).toSorted((a, b) => a - b),
        );
        const again = decodeHistory(encodeHistory(history));
        expect(again?.hours.map(({ at }) => at)).toEqual(history.hours.map(({ at }) => at));
        expect(again?.changes.map(({ state }) => state)).toEqual(history.changes.map(({ state }) => state));
      },
    ),
    { numRuns: 200 },
  );
});

it('reads nothing out of bytes that are no history, and what is left where one row is damaged', () => {
  expect(decodeHistory({ now: new Uint8Array(3), past: undefined })).toBeUndefined();
  const history = watched(withState(emptyHistory(startMs), 'up', startMs), 3 * hourMs, () => 'up');
  const { now } = encodeHistory(history);
  const left = decodeHistory({ now, past: Uint8Array.of(1, 2, 3) });
  expect(left?.changes).toEqual(history.changes);
  expect(left?.hours).toHaveLength(1);
});
