import type { ResourceRecord } from './master-file.ts';
import { type DomainName, isAtOrBelow, type NameKey, parentKey } from './name.ts';
import { type EditableMap, editableCopy } from './patched-map.ts';
import { RecordType } from './record-types.ts';
import { rrsetOf, type Zone, type ZoneNode } from './zone.ts';
import {
  addAncestors,
  addRecord,
  addSignature,
  type BuiltZone,
  finishZone,
  nodeIn,
  sortRecords,
} from './zone-build.ts';

/** All records that a name is to have; none takes it away. */
export interface NamePatch {
  owner: DomainName;
  records: readonly ResourceRecord[];
}

/**
 * The zone with other records at some names, as `buildZone` would make it of all records, without going through those
 * that stay. The zone given is left as it is.
 */
export function patchZone(zone: Zone, names: ReadonlyMap<NameKey, NamePatch>): BuiltZone {
  const nodes = editableCopy(zone.nodes);
  const hashed = editableCopy(zone.hashed);
  for (const [key, { owner, records }] of names) {
    if (!isAtOrBelow(owner, zone.origin))
      return { kind: 'refused', text: 'a record lies outside the zone', index: undefined };
    nodes.delete(key);
    hashed.delete(key);
    if (key === zone.originKey) nodeIn(nodes, key, zone.origin);
    addName(nodes, hashed, key, { owner, records });
    const node = nodes.get(key);
    if (node && key !== zone.originKey && rrsetOf(node, RecordType.SOA))
      return { kind: 'refused', text: 'an SOA record stands below the apex', index: undefined };
  }
  for (const key of names.keys()) if (nodes.has(key)) addAncestors(nodes, zone.originKey, key);
  settleEmptyNames(nodes, zone.originKey, [...names.keys()]);
  return finishZone(zone.originKey, nodes, hashed, { zone, changed: new Set(names.keys()) });
}

function addName(
  nodes: EditableMap<NameKey, ZoneNode>,
  hashed: EditableMap<NameKey, ZoneNode>,
  key: NameKey,
  { owner, records }: NamePatch,
): void {
  for (const record of records) {
    if (record.type === RecordType.RRSIG) continue;
    addRecord(nodeIn(record.type === RecordType.NSEC3 ? hashed : nodes, key, owner), record);
  }
  for (const record of records)
    if (record.type === RecordType.RRSIG) addSignature(nodes, hashed, key, record);
  for (const node of [nodes.get(key), hashed.get(key)]) if (node) sortRecords(node);
}

/** Names without data stand exactly where something is below them (RFC 8020). */
function settleEmptyNames(
  nodes: EditableMap<NameKey, ZoneNode>,
  originKey: NameKey,
  changed: readonly NameKey[],
): void {
  const isEmpty = (key: NameKey): boolean => (nodes.get(key)?.rrsets.length ?? 0) === 0;
  const doubtful = new Set<NameKey>();
  for (const from of changed) {
    for (let key = from; key !== originKey && isEmpty(key) && !doubtful.has(key); key = parentKey(key))
      doubtful.add(key);
  }
  if (doubtful.size === 0) return;
  const needed = new Set<NameKey>();
  for (const { key: from, rrsets } of nodes.values()) {
    if (rrsets.length === 0 || from === originKey) continue;
    for (let key = parentKey(from); key !== originKey && key.length > originKey.length; key = parentKey(key))
      if (doubtful.has(key)) needed.add(key);
  }
  for (const key of doubtful) {
    if (!needed.has(key)) nodes.delete(key);
  }
  for (const key of needed) addAncestors(nodes, originKey, `\x01x${key}`);
}
