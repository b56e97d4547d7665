import type { Clock, Table, TableChange } from '@copain/core';
import {
  decodeHistory,
  emptyHistory,
  encodeHistory,
  type History,
  type HistoryState,
  historiesMax,
  historySummary,
  withState,
} from '@copain/liveness';

/** What a year was like for each friend and service, on disk. */
export interface Histories {
  /** Every second: how all are now; undefined where that is not known. Who is not in it is not looked at. */
  tick(states: () => ReadonlyMap<string, HistoryState | undefined>): void;
  summary(key: string): ReturnType<typeof historySummary> | undefined;
  changes(key: string): History['changes'];
  /** Writes what is not on disk yet. Rejects on disk trouble. */
  close(): Promise<void>;
}

const lookEveryMs = 10_000;
/** What is lost in a crash. */
const saveEveryMs = 300_000;
const dayMs = 86_400_000;
const summaryDays = 90;

const nowPrefix = 'history/now/';
const pastPrefix = 'history/past/';

/** Opens what is on disk; a damaged row costs its history, and no other. */
export async function openHistories(options: {
  table: Table;
  clock: Clock;
  failed: (error: unknown) => void;
}): Promise<Histories> {
  const { table, clock } = options;
  const histories = new Map<string, History>();
  /** The hour whose past is on disk. */
  const pastWritten = new Map<string, number>();
  for await (const [row, now] of table.entries(nowPrefix)) {
    const key = row.slice(nowPrefix.length);
    const past = await table.get(`${pastPrefix}${key}`).catch(() => undefined);
    const history = decodeHistory({ now, past });
    if (history === undefined) continue;
    histories.set(key, history);
    const hour = history.hours.at(-1)?.at;
    if (past !== undefined && hour !== undefined) pastWritten.set(key, hour);
  }
  let lookAtMs = 0;
  let saveAtMs = clock.nowMs() + saveEveryMs;
  let saving: Promise<void> = Promise.resolve();
  const gone = new Set<string>();

  const save = async (): Promise<void> => {
    const changes: TableChange[] = [];
    for (const [key, history] of histories) {
      const rows = encodeHistory(history);
      changes.push({ key: `${nowPrefix}${key}`, value: rows.now });
      const hour = history.hours.at(-1)?.at;
      if (hour === undefined || pastWritten.get(key) === hour) continue;
      changes.push({ key: `${pastPrefix}${key}`, value: rows.past });
      pastWritten.set(key, hour);
    }
    const forgotten = [...gone];
    gone.clear();
    for (const key of forgotten)
      for (const prefix of [nowPrefix, pastPrefix])
        changes.push({ key: `${prefix}${key}`, value: undefined });
    if (changes.length === 0) return;
    try {
      await table.write(changes);
    } catch (error) {
      pastWritten.clear();
      for (const key of forgotten) gone.add(key);
      throw error;
    }
  };
  const queueSave = (): Promise<void> => {
    const turn = saving.then(save);
    saving = turn.catch(() => undefined);
    return turn;
  };

  /** A year after the last look, or where there are too many, the one that was not looked at for longest goes. */
  const forget = (nowMs: number): void => {
    const oldest = [...histories].toSorted(([, a], [, b]) => a.countedToMs - b.countedToMs);
    const isOld = ([, { countedToMs }]: [string, History]): boolean => nowMs - countedToMs > 366 * dayMs;
    const over = Math.max(0, histories.size - historiesMax);
    for (const [key] of oldest.filter((one, index) => index < over || isOld(one))) {
      histories.delete(key);
      pastWritten.delete(key);
      gone.add(key);
    }
  };

  return {
    tick: (states) => {
      const nowMs = clock.nowMs();
      if (nowMs < lookAtMs && lookAtMs - nowMs <= lookEveryMs) return;
      lookAtMs = nowMs + lookEveryMs;
      for (const [key, state] of states()) {
        const before = histories.get(key);
        if (before === undefined && state === undefined) continue;
        histories.set(key, withState(before ?? emptyHistory(nowMs), state, nowMs));
      }
      forget(nowMs);
      if (nowMs < saveAtMs && saveAtMs - nowMs <= saveEveryMs) return;
      saveAtMs = nowMs + saveEveryMs;
      queueSave().catch(options.failed);
    },
    summary: (key) => {
      const history = histories.get(key);
      return history === undefined ? undefined : historySummary(history, clock.nowMs(), summaryDays);
    },
    changes: (key) => histories.get(key)?.changes ?? [],
    close: queueSave,
  };
}
