import { type CanonicalValue, decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { pendingNumbersMax, receiptGapsMax, recipientsMax } from './limits.ts';
import type { PendingNumber, ReceiptCheck, ReceiptGap } from './receipt-check.ts';

const prefix = 'receipt/';

/** The key of what is known of one friend's box. */
export const receiptRowKey = (peer: string): string => prefix + peer;
export const receiptRowPrefix: string = prefix;

/** Set where this box forgot what had come to it: when, ms since 1970 as eight bytes. Not under the prefix of the checks. */
export const receiptsForgotKey = 'receipts-forgot';

/** What `pendingNumbersMax` and `pendingTagsMax` allow, with the page that goes beyond, and room. */
const maxRowBytes = 1024 * 1024;
const numberMax = Number.MAX_SAFE_INTEGER;

/** A check as it lies in the table. */
export function encodeReceiptRow(check: ReceiptCheck): Uint8Array {
  return encodeCanonical({
    v: 1,
    first: check.first,
    through: check.through,
    chain: check.chain,
    unfit: check.unfitAt ?? 0,
    gaps: check.gaps.map(({ from, to }) => ({ from, to })),
    pending: check.pending.map(({ number, tags, held, sinceMs }) => ({
      n: number,
      tags: [...tags],
      held,
      since: sinceMs,
    })),
  });
}

/** The check, or undefined where the bytes are none. */
export function decodeReceiptRow(bytes: Uint8Array): ReceiptCheck | undefined {
  const fields = readFields(decodeCanonical(bytes, maxRowBytes));
  fields.integer('v', 1, 1);
  const unfit = fields.integer('unfit', 0, numberMax);
  const gaps = fields.list('gaps', receiptGapsMax).map(readGap);
  const pending = fields.list('pending', pendingNumbersMax).map(readPending);
  const check: ReceiptCheck = {
    first: fields.integer('first', 0, numberMax),
    through: fields.integer('through', 0, numberMax),
    chain: fields.bytes('chain', 32, 32),
    unfitAt: unfit === 0 ? undefined : unfit,
    gaps: gaps.filter((gap) => gap !== undefined),
    pending: pending.filter((one) => one !== undefined),
  };
  const isWhole = check.gaps.length === gaps.length && check.pending.length === pending.length;
  return fields.ok && isWhole ? check : undefined;
}

function readGap(value: CanonicalValue): ReceiptGap | undefined {
  const fields = readFields(value);
  const gap = { from: fields.integer('from', 1, numberMax), to: fields.integer('to', 1, numberMax) };
  return fields.ok ? gap : undefined;
}

function readPending(value: CanonicalValue): PendingNumber | undefined {
  const fields = readFields(value);
  const one: PendingNumber = {
    number: fields.integer('n', 1, numberMax),
    tags: fields.texts('tags', recipientsMax, 64),
    held: fields.flag('held'),
    sinceMs: fields.integer('since', 0, numberMax),
  };
  return fields.ok ? one : undefined;
}
