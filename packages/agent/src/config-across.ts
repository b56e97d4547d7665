import { formatHostPort, type HostPort, isLoopback, parseHostPort } from '@copain/core';
import { maxServicesPerBox } from '@copain/trust';
import { alertLimits } from './alert-limits.ts';
import { alertMistakes } from './config-alert.ts';
import { parseRate } from './config-rate.ts';
import type { ConfigFinding } from './config-schema.ts';
import { readDomain } from './config-values.ts';

type Plain = Record<string, unknown>;

const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const tableAt = (table: Plain, key: string): Plain => {
  const value = table[key];
  return isPlain(value) ? value : {};
};
const listAt = (table: Plain, key: string): unknown[] => {
  const value = table[key];
  return Array.isArray(value) ? value : [];
};
const isSet = (value: unknown): boolean => value !== undefined && value !== '';

/** Two tables that name the same thing: the later one is the mistake. */
function repeated(
  root: Plain,
  path: readonly [...string[], string],
  key: string,
  normal: (text: string) => string,
): ConfigFinding[] {
  const tables = path.slice(0, -1).reduce(tableAt, root);
  const list = path.join('.');
  const seen = new Map<string, number>();
  return listAt(tables, path.at(-1) ?? '').flatMap((entry, index): ConfigFinding[] => {
    const value = isPlain(entry) ? entry[key] : undefined;
    if (typeof value !== 'string') return [];
    const first = seen.get(normal(value));
    if (first === undefined) {
      seen.set(normal(value), index);
      return [];
    }
    return [{ path: [...path, index, key], at: 'value', message: `is already in ${list}[${first + 1}]` }];
  });
}

function repeatedListeners(root: Plain): ConfigFinding[] {
  return ['mesh', 'dns', 'smtp', 'http'].flatMap((table) => {
    const written = listAt(tableAt(root, table), 'listen');
    return written.flatMap((value, index): ConfigFinding[] => {
      const isFirst = written.indexOf(value) === index;
      return isFirst ? [] : [{ path: [table, 'listen', index], at: 'value', message: 'is listed twice' }];
    });
  });
}

/** An address that belongs to one friend is listened on once, and by nothing else. */
function rawListeners(root: Plain): ConfigFinding[] {
  const smtp = tableAt(root, 'smtp');
  const address = (value: unknown): HostPort[] => {
    const read = typeof value === 'string' ? parseHostPort(value) : undefined;
    return read ? [read] : [];
  };
  const shared = (smtp.listen === undefined ? ['0.0.0.0:25'] : listAt(smtp, 'listen')).flatMap(address);
  const before: string[] = [];
  return listAt(smtp, 'raw').flatMap((raw, index): ConfigFinding[] => {
    if (!isPlain(raw)) return [];
    const findings: ConfigFinding[] = [];
    const path = ['smtp', 'raw', index] as const;
    for (const listen of address(raw.listen)) {
      const taker = shared.find((one) => one.port !== 0 && takes(one, listen));
      const text = formatHostPort(listen);
      const twice = listen.port !== 0 && before.includes(text);
      const message = twice
        ? 'is in another [[smtp.raw]] already'
        : taker && `is taken by smtp.listen (${formatHostPort(taker)}): name single addresses there`;
      if (message !== undefined) findings.push({ path: [...path, 'listen'], at: 'value', message });
      before.push(text);
    }
    return findings;
  });
}

/** Does listening there take this address too? `::` takes IPv4 as well. */
function takes(one: HostPort, other: HostPort): boolean {
  if (one.port !== other.port) return false;
  const all = one.host === '::' || (one.host === '0.0.0.0' && !other.host.includes(':'));
  return all || formatHostPort(one) === formatHostPort(other);
}

function zoneSources(root: Plain): ConfigFinding[] {
  return listAt(root, 'zone').flatMap((zone, index): ConfigFinding[] => {
    if (!isPlain(zone)) return [];
    const path = ['zone', index] as const;
    const { file, primary, 'tsig-file': tsigFile } = zone;
    if (isSet(file) && isSet(primary))
      return [{ path: [...path, 'primary'], at: 'key', message: 'a zone has a file or a primary, not both' }];
    if (!isSet(file) && !isSet(primary))
      return [{ path, at: 'key', message: 'needs file = "…" (a master file) or primary = "host:port"' }];
    if (isSet(tsigFile) && !isSet(primary))
      return [{ path: [...path, 'tsig-file'], at: 'key', message: 'is for zones with a primary' }];
    return [];
  });
}

