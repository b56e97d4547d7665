import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadZone } from './load-zone.ts';
import { nameOf } from './name.ts';
import type { Zone } from './zone.ts';
import { diffZones } from './zone-diff.ts';

function zoneOf(...lines: string[]): Zone {
  const text = [
    '$TTL 300',
    '@ IN SOA ns host 7 3600 600 3600000 300',
    '@ IN NS ns',
    'ns A 192.0.2.1',
    ...lines,
  ].join('\n');
  const { zone, problems } = loadZone({ text: `${text}\n`, file: 'z', origin: nameOf('alice.example') });
  if (zone === undefined) throw new Error(problems.map((problem) => problem.text).join());
  return zone;
}

it('names what went and what came, as lines of a master file', () => {
  const before = zoneOf('www A 192.0.2.80', 'mail A 192.0.2.25');
  const after = zoneOf('www A 192.0.2.81', 'mail A 192.0.2.25', 'a TXT "hello you"');
  expect(diffZones(before, after, { withSerial: false })).toEqual({
    removed: ['www.alice.example. 300 IN A 192.0.2.80'],
    added: ['a.alice.example. 300 IN TXT "hello you"', 'www.alice.example. 300 IN A 192.0.2.81'],
  });
});

it('a serial alone counts only where it is asked for', () => {
  const text = (serial: number) =>
    `@ IN SOA ns host ${serial} 3600 600 3600000 300\n@ IN NS ns\nns A 192.0.2.1\n`;
  const load = (serial: number): Zone => {
    const { zone } = loadZone({
      text: `$TTL 300\n${text(serial)}`,
      file: 'z',
      origin: nameOf('alice.example'),
    });
    if (zone === undefined) throw new Error('no zone');
    return zone;
  };
  expect(diffZones(load(7), load(9), { withSerial: false })).toEqual({ removed: [], added: [] });
  const counted = diffZones(load(7), load(9), { withSerial: true });
  expect([counted.removed.length, counted.added.length]).toEqual([1, 1]);
  expect(counted.added[0]).toContain(' 9 3600 600 ');
});

it('applied to the one it gives the other, whatever both hold', () => {
  const anyLines = fc.uniqueArray(
    fc
      .tuple(fc.constantFrom('a', 'b', 'c.d', '*'), fc.integer({ min: 1, max: 9 }))
      .map(([owner, host]) => `${owner} A 192.0.2.${host}`),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(anyLines, anyLines, (one, other) => {
      const [from, to] = [zoneOf(...one), zoneOf(...other)];
      const { removed, added } = diffZones(from, to, { withSerial: false });
      const empty = zoneOf();
      const linesOf = (zone: Zone) => diffZones(empty, zone, { withSerial: false }).added;
      const applied = [...linesOf(from).filter((line) => !removed.includes(line)), ...added];
      expect(applied.sort()).toEqual(linesOf(to).sort());
      expect(removed.filter((line) => added.includes(line))).toEqual([]);
    }),
  );
});
