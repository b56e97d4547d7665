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
  // At his own address a crowd arrives without end, silent or with handshakes; each attempt of his proves who he is.
  const neighbours = Array.from({ length: 3000 }, (_, i) => ({ ...friend, connection: `n${i}` }));
  let [state] = arrive(noArrivals(0), neighbours);
  for (let i = 0; i < 10; i++) {
    const [waits, arrived] = arrive(state, [{ ...friend, connection: `try ${i}` }]);
    expect(arrived[0]).toEqual({ kind: 'wait' });
    const [next, effects] = stepArrivals(waits, { kind: 'spoke', connection: `try ${i}`, friend: 'bob' }, 0);
    expect(effects[0]).toEqual({ kind: 'admit' });
    // And nobody of the crowd that comes after him pushes him out.
    state = arrive(
      next,
      neighbours.map((one) => ({ ...one, connection: `${i} ${one.connection}` })),
    )[0];
    expect(state.pending.has(`try ${i}`)).toBe(true);
    [state] = stepArrivals(state, { kind: 'settled', connection: `try ${i}` }, 0);
  }
});

it('a friend proves who he is from a new address too, and a share of his own is all that he has', () => {
  const crowd = Array.from({ length: 3000 }, (_, i) => ({ connection: `c${i}`, host: `10.0.${i % 200}.1` }));
  let [state] = arrive(noArrivals(0), crowd);
  let admissions = 0;
  for (let i = 0; i < 100; i++) {
    [state] = arrive(state, [{ connection: `f${i}`, host: '10.0.7.9' }]);
    const [next, effects] = stepArrivals(state, { kind: 'spoke', connection: `f${i}`, friend: 'bob' }, 0);
    state = next;
    admissions += admitted(effects);
  }
  expect(admissions).toBe(arrivalLimits.friend.burst);
  const waiting = [...state.pending.values()].filter(({ room }) => room === 'friends');
  expect(waiting.length).toBe(arrivalLimits.friend.pending);
});

it('whoever has no share left and proves nothing is refused, and a word costs nobody the share that he has', () => {
  const crowd = Array.from({ length: 100 }, (_, i) => ({ connection: `c${i}`, host: '198.51.100.7' }));
  const [state, effects] = arrive(noArrivals(0), crowd);
  expect(effects.filter(({ kind }) => kind === 'wait').length).toBe(100 - arrivalLimits.network.burst);
  const [refused, last] = stepArrivals(state, { kind: 'spoke', connection: 'c99', friend: undefined }, 0);
  expect(last).toEqual([{ kind: 'refuse', why: 'source' }]);
  expect(refused.pending.has('c99')).toBe(false);
  const [same, nothing] = stepArrivals(state, { kind: 'spoke', connection: 'c0', friend: undefined }, 0);
  expect(nothing).toEqual([]);
  expect(same.pending.has('c0')).toBe(true);
  expect(stepArrivals(state, { kind: 'spoke', connection: 'gone', friend: 'bob' }, 0)[1]).toEqual([]);
});

it('all hosts of friends together get theirs', () => {
  const crowd = Array.from({ length: 5000 }, (_, i) => ({
    connection: `c${i}`,
    host: `203.0.113.${i % 100}`,
    known: true,
  }));
  expect(admitted(arrive(noArrivals(0), crowd)[1])).toBe(arrivalLimits.allKnown.burst);
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
      next: constantFrom('settles', 'proves', 'speaks', 'is silent'),
    }),
    { maxLength: 400 },
  );
  const kinds = (effects: readonly ArrivalEffect[]) =>
    effects.filter((effect) => effect.kind !== 'evict').map(({ kind }) => kind);
  assert(
    property(arrivals, (list) => {
      let state = noArrivals(0);
      let nowMs = 0;
      for (const [i, { host, known, waitMs, next: what }] of list.entries()) {
        nowMs += waitMs;
        const connection = `${i}`;
        const [next, effects] = stepArrivals(state, { kind: 'arrived', connection, host, known }, nowMs);
        const [verdict, ...others] = kinds(effects);
        expect(others).toEqual([]);
        const { room } = next.pending.get(connection) ?? {};
        expect(room).toBe(verdict === 'wait' ? 'waiting' : known ? 'known' : 'strangers');
        for (const effect of effects) {
          if (effect.kind !== 'evict') continue;
          expect(next.pending.has(effect.connection)).toBe(false);
          expect(state.pending.get(effect.connection)?.room).toBe(room);
        }
        state = next;
        if (what === 'settles') [state] = stepArrivals(next, { kind: 'settled', connection }, nowMs);
        if (what === 'proves' || what === 'speaks') {
          const friend = what === 'proves' ? 'bob' : undefined;
          const [after, more] = stepArrivals(next, { kind: 'spoke', connection, friend }, nowMs);
          // Whoever waits is told once, at the first word; whoever was let in is not told again.
          expect(kinds(more).length).toBe(verdict === 'wait' ? 1 : 0);
          expect(after.pending.has(connection)).toBe(!kinds(more).includes('refuse'));
          state = after;
        }
        const inRoom = (name: string): number =>
          [...state.pending.values()].filter((one) => one.room === name).length;
        expect(inRoom('strangers')).toBeLessThanOrEqual(arrivalLimits.strangers.pending);
        expect(inRoom('known')).toBeLessThanOrEqual(arrivalLimits.allKnown.pending);
        expect(inRoom('waiting')).toBeLessThanOrEqual(arrivalLimits.waiting.inAll);
        expect(inRoom('friends')).toBeLessThanOrEqual(arrivalLimits.friend.pending);
        expect(state.buckets.size).toBeLessThanOrEqual(arrivalLimits.maxSources);
      }
    }),
    { numRuns: 50 },
  );
});
