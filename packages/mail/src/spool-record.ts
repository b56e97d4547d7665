import { concatBytes } from '@copain/core';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { recordHeaderMaxBytes } from './limits.ts';
import { readTags } from './message-key.ts';

/**
 * What a spooled message shows to whoever has the disk; everything else is sealed to the owner.
 */
export interface RecordHeader {
  ownerId: string;
  domain: string;
  /** Of the message itself. */
  messageBytes: number;
  /** To the minute; the exact time is inside. */
  receivedAtMs: number;
  /** One per recipient, in the order of the sealed envelope. */
  tags: Uint8Array[];
  /** Which keys it was sealed to: the first characters of their hashes, enough to find the right one in a drawer. */
  keyIds: string[];
  /** sha256 of the sealed part. */
  hash: Uint8Array;
}

/** "CPML", format version 1, then three zero bytes and the length of the header as four bytes, big endian. */
const magic = [0x43, 0x50, 0x4d, 0x4c, 1, 0, 0, 0];
const headerStart = magic.length + 4;

/**
 * A record as it lies in a segment and travels to the owner:
 *
 *     "CPML" 1 0 0 0 | length of the header (4 bytes) | header (canonical CBOR) | age file
 *
 * The age file is an ordinary one: cut the record at the text `age-encryption.org/v1` and `age -d -i KEY` opens it.
 */
export function encodeSpoolRecord(header: RecordHeader, ...sealed: readonly Uint8Array[]): Uint8Array {
  const encoded = encodeCanonical({
    owner: header.ownerId,
    domain: header.domain,
    size: header.messageBytes,
    at: Math.floor(header.receivedAtMs / 60_000) * 60_000,
    tags: header.tags,
    keys: header.keyIds,
    hash: header.hash,
  });
  const start = new Uint8Array(headerStart);
  start.set(magic);
  new DataView(start.buffer).setUint32(magic.length, encoded.length);
  return concatBytes(start, encoded, ...sealed);
}

/**
 * Header and age file (a view) of a record, or undefined where the bytes are none. The hash is not checked here.
 * `decode`: `decodeStored` for records that were checked when they were stored.
 */
export function decodeSpoolRecord(
  record: Uint8Array,
  decode: typeof decodeCanonical = decodeCanonical,
): { header: RecordHeader; sealed: Uint8Array } | undefined {
  if (record.length < headerStart || magic.some((byte, i) => record[i] !== byte)) return undefined;
  const lengthBytes = new DataView(record.buffer, record.byteOffset, headerStart).getUint32(magic.length);
  if (lengthBytes > recordHeaderMaxBytes || headerStart + lengthBytes > record.length) return undefined;
  const bytes = record.subarray(headerStart, headerStart + lengthBytes);
  const fields = readFields(decode(bytes, recordHeaderMaxBytes));
  const header: RecordHeader = {
    ownerId: fields.text('owner', 128),
    domain: fields.text('domain', 253),
    messageBytes: fields.integer('size', 0, Number.MAX_SAFE_INTEGER),
    receivedAtMs: fields.integer('at', 0, Number.MAX_SAFE_INTEGER),
    tags: readTags(fields),
    keyIds: fields.texts('keys', 16, 64),
    hash: fields.bytes('hash', 32, 32),
  };
  fields.checkCritical();
  if (!fields.ok) return undefined;
  return { header, sealed: record.subarray(headerStart + lengthBytes) };
}
