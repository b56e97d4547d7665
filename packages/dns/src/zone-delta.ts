import { compareBytes, concatBytes, equalBytes } from '@copain/core';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { deltaBytesMax, zoneBytesMax, zoneRecordsMax } from './limits.ts';
import { canonicalSortKey, type NameKey, nameKey } from './name.ts';
import type { Sha256 } from './primary.ts';
import { canonicalRdata } from './rdata-wire.ts';
import type { Zone } from './zone.ts';
import { decodeRecords, encodeRecords, nodeRecords } from './zone-encoding.ts';
import { type NamePatch, patchZone } from './zone-patch.ts';
import type { ZoneVersion } from './zone-version.ts';

/**
 * What makes one content of a zone into another: records taken out and records put in, each list in the form and the
 * order of the content itself. A record that changes is taken out and put in.
 */
export interface ZoneDelta {
  removed: Uint8Array;
  added: Uint8Array;
}

/** A zone and the content it was made from. */
export interface ZoneWithBody {
  zone: Zone;
  body: Uint8Array;
}

/** The version that a delta led to, or why it led nowhere. Whoever sent it is to send the whole content instead. */
export type PatchedZone =
  | ({ kind: 'zone' } & ZoneWithBody)
  | { kind: 'refused'; why: 'malformed' | 'wrong-base' | 'altered' | 'not-a-zone' };

/** Canonical CBOR of a delta, or undefined where it is larger than a friend takes. */
export function encodeZoneDelta({ removed, added }: ZoneDelta): Uint8Array | undefined {
  const bytes = encodeCanonical({ removed, added });
  return bytes.length > deltaBytesMax ? undefined : bytes;
}

/** The delta in these bytes. Its lists are looked at when it is applied. */
export function decodeZoneDelta(bytes: Uint8Array): ZoneDelta | undefined {
  const fields = readFields(decodeCanonical(bytes, deltaBytesMax));
  const delta = {
    removed: fields.bytes('removed', 0, deltaBytesMax),
    added: fields.bytes('added', 0, deltaBytesMax),
  };
  return fields.ok ? delta : undefined;
}

/** The delta from one content to another; both are contents of zones, as `encodeZone` makes them. */
export function diffBodies(before: Uint8Array, after: Uint8Array): ZoneDelta {
  const removed: Uint8Array[] = [];
  const added: Uint8Array[] = [];
  let left = recordAt(before, 0);
  let right = recordAt(after, 0);
  while (left || right) {
    const isSame = left && right && equalBytes(left, right);
    const order = isSame ? 0 : !left ? 1 : !right ? -1 : compareRecords(left, right);
    if (left && order <= 0) {
      if (!isSame) removed.push(left);
      left = recordAt(before, left.byteOffset - before.byteOffset + left.length);
    }
    if (right && order >= 0) {
      if (!isSame) added.push(right);
      right = recordAt(after, right.byteOffset - after.byteOffset + right.length);
    }
  }
  return { removed: concatBytes(...removed), added: concatBytes(...added) };
}

/** One delta that does what both do, the second after the first. */
export function joinDeltas(first: ZoneDelta, second: ZoneDelta): ZoneDelta {
  const [out, into] = [recordsIn(first.removed), recordsIn(first.added)];
  for (const [text, record] of recordsIn(second.removed)) if (!into.delete(text)) out.set(text, record);
  for (const [text, record] of recordsIn(second.added)) if (!out.delete(text)) into.set(text, record);
  const inOrder = (records: ReadonlyMap<string, Uint8Array>) =>
    concatBytes(...[...records.values()].sort(compareRecords));
  return { removed: inOrder(out), added: inOrder(into) };
}

function recordsIn(list: Uint8Array): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  for (let at = 0; at < list.length; ) {
    const record = recordAt(list, at);
    if (!record) break;
    records.set(textOf(record), record);
    at += record.length;
  }
  return records;
}

const textOf = (bytes: Uint8Array): string => {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
};

/**
 * Applies a delta to the version that is held. Nothing in it is trusted: what comes out has the size and the hash that
 * the owner signed in `header`, and is a zone with its serial. The work is that of the names which change, and one pass
 * over the content.
 */
