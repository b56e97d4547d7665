import {
  notifyPauseMs,
  primaryFailuresTold,
  primaryRetryFirstMs,
  primaryRetryUnknownMs,
  refreshBoundsS,
  retryBoundsS,
} from './limits.ts';

/** The timers of an SOA in seconds (RFC 1035 §3.3.13). */
export interface SoaTimers {
  refreshS: number;
  retryS: number;
  expireS: number;
}

/** When the primary of one zone is asked for its newest version. */
export interface RefreshState {
  /** Of the zone that was received last; undefined where none ever was. */
  readonly timers: SoaTimers | undefined;
  /** When the primary last said what its newest version is, and it is here. */
  readonly checkedAtMs: number | undefined;
  readonly isAsking: boolean;
  /** It is to be asked again as soon as the question under way is answered. */
  readonly isAskedForAgain: boolean;
  readonly askedAtMs: number | undefined;
  readonly nextAtMs: number;
  readonly failures: number;
  readonly failingSinceMs: number | undefined;
  readonly isExpired: boolean;
}

/**
 * `wanted`: by a NOTIFY, or by a person (`atOnce`). `checked`: the primary's newest version is here, with these timers. `failed`: it could
 * not be asked, or what it sent was not taken.
 */
export type RefreshInput =
  | { kind: 'tick' }
  | { kind: 'wanted'; atOnce?: boolean }
  | { kind: 'checked'; timers: SoaTimers }
  | { kind: 'failed' };

/**
 * `ask` the primary now. `failing`: told once, when it has failed some times in a row. `back`: it had been told so, and is
 * over. `expired`: nothing was heard of the primary for as long as the SOA allows (RFC 1034 §4.3.5).
 */
export type RefreshEffect = { kind: 'ask' | 'failing' | 'back' | 'expired' };

/** The state at start: the first question goes out with the first tick. What is stored of the last run counts on. */
export function startRefresh(stored?: { timers: SoaTimers; checkedAtMs: number }): RefreshState {
  return {
    timers: stored?.timers,
    checkedAtMs: stored?.checkedAtMs,
    isAsking: false,
    isAskedForAgain: false,
    askedAtMs: undefined,
    nextAtMs: 0,
    failures: 0,
    failingSinceMs: undefined,
    isExpired: false,
  };
}

/** When the zone expires if the primary stays silent; undefined where none was received. */
export function expiresAtMs({ timers, checkedAtMs }: RefreshState): number | undefined {
  return timers && checkedAtMs !== undefined ? checkedAtMs + timers.expireS * 1000 : undefined;
}

/**
 * Asks after REFRESH, and after failures again in 1, 2, 4, … s up to RETRY, with jitter, so that a thousand zones of one
 * age are not asked for together; `jitter` is a random number from 0 to 1. A NOTIFY is acted on at once, those that
 * follow it closely together at the end of a pause.
 */
export function stepRefresh(
  state: RefreshState,
  input: RefreshInput,
  jitter: number,
  nowMs: number,
): [RefreshState, RefreshEffect[]] {
  const effects: RefreshEffect[] = [];
  let next = taken(state, input, jitter, nowMs);
  if (input.kind === 'failed' && next.failures === primaryFailuresTold) effects.push({ kind: 'failing' });
  if (input.kind === 'checked' && (state.failures >= primaryFailuresTold || state.isExpired))
    effects.push({ kind: 'back' });
  const expiryMs = expiresAtMs(next);
  if (!next.isExpired && expiryMs !== undefined && nowMs >= expiryMs) {
    next = { ...next, isExpired: true };
    effects.push({ kind: 'expired' });
  }
  // A clock that was set back must not keep a question waiting for as long as it was set back.
  const isDue = nowMs >= next.nextAtMs || (next.askedAtMs !== undefined && nowMs < next.askedAtMs);
  if (!next.isAsking && isDue) {
    next = { ...next, isAsking: true, isAskedForAgain: false, askedAtMs: nowMs };
    effects.push({ kind: 'ask' });
  }
  return [next, effects];
}

function taken(state: RefreshState, input: RefreshInput, jitter: number, nowMs: number): RefreshState {
  switch (input.kind) {
    case 'tick':
      return state;
    case 'wanted': {
      if (state.isAsking) return { ...state, isAskedForAgain: true };
      const soonestMs = input.atOnce === true ? nowMs : afterPause(state, nowMs);
      return { ...state, nextAtMs: Math.min(state.nextAtMs, soonestMs) };
    }
    case 'checked': {
      const waitMs = within(input.timers.refreshS, refreshBoundsS) * 1000;
      return {
        ...answered(state, nowMs + waitMs * (1 - jitter / 4), nowMs),
        timers: input.timers,
        checkedAtMs: nowMs,
        failures: 0,
        failingSinceMs: undefined,
        isExpired: false,
      };
    }
    case 'failed': {
      const failures = state.failures + 1;
      const { timers } = state;
      const lastMs = timers ? within(timers.retryS, retryBoundsS) * 1000 : primaryRetryUnknownMs;
      const waitMs = Math.min(lastMs, primaryRetryFirstMs * 2 ** Math.min(failures - 1, 20));
      return {
        ...answered(state, nowMs + waitMs * (1 - jitter / 4), nowMs),
        failures,
        failingSinceMs: state.failingSinceMs ?? nowMs,
      };
    }
  }
}

function answered(state: RefreshState, nextAtMs: number, nowMs: number): RefreshState {
  const soonest = state.isAskedForAgain ? Math.min(nextAtMs, afterPause(state, nowMs)) : nextAtMs;
  return { ...state, isAsking: false, isAskedForAgain: false, nextAtMs: soonest };
}

function afterPause({ askedAtMs }: RefreshState, nowMs: number): number {
  return askedAtMs === undefined ? nowMs : Math.max(nowMs, askedAtMs + notifyPauseMs);
}

function within(seconds: number, { least, most }: { least: number; most: number }): number {
  return Math.min(most, Math.max(least, seconds));
}

/** REFRESH, RETRY and EXPIRE of an SOA record: the second to fourth of the five numbers at its end. */
export function soaTimers({ rdata }: { rdata: Uint8Array }): SoaTimers {
  const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength);
  const at = rdata.length - 20;
  return {
    refreshS: view.getUint32(at + 4),
    retryS: view.getUint32(at + 8),
    expireS: view.getUint32(at + 12),
  };
}
