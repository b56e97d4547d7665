import { humanDuration, isLoopback, parseIsoTime, visible } from '@copain/core';
import type { ZoneStatus } from '@copain/status';
import type { Check } from './doctor-net.ts';

/** What the checks of DNS look at. Zones are as they stand after their primaries were asked. */
export interface DnsFacts {
  nowMs: number;
  /** Where queries are answered; empty: nowhere, as was configured. */
  listening: readonly { host: string; port: number }[];
  zones: readonly ZoneStatus[];
}

/** How this box stands as a name server, in plain words: where it answers, and each zone of its owner. */
export function dnsChecks({ nowMs, listening, zones }: DnsFacts): Check[] {
  return [listenCheck(listening), ...zones.flatMap((zone) => zoneChecks(zone, nowMs))];
}

function listenCheck(listening: DnsFacts['listening']): Check {
  const id = 'dns.listen';
  if (listening.length === 0)
    return { id, ok: null, text: 'This box answers no queries ([dns] listen is empty).', hint: null };
  const isPublic = listening.some(({ host, port }) => port === 53 && !isLoopback(host));
  const text = isPublic
    ? 'Queries are answered on port 53.'
    : 'Queries are answered, but not on port 53 of an address that others reach: another server must pass them on.';
  return { id, ok: isPublic ? true : null, text, hint: isPublic ? null : 'docs/dns-servers.md' };
}

function zoneChecks(zone: ZoneStatus, nowMs: number): Check[] {
  if (zone.role !== 'primary') return [];
  const origin = visible(zone.origin);
  const id = `dns.zone.${origin}`;
  const hint = `peer zone show ${origin}`;
  const errors = zone.problems.filter(({ severity }) => severity === 'error');
  const served = zone.serial === null ? 'nothing is served' : `serial ${zone.serial} is served`;
  const checks: Check[] = [
    errors.length > 0
      ? { id, ok: false, text: `${origin}: ${visible(errors[0]?.text ?? '', 400)}; ${served}.`, hint }
      : {
          id,
          ok: zone.serial !== null,
          text: `${origin}: ${served}.`,
          hint: zone.serial === null ? hint : null,
        },
  ];
  const { primary } = zone;
  if (primary === null) return checks;
  const address = visible(primary.address);
  const sinceMs = primary.failing === null ? nowMs : (parseIsoTime(primary.failing.sinceAt) ?? nowMs);
  checks.push(
    primary.failing === null
      ? { id: `${id}.primary`, ok: true, text: `${origin}: the primary ${address} answers.`, hint: null }
      : {
          id: `${id}.primary`,
          ok: false,
          text: `${origin}: the primary ${address} could not be asked for ${humanDuration(nowMs - sinceMs)}: ${visible(primary.failing.text, 400)}.`,
          hint: 'docs/dns-primaries.md',
        },
  );
  return checks;
}
