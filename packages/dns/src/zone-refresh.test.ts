import { describe, expect, it } from 'vitest';
import { notifyPauseMs, primaryFailuresTold } from './limits.ts';
import { type RefreshInput, type RefreshState, startRefresh, stepRefresh } from './zone-refresh.ts';

const timers = { refreshS: 3600, retryS: 600, expireS: 86_400 };

/** Plays inputs at instants; gives the kinds of all effects, each with its instant. */
function play(
  inputs: readonly (readonly [number, RefreshInput])[],
  from: RefreshState = startRefresh(),
  jitter = 0,
) {
  let state = from;
  const told: string[] = [];
  for (const [atMs, input] of inputs) {
    const [next, effects] = stepRefresh(state, input, jitter, atMs);
    state = next;
    told.push(...effects.map(({ kind }) => `${kind}@${atMs}`));
  }
  return { state, told };
}
const tick = { kind: 'tick' } as const;
const failed = { kind: 'failed' } as const;
const wanted = { kind: 'wanted' } as const;
const checked = { kind: 'checked', timers } as const;

describe('a primary', () => {
  it('is asked at the start, then after REFRESH (RFC 1034 §4.3.5), up to a quarter earlier', () => {
    expect(
      play([
        [0, tick],
        [5, checked],
        [3_599_999, tick],
        [3_600_005, tick],
      ]).told,
    ).toEqual(['ask@0', 'ask@3600005']);
    expect(
      play(
        [
          [0, tick],
          [0, checked],
          [2_699_999, tick],
          [2_700_000, tick],
        ],
        startRefresh(),
        1,
      ).told,
    ).toEqual(['ask@0', 'ask@2700000']);
  });

  it('that fails is asked again after 1, 2, 4 … s, up to RETRY', () => {
    let { state } = play([
      [0, tick],
      [0, checked],
      [4_000_000, tick],
    ]);
    const waits: number[] = [];
    let nowMs = 4_000_000;
    for (let i = 0; i < 12; i++) {
      [state] = stepRefresh(state, failed, 0, nowMs);
      waits.push((state.nextAtMs - nowMs) / 1000);
      nowMs = state.nextAtMs;
      [state] = stepRefresh(state, tick, 0, nowMs);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
  });

  it('is asked within bounds, whatever its SOA says', () => {
    for (const [said, refreshMs, retryMs] of [
      [0, 10_000, 1000],
      [2 ** 32 - 1, 86_400_000, 3_600_000],
    ] as const) {
      const odd = { ...checked, timers: { refreshS: said, retryS: said, expireS: 2 ** 32 - 1 } };
      let [state] = stepRefresh(startRefresh(), odd, 0, 0);
      expect(state.nextAtMs).toBe(refreshMs);
      [state] = stepRefresh(state, failed, 0, 0);
      expect(state.nextAtMs).toBe(1000);
      for (let i = 0; i < 20; i++) [state] = stepRefresh(state, failed, 0, 0);
      expect(state.nextAtMs).toBe(said === 0 ? 5000 : retryMs);
    }
  });

  it('is asked at once where a person wants it, however soon after the last question', () => {
    const { told } = play([
      [0, tick],
      [1, checked],
      [2, { ...wanted, atOnce: true }],
    ]);
    expect(told).toEqual(['ask@0', 'ask@2']);
  });

  it('that never gave the zone is asked at least once a minute', () => {
    let [state] = stepRefresh(startRefresh(), tick, 0, 0);
    for (let i = 0; i < 20; i++) [state] = stepRefresh({ ...state, isAsking: true }, failed, 0, 0);
    expect(state.nextAtMs).toBe(60_000);
  });

  it('is told about once when it fails several times in a row, and once when it is back', () => {
    const failures = Array.from(
      { length: primaryFailuresTold + 2 },
      (_, i) => [i * 9e6, [failed, tick] as const] as const,
    );
    const inputs = failures.flatMap(([atMs, list]) => list.map((input) => [atMs + 8e6, input] as const));
    const { told } = play([[0, tick], ...inputs, [9e7, checked], [9e7, checked]]);
    expect(told.filter((one) => one.startsWith('failing'))).toHaveLength(1);
    expect(told.filter((one) => one.startsWith('back'))).toHaveLength(1);
  });

  it('that is silent for as long as EXPIRE is told about once, counted over a restart', () => {
    const stored = startRefresh({ timers, checkedAtMs: 1000 });
    const { told, state } = play(
      [
        [2000, tick],
        [86_400_999, failed],
        [86_401_000, tick],
        [86_500_000, tick],
      ],
      stored,
    );
    expect(told.filter((one) => one.startsWith('expired'))).toEqual(['expired@86401000']);
    expect(state.isExpired).toBe(true);
    expect(play([[86_600_000, checked]], state).state.isExpired).toBe(false);
  });
});

describe('a NOTIFY', () => {
  const settled = play([
    [0, tick],
    [0, checked],
  ]).state;

  it('is acted on at once, and those close behind it together after a pause', () => {
    const { told } = play(
      [
        [10_000, wanted],
        [10_001, wanted],
        [10_002, checked],
        [10_003, wanted],
        [10_000 + notifyPauseMs - 1, tick],
        [10_000 + notifyPauseMs, tick],
        [10_000 + notifyPauseMs + 1, checked],
        [20_000, tick],
      ],
      settled,
    );
    expect(told).toEqual(['ask@10000', `ask@${10_000 + notifyPauseMs}`]);
  });

  it('during a question leads to another one, so that no change is missed', () => {
    const { told } = play(
      [
        [10_000, wanted],
        [10_500, wanted],
        [11_000, checked],
      ],
      settled,
    );
    expect(told).toEqual(['ask@10000', 'ask@11000']);
  });

  it('in a flood asks no more often than the pause allows', () => {
    const inputs = Array.from(
      { length: 5000 },
      (_, i) => [10_000 + i, i % 2 === 0 ? wanted : checked] as const,
    );
    expect(play(inputs, settled).told.length).toBeLessThanOrEqual(5000 / notifyPauseMs + 1);
  });
});

it('a clock that was set back by a day keeps no primary waiting for a day', () => {
  const { state } = play([
    [90_000_000, tick],
    [90_000_000, checked],
  ]);
  expect(stepRefresh(state, tick, 0, 3_600_000)[1]).toEqual([{ kind: 'ask' }]);
});
