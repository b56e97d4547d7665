import { canonicalSortKey, nameToText } from './name.ts';
import { rdataToText } from './rdata-print.ts';
import { RecordType, typeToText } from './record-types.ts';
import type { Zone } from './zone.ts';
import { zoneRecords } from './zone-encoding.ts';

/** How two versions of a zone differ: records as lines of a master file, in canonical order of their owners. */
export interface ZoneDiff {
  removed: string[];
  added: string[];
}

/**
 * What must be taken from `from` and put into it to make `to`. The serial counts only where `withSerial` says so: it is
 * raised by whoever publishes. A TTL counts, as does the case of letters in rdata; the case of owner names does not.
 */
export function diffZones(from: Zone, to: Zone, options: { withSerial: boolean }): ZoneDiff {
  const before = linesOf(from, options);
  const after = linesOf(to, options);
  const beyond = (these: ReadonlyMap<string, string>, those: ReadonlyMap<string, string>): string[] =>
    [...these]
      .filter(([line]) => !those.has(line))
      .sort(([lineA, keyA], [lineB, keyB]) =>
        keyA === keyB ? (lineA < lineB ? -1 : 1) : keyA < keyB ? -1 : 1,
      )
      .map(([line]) => line);
  return { removed: beyond(before, after), added: beyond(after, before) };
}

/** Each record as a line, with what it sorts by. */
function linesOf(zone: Zone, { withSerial }: { withSerial: boolean }): Map<string, string> {
  const lines = new Map<string, string>();
  for (const { owner: name, type, ttl, rdata } of zoneRecords(zone)) {
    const shown = type === RecordType.SOA && !withSerial ? withoutSerial(rdata) : rdata;
    const owner = nameToText(name).toLowerCase();
    lines.set(`${owner} ${ttl} IN ${typeToText(type)} ${rdataToText(type, shown)}`, canonicalSortKey(name));
  }
  return lines;
}

/** The rdata of an SOA with 0 in place of its serial (RFC 1035 §3.3.13: five numbers of 32 bits come last). */
function withoutSerial(rdata: Uint8Array): Uint8Array {
  const changed = rdata.slice();
  if (changed.length >= 20) new DataView(changed.buffer).setUint32(changed.length - 20, 0);
  return changed;
}
