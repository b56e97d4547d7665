import { equalBytes } from '@copain/core';
import type { ResourceRecord } from './master-file.ts';
import type { NameKey } from './name.ts';
import { RecordType } from './record-types.ts';
import { type RRset, rrsetOf, type Zone, type ZoneNode } from './zone.ts';

/** What leads from one serial of a zone to another, as IXFR tells it (RFC 1995 §4). The SOAs stand apart. */
export interface ZoneChange {
  fromSoa: ResourceRecord;
  toSoa: ResourceRecord;
  removed: ResourceRecord[];
  added: ResourceRecord[];
}

/** Every record of a zone but its SOA, what nobody is answered too (RFC 5936 §3.5), in no particular order. */
export function* recordsBesideSoa(zone: Zone): Generator<ResourceRecord, void, void> {
  for (const nodes of [zone.nodes, zone.hashed]) {
    for (const node of nodes.values()) {
      for (const rrset of node.rrsets) {
        if (rrset.type !== RecordType.SOA) yield* dataOf(node, rrset);
        yield* signaturesOf(node, rrset);
      }
    }
  }
}

/** The SOA as a record. */
export function soaOf(zone: Zone): ResourceRecord {
  const rdata = zone.soa.rdatas[0] ?? new Uint8Array();
  return { owner: zone.apex.name, type: RecordType.SOA, ttl: zone.soa.ttl, rdata };
}

function dataOf({ name }: ZoneNode, { type, ttl, rdatas }: RRset): ResourceRecord[] {
  return rdatas.map((rdata) => ({ owner: name, type, ttl, rdata }));
}

function signaturesOf({ name }: ZoneNode, { signatureTtl, signatures }: RRset): ResourceRecord[] {
  return signatures.map((rdata) => ({ owner: name, type: RecordType.RRSIG, ttl: signatureTtl, rdata }));
}

/** What changed between two versions of one zone. Costs little where both share what did not change. */
export function changeBetween(from: Zone, to: Zone): ZoneChange {
  const change: ZoneChange = { fromSoa: soaOf(from), toSoa: soaOf(to), removed: [], added: [] };
  compareNodes(from.nodes, to.nodes, change);
  compareNodes(from.hashed, to.hashed, change);
  return change;
}

function compareNodes(
  from: ReadonlyMap<NameKey, ZoneNode>,
  to: ReadonlyMap<NameKey, ZoneNode>,
  change: ZoneChange,
): void {
  for (const [key, node] of from) {
    const now = to.get(key);
    if (now === node) continue;
    for (const rrset of node.rrsets) {
      const other = now && rrsetOf(now, rrset.type);
      if (other !== rrset) change.removed.push(...beyond(node, rrset, other));
    }
  }
  for (const [key, node] of to) {
    const before = from.get(key);
    if (before === node) continue;
    for (const rrset of node.rrsets) {
      const other = before && rrsetOf(before, rrset.type);
      if (other !== rrset) change.added.push(...beyond(node, rrset, other));
    }
  }
}

/** The records of an RRset that another one of its name and type lacks. A record with another TTL is another one. */
function beyond(node: ZoneNode, rrset: RRset, other: RRset | undefined): ResourceRecord[] {
  const data = rrset.type === RecordType.SOA ? [] : dataOf(node, rrset);
  const signatures = signaturesOf(node, rrset);
  if (!other) return [...data, ...signatures];
  return [
    ...(other.ttl === rrset.ttl ? data.filter(({ rdata }) => !holds(other.rdatas, rdata)) : data),
    ...(other.signatureTtl === rrset.signatureTtl
      ? signatures.filter(({ rdata }) => !holds(other.signatures, rdata))
      : signatures),
  ];
}

function holds(rdatas: readonly Uint8Array[], wanted: Uint8Array): boolean {
  return rdatas.some((rdata) => equalBytes(rdata, wanted));
}
