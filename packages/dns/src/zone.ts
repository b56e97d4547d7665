import { compareBytes } from '@copain/core';
import { formatBase32Hex } from './base-text.ts';
import { nsec3IterationsMax, zoneBytesMax, zoneRecordsMax } from './limits.ts';
import type { ResourceRecord } from './master-file.ts';
import {
  canonicalSortKey,
  compareNames,
  type DomainName,
  isAtOrBelow,
  keyToName,
  type NameKey,
  nameKey,
  parentKey,
  readName,
} from './name.ts';
import { canonicalRdata, isRdata } from './rdata-wire.ts';
import { classIn, isMetaType, RecordType } from './record-types.ts';

/** All records of one name and type, with the signatures over them (RFC 4034 §3). TTLs are in seconds. */
export interface RRset {
  type: number;
  ttl: number;
  rdatas: Uint8Array[];
  signatures: Uint8Array[];
  signatureTtl: number;
}

/** A name of the zone. Without RRsets it is an empty non-terminal (RFC 8020): it exists, but has no data. */
export interface ZoneNode {
  key: NameKey;
  name: DomainName;
  rrsets: RRset[];
}

/** Names in the order in which denial of existence needs them: `sortKeys[i]` belongs to `nodes[i]`. */
export interface DenialChain {
  sortKeys: string[];
  nodes: ZoneNode[];
}

/** The NSEC3 records of a zone (RFC 5155); `sortKeys` are the hashes as base32hex in lower case. */
export interface HashedChain extends DenialChain {
  iterations: number;
  salt: Uint8Array;
}

/** A zone for answering. Made by `buildZone` or `decodeZone`, never changed afterwards. */
export interface Zone {
  origin: DomainName;
  originKey: NameKey;
  serial: number;
  nodes: ReadonlyMap<NameKey, ZoneNode>;
  /** NSEC3 records under their hashed names, apart from `nodes` because nobody can ask for them (RFC 5155 §7.2.8). */
  hashed: ReadonlyMap<NameKey, ZoneNode>;
  apex: ZoneNode;
  soa: RRset;
  /** TTL of negative answers: the lesser of the SOA's TTL and its MINIMUM (RFC 2308 §3). */
  negativeTtl: number;
  /** The SOA's EXPIRE in seconds: how long secondaries may answer without having heard from the primary. */
  expireS: number;
  /** Does the zone carry DNSSEC keys or signatures at its apex? Then its SOA cannot be rewritten. */
  signed: boolean;
  nsec: DenialChain | undefined;
  nsec3: HashedChain | undefined;
}

/** Why records make no zone. `index` is that of the offending record, where there is one. */
export type BuiltZone =
  | { kind: 'zone'; zone: Zone }
  | { kind: 'refused'; text: string; index: number | undefined };

/** The RRset of a type at a node, or undefined. */
export function rrsetOf(node: ZoneNode, type: number): RRset | undefined {
  for (const rrset of node.rrsets) if (rrset.type === type) return rrset;
  return undefined;
}

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

function nodeIn(nodes: Map<NameKey, ZoneNode>, key: NameKey, name: DomainName): ZoneNode {
  let node = nodes.get(key);
  if (!node) {
    node = { key, name, rrsets: [] };
    nodes.set(key, node);
  }
  return node;
}

function addRecord(node: ZoneNode, { type, ttl, rdata }: ResourceRecord): void {
  const rrset = rrsetOf(node, type);
  if (!rrset) node.rrsets.push({ type, ttl, rdatas: [rdata], signatures: [], signatureTtl: ttl });
  else {
    rrset.rdatas.push(rdata);
    rrset.ttl = Math.min(rrset.ttl, ttl);
  }
}

