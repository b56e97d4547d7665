import { concatBytes } from '@copain/core';
import { type CanonicalValue, decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { readTags, type Sha256 } from './message-key.ts';

/** One number of a receipt: which message a friend counted under it. */
export interface AcceptedRow {
  /** The receipt's chain before this message, 32 bytes. */
  before: Uint8Array;
  /** One per recipient. */
  tags: Uint8Array[];
}

/** The receipt's chain once a message with these tags is counted (docs/wire.md, record `receipt`). */
export function chainAfter({ before, tags }: AcceptedRow, sha256: Sha256): Uint8Array {
  return sha256(concatBytes(before, ...tags));
}

const prefix = 'accepted/';
const digits = 16;

/** Keys of the rows of one owner begin so; they are in the order of their numbers. */
export const acceptedPrefix = (ownerId: string): string => `${prefix}${ownerId}/`;

export const acceptedKey = (ownerId: string, number: number): string =>
  acceptedPrefix(ownerId) + String(number).padStart(digits, '0');

/** The number in a key of `acceptedKey`. */
export const acceptedNumber = (key: string): number => Number(key.slice(-digits));

const maxRowBytes = 4096;

/** A row as it lies in the table. */
export function encodeAcceptedRow({ before, tags }: AcceptedRow): Uint8Array {
  return encodeCanonical({ before, tags } satisfies CanonicalValue);
}

/** The row, or undefined where the bytes are none. */
export function decodeAcceptedRow(bytes: Uint8Array): AcceptedRow | undefined {
  const fields = readFields(decodeCanonical(bytes, maxRowBytes));
  const row = { before: fields.bytes('before', 32, 32), tags: readTags(fields) };
  return fields.ok ? row : undefined;
}
