import { type CanonicalValue, decodeCanonical, encodeCanonical } from '@copain/trust';
import { type History, type HistorySpan, type HistoryState, historyStates } from './history.ts';
import { historyBytesMax, historyChangesMax, historyDays, historyHours } from './limits.ts';

/*
 * A history on disk, in two rows: `now` is what changes with every look (the changes, the hour and the day that are not
 * over), small and written often; `past` is the rest, written once an hour.
 */

type Parts = { now: Uint8Array; past: Uint8Array };

const listed = ({ at, seconds }: HistorySpan): CanonicalValue => [
  at,
  ...seconds.map((one) => Math.round(one)),
];

export function encodeHistory({ changes, hours, days, countedToMs }: History): Parts {
  const now = encodeCanonical({
    v: 1,
    to: Math.round(countedToMs),
    changes: changes.map(({ atMs, state }) => [
      Math.round(atMs),
      state === undefined ? -1 : historyStates.indexOf(state),
    ]),
    hour: hours.slice(-1).map(listed),
    day: days.slice(-1).map(listed),
  });
  const past = encodeCanonical({
    v: 1,
    hours: hours.slice(0, -1).map(listed),
    days: days.slice(0, -1).map(listed),
  });
  return { now, past };
}

/** The history of both rows, or of `now` alone; undefined where that is none. What is damaged is left out. */
export function decodeHistory(parts: { now: Uint8Array; past: Uint8Array | undefined }): History | undefined {
  const now = fieldsOf(parts.now);
  const past = parts.past === undefined ? undefined : fieldsOf(parts.past);
  const countedToMs = now?.to;
  if (now === undefined || typeof countedToMs !== 'number') return undefined;
  const changes = rowsOf(now.changes).flatMap(([atMs, index]) => {
    if (atMs === undefined || index === undefined) return [];
    const state: HistoryState | undefined = historyStates[index];
    return state === undefined && index !== -1 ? [] : [{ atMs, state }];
  });
  return {
    changes: changes.slice(-historyChangesMax),
    hours: joined(spansOf(past?.hours), spansOf(now.hour), historyHours),
    days: joined(spansOf(past?.days), spansOf(now.day), historyDays),
    countedToMs,
  };
}

/** The open span takes the place of an older picture of itself. */
function joined(past: readonly HistorySpan[], open: readonly HistorySpan[], most: number): HistorySpan[] {
  const from = open[0]?.at ?? Number.POSITIVE_INFINITY;
  return [...past.filter(({ at }) => at < from), ...open].slice(-most);
}

function spansOf(value: CanonicalValue | undefined): HistorySpan[] {
  return rowsOf(value).flatMap(([at, ...seconds]) =>
    at === undefined || seconds.length !== historyStates.length ? [] : [{ at, seconds }],
  );
}

function rowsOf(value: CanonicalValue | undefined): number[][] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((row: CanonicalValue) =>
    Array.isArray(row) && row.every((one) => typeof one === 'number') ? [row as number[]] : [],
  );
}

function fieldsOf(bytes: Uint8Array): { [key: string]: CanonicalValue | undefined } | undefined {
  const value = decodeCanonical(bytes, historyBytesMax);
  const isMap =
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
  return isMap ? (value as { [key: string]: CanonicalValue | undefined }) : undefined;
}