function addSignature(
  nodes: Map<NameKey, ZoneNode>,
  hashed: Map<NameKey, ZoneNode>,
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
function addAncestors(nodes: Map<NameKey, ZoneNode>, originKey: NameKey, from: NameKey): void {
  for (let key = from; key !== originKey; ) {
    key = parentKey(key);
    if (nodes.has(key)) return;
    nodes.set(key, { key, name: keyToName(key), rrsets: [] });
  }
}

/** Canonical order within a node (RFC 4034 §6.3), doubles removed. */
function sortRecords(node: ZoneNode): void {
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

function finishZone(
  originKey: NameKey,
  nodes: Map<NameKey, ZoneNode>,
  hashed: Map<NameKey, ZoneNode>,
): BuiltZone {
  const apex = nodes.get(originKey) as ZoneNode;
  const soa = rrsetOf(apex, RecordType.SOA);
  const rdata = soa?.rdatas[0];
  if (!soa || !rdata)
    return { kind: 'refused', text: 'the zone has no SOA record at its apex', index: undefined };
  if (soa.rdatas.length > 1)
    return { kind: 'refused', text: 'the zone has more than one SOA record', index: undefined };
  for (const node of nodes.values()) {
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
    nsec: nsecChain(nodes),
    nsec3: nsec3Chain(apex, hashed),
  };
  return { kind: 'zone', zone };
}

/** One of the SOA's five numbers (RFC 1035 §3.3.13): 0 serial, 1 refresh, 2 retry, 3 expire, 4 minimum. */
function soaField(rdata: Uint8Array, index: number): number {
  return new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength).getUint32(
    rdata.length - 20 + 4 * index,
  );
}

function nsecChain(nodes: Map<NameKey, ZoneNode>): DenialChain | undefined {
  const entries = [...nodes.values()]
    .filter((node) => rrsetOf(node, RecordType.NSEC))
    .map((node) => ({ sortKey: canonicalSortKey(node.name), node }))
    .sort((a, b) => (a.sortKey < b.sortKey ? -1 : 1));
  if (entries.length === 0) return undefined;
  return { sortKeys: entries.map(({ sortKey }) => sortKey), nodes: entries.map(({ node }) => node) };
}

/** RFC 5155 §7.1: the chain whose parameters the apex NSEC3PARAM names; other chains are being built or removed. */
function nsec3Chain(apex: ZoneNode, hashed: Map<NameKey, ZoneNode>): HashedChain | undefined {
  const parameters = rrsetOf(apex, RecordType.NSEC3PARAM)?.rdatas.find(
    (rdata) => rdata[0] === 1 && rdata[1] === 0,
  );
  if (!parameters) return undefined;
  const iterations = ((parameters[2] ?? 0) << 8) | (parameters[3] ?? 0);
  if (iterations > nsec3IterationsMax) return undefined;
  const salt = parameters.subarray(5);
  const sameChain = (rdata: Uint8Array) =>
    rdata[0] === 1 && compareBytes(rdata.subarray(2, 5 + (rdata[4] ?? 0)), parameters.subarray(2)) === 0;
  const entries = [...hashed.values()]
    .filter((node) => parentKey(node.key) === apex.key && node.rrsets[0]?.rdatas.some(sameChain))
    .map((node) => ({ sortKey: node.key.slice(1, 1 + node.key.charCodeAt(0)), node }))
    .sort((a, b) => (a.sortKey < b.sortKey ? -1 : 1));
  if (entries.length === 0) return undefined;
  return {
    sortKeys: entries.map(({ sortKey }) => sortKey),
    nodes: entries.map(({ node }) => node),
    iterations,
    salt,
  };
}

/** The hash label of a name in a chain (RFC 5155 §5), with SHA-1 as a port. */
export function nsec3Label(
  chain: HashedChain,
  key: NameKey,
  sha1: (bytes: Uint8Array) => Uint8Array,
): string {
  let bytes: Uint8Array = keyToName(key);
  for (let round = 0; round <= chain.iterations; round++) {
    const salted = new Uint8Array(bytes.length + chain.salt.length);
    salted.set(bytes);
    salted.set(chain.salt, bytes.length);
    bytes = sha1(salted);
  }
  return formatBase32Hex(bytes);
}

/** Every record of the zone, signatures too, in canonical order of names (RFC 4034 §6.1), types and data (§6.3). */
export function zoneRecords(zone: Zone): ResourceRecord[] {
  const sorted = [...zone.nodes.values(), ...zone.hashed.values()]
    .filter((node) => node.rrsets.length > 0)
    .map((node) => ({ sortKey: canonicalSortKey(node.name), node }))
    .sort((a, b) => (a.sortKey < b.sortKey ? -1 : a.sortKey > b.sortKey ? 1 : 0));
  const records: ResourceRecord[] = [];
  for (const { node } of sorted) {
    const own: ResourceRecord[] = [];
    for (const rrset of node.rrsets) {
      for (const rdata of rrset.rdatas)
        own.push({ owner: node.name, type: rrset.type, ttl: rrset.ttl, rdata });
      for (const rdata of rrset.signatures) {
        own.push({ owner: node.name, type: RecordType.RRSIG, ttl: rrset.signatureTtl, rdata });
      }
    }
    // A stable sort: data within a type are in canonical order already, and signatures by the type they cover.
    own.sort((a, b) => a.type - b.type);
    records.push(...own);
  }
  return records;
}

/**
 * The zone as it is hashed, stored and carried: every record in canonical order, uncompressed, `owner type class TTL
 * rdlength rdata` as in RFC 1035 §4.1.3. The same records give the same bytes wherever they are encoded.
 */
export function encodeZone(zone: Zone): Uint8Array {
  const records = zoneRecords(zone);
  const size = records.reduce((sum, { owner, rdata }) => sum + owner.length + 10 + rdata.length, 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { owner, type, ttl, rdata } of records) {
    bytes.set(owner, at);
    at += owner.length;
    view.setUint16(at, type);
    view.setUint16(at + 2, classIn);
    view.setUint32(at + 4, ttl);
    view.setUint16(at + 8, rdata.length);
    bytes.set(rdata, at + 10);
    at += 10 + rdata.length;
  }
  return bytes;
}

/**
 * The zone of bytes that `encodeZone` made, or undefined for anything else: too long, malformed, outside `origin`, not
 * in canonical order, with doubles. So one zone has one encoding, and a hash over it means something.
 */
export function decodeZone(bytes: Uint8Array, origin: DomainName): Zone | undefined {
  if (bytes.length > zoneBytesMax) return undefined;
  const records = decodeRecords(bytes);
  const built = records && buildZone(origin, records);
  if (built?.kind !== 'zone') return undefined;
  return compareBytes(encodeZone(built.zone), bytes) === 0 ? built.zone : undefined;
}

function decodeRecords(bytes: Uint8Array): ResourceRecord[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: ResourceRecord[] = [];
  let previous: DomainName | undefined;
  for (let at = 0; at < bytes.length; ) {
    const read = readName(bytes, at);
    if (!read || read.next - at !== read.name.length || read.next + 10 > bytes.length) return undefined;
    const type = view.getUint16(read.next);
    const rdataAt = read.next + 10;
    const end = rdataAt + view.getUint16(read.next + 8);
    if (end > bytes.length || view.getUint16(read.next + 2) !== classIn || isMetaType(type)) return undefined;
    const rdata = bytes.subarray(rdataAt, end);
    if (!isRdata(type, rdata) || records.length >= zoneRecordsMax) return undefined;
    // Records of one name share one array for it.
    const owner: DomainName = previous && compareBytes(previous, read.name) === 0 ? previous : read.name;
    if (previous && owner !== previous && compareNames(previous, owner) >= 0) return undefined;
    records.push({ owner, type, ttl: view.getUint32(read.next + 4), rdata });
    previous = owner;
    at = end;
  }
  return records;
}
