import { dataGraceMs, dataMinBytesPerSecond, drainMinBytesPerSecond, sessionProgressMs } from './limits.ts';

/** What the listener knows of one session's pace. */
export interface SessionPace {
  /** When it last got something done: connected, gave a sender or a recipient, finished a message. */
  progressAtMs: number;
  /** Set while the client sends DATA. */
  data: { startedAtMs: number; sizeBytes: number } | undefined;
}

/**
 * Why this session must end now, or undefined. The idle timeout of the listener does not see a client that sends a byte
 * now and then; this does. A client that waits for *our* answer is in neither state.
 */
export function overdue({ progressAtMs, data }: SessionPace, nowMs: number): string | undefined {
  if (data === undefined)
    return nowMs - progressAtMs > sessionProgressMs ? 'nothing done for too long' : undefined;
  const tookMs = nowMs - data.startedAtMs;
  if (tookMs <= dataGraceMs) return undefined;
  return data.sizeBytes < (tookMs / 1000) * dataMinBytesPerSecond ? 'message too slow' : undefined;
}

/** Does a friend hand a held message over so slowly that he means to keep us busy? */
export function handOverTooSlow(sizeBytes: number, tookMs: number): boolean {
  return tookMs > dataGraceMs && sizeBytes < (tookMs / 1000) * drainMinBytesPerSecond;
}
