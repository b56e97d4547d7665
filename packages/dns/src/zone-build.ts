import { compareBytes } from '@copain/core';
import { zoneRecordsMax } from './limits.ts';
import type { ResourceRecord } from './master-file.ts';
import { type DomainName, isAtOrBelow, keyToName, type NameKey, nameKey, parentKey } from './name.ts';
import type { EditableMap } from './patched-map.ts';
import { canonicalRdata } from './rdata-wire.ts';
import { RecordType } from './record-types.ts';
import { rrsetOf, type Zone, type ZoneNode } from './zone.ts';
import { nsec3Chain, nsecChain, type ZoneBefore } from './zone-chains.ts';

/** Why records make no zone. `index` is that of the offending record, where there is one. */
export type BuiltZone =
  | { kind: 'zone'; zone: Zone }
  | { kind: 'refused'; text: string; index: number | undefined };

/**
 * Builds a zone from its records in any order. Doubles count once (RFC 2181 §5), differing TTLs in an RRset become the
 * lowest (§5.2), signatures over nothing are left out. Refused: a record outside the zone, not exactly one SOA,
 * more than 500,000 records.
 */
export function buildZone(origin: DomainName, records: Iterable<ResourceRecord>): BuiltZone {
  const nodes = new Map<NameKey, ZoneNode>();
  const hashed = new Map<NameKey, ZoneNode>();
  const originKey = nameKey(origin);
  nodeIn(nodes, originKey, origin);
  const signatures: { owner: NameKey; record: ResourceRecord }[] = [];
  let index = 0;
  for (const record of records) {
    if (!isAtOrBelow(record.owner, origin))
      return { kind: 'refused', text: 'a record lies outside the zone', index };
    const key = nameKey(record.owner);
    if (record.type === RecordType.RRSIG) signatures.push({ owner: key, record });
    else addRecord(nodeIn(record.type === RecordType.NSEC3 ? hashed : nodes, key, record.owner), record);
    index++;
    if (index > zoneRecordsMax)
      return { kind: 'refused', text: `the zone has more than ${zoneRecordsMax} records`, index: undefined };
  }
  for (const { owner, record } of signatures) addSignature(nodes, hashed, owner, record);
  for (const node of nodes.values()) addAncestors(nodes, originKey, node.key);
  for (const node of [...nodes.values(), ...hashed.values()]) sortRecords(node);
  return finishZone(originKey, nodes, hashed);
}

export function nodeIn(nodes: EditableMap<NameKey, ZoneNode>, key: NameKey, name: DomainName): ZoneNode {
  let node = nodes.get(key);
  if (!node) {
    node = { key, name, rrsets: [] };
    nodes.set(key, node);
  }
  return node;
}

export function addRecord(node: ZoneNode, { type, ttl, rdata }: ResourceRecord): void {
  const rrset = rrsetOf(node, type);
  if (!rrset) node.rrsets.push({ type, ttl, rdatas: [rdata], signatures: [], signatureTtl: ttl });
  else {
    rrset.rdatas.push(rdata);
    rrset.ttl = Math.min(rrset.ttl, ttl);
    rrset.signatureTtl = rrset.ttl;
  }
}

export function addSignature(
  nodes: EditableMap<NameKey, ZoneNode>,
  hashed: EditableMap<NameKey, ZoneNode>,
  owner: NameKey,
  { rdata, ttl }: ResourceRecord,
): void {
  const covered = ((rdata[0] ?? 0) << 8) | (rdata[1] ?? 0);
  const node = (covered === RecordType.NSEC3 ? hashed : nodes).get(owner);
  const rrset = node && rrsetOf(node, covered);
  if (!rrset) return;
  rrset.signatureTtl = rrset.signatures.length === 0 ? ttl : Math.min(rrset.signatureTtl, ttl);
  rrset.signatures.push(rdata);
}

/** Empty non-terminals (RFC 4592 §2.2.2): every name between a record and the apex exists. */
export function addAncestors(nodes: EditableMap<NameKey, ZoneNode>, originKey: NameKey, from: NameKey): void {
  for (let key = from; key !== originKey; ) {
    key = parentKey(key);
    if (nodes.has(key)) return;
    nodes.set(key, { key, name: keyToName(key), rrsets: [] });
  }
}

/** Canonical order within a node (RFC 4034 §6.3), doubles removed. */
export function sortRecords(node: ZoneNode): void {
  node.rrsets.sort((a, b) => a.type - b.type);
  for (const rrset of node.rrsets) {
    if (rrset.rdatas.length > 1) rrset.rdatas = sortedOnce(rrset.type, rrset.rdatas);
    if (rrset.signatures.length > 1) rrset.signatures = sortedOnce(RecordType.RRSIG, rrset.signatures);
  }
}

function sortedOnce(type: number, rdatas: Uint8Array[]): Uint8Array[] {
  const folded = rdatas.map((rdata) => ({ rdata, canonical: canonicalRdata(type, rdata) }));
  folded.sort((a, b) => compareBytes(a.canonical, b.canonical) || compareBytes(a.rdata, b.rdata));
  const once = folded.filter(({ canonical }, i) => {
    const before = folded[i - 1];
    return !before || compareBytes(before.canonical, canonical) !== 0;
  });
  return once.map(({ rdata }) => rdata);
}

/** `before` is a zone of which all but the `changed` names are as they were, where there is one. */
export function finishZone(
  originKey: NameKey,
  nodes: ReadonlyMap<NameKey, ZoneNode>,
  hashed: ReadonlyMap<NameKey, ZoneNode>,
  before?: ZoneBefore,
): BuiltZone {
  const apex = nodes.get(originKey) as ZoneNode;
  const soa = rrsetOf(apex, RecordType.SOA);
  const rdata = soa?.rdatas[0];
  if (!soa || !rdata)
    return { kind: 'refused', text: 'the zone has no SOA record at its apex', index: undefined };
  if (soa.rdatas.length > 1)
    return { kind: 'refused', text: 'the zone has more than one SOA record', index: undefined };
  // Of a patched zone, only names that changed may have one now.
  const doubtful = before ? [...before.changed].flatMap((key) => nodes.get(key) ?? []) : nodes.values();
  for (const node of doubtful) {
    if (node !== apex && rrsetOf(node, RecordType.SOA)) {
      return { kind: 'refused', text: 'an SOA record stands below the apex', index: undefined };
    }
  }
  const zone: Zone = {
    origin: apex.name,
    originKey,
    serial: soaField(rdata, 0),
    nodes,
    hashed,
    apex,
    soa,
    negativeTtl: Math.min(soa.ttl, soaField(rdata, 4)),
    expireS: soaField(rdata, 3),
    signed: rrsetOf(apex, RecordType.DNSKEY) !== undefined || soa.signatures.length > 0,
    nsec: nsecChain(nodes, before),
    nsec3: nsec3Chain(apex, hashed, before),
  };
  return { kind: 'zone', zone };
}

/** One of the SOA's five numbers (RFC 1035 §3.3.13): 0 serial, 1 refresh, 2 retry, 3 expire, 4 minimum. */
function soaField(rdata: Uint8Array, index: number): number {
  return new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength).getUint32(
    rdata.length - 20 + 4 * index,
  );
}
