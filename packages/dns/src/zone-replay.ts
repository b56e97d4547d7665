import type { ResourceRecord } from './master-file.ts';
import { type DomainName, type NameKey, nameKey } from './name.ts';
import { canonicalRdata } from './rdata-wire.ts';
import type { Zone } from './zone.ts';
import { soaOf, type ZoneChange } from './zone-changes.ts';
import { nodeRecords } from './zone-encoding.ts';
import { serialOf } from './zone-journal.ts';
import { type NamePatch, patchZone } from './zone-patch.ts';

/** The zone after the changes, or why they do not fit it: then only the whole zone helps (RFC 1995 §4). */
export type ReplayedZone = { kind: 'zone'; zone: Zone } | { kind: 'misfit'; why: string };

/**
 * Applies what a primary says has changed, step by step. A step must begin with the version before and take away only
 * what is there: else both sides do not have the same zone, and nothing of it is believed. A record that is there already
 * may come again, as NSD sends unchanged ones of a name that changes. Names that do not change are shared with `zone`,
 * which is left as it is.
 */
export function replayChanges(zone: Zone, steps: readonly ZoneChange[]): ReplayedZone {
  const names = new Map<NameKey, { owner: DomainName; records: Map<string, ResourceRecord> }>();
  const at = (owner: DomainName): Map<string, ResourceRecord> => {
    const key = nameKey(owner);
    const known = names.get(key);
    if (known) return known.records;
    const nodes = [zone.nodes.get(key), zone.hashed.get(key)];
    const records = new Map<string, ResourceRecord>();
    for (const node of nodes)
      if (node) for (const record of nodeRecords(node)) records.set(markOf(record), record);
    names.set(key, { owner: nodes.find((node) => node)?.name ?? owner, records });
    return records;
  };
  let soa = soaOf(zone);
  for (const { fromSoa, toSoa, removed, added } of steps) {
    if (serialOf(fromSoa) !== serialOf(soa)) return misfit('a step begins with another version');
    for (const record of removed) {
      if (!at(record.owner).delete(markOf(record))) return misfit('it takes away a record that is not there');
    }
    for (const record of added) at(record.owner).set(markOf(record), record);
    soa = toSoa;
  }
  const apex = at(zone.origin);
  apex.delete(markOf(soaOf(zone)));
  apex.set(markOf(soa), soa);
  const patches = new Map<NameKey, NamePatch>();
  for (const [key, { owner, records }] of names) patches.set(key, { owner, records: [...records.values()] });
  const patched = patchZone(zone, patches);
  return patched.kind === 'zone' ? patched : misfit(patched.text);
}

/** The same for what is one record: names in data without regard to case, and without TTL, of which an RRset has one. */
function markOf({ type, rdata }: ResourceRecord): string {
  let mark = `${type} `;
  for (const octet of canonicalRdata(type, rdata)) mark += String.fromCharCode(octet);
  return mark;
}

function misfit(why: string): ReplayedZone {
  return { kind: 'misfit', why };
}
