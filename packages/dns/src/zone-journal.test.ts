import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ResourceRecord } from './master-file.ts';
import { zoneOf } from './testing.ts';
import type { Zone } from './zone.ts';
import { buildZone } from './zone-build.ts';
import type { ZoneChange } from './zone-changes.ts';
import { soaOf } from './zone-changes.ts';
import { encodeZone } from './zone-encoding.ts';
import { changeSince, journalZones, serialOf, wholeZone, type ZoneJournal } from './zone-journal.ts';

const { origin, originKey: key } = zoneOf(1);

function journalOf(...zones: Zone[]): ZoneJournal {
  return zones.reduce((journal: ZoneJournal, zone) => journalZones(journal, [zone]), new Map());
}

function since(journal: ZoneJournal, serial: number): ZoneChange | undefined {
  const entry = journal.get(key);
  if (!entry) throw new Error('no such zone');
  return changeSince(entry, serial);
}

/** What a secondary does with a change (RFC 1995 §4): each removed record must be there, each added one must not. */
function applied(zone: Zone, { fromSoa, toSoa, removed, added }: ZoneChange): Zone {
  const textOf = ({ owner, type, ttl, rdata }: ResourceRecord) =>
    JSON.stringify([[...owner], type, ttl, [...rdata]]);
  const records = new Map([...wholeZone(zone, soaOf(zone))].map((record) => [textOf(record), record]));
  for (const record of [fromSoa, ...removed])
    if (!records.delete(textOf(record))) throw new Error('a record to be removed is not there');
  for (const record of [toSoa, ...added]) {
    if (records.has(textOf(record))) throw new Error('a record to be added is there');
    records.set(textOf(record), record);
  }
  const built = buildZone(origin, records.values());
  if (built.kind !== 'zone') throw new Error(built.text);
  return built.zone;
}

const filler = Array.from({ length: 60 }, (_, i) => `f${i} A 192.0.2.${i}`);

it('leads from any version that was served to the newest, whatever changed in between', () => {
  const lines = fc.uniqueArray(
    fc
      .tuple(fc.constantFrom('a', 'B', 'c.d', '*'), fc.constantFrom(60, 300), fc.integer({ min: 1, max: 5 }))
      .map(([owner, ttl, host]) => ({ set: `${owner} ${ttl}`, line: `${owner} ${ttl} A 192.0.2.${host}` })),
    // TTLs within an RRset that differ would make the lines less than what is served.
    { maxLength: 6, selector: ({ line }) => line.split(' ')[0] },
  );
  fc.assert(
    fc.property(fc.array(lines, { minLength: 2, maxLength: 5 }), (versions) => {
      const zones = versions.map((version, i) =>
        zoneOf(i + 1, ...filler, ...version.map(({ line }) => line)),
      );
      const journal = journalOf(...zones);
      const newest = zones.at(-1) as Zone;
      for (const zone of zones.slice(0, -1)) {
        const change = since(journal, zone.serial);
        if (!change) throw new Error('every version is known');
        expect(serialOf(change.toSoa)).toBe(newest.serial);
        expect(encodeZone(applied(zone, change))).toEqual(encodeZone(newest));
      }
    }),
    { numRuns: 50 },
  );
});

it('what came and went in between is not in it (RFC 1995 §5)', () => {
  const journal = journalOf(
    zoneOf(1, ...filler),
    zoneOf(2, 'x A 192.0.2.9', ...filler),
    zoneOf(3, ...filler),
  );
  expect(since(journal, 1)).toMatchObject({ removed: [], added: [] });
  expect(since(journal, 2)?.removed).toHaveLength(1);
});

it('signatures are records of the change too', () => {
  const sig = (inception: number) =>
    `@ RRSIG A 13 2 300 20300101000000 ${inception} 1 alice.example. AAAA\n@ A 192.0.2.8`;
  const journal = journalOf(
    zoneOf(1, ...filler, sig(20_200_101_000_000)),
    zoneOf(2, ...filler, sig(20_210_101_000_000)),
  );
  const change = since(journal, 1);
  expect([change?.removed.length, change?.added.length, change?.removed[0]?.type]).toEqual([1, 1, 46]);
});

it('knows nothing of serials that this box never served, nor of its own newest', () => {
  const journal = journalOf(zoneOf(4, ...filler), zoneOf(6, ...filler));
  expect([since(journal, 5), since(journal, 6), since(journal, 7)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

it('begins anew where the serial did not rise, or the zone was gone in between', () => {
  const lower = journalOf(zoneOf(4, ...filler), zoneOf(5, ...filler), zoneOf(3, ...filler));
  expect(lower.get(key)?.changes).toEqual([]);
  const same = journalOf(zoneOf(4, ...filler), zoneOf(4, 'x A 192.0.2.1', ...filler));
  expect(same.get(key)?.changes).toEqual([]);
  const gone = journalZones(journalZones(journalOf(zoneOf(4)), []), [zoneOf(5)]);
  expect(gone.get(key)?.changes).toEqual([]);
});

it('a change as large as the zone is not kept: the whole zone is shorter', () => {
  const journal = journalOf(zoneOf(1, 'a A 192.0.2.1'), zoneOf(2, 'b A 192.0.2.1', 'c A 192.0.2.1'));
  expect(since(journal, 1)).toBeUndefined();
});

it('remembers a hundred changes, and no more of them than the zone has records', () => {
  const zones = Array.from({ length: 130 }, (_, i) =>
    zoneOf(i + 1, `x A 10.0.0.${i}`, ...filler, ...filler2),
  );
  const entry = journalOf(...zones).get(key);
  expect(entry?.changes).toHaveLength(100);
  const few = Array.from({ length: 130 }, (_, i) => zoneOf(i + 1, `x A 10.0.0.${i}`, ...filler));
  expect(journalOf(...few).get(key)?.changes).toHaveLength(15);
});

const filler2 = Array.from({ length: 400 }, (_, i) => `g${i} A 192.0.2.1`);
