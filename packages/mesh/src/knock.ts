import { knockEveryMs, knocksUnanswered } from './limits.ts';

/**
 * Knocking beside a dial that hangs. A lost SYN is sent again after 1, 2, 4, 8, 16 s, so a dial that began during an
 * outage finds the way only long after it is open again; a fresh TCP connection every few seconds finds it at once.
 */
export interface KnockState {
  lastAtMs: number;
  unanswered: number;
}

/** For a dial that begins now: the first knock comes a little later. */
export function startKnocking(nowMs: number): KnockState {
  return { lastAtMs: nowMs, unanswered: 0 };
}

/** Is it time for the next knock? */
export function knockIsDue(state: KnockState, nowMs: number): boolean {
  return nowMs - state.lastAtMs >= knockEveryMs;
}

/**
 * What an answered or unanswered knock means. `redial`: the way was closed and is open now, so the hanging dial is
 * given up for a fresh one. One answer after few failures means a slow line, on which a dial needs its time.
 */
export function afterKnock(state: KnockState, answered: boolean): { state: KnockState; redial: boolean } {
  if (!answered) return { state: { ...state, unanswered: state.unanswered + 1 }, redial: false };
  return { state: { ...state, unanswered: 0 }, redial: state.unanswered >= knocksUnanswered };
}
