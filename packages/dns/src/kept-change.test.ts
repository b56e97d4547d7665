import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sha256 } from './io/hash.ts';
import { changesLeadingTo, decodeKeptChange, encodeKeptChange, type KeptChange } from './kept-change.ts';
import { keptChangeBytesMax } from './limits.ts';
import type { ResourceRecord } from './master-file.ts';
import { zoneOf } from './testing.ts';
import type { Zone } from './zone.ts';
import { changeBetween, type ZoneChange } from './zone-changes.ts';
import { encodeZone } from './zone-encoding.ts';

const hashOf = (zone: Zone): Uint8Array => sha256(encodeZone(zone));
const kept = (from: Zone, to: Zone): KeptChange => ({
  origin: to.originKey,
  contentHash: hashOf(to),
  change: changeBetween(from, to),
});
const plain = ({ owner, type, ttl, rdata }: ResourceRecord): string =>
  JSON.stringify([[...owner], type, ttl, [...rdata]]);
const shown = ({ fromSoa, toSoa, removed, added }: ZoneChange): string[][] => [
  [plain(fromSoa), plain(toSoa)],
  removed.map(plain).sort(),
  added.map(plain).sort(),
];

it('comes back from its bytes with every octet of it, whatever changed', () => {
  const label = fc.constantFrom(
    'a',
    'B',
    'c.d',
    '*',
    'sl/ash',
    'nul\\\\000',
    'high\\\\255',
    'A',
    'x'.repeat(63),
  );
  const lines = fc.array(fc.tuple(label, fc.integer({ min: 1, max: 9 })), { maxLength: 8 });
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const zone = (serial: number, list: [string, number][]) =>
        zoneOf(serial, ...list.map(([owner, host]) => `${owner} A 192.0.2.${host}`));
      const one = kept(zone(1, before), zone(2, after));
      const back = decodeKeptChange(encodeKeptChange(one) ?? new Uint8Array());
      expect(back?.origin).toBe(one.origin);
      expect([...(back?.contentHash ?? [])]).toEqual([...one.contentHash]);
      expect(back && shown(back.change)).toEqual(shown(one.change));
    }),
  );
});

it('is not kept where it is too large, and nothing else is taken for one', () => {
  const texts = Array.from({ length: 300 }, (_, i) => `t${i} TXT "${'x'.repeat(200)}"`);
  expect(encodeKeptChange(kept(zoneOf(1), zoneOf(2, ...texts)))).toBeUndefined();
  const bytes = encodeKeptChange(kept(zoneOf(1), zoneOf(2, 'a A 192.0.2.1'))) as Uint8Array;
  expect(bytes.length).toBeLessThan(keptChangeBytesMax);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), (length) => {
      expect(decodeKeptChange(bytes.slice(0, length))).toBeUndefined();
    }),
  );
  const noSoa = { ...kept(zoneOf(1), zoneOf(2)).change };
  noSoa.toSoa = { ...noSoa.toSoa, type: 16, rdata: Uint8Array.of(1, 97) };
  const odd = encodeKeptChange({ contentHash: new Uint8Array(32), change: noSoa }) as Uint8Array;
  expect(decodeKeptChange(odd)).toBeUndefined();
});

it('counts only where it leads to the very content that is served', () => {
  const zones = [
    zoneOf(1),
    zoneOf(2, 'a A 192.0.2.1'),
    zoneOf(3, 'b A 192.0.2.1'),
    zoneOf(4, 'c A 192.0.2.1'),
  ] as const;
  const [one, two, three, four] = zones;
  const steps = [kept(one, two), kept(two, three), kept(three, four)];
  const serials = (zone: Zone, list: readonly KeptChange[], hash = hashOf(zone)) =>
    changesLeadingTo(zone, hash, list).map(({ toSoa }) => toSoa.rdata.at(-17));
  expect(serials(four, steps)).toEqual([2, 3, 4]);
  expect(serials(three, steps)).toEqual([]);
  expect(serials(four, steps, hashOf(one))).toEqual([]);
  expect(serials(four, [])).toEqual([]);
  // One is missing: what was before it leads nowhere.
  expect(serials(four, [steps[0], steps[2]] as KeptChange[])).toEqual([4]);
  // A serial that went back is no step.
  const back = kept(four, three);
  expect(serials(three, [...steps, back])).toEqual([]);
});
