import { fromHex, toHex } from '@copain/core';
import { decodeCanonical, type FieldReader, readFields } from './canonical.ts';
import { maxRecordBytes } from './limits.ts';
import { isPeerId } from './peer-id.ts';
import { type RecordKind, type Role, roles, type Service, services } from './record-kinds.ts';

/*
 * How records of every kind read their fields. A field that is not exactly as it must be refuses the whole record, and
 * the reader goes on with some value of the right type.
 */

/** The last instant that a time value can have (ECMA-262, Time Values and Time Range). */
export const maxAtMs = 8_640_000_000_000_000;
export const maxSequence: number = Number.MAX_SAFE_INTEGER;

const isService = (text: string): text is Service => (services as readonly string[]).includes(text);
export const isRole = (text: string): text is Role => (roles as readonly string[]).includes(text);

/** The id of an owner or of a circle, 32 bytes, as hexadecimal text. */
export function readOwnerId(fields: FieldReader, name: string): string {
  return toHex(fields.bytes(name, 32, 32));
}

export function readServices(fields: FieldReader): Service[] {
  // A service that this version does not know is left out rather than refused: offers must be able to grow.
  return fields.texts('may', 16, 32).filter(isService);
}

export function readPeer(fields: FieldReader, name: string): string {
  const text = fields.text(name, 64);
  if (!isPeerId(text)) fields.refuse();
  return text;
}

export function readAgeRecipient(fields: FieldReader): string {
  const text = fields.text('sealTo', 64);
  if (!/^age1[0-9a-z]{58}$/.test(text)) fields.refuse();
  return text;
}

/** A DNS name as the owner writes it: lower case, no final dot, at most 253 characters, no control characters. */
export const isDnsName = (text: string): boolean =>
  text.length <= 253 && /^[\x21-\x7e]+$/.test(text) && text === text.toLowerCase() && !text.endsWith('.');

export function readDnsName(fields: FieldReader): string {
  const text = fields.text('name', 253);
  if (!isDnsName(text)) fields.refuse();
  return text;
}

export function idBytes(id: string): Uint8Array {
  const bytes = fromHex(id);
  if (bytes === undefined) throw new TypeError('an id of a record is hexadecimal');
  return bytes;
}

/** The record in this payload, or undefined where it is not exactly one of this kind: size, form, fields. */
export function readRecord<T>(
  payload: Uint8Array,
  kind: RecordKind,
  read: (fields: FieldReader) => T,
): T | undefined {
  const fields = readFields(decodeCanonical(payload, maxRecordBytes[kind]));
  fields.integer('v', 1, 1);
  if (fields.text('type', 16) !== kind) fields.refuse();
  const record = read(fields);
  fields.checkCritical();
  return fields.ok ? record : undefined;
}

/** Reads every item of a list with its own reader; one wrong item refuses the whole record. */
export function readList<T>(
  fields: FieldReader,
  name: string,
  maxCount: number,
  read: (item: FieldReader) => T,
): T[] {
  return fields.list(name, maxCount).map((value) => {
    const item = readFields(value);
    const record = read(item);
    if (!item.ok) fields.refuse();
    return record;
  });
}

/** A list of hashes of records, 32 bytes each. */
export function readHashes(fields: FieldReader, name: string, maxCount: number): Uint8Array[] {
  return fields.list(name, maxCount).map((hash) => {
    if (hash instanceof Uint8Array && hash.length === 32) return hash;
    fields.refuse();
    return new Uint8Array();
  });
}
