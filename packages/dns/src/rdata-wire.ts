import { concatBytes } from '@copain/core';
import { foldOctet, readName } from './name.ts';
import { type RdataField, rdataLayout } from './rdata-layout.ts';

/** A stretch of rdata: a whole name (already expanded), or other octets as they are. */
export interface RdataPart {
  kind: 'octets' | 'name-packed' | 'name-unpacked' | 'name-plain';
  bytes: Uint8Array;
}

const fixedBytes: Partial<Record<RdataField, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  period: 4,
  time: 4,
  algorithm: 1,
  'certificate-type': 2,
  scheme: 1,
  type: 2,
  ipv4: 4,
  ipv6: 16,
  eui48: 6,
  eui64: 8,
  locator64: 8,
};

/**
 * The rdata of one record, from `at` to `end` of a message (or of a buffer that holds just the rdata), taken apart
 * into names and other octets, with compressed names expanded. Undefined where it does not have the form its type
 * asks for. Types without a known layout are one opaque part (RFC 3597 §3).
 */
export function splitRdata(
  type: number,
  message: Uint8Array,
  at: number,
  end: number,
): RdataPart[] | undefined {
  const layout = rdataLayout(type);
  if (!layout) return [{ kind: 'octets', bytes: message.subarray(at, end) }];
  const parts: RdataPart[] = [];
  let offset = at;
  for (const field of layout) {
    if (field === 'name-packed' || field === 'name-unpacked' || field === 'name-plain') {
      const read = readName(message, offset, end);
      if (!read) return undefined;
      if (read.next - offset !== read.name.length && field === 'name-plain') return undefined;
      parts.push({ kind: field, bytes: read.name });
      offset = read.next;
    } else {
      const next = fieldEnd(field, message, offset, end);
      if (next === undefined || next > end) return undefined;
      parts.push({ kind: 'octets', bytes: message.subarray(offset, next) });
      offset = next;
    }
  }
  return offset === end ? parts : undefined;
}

/** Where the octets of one field end, or undefined where they cannot be one. */
type FieldEnd = (message: Uint8Array, at: number, end: number) => number | undefined;

const restOfRecord: FieldEnd = (_message, _at, end) => end;

function lengthFirst(lengthMin: number): FieldEnd {
  return (message, at, end) => {
    const length = message[at] ?? 0;
    return at < end && length >= lengthMin ? at + 1 + length : undefined;
  };
}

/** The fields of no fixed length, names left out. */
const variableFields: Partial<Record<RdataField, FieldEnd>> = {
  string: lengthFirst(0),
  salt: lengthFirst(0),
  hash: lengthFirst(1),
  tag: lengthFirst(1),
  strings: (message, at, end) => {
    let offset = at;
    while (offset < end) offset += 1 + (message[offset] ?? 0);
    return offset > at ? offset : undefined;
  },
  bitmap: (message, at, end) => (isBitmap(message, at, end) ? end : undefined),
  'svc-params': (message, at, end) => (areSvcParams(message, at, end) ? end : undefined),
  gateway: gatewayEnd,
  prefixes: prefixesEnd,
  location: (message, at, end) => (end - at === 16 && message[at] === 0 ? end : undefined),
  'host-identity': hostIdentityEnd,
};

function fieldEnd(field: RdataField, message: Uint8Array, at: number, end: number): number | undefined {
  const fixed = fixedBytes[field];
  return fixed === undefined ? (variableFields[field] ?? restOfRecord)(message, at, end) : at + fixed;
}

/** RFC 4034 §4.1.2: windows in rising order, each of 1 to 32 octets. */
function isBitmap(message: Uint8Array, at: number, end: number): boolean {
  let previous = -1;
  let offset = at;
  while (offset < end) {
    const window = message[offset] ?? 0;
    const length = message[offset + 1] ?? 0;
    if (window <= previous || length < 1 || length > 32) return false;
    previous = window;
    offset += 2 + length;
  }
  return offset === end;
}

/** RFC 9460 §2.2: keys in strictly rising order, each with its length. */
function areSvcParams(message: Uint8Array, at: number, end: number): boolean {
  let previous = -1;
  let offset = at;
  while (offset + 4 <= end) {
    const key = ((message[offset] ?? 0) << 8) | (message[offset + 1] ?? 0);
    if (key <= previous) return false;
    previous = key;
    offset += 4 + (((message[offset + 2] ?? 0) << 8) | (message[offset + 3] ?? 0));
  }
  return offset === end;
}

