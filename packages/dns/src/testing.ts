/**
 * Zones for tests, of this room and of those that use it:
 *
 *     const [old, next] = [zoneOf(5, 'a A 192.0.2.100'), zoneOf(6, 'a A 192.0.2.101')];
 */
import { loadZone } from './load-zone.ts';
import { nameOf } from './name.ts';
import type { Zone } from './zone.ts';

/** alice.example with this serial, one name server, and these lines of a master file. */
export function zoneOf(serial: number, ...lines: string[]): Zone {
  return zoneAt('alice.example', serial, ...lines);
}

/** The same of another origin. */
export function zoneAt(origin: string, serial: number, ...lines: string[]): Zone {
  const head = ['$TTL 300', `@ SOA ns Host ${serial} 4h 1h 2w 60`, '@ NS ns', 'ns A 192.0.2.1'];
  const text = `${[...head, ...lines].join('\n')}\n`;
  const { zone, problems } = loadZone({ text, file: 'z', origin: nameOf(origin) });
  if (zone === undefined) throw new Error(problems.map((problem) => problem.text).join());
  return zone;
}
