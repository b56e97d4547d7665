import { concatBytes } from '@copain/core';

/**
 * The bytes of a segment file.
 *
 *     file    = "CPSG" version(1) 3 × 0 | record*
 *     record  = "CPRC" kind(1) 3 × 0 | length(4, big endian) | crc32 of the body(4) | crc32 of the 16 bytes before(4) | body
 *
 * The header has a checksum of its own, so that a flipped length cannot make the reader skip good records: a reader that
 * meets damage looks for the next header that checks out.
 */
export const fileHeader: Uint8Array = Uint8Array.of(0x43, 0x50, 0x53, 0x47, 1, 0, 0, 0);

const recordMagic = [0x43, 0x50, 0x52, 0x43] as const;

/** Bytes before the body of a record. */
export const recordHeaderBytes = 20;

/** `data` is what somebody appended, `tombstone` names (as its body, in ASCII) the id of a record that is gone. */
export type RecordKind = 'data' | 'tombstone';

/** CRC-32 as of zlib; the io part has it from Node. */
export type Checksum = (bytes: Uint8Array) => number;

export interface RecordHeader {
  kind: RecordKind;
  lengthBytes: number;
  bodyChecksum: number;
}

/** One record as it stands in the file. */
export function encodeRecord(kind: RecordKind, body: Uint8Array, checksum: Checksum): Uint8Array {
  const header = { kind, lengthBytes: body.length, bodyChecksum: checksum(body) };
  return concatBytes(encodeRecordHeader(header, checksum), body);
}

/** What stands before the body of a record. Whoever writes it last makes a record that is good or not there at all. */
export function encodeRecordHeader(
  { kind, lengthBytes, bodyChecksum }: RecordHeader,
  checksum: Checksum,
): Uint8Array {
  const header = new Uint8Array(recordHeaderBytes);
  const view = new DataView(header.buffer);
  header.set(recordMagic, 0);
  header[4] = kind === 'data' ? 1 : 2;
  view.setUint32(8, lengthBytes);
  view.setUint32(12, bodyChecksum);
  view.setUint32(16, checksum(header.subarray(0, 16)));
  return header;
}

/** The record header at `offset`, or undefined where the bytes are none or its checksum is wrong. */
export function decodeRecordHeader(
  bytes: Uint8Array,
  offset: number,
  checksum: Checksum,
): RecordHeader | undefined {
  if (offset + recordHeaderBytes > bytes.length) return undefined;
  if (recordMagic.some((byte, i) => bytes[offset + i] !== byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, recordHeaderBytes);
  if (view.getUint32(16) !== checksum(bytes.subarray(offset, offset + 16))) return undefined;
  const kindByte = bytes[offset + 4];
  if (kindByte !== 1 && kindByte !== 2) return undefined;
  return {
    kind: kindByte === 1 ? 'data' : 'tombstone',
    lengthBytes: view.getUint32(8),
    bodyChecksum: view.getUint32(12),
  };
}

/** A good record found in a file: where it begins and its body (a view, not a copy). */
interface FoundRecord {
  kind: RecordKind;
  offset: number;
  body: Uint8Array;
}

/** What a file holds: its good records, the byte after the last of them, and how many damaged places lie between. */
export interface SegmentScan {
  records: FoundRecord[];
  goodEnd: number;
  damaged: number;
}

/**
 * Reads a whole segment file. Bytes that are no good record count as one damaged place when a good record follows; with
 * none following they are a torn tail, which the caller cuts off at `goodEnd`.
 */
export function scanSegment(bytes: Uint8Array, checksum: Checksum): SegmentScan {
  const records: FoundRecord[] = [];
  let damaged = 0;
  let inDamage = false;
  let offset = fileHeader.length;
  let goodEnd = Math.min(bytes.length, fileHeader.length);
  while (offset + recordHeaderBytes <= bytes.length) {
    const header = decodeRecordHeader(bytes, offset, checksum);
    const bodyStart = offset + recordHeaderBytes;
    const body = header && bytes.subarray(bodyStart, bodyStart + header.lengthBytes);
    if (header && body && body.length === header.lengthBytes && checksum(body) === header.bodyChecksum) {
      if (inDamage) damaged += 1;
      inDamage = false;
      records.push({ kind: header.kind, offset, body });
      offset = bodyStart + body.length;
      goodEnd = offset;
    } else {
      inDamage = true;
      offset = nextMagic(bytes, offset + 1);
    }
  }
  return { records, goodEnd, damaged };
}

function nextMagic(bytes: Uint8Array, from: number): number {
  let at = bytes.indexOf(recordMagic[0], from);
  while (at >= 0) {
    if (recordMagic.every((byte, i) => bytes[at + i] === byte)) return at;
    at = bytes.indexOf(recordMagic[0], at + 1);
  }
  return bytes.length;
}
