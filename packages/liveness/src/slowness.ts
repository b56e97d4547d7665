import { fastBelowMs, roundTripsJudged, slowFromMs } from './limits.ts';

/** How quickly a friend's box answers: the last round trips, and since when it is slow. */
export interface Slowness {
  /** In ms, the newest last; `roundTripsJudged` at most. */
  readonly roundTripsMs: readonly number[];
  readonly slowSinceMs: number | undefined;
}

/** Nothing measured yet. */
export const noSlowness: Slowness = { roundTripsMs: [], slowSinceMs: undefined };

/**
 * After one more round trip. Slow is whose last three all took a second or more: a line that is full, or a box that is
 * overloaded. He is slow no more once all three take less than half a second, so that nobody is both in turns.
 */
export function withRoundTrip(before: Slowness, rttMs: number, nowMs: number): Slowness {
  const roundTripsMs = [...before.roundTripsMs, rttMs].slice(-roundTripsJudged);
  const isFull = roundTripsMs.length === roundTripsJudged;
  if (before.slowSinceMs === undefined) {
    const isSlow = isFull && roundTripsMs.every((one) => one >= slowFromMs);
    return { roundTripsMs, slowSinceMs: isSlow ? nowMs : undefined };
  }
  const isFast = isFull && roundTripsMs.every((one) => one < fastBelowMs);
  return { roundTripsMs, slowSinceMs: isFast ? undefined : before.slowSinceMs };
}
