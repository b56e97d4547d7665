import { journalChangesMax } from './limits.ts';
import type { ResourceRecord } from './master-file.ts';
import { type NameKey, nameKey } from './name.ts';
import type { Zone } from './zone.ts';
import { changeBetween, recordsBesideSoa, type ZoneChange } from './zone-changes.ts';
import { isNewerSerial } from './zone-serial.ts';

/** A zone as it is served, and how it came to be so: the newest change last, each going on from the one before. */
export interface JournaledZone {
  zone: Zone;
  /** Records of the zone, its SOA not among them. */
  records: number;
  changes: readonly ZoneChange[];
}

/** What this box served of each zone. */
export type ZoneJournal = ReadonlyMap<NameKey, JournaledZone>;

/**
 * The journal after these zones are served in place of those before. A zone that is no longer served is forgotten, and
 * so is the past of one whose serial did not rise: whoever has an old copy of it takes it anew as a whole. `pastOf`
 * says what led to a zone that this process serves for the first time.
 */
export function journalZones(
  journal: ZoneJournal,
  zones: Iterable<Zone>,
  pastOf: (zone: Zone) => readonly ZoneChange[] = () => [],
): ZoneJournal {
  const next = new Map<NameKey, JournaledZone>();
  for (const zone of zones) {
    const key = zone.originKey;
    const before = journal.get(key);
    if (before?.zone === zone) next.set(key, before);
    else next.set(key, before ? journaled(before, zone) : withinSize(zone, pastOf(zone)));
  }
  return next;
}

function journaled(before: JournaledZone, zone: Zone): JournaledZone {
  if (isNewerSerial(zone.serial, before.zone.serial) !== true) return withinSize(zone, []);
  return withinSize(zone, [...before.changes, changeBetween(before.zone, zone)]);
}

/** The newest changes, as many as may be remembered: what is larger than the zone would never be sent. */
function withinSize(zone: Zone, all: readonly ZoneChange[]): JournaledZone {
  const records = countRecords(zone);
  const changes = all.slice(-journalChangesMax);
  let size = 0;
  let first = changes.length;
  while (first > 0 && size + sizeOf(changes[first - 1]) <= records) size += sizeOf(changes[--first]);
  return { zone, records, changes: changes.slice(first) };
}

function countRecords(zone: Zone): number {
  let count = 0;
  for (const nodes of [zone.nodes, zone.hashed])
    for (const { rrsets } of nodes.values())
      for (const { rdatas, signatures } of rrsets) count += rdatas.length + signatures.length;
  return count - 1;
}

function sizeOf(change: ZoneChange | undefined): number {
  return change ? change.removed.length + change.added.length + 2 : 0;
}

/**
 * What leads from `serial` to what is served, as one change (RFC 1995 §5: versions in between are left out), or
 * undefined where this box never served that serial, or the whole zone is shorter.
 */
export function changeSince({ changes, records }: JournaledZone, serial: number): ZoneChange | undefined {
  const first = changes.findIndex(({ fromSoa }) => serialOf(fromSoa) === serial);
  if (first < 0) return undefined;
  const change = condensed(changes.slice(first));
  return change && sizeOf(change) <= records ? change : undefined;
}

/** Several changes as one: what came and went in between is not in it. */
function condensed(changes: readonly ZoneChange[]): ZoneChange | undefined {
  const [oldest] = changes;
  const newest = changes.at(-1);
  if (!oldest || !newest || oldest === newest) return oldest;
  const removed = new Map<string, ResourceRecord>();
  const added = new Map<string, ResourceRecord>();
  for (const change of changes) {
    for (const record of change.removed) {
      const key = recordKey(record);
      if (!added.delete(key)) removed.set(key, record);
    }
    for (const record of change.added) {
      const key = recordKey(record);
      if (!removed.delete(key)) added.set(key, record);
    }
  }
  return {
    fromSoa: oldest.fromSoa,
    toSoa: newest.toSoa,
    removed: [...removed.values()],
    added: [...added.values()],
  };
}

function recordKey({ owner, type, ttl, rdata }: ResourceRecord): string {
  return `${nameKey(owner)} ${type} ${ttl} ${String.fromCharCode(...rdata)}`;
}

/** The serial in an SOA (RFC 1035 §3.3.13: five numbers of 32 bits come last). */
export function serialOf({ rdata }: { rdata: Uint8Array }): number {
  return new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength).getUint32(rdata.length - 20);
}

/** The records of a transfer in their order: all of the zone between its SOA and its SOA (RFC 5936 §2.2). */
export function* wholeZone(zone: Zone, soa: ResourceRecord): Generator<ResourceRecord, void, void> {
  yield soa;
  yield* recordsBesideSoa(zone);
  yield soa;
}

/** The same for a change (RFC 1995 §4). */
export function* oneChange({
  fromSoa,
  toSoa,
  removed,
  added,
}: ZoneChange): Generator<ResourceRecord, void, void> {
  yield toSoa;
  yield fromSoa;
  yield* removed;
  yield toSoa;
  yield* added;
  yield toSoa;
}