export function applyZoneDelta(
  base: ZoneWithBody,
  delta: ZoneDelta,
  header: ZoneVersion,
  sha256: Sha256,
): PatchedZone {
  const applied = applyToBody(base.body, delta);
  if (applied.kind === 'refused') return applied;
  const { body } = applied;
  if (body.length !== header.sizeBytes || !equalBytes(sha256(body), header.contentHash))
    return { kind: 'refused', why: 'altered' };
  const zone = patched(base.zone, body, applied.changed);
  return zone?.serial === header.serial
    ? { kind: 'zone', zone, body }
    : { kind: 'refused', why: 'not-a-zone' };
}

type AppliedDelta =
  | { kind: 'body'; body: Uint8Array; changed: readonly NameKey[] }
  | { kind: 'refused'; why: 'malformed' | 'wrong-base' };

/** The content with the records of a delta taken out and put in, and the names that they stand at. */
export function applyToBody(body: Uint8Array, { removed, added }: ZoneDelta): AppliedDelta {
  const outList = orderedRecords(removed);
  const inList = orderedRecords(added);
  const offsets = recordOffsets(body);
  if (!outList || !inList || !offsets) return { kind: 'refused', why: 'malformed' };
  const out = new Set<number>();
  for (const record of outList) {
    const index = placeOf(body, offsets, record);
    if (index + 1 >= offsets.length || !equalBytes(slot(body, offsets, index), record))
      return { kind: 'refused', why: 'wrong-base' };
    out.add(index);
  }
  const into: { index: number; record: Uint8Array }[] = [];
  for (const record of inList) {
    const index = placeOf(body, offsets, record);
    const isTaken = index + 1 < offsets.length && compareRecords(slot(body, offsets, index), record) === 0;
    if (isTaken && !out.has(index)) return { kind: 'refused', why: 'wrong-base' };
    into.push({ index, record });
  }
  const sizeBytes = body.length - removed.length + added.length;
  if (sizeBytes > zoneBytesMax || offsets.length - 1 - out.size + into.length > zoneRecordsMax)
    return { kind: 'refused', why: 'malformed' };
  const changed = new Set([...outList, ...inList].map((record) => nameKey(ownerOf(record))));
  return { kind: 'body', body: assemble(body, offsets, out, into, sizeBytes), changed: [...changed] };
}

function assemble(
  body: Uint8Array,
  offsets: Uint32Array,
  out: ReadonlySet<number>,
  into: readonly { index: number; record: Uint8Array }[],
  sizeBytes: number,
): Uint8Array {
  const result = new Uint8Array(sizeBytes);
  let filled = 0;
  let copied = 0;
  const put = (bytes: Uint8Array) => {
    result.set(bytes, filled);
    filled += bytes.length;
  };
  const copyTo = (index: number) => {
    put(body.subarray(copied, offsets[index]));
    copied = offsets[index] ?? body.length;
  };
  const leaving = [...out];
  let gone = 0;
  const leaveBefore = (index: number) => {
    for (; gone < leaving.length && (leaving[gone] ?? 0) < index; gone++) {
      copyTo(leaving[gone] ?? 0);
      copied = offsets[(leaving[gone] ?? 0) + 1] ?? body.length;
    }
  };
  for (const { index, record } of into) {
    leaveBefore(index);
    copyTo(index);
    put(record);
  }
  leaveBefore(offsets.length);
  put(body.subarray(copied));
  return result;
}

/** The zone with the records that the content now has at these names; undefined where the content is not its encoding. */
function patched(zone: Zone, body: Uint8Array, changed: readonly NameKey[]): Zone | undefined {
  const offsets = recordOffsets(body);
  if (!offsets) return undefined;
  const regions = new Map<NameKey, Uint8Array>();
  const names = new Map<NameKey, NamePatch>();
  for (const key of changed) {
    const owner = Uint8Array.from(key, (character) => character.charCodeAt(0));
    // Copied, so that a zone of today does not hold on to the contents of all versions before.
    const region = regionOf(body, offsets, owner).slice();
    const records = decodeRecords(region);
    if (!records) return undefined;
    regions.set(key, region);
    names.set(key, { owner: records[0]?.owner ?? owner, records });
  }
  const built = patchZone(zone, names);
  if (built.kind === 'refused') return undefined;
  for (const [key, region] of regions) {
    const nodes = [built.zone.nodes.get(key), built.zone.hashed.get(key)];
    const records = nodes.flatMap((node) => (node ? nodeRecords(node) : []));
    if (!equalBytes(encodeRecords(records), region)) return undefined;
  }
  return built.zone;
}

