import { humanDuration } from '@copain/core';
import type { ServiceState, ServiceStatus } from './status-document.ts';
import type { TextOptions } from './text.ts';
import { type Tone, textTable } from './text-table.ts';
import { instant, joinNames } from './wording.ts';

const shapes: Record<ServiceState, { unicode: string; ascii: string; tone: Tone }> = {
  up: { unicode: '●', ascii: '[+]', tone: 'good' },
  partial: { unicode: '◐', ascii: '[/]', tone: 'warn' },
  down: { unicode: '✖', ascii: '[x]', tone: 'bad' },
  unknown: { unicode: '○', ascii: '[ ]', tone: 'dim' },
};

/** `up`, `down 5 min`. */
export function serviceWords({ state, sinceAt, confirmed }: ServiceStatus, nowMs: number): string {
  const sinceMs = instant(sinceAt);
  const doubt = state === 'down' && !confirmed ? ' (not confirmed)' : '';
  if (state === 'up' || state === 'unknown' || sinceMs === undefined) return `${state}${doubt}`;
  return `${state} ${humanDuration(nowMs - sinceMs)}${doubt}`;
}

/** `bob and carol` for what is up, `not bob and carol` for what is down, both where they differ. */
export function seenByWords({ upBy, downBy }: ServiceStatus): string {
  const up = upBy.length === 0 ? [] : [joinNames(upBy)];
  const down = downBy.length === 0 ? [] : [`not ${joinNames(downBy)}`];
  return [...up, ...down].join('; ');
}

/** How its own box sees it, and what follows. */
export function insideWords({ inside, fault, state }: ServiceStatus): string {
  if (fault === 'service') return state === 'down' ? 'does not answer there either' : 'does not answer there';
  if (fault === 'way') return 'answers there: the port is blocked';
  return inside ?? '';
}

/** The services of the circle in `peer status`. */
export function servicesTable(services: readonly ServiceStatus[], options: TextOptions): string {
  const { nowMs, shapes: kind } = options;
  return textTable({
    paint: options.paint ?? ((_, text) => text),
    head: ['SERVICE', 'OF', 'AT', 'STATE', 'REACHED BY', 'ON ITS BOX'],
    rows: services.map((one) => [
      { text: one.service, tone: 'bold' as const },
      { text: one.owner },
      { text: one.target || '-' },
      { text: `${shapes[one.state][kind]} ${serviceWords(one, nowMs)}`, tone: shapes[one.state].tone },
      { text: seenByWords(one) || '-' },
      { text: insideWords(one) || '-' },
    ]),
  });
}
