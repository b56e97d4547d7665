import type { Clock } from '@copain/core';

/** One thing that happened, as the status page and `peer events` tell it. */
export interface AgentEvent {
  atMs: number;
  kind: string;
  text: string;
}

/** Events kept for the page: about a quiet month. */
const maxEvents = 500;

/** What happened lately, newest last, and whoever follows. */
export interface EventLog {
  add(kind: string, text: string): void;
  list(sinceMs?: number): AgentEvent[];
  /** Calls back for each new event until the returned function is called. */
  follow(listener: (event: AgentEvent) => void): () => void;
}

export function startEventLog(clock: Clock, onAdd: (event: AgentEvent) => void): EventLog {
  const events: AgentEvent[] = [];
  const listeners = new Set<(event: AgentEvent) => void>();
  return {
    add: (kind, text) => {
      const event = { atMs: clock.nowMs(), kind, text };
      events.push(event);
      if (events.length > maxEvents) events.shift();
      onAdd(event);
      for (const listener of listeners) listener(event);
    },
    list: (sinceMs = 0) => events.filter((event) => event.atMs >= sinceMs),
    follow: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