/** The octets of all records at one name. */
function regionOf(body: Uint8Array, offsets: Uint32Array, owner: Uint8Array): Uint8Array {
  const sortKey = canonicalSortKey(owner);
  const first = lowerBound(
    offsets.length - 1,
    (index) => canonicalSortKey(ownerOf(slot(body, offsets, index))) >= sortKey,
  );
  let end = first;
  while (end < offsets.length - 1 && canonicalSortKey(ownerOf(slot(body, offsets, end))) === sortKey) end++;
  return body.subarray(offsets[first], offsets[end]);
}

/** The index of the first record that does not come before this one. */
function placeOf(body: Uint8Array, offsets: Uint32Array, record: Uint8Array): number {
  return lowerBound(offsets.length - 1, (index) => compareRecords(slot(body, offsets, index), record) >= 0);
}

/** The first of `count` indices for which `holds`, which from there on it does for all. */
function lowerBound(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

const slot = (body: Uint8Array, offsets: Uint32Array, index: number): Uint8Array =>
  body.subarray(offsets[index], offsets[index + 1]);

/** Where each record begins, and at last where the content ends; undefined where it is not made of records. */
function recordOffsets(body: Uint8Array): Uint32Array | undefined {
  const offsets = new Uint32Array(zoneRecordsMax + 1);
  let count = 0;
  let at = 0;
  for (; at < body.length; count++) {
    const end = recordEnd(body, at);
    if (end === undefined || count >= zoneRecordsMax) return undefined;
    offsets[count] = at;
    at = end;
  }
  offsets[count] = at;
  return offsets.slice(0, count + 1);
}

/** The records of a list, which must be whole and in canonical order, each once. */
function orderedRecords(list: Uint8Array): Uint8Array[] | undefined {
  if (!decodeRecords(list)) return undefined;
  const offsets = recordOffsets(list);
  if (!offsets) return undefined;
  const records = Array.from({ length: offsets.length - 1 }, (_, index) => slot(list, offsets, index));
  const inOrder = records.every((record, index) => {
    const next = records[index + 1];
    return next === undefined || compareRecords(record, next) < 0;
  });
  return inOrder ? records : undefined;
}

function recordAt(bytes: Uint8Array, at: number): Uint8Array | undefined {
  const end = at < bytes.length ? recordEnd(bytes, at) : undefined;
  return end === undefined ? undefined : bytes.subarray(at, end);
}

/** Where the record that begins at `at` ends; undefined where it runs past the end. */
function recordEnd(bytes: Uint8Array, at: number): number | undefined {
  let offset = at;
  for (let length = bytes[offset] ?? 0; length > 0; length = bytes[offset] ?? 0) offset += length + 1;
  const end = offset + 11 + (((bytes[offset + 9] ?? 0) << 8) | (bytes[offset + 10] ?? 0));
  return end <= bytes.length ? end : undefined;
}

/** The owner of a whole record. */
function ownerOf(record: Uint8Array): Uint8Array {
  let offset = 0;
  for (let length = record[0] ?? 0; length > 0; length = record[offset] ?? 0) offset += length + 1;
  return record.subarray(0, offset + 1);
}

/** The order of a content: by owner (RFC 4034 §6.1), type as a number, and data (§6.3). TTLs play no part. */
function compareRecords(a: Uint8Array, b: Uint8Array): number {
  const [left, right] = [ownerOf(a), ownerOf(b)];
  if (!equalBytes(left, right)) {
    const [one, other] = [canonicalSortKey(left), canonicalSortKey(right)];
    if (one !== other) return one < other ? -1 : 1;
  }
  const type = typeAt(a, left.length);
  const byType = type - typeAt(b, right.length);
  if (byType !== 0) return byType;
  return compareBytes(
    canonicalRdata(type, a.subarray(left.length + 10)),
    canonicalRdata(type, b.subarray(right.length + 10)),
  );
}

const typeAt = (record: Uint8Array, at: number): number => ((record[at] ?? 0) << 8) | (record[at + 1] ?? 0);
