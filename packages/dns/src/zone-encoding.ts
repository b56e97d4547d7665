import { compareBytes } from '@copain/core';
import { zoneBytesMax, zoneRecordsMax } from './limits.ts';
import type { ResourceRecord } from './master-file.ts';
import { canonicalSortKey, type DomainName, readName, sortKeyOf } from './name.ts';
import { isRdata } from './rdata-wire.ts';
import { classIn, isMetaType, RecordType } from './record-types.ts';
import type { Zone, ZoneNode } from './zone.ts';
import { buildZone } from './zone-build.ts';

/** Every record of the zone, signatures too, in canonical order of names (RFC 4034 §6.1), types and data (§6.3). */
export function zoneRecords(zone: Zone): ResourceRecord[] {
  const sorted = [...zone.nodes.values(), ...zone.hashed.values()]
    .filter((node) => node.rrsets.length > 0)
    .map((node) => ({ sortKey: sortKeyOf(node.key), node }))
    .sort((a, b) => (a.sortKey < b.sortKey ? -1 : a.sortKey > b.sortKey ? 1 : 0));
  const records: ResourceRecord[] = [];
  for (const { node } of sorted) for (const record of nodeRecords(node)) records.push(record);
  return records;
}

/** The records of one node, signatures too, by type and data. */
export function nodeRecords(node: ZoneNode): ResourceRecord[] {
  const own: ResourceRecord[] = [];
  let isSigned = false;
  for (const { type, ttl, rdatas, signatures, signatureTtl } of node.rrsets) {
    for (const rdata of rdatas) own.push({ owner: node.name, type, ttl, rdata });
    for (const rdata of signatures) {
      isSigned = true;
      own.push({ owner: node.name, type: RecordType.RRSIG, ttl: signatureTtl, rdata });
    }
  }
  // A stable sort: data within a type are in canonical order already, and signatures by the type they cover.
  return isSigned ? own.sort((a, b) => a.type - b.type) : own;
}

/**
 * The zone as it is hashed, stored and carried: every record in canonical order, uncompressed, `owner type class TTL
 * rdlength rdata` as in RFC 1035 §4.1.3. The same records give the same bytes wherever they are encoded.
 */
export function encodeZone(zone: Zone): Uint8Array {
  return encodeRecords(zoneRecords(zone));
}

/** Records one after the other in the form in which a zone is carried. */
export function encodeRecords(records: readonly ResourceRecord[]): Uint8Array {
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

/** The same content with another serial in its SOA, where the serial is the first of the five numbers at the end (RFC 1035 §3.3.13). */
export function contentWithSerial(content: Uint8Array, serial: number): Uint8Array {
  const changed = content.slice();
  const view = new DataView(changed.buffer);
  // The SOA stands at the apex, and the apex comes first.
  for (let at = 0; at < changed.length; ) {
    const nameEnd = readName(changed, at)?.next ?? changed.length;
    const end = nameEnd + 10 + view.getUint16(nameEnd + 8);
    if (view.getUint16(nameEnd) === RecordType.SOA) {
      view.setUint32(end - 20, serial);
      return changed;
    }
    at = end;
  }
  throw new RangeError('a content without an SOA');
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

/**
 * The records of bytes in the carried form, their data being parts of `bytes`. Undefined where one is malformed, of
 * another class or a meta type, where names are not in canonical order, or where there are too many.
 */
export function decodeRecords(bytes: Uint8Array): ResourceRecord[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: ResourceRecord[] = [];
  let previous: DomainName | undefined;
  let previousSort = '';
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
    const isSame = previous !== undefined && compareBytes(previous, read.name) === 0;
    const owner: DomainName = isSame && previous !== undefined ? previous : read.name;
    if (!isSame) {
      const sort = canonicalSortKey(owner);
      if (previous !== undefined && previousSort >= sort) return undefined;
      previousSort = sort;
    }
    records.push({ owner, type, ttl: view.getUint32(read.next + 4), rdata });
    previous = owner;
    at = end;
  }
  return records;
}
