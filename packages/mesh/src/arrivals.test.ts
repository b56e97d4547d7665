import { array, assert, boolean, constantFrom, integer, property, record } from 'fast-check';
import { expect, it } from 'vitest';
import {
  type ArrivalEffect,
  type ArrivalState,
  arrivalSource,
  noArrivals,
  stepArrivals,
} from './arrivals.ts';
import { arrivalLimits } from './limits.ts';

/** Runs arrivals one after the other, all at `nowMs` unless they say otherwise. */
function arrive(
  state: ArrivalState,
  arrivals: readonly { connection: string; host: string; known?: boolean; atMs?: number }[],
): [ArrivalState, ArrivalEffect[]] {
  const effects: ArrivalEffect[] = [];
  let current = state;
  for (const { connection, host, known = false, atMs = 0 } of arrivals) {
    const [next, more] = stepArrivals(current, { kind: 'arrived', connection, host, known }, atMs);
    current = next;
    effects.push(...more);
  }
  return [current, effects];
}

const admitted = (effects: readonly ArrivalEffect[]): number =>
  effects.filter((effect) => effect.kind === 'admit').length;

it('strangers share a bucket per IPv4 /24 and IPv6 /48; where a friend was met, the address has its own', () => {
  expect(arrivalSource('198.51.100.7', false)).toBe(arrivalSource('198.51.100.200', false));
  expect(arrivalSource('198.51.100.7', false)).toBe(arrivalSource('::ffff:198.51.100.9', false));
  expect(arrivalSource('198.51.100.7', false)).not.toBe(arrivalSource('198.51.101.7', false));
  expect(arrivalSource('198.51.100.7', true)).not.toBe(arrivalSource('198.51.100.8', true));
  expect(arrivalSource('2001:db8:1:2::3', false)).toBe(arrivalSource('2001:db8:1:ffff::', false));
  expect(arrivalSource('2001:db8:1:2::3', true)).toBe(arrivalSource('2001:0db8:1:2:9:9:9:9', true));
  expect(arrivalSource('2001:db8:1:2::3', true)).not.toBe(arrivalSource('2001:db8:1:3::3', true));
});

it('one network gets its burst and then its rate', () => {
  const { perSecond, burst } = arrivalLimits.network;
  const crowd = Array.from({ length: 300 }, (_, i) => ({
    connection: `c${i}`,
    host: `198.51.100.${i % 250}`,
  }));
  const [state, effects] = arrive(noArrivals(0), crowd);
  expect(admitted(effects)).toBe(burst);
  const later = crowd.map((one) => ({ ...one, connection: `later ${one.connection}`, atMs: 1000 }));
  expect(admitted(arrive(state, later)[1])).toBe(perSecond);
});

it('all strangers together get theirs, from however many networks they come', () => {
  const crowd = Array.from({ length: 5000 }, (_, i) => ({
    connection: `c${i}`,
    host: `10.${Math.floor(i / 250)}.${i % 250}.1`,
  }));
  const [state, effects] = arrive(noArrivals(0), crowd);
  expect(admitted(effects)).toBe(arrivalLimits.strangers.burst);
  expect(state.buckets.size).toBeLessThanOrEqual(arrivalLimits.maxSources);
});

it('a friend comes in beside any crowd, also one that shares his address', () => {
  const crowd = Array.from({ length: 300 }, (_, i) => ({ connection: `c${i}`, host: `10.0.${i % 20}.1` }));
  const friend = { connection: 'friend', host: '203.0.113.7', known: true };
  expect(arrive(arrive(noArrivals(0), crowd)[0], [friend])[1]).toEqual([{ kind: 'admit' }]);
  // At his own address 300 arrive at once and stay silent; each attempt of his after that still finds room.
  const neighbours = Array.from({ length: 300 }, (_, i) => ({ ...friend, connection: `n${i}` }));
  const [state] = arrive(noArrivals(0), neighbours);
  const attempts = Array.from({ length: 10 }, (_, i) => ({ ...friend, connection: `try ${i}` }));
  const [after, effects] = arrive(state, attempts);
  expect(admitted(effects)).toBe(10);
  for (let i = 0; i < 10; i++) expect(after.pending.has(`try ${i}`)).toBe(true);
});

it("strangers' connections from a friend's address are limited too", () => {
  const { burst, perSecond } = arrivalLimits.knownHost;
  const crowd = Array.from({ length: 5000 }, (_, i) => ({
    connection: `${i}`,
    host: '203.0.113.7',
    known: true,
    atMs: i / 5,
  }));
  const letIn = admitted(arrive(noArrivals(0), crowd)[1]);
  expect(letIn).toBeGreaterThanOrEqual(burst);
  expect(letIn).toBeLessThanOrEqual(burst + perSecond + 1);
});

it('who waits longest without a word makes room', () => {
  const { pending } = arrivalLimits.network;
  const slow = Array.from({ length: pending + 1 }, (_, i) => ({
    connection: `c${i}`,
    host: '198.51.100.1',
    atMs: i * 1000,
  }));
  const [state, effects] = arrive(noArrivals(0), slow);
  expect(effects.filter((effect) => effect.kind === 'evict')).toEqual([{ kind: 'evict', connection: 'c0' }]);
  expect(state.pending.size).toBe(pending);
  const [settled] = stepArrivals(state, { kind: 'settled', connection: 'c5' }, 1e6);
  expect(settled.pending.has('c5')).toBe(false);
});

it('whatever arrives, what is kept is bounded, and every arrival gets exactly one answer', () => {
  const arrivals = array(
    record({
      host: constantFrom('198.51.100.1', '198.51.100.9', '203.0.113.1', '2001:db8::1', 'nonsense'),
      known: boolean(),
      waitMs: integer({ min: -1000, max: 2000 }),
      settles: boolean(),
    }),
    { maxLength: 400 },
  );
  assert(
    property(arrivals, (list) => {
      let state = noArrivals(0);
      let nowMs = 0;
      for (const [i, { host, known, waitMs, settles }] of list.entries()) {
        nowMs += waitMs;
        const [next, effects] = stepArrivals(
          state,
          { kind: 'arrived', connection: `${i}`, host, known },
          nowMs,
        );
        const verdicts = effects.filter((effect) => effect.kind !== 'evict');
        expect(verdicts.length).toBe(1);
        expect(next.pending.has(`${i}`)).toBe(verdicts[0]?.kind === 'admit');
        for (const effect of effects) {
          if (effect.kind !== 'evict') continue;
          expect(state.pending.has(effect.connection) && !next.pending.has(effect.connection)).toBe(true);
          expect(state.pending.get(effect.connection)?.known).toBe(known);
        }
        state = settles ? stepArrivals(next, { kind: 'settled', connection: `${i}` }, nowMs)[0] : next;
        const waiting = [...state.pending.values()];
        expect(waiting.filter((one) => !one.known).length).toBeLessThanOrEqual(
          arrivalLimits.strangers.pending,
        );
        expect(waiting.filter((one) => one.known).length).toBeLessThanOrEqual(arrivalLimits.maxKnownPending);
        expect(state.buckets.size).toBeLessThanOrEqual(arrivalLimits.maxSources);
      }
    }),
    { numRuns: 50 },
  );
});
