import type { Away } from '@copain/trust';
import type { Knowledge } from './known-records.ts';

/**
 * What a box said about its planned absence, while that stands. A day's grace: whoever said Sunday may be back on Monday
 * morning. `nowMs` is this box's clock.
 */
export function awayOf(knowledge: Knowledge, peer: string, nowMs: number): Away | undefined {
  const record = knowledge.records.get(`address/${peer}`);
  const away = record?.kind === 'address' ? record.signed.record.away : undefined;
  if (away === undefined) return undefined;
  return away.untilMs === undefined || nowMs < away.untilMs + awayGraceMs ? away : undefined;
}

/** How long after its announced end an absence still worries nobody. */
const awayGraceMs = 86_400_000;

/** The state of a box as it is shown: who said that he may be off, and is not heard, is away. */
export function shownState<State extends string>(state: State, away: Away | undefined): State | 'away' {
  const isSilent = state === 'suspect' || state === 'down' || state === 'unknown';
  return away !== undefined && isSilent ? 'away' : state;
}