/** RFC 4025 §2.3: type octet, algorithm octet, then no gateway, an address or an uncompressed name. */
function gatewayEnd(message: Uint8Array, at: number, end: number): number | undefined {
  const start = at + 2;
  const kind = message[at] ?? 0;
  if (kind === 3) {
    const read = readName(message.subarray(start, end), 0);
    return read && start + read.next;
  }
  return kind > 3 ? undefined : start + ([0, 4, 16][kind] ?? 0);
}

/** RFC 3123 §4: family, prefix, negation with length, address without trailing zero octets. */
function prefixesEnd(message: Uint8Array, at: number, end: number): number | undefined {
  let offset = at;
  while (offset + 4 <= end) offset += 4 + ((message[offset + 3] ?? 0) & 0x7f);
  return offset === end ? end : undefined;
}

/** RFC 8005 §5: lengths of tag and key, algorithm, tag, key, then uncompressed names of rendezvous servers. */
function hostIdentityEnd(message: Uint8Array, at: number, end: number): number | undefined {
  if (at + 4 > end) return undefined;
  let offset = at + 4 + (message[at] ?? 0) + (((message[at + 2] ?? 0) << 8) | (message[at + 3] ?? 0));
  while (offset < end) {
    const read = readName(message.subarray(offset, end), 0);
    if (!read) return undefined;
    offset += read.next;
  }
  return offset === end ? end : undefined;
}

/** Does rdata, uncompressed, have the form its type asks for? Every parser of foreign records asks this. */
export function isRdata(type: number, rdata: Uint8Array): boolean {
  const parts = splitRdata(type, rdata, 0, rdata.length);
  return parts !== undefined && parts.reduce((sum, part) => sum + part.bytes.length, 0) === rdata.length;
}

/** The same rdata with compressed names written out, or undefined where it is malformed. */
export function expandRdata(
  type: number,
  message: Uint8Array,
  at: number,
  end: number,
): Uint8Array | undefined {
  const parts = splitRdata(type, message, at, end);
  return parts && concatBytes(...parts.map((part) => part.bytes));
}

/** Rdata in canonical form (RFC 4034 §6.2): names of the older types in lower case. For comparing and ordering. */
export function canonicalRdata(type: number, rdata: Uint8Array): Uint8Array {
  const layout = rdataLayout(type);
  if (!layout?.some((field) => field === 'name-packed' || field === 'name-unpacked')) return rdata;
  const parts = splitRdata(type, rdata, 0, rdata.length) ?? [];
  return concatBytes(
    ...parts.map((part) =>
      part.kind === 'name-packed' || part.kind === 'name-unpacked' ? part.bytes.map(foldOctet) : part.bytes,
    ),
  );
}

/** The types in a type bitmap (RFC 4034 §4.1.2), in rising order. */
export function bitmapTypes(bitmap: Uint8Array): number[] {
  const types: number[] = [];
  for (let at = 0; at + 1 < bitmap.length; at += 2 + (bitmap[at + 1] ?? 0)) {
    const length = bitmap[at + 1] ?? 0;
    for (let i = 0; i < length * 8; i++) {
      if ((bitmap[at + 2 + (i >> 3)] ?? 0) & (0x80 >> (i & 7))) types.push((bitmap[at] ?? 0) * 256 + i);
    }
  }
  return types;
}

/** The type bitmap (RFC 4034 §4.1.2) of some types; the order given makes no difference. */
export function typesBitmap(types: readonly number[]): Uint8Array {
  const windows = new Map<number, Uint8Array>();
  for (const type of types) {
    const window = type >> 8;
    const bits = windows.get(window) ?? new Uint8Array(32);
    const octet = (type & 255) >> 3;
    bits[octet] = (bits[octet] ?? 0) | (0x80 >> (type & 7));
    windows.set(window, bits);
  }
  const parts = [...windows].sort(([a], [b]) => a - b);
  return concatBytes(
    ...parts.flatMap(([window, bits]) => {
      const used = bits.findLastIndex((octet) => octet !== 0) + 1;
      return [Uint8Array.of(window, used), bits.subarray(0, used)];
    }),
  );
}
