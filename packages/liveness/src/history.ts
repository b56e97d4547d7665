import { historyChangesMax, historyDays, historyGapMs, historyHours } from './limits.ts';

/** What is kept of a state: seconds of each. Time that is in none of them is time of which nothing is known. */
export const historyStates = ['up', 'slow', 'partial', 'down', 'away'] as const;
export type HistoryState = (typeof historyStates)[number];

/** Seconds of each state in one hour or one day (UTC), in the order of `historyStates`. `at` counts them since 1970. */
export interface HistorySpan {
  readonly at: number;
  readonly seconds: readonly number[];
}

/** A year of one friend or one service: changes of the last days, hours of two weeks, days of a year. */
export interface History {
  /** The newest last. `state` undefined: from then on nothing was known. */
  readonly changes: readonly { readonly atMs: number; readonly state: HistoryState | undefined }[];
  readonly hours: readonly HistorySpan[];
  readonly days: readonly HistorySpan[];
  /** Until when the spans are counted. */
  readonly countedToMs: number;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Nothing known before now. */
export function emptyHistory(nowMs: number): History {
  return { changes: [], hours: [], days: [], countedToMs: nowMs };
}

/**
 * The history at `nowMs`, where the state is `state` from now on, and was the last one until now. Called every few seconds;
 * where the last call is longer ago than a minute the box slept, was off or had its clock set, and nothing is known of
 * the time between. A clock that goes back is followed, and counts nothing twice.
 */
export function withState(history: History, state: HistoryState | undefined, nowMs: number): History {
  const before = history.changes.at(-1)?.state;
  const gapMs = nowMs - history.countedToMs;
  const known = before !== undefined && gapMs > 0 && gapMs <= historyGapMs;
  const isUnknownGap = gapMs > historyGapMs || gapMs < 0;
  // What nobody watched ended when it was seen last.
  const cut: History['changes'] =
    isUnknownGap && before !== undefined
      ? [...history.changes, { atMs: history.countedToMs, state: undefined }]
      : history.changes;
  const last = cut.at(-1);
  const changes =
    last?.state === state && last !== undefined
      ? cut
      : last === undefined && state === undefined
        ? cut
        : [...cut, { atMs: nowMs, state }];
  const counted = known ? counting(history, before, history.countedToMs, nowMs) : history;
  return { ...counted, changes: changes.slice(-historyChangesMax), countedToMs: nowMs };
}

/** Adds the time between two instants to the hours and days that it lies in. */
function counting(history: History, state: HistoryState, fromMs: number, toMs: number): History {
  let { hours, days } = history;
  for (let atMs = fromMs; atMs < toMs; ) {
    const endMs = Math.min(toMs, (Math.floor(atMs / hourMs) + 1) * hourMs);
    const seconds = (endMs - atMs) / 1000;
    hours = adding(hours, Math.floor(atMs / hourMs), state, seconds, historyHours);
    days = adding(days, Math.floor(atMs / dayMs), state, seconds, historyDays);
    atMs = endMs;
  }
  return { ...history, hours, days };
}

function adding(
  spans: readonly HistorySpan[],
  at: number,
  state: HistoryState,
  seconds: number,
  most: number,
): readonly HistorySpan[] {
  const last = spans.at(-1);
  // A clock that was set back adds to what is there, or to nothing: spans stay in order.
  if (last !== undefined && last.at > at) {
    const index = spans.findIndex((span) => span.at === at);
    return index < 0 ? spans : spans.with(index, added(spans[index], at, state, seconds));
  }
  const rest = last?.at === at ? spans.slice(0, -1) : spans;
  return [...rest, added(last?.at === at ? last : undefined, at, state, seconds)].slice(-most);
}

function added(span: HistorySpan | undefined, at: number, state: HistoryState, seconds: number): HistorySpan {
  const index = historyStates.indexOf(state);
  const before = span?.seconds ?? historyStates.map(() => 0);
  return { at, seconds: before.with(index, (before[index] ?? 0) + seconds) };
}

/**
 * The part of the known time in which it was up, from 0 to 1; undefined where nothing is known. Planned absence counts
 * as neither, and so does time in which this box saw nothing.
 */
export function upPart(spans: readonly HistorySpan[]): number | undefined {
  let up = 0;
  let known = 0;
  for (const { seconds } of spans) {
    const [isUp = 0, slow = 0, partial = 0, down = 0] = seconds;
    // Whom somebody hears, or whom somebody reaches, lives.
    up += isUp + slow + partial;
    known += isUp + slow + partial + down;
  }
  return known === 0 ? undefined : up / known;
}

/** How it was over the last day, week, month and year, and on each of the last `days` days, the oldest first. */
export function historySummary(
  history: History,
  nowMs: number,
  days: number,
): {
  day: number | undefined;
  week: number | undefined;
  month: number | undefined;
  year: number | undefined;
  days: (number | undefined)[];
} {
  const hour = Math.floor(nowMs / hourMs);
  const today = Math.floor(nowMs / dayMs);
  const since = (spans: readonly HistorySpan[], at: number): HistorySpan[] =>
    spans.filter((span) => span.at > at);
  const byDay = new Map(history.days.map((span) => [span.at, span]));
  return {
    day: upPart(since(history.hours, hour - 24)),
    week: upPart(since(history.hours, hour - 7 * 24)),
    month: upPart(since(history.days, today - 30)),
    year: upPart(since(history.days, today - 365)),
    days: Array.from({ length: days }, (_, index) => {
      const span = byDay.get(today - days + 1 + index);
      return span === undefined ? undefined : upPart([span]);
    }),
  };
}