/** The address of names in one's own zones is followed, and updated by nobody. */
function updatedZones(root: Plain): ConfigFinding[] {
  const origins = listAt(root, 'zone').flatMap((zone) =>
    isPlain(zone) && typeof zone.origin === 'string' ? [readDomain(zone.origin)] : [],
  );
  return listAt(tableAt(root, 'address'), 'update').flatMap((update, index): ConfigFinding[] => {
    const zone = isPlain(update) && typeof update.zone === 'string' ? readDomain(update.zone) : undefined;
    if (zone === undefined || !origins.includes(zone)) return [];
    const message = 'is a zone of this box: its names follow the address with follow = ["@"] in its [[zone]]';
    return [{ path: ['address', 'update', index, 'zone'], at: 'value', message }];
  });
}

/** Keys that go with one kind of place, and more tables than are looked after. */
function alertTables(root: Plain): ConfigFinding[] {
  return listAt(root, 'alert').flatMap((table, index): ConfigFinding[] => {
    if (!isPlain(table)) return [];
    const path = ['alert', index] as const;
    if (index >= alertLimits.channels)
      return [{ path, at: 'key', message: `is more than ${alertLimits.channels} ways for alerts` }];
    return alertMistakes(table).map(
      ({ key, message }): ConfigFinding => ({ path: [...path, key], at: 'key', message }),
    );
  });
}

/** A service is a name in a zone of one's own, and friends watch no more than some of them. */
function serviceZones(root: Plain): ConfigFinding[] {
  const origins = listAt(root, 'zone').flatMap((zone) => {
    const origin = isPlain(zone) && typeof zone.origin === 'string' ? readDomain(zone.origin) : undefined;
    return origin === undefined ? [] : [origin];
  });
  return listAt(root, 'service').flatMap((service, index): ConfigFinding[] => {
    const record =
      isPlain(service) && typeof service.record === 'string' ? readDomain(service.record) : undefined;
    const path = ['service', index] as const;
    if (index >= maxServicesPerBox)
      return [
        {
          path,
          at: 'key',
          message: `is more than the ${maxServicesPerBox} services of one box that friends watch`,
        },
      ];
    if (record === undefined || serviceZone(origins, record) !== undefined) return [];
    const message = `is in no zone of this box: peer zone add comes first`;
    return [{ path: [...path, 'record'], at: 'value', message }];
  });
}

/** The closest of these zones that a name is in. */
export function serviceZone(origins: readonly string[], record: string): string | undefined {
  const [closest] = origins
    .filter((origin) => record === origin || record.endsWith(`.${origin}`))
    .sort((a, b) => b.length - a.length);
  return closest;
}

function openStatusPage(root: Plain): ConfigFinding[] {
  const http = tableAt(root, 'http');
  if (isSet(http['token-file'])) return [];
  return listAt(http, 'listen').flatMap((value, index): ConfigFinding[] => {
    const address = typeof value === 'string' ? parseHostPort(value) : undefined;
    if (!address || isLoopback(address.host)) return [];
    const message =
      'is no loopback address, so others could read the page: set http.token-file, or use 127.0.0.1';
    return [{ path: ['http', 'listen', index], at: 'value', message }];
  });
}

function tlsPair(root: Plain): ConfigFinding[] {
  const smtp = tableAt(root, 'smtp');
  const [cert, key] = [isSet(smtp['tls-cert']), isSet(smtp['tls-key'])];
  if (cert === key) return [];
  const [present, absent] = cert ? ['tls-cert', 'tls-key'] : ['tls-key', 'tls-cert'];
  return [{ path: ['smtp', present], at: 'key', message: `needs ${absent} too` }];
}

function bulkBelowLine(root: Plain): ConfigFinding[] {
  const { up, bulk } = tableAt(root, 'line');
  const [all, part] = [up, bulk].map((rate) => (typeof rate === 'string' ? parseRate(rate) : undefined));
  if (all === undefined || part === undefined || part <= all) return [];
  return [{ path: ['line', 'bulk'], at: 'value', message: 'is more than line.up' }];
}

/**
 * Mistakes that lie between values, found in the raw tree so that they are reported together with those of single
 * values. Values of a wrong kind are passed over: `checkShape` reports them.
 */
export function checkAcross(value: unknown): ConfigFinding[] {
  if (!isPlain(value)) return [];
  const domainName = (text: string): string => readDomain(text) ?? text;
  return [
    ...repeated(value, ['zone'], 'origin', domainName),
    ...repeated(value, ['mail'], 'domain', domainName),
    ...repeated(value, ['smtp', 'tls'], 'name', domainName),
    ...repeated(value, ['service'], 'name', (text) => text),
    ...repeated(value, ['service'], 'record', domainName),
    ...serviceZones(value),
    ...repeated(value, ['friend'], 'name', (text) => text),
    ...repeated(value, ['alert'], 'to', (text) => text),
    ...alertTables(value),
    ...updatedZones(value),
    ...repeatedListeners(value),
    ...rawListeners(value),
    ...zoneSources(value),
    ...openStatusPage(value),
    ...tlsPair(value),
    ...bulkBelowLine(value),
  ];
}
