import {
  dataGraceMs,
  dataMaxMs,
  dataMinBytesPerSecond,
  drainMinBytesPerSecond,
  sessionProgressMs,
} from './limits.ts';

/** How a message comes in. What the client sent counts against the time that we waited for it, not against ours. */
export interface DataPace {
  startedAtMs: number;
  /** Since the last judgement. */
  sizeBytes: number;
  clientMs: number;
  /** Since when we wait for the client; undefined while it waits for us. */
  waitingSinceMs: number | undefined;
}

/** DATA begins: we wait for the client. */
export function startData(nowMs: number): DataPace {
  return { startedAtMs: nowMs, sizeBytes: 0, clientMs: 0, waitingSinceMs: nowMs };
}

/** A piece came, and now we are at work with it. */
export function pieceCame(pace: DataPace, sizeBytes: number, nowMs: number): DataPace {
  const clientMs = pace.clientMs + (nowMs - (pace.waitingSinceMs ?? nowMs));
  return { ...pace, sizeBytes: pace.sizeBytes + sizeBytes, clientMs, waitingSinceMs: undefined };
}

/** We are done with the piece and wait for the next. */
export function pieceDone(pace: DataPace, nowMs: number): DataPace {
  return { ...pace, waitingSinceMs: nowMs };
}

/** What the listener knows of one session's pace. */
export interface SessionPace {
  /** When it last got something done: connected, gave a sender or a recipient, finished a message. */
  progressAtMs: number;
  /** Set while the client sends DATA. */
  data: DataPace | undefined;
}

/**
 * Why this session must end now, or undefined, and its pace as it is to be judged next time. The idle timeout of the
 * listener does not see a client that sends a byte now and then; this does. A client that waits for *our* answer is in
 * neither state.
 */
export function judgePace(
  pace: SessionPace,
  nowMs: number,
): { overdue: string | undefined; next: SessionPace } {
  const { progressAtMs, data } = pace;
  if (data === undefined) {
    const overdue = nowMs - progressAtMs > sessionProgressMs ? 'nothing done for too long' : undefined;
    return { overdue, next: pace };
  }
  if (nowMs - data.startedAtMs > dataMaxMs) return { overdue: 'message took too long', next: pace };
  const clientMs = data.clientMs + (nowMs - (data.waitingSinceMs ?? nowMs));
  if (clientMs <= dataGraceMs) return { overdue: undefined, next: pace };
  if (data.sizeBytes < (clientMs / 1000) * dataMinBytesPerSecond)
    return { overdue: 'message too slow', next: pace };
  const waitingSinceMs = data.waitingSinceMs === undefined ? undefined : nowMs;
  return {
    overdue: undefined,
    next: { progressAtMs, data: { ...data, sizeBytes: 0, clientMs: 0, waitingSinceMs } },
  };
}

/** Does a friend hand a held message over so slowly that he means to keep us busy? */
export function handOverTooSlow(sizeBytes: number, tookMs: number): boolean {
  return tookMs > dataGraceMs && sizeBytes < (tookMs / 1000) * drainMinBytesPerSecond;
}
