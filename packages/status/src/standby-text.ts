import { humanDuration, parseIsoTime } from '@copain/core';
import type { TextOptions } from './text.ts';
import { textTable } from './text-table.ts';

/** One service, as `peer service list --json` shows it. */
export interface StandbyService {
  owner: string;
  service: string;
  name: string;
  check: string;
  standby: string;
  /** Whose address is answered now. */
  answered: 'home' | 'standby';
  by: 'owner' | 'drill' | 'friends';
  pin: 'obey' | 'up' | 'down';
  /** Transitions so far. */
  number: number;
  sinceAt: string;
  votes: string[];
  afterMs: number;
  maxMs: number;
  holdMs: number;
}

function howWords({ pin, by, votes, answered }: StandbyService): string {
  if (pin !== 'obey') return `pinned ${pin}`;
  if (answered === 'home') return '-';
  if (by === 'drill') return 'a rehearsal';
  return votes.length === 0 ? 'what was agreed before' : votes.join(', ');
}

/** `peer service list`. */
export function standbyTable(services: readonly StandbyService[], options: TextOptions): string {
  const { nowMs, paint = (_, text) => text } = options;
  return textTable({
    paint,
    head: ['SERVICE', 'OWNER', 'NAME', 'STANDBY', 'ANSWERED FROM', 'BY', 'AFTER'],
    rows: services.map((one) => {
      const since = humanDuration(Math.max(0, nowMs - (parseIsoTime(one.sinceAt) ?? nowMs)));
      return [
        { text: one.service, tone: 'bold' },
        { text: one.owner },
        { text: one.name },
        { text: one.standby },
        one.answered === 'home' ? { text: 'home' } : { text: `the standby for ${since}`, tone: 'warn' },
        { text: howWords(one) },
        { text: humanDuration(one.afterMs) },
      ];
    }),
  });
}
