import { doubtAfterMs, knockEveryMs, knockOftenForMs, knockOftenMs, knocksUnanswered } from './limits.ts';

/**
 * Knocking where a way may open again. A lost SYN is sent again after 1, 2, 4, 8, 16 s, and what an old connection lost
 * likewise, so a dial or a connection from before an outage finds the way only long after it is open; a fresh TCP
 * connection every now and then finds it at once.
 */
export interface KnockState {
  sinceMs: number;
  lastAtMs: number;
  unanswered: number;
}

/** The first knock comes a little later. */
export function startKnocking(nowMs: number): KnockState {
  return { sinceMs: nowMs, lastAtMs: nowMs, unanswered: 0 };
}

/** Is it time for the next knock? Often at first, since most outages are short. */
export function knockIsDue({ sinceMs, lastAtMs }: KnockState, nowMs: number): boolean {
  return nowMs - lastAtMs >= (nowMs - sinceMs < knockOftenForMs ? knockOftenMs : knockEveryMs);
}

/**
 * What an answered or unanswered knock means. `redial`: the way was closed and is open now, so a hanging dial is given
 * up for a fresh one. One answer after few failures means a slow line, on which a dial needs its time.
 */
export function afterKnock(state: KnockState, answered: boolean): { state: KnockState; redial: boolean } {
  if (!answered) return { state: { ...state, unanswered: state.unanswered + 1 }, redial: false };
  return { state: { ...state, unanswered: 0 }, redial: state.unanswered >= knocksUnanswered };
}

/**
 * Is a connection dead on which something was sent at `sentAtMs`, now that a fresh one would stand at once? It is when
 * nothing at all came back for some seconds: on a line that is merely full, the friend's own bytes go on coming.
 */
export function isDeadConnection(
  { sentAtMs, heardAtMs }: { sentAtMs: number; heardAtMs: number | undefined },
  nowMs: number,
): boolean {
  return nowMs - Math.max(sentAtMs, heardAtMs ?? sentAtMs) >= doubtAfterMs;
}
