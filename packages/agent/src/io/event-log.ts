import type { Clock, Table, TableChange } from '@copain/core';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';

/** One thing that happened, as the status page and `peer events` tell it. */
export interface AgentEvent {
  atMs: number;
  kind: string;
  text: string;
}

/** Events kept: about a quiet month. */
const maxEvents = 500;
const maxEventBytes = 4096;
const eventPrefix = 'event/';
/** Events are written together at most this often: mail may come in hundreds, and what happened is no promise. */
const writeEveryMs = 1000;

/** What happened lately, newest last, and whoever follows. Outlives a restart. */
export interface EventLog extends AsyncDisposable {
  add(kind: string, text: string): void;
  list(sinceMs?: number): AgentEvent[];
  /** Calls back for each new event until the returned function is called. */
  follow(listener: (event: AgentEvent) => void): () => void;
}

/** Opens the log with what earlier runs wrote. */
export async function openEventLog(options: {
  table: Table;
  clock: Clock;
  onAdd(event: AgentEvent): void;
  failed: (error: unknown) => void;
}): Promise<EventLog> {
  const { table, clock } = options;
  const events: (AgentEvent & { number: number })[] = [];
  for await (const [key, value] of table.entries(eventPrefix)) {
    const fields = readFields(decodeCanonical(value, maxEventBytes));
    const event = {
      number: Number(key.slice(eventPrefix.length)),
      atMs: fields.integer('at', 0, Number.MAX_SAFE_INTEGER),
      kind: fields.text('kind', 64),
      text: fields.text('text', 2000),
    };
    if (fields.ok) events.push(event);
  }
  let next = (events.at(-1)?.number ?? 0) + 1;
  const listeners = new Set<(event: AgentEvent) => void>();
  const waiting: TableChange[] = [];
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  const keyOf = (number: number): string => eventPrefix + String(number).padStart(12, '0');

  const write = async (): Promise<void> => {
    timer = undefined;
    const changes = waiting.splice(0);
    writing = writing.then(() => table.write(changes)).catch(options.failed);
    await writing;
  };

  return {
    add: (kind, text) => {
      const event = { number: next, atMs: Math.round(clock.nowMs()), kind, text: text.slice(0, 2000) };
      next += 1;
      events.push(event);
      waiting.push({
        key: keyOf(event.number),
        value: encodeCanonical({ at: event.atMs, kind, text: event.text }),
      });
      const oldest = events.length > maxEvents ? events.shift() : undefined;
      if (oldest !== undefined) waiting.push({ key: keyOf(oldest.number), value: undefined });
      timer ??= setTimeout(() => void write(), writeEveryMs);
      options.onAdd(event);
      for (const listener of listeners) listener(event);
    },
    list: (sinceMs = 0) =>
      events.filter((event) => event.atMs >= sinceMs).map(({ atMs, kind, text }) => ({ atMs, kind, text })),
    follow: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    [Symbol.asyncDispose]: async () => {
      clearTimeout(timer);
      if (waiting.length > 0) await write();
      await writing;
    },
  };
}
