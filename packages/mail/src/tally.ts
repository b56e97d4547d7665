import { concatBytes } from '@copain/core';
import { type CanonicalValue, decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import type { Sha256 } from './message-key.ts';
import type { RecordHeader } from './spool-record.ts';

/** All that a friend ever accepted for one owner: what he signs receipts for. */
export interface Tally {
  messages: number;
  /** Of the messages themselves, without envelope and seal. */
  bytes: number;
  /** 32 bytes, all zero before the first message; each message binds all before it. */
  chain: Uint8Array;
  /** The newest spool entry that is counted; entries after it are not yet. */
  last: string;
}

/** Nothing accepted yet. */
export function emptyTally(): Tally {
  return { messages: 0, bytes: 0, chain: new Uint8Array(32), last: '' };
}

/** The tally with one more message, whose spool entry is `id`; an entry that is counted already changes nothing. */
export function countMessage(
  tally: Tally,
  { id, header }: { id: string; header: Pick<RecordHeader, 'messageBytes' | 'tags'> },
  sha256: Sha256,
): Tally {
  if (id <= tally.last) return tally;
  return {
    messages: tally.messages + 1,
    bytes: tally.bytes + header.messageBytes,
    chain: sha256(concatBytes(tally.chain, ...header.tags)),
    last: id,
  };
}

const maxTallyBytes = 512;

/** A tally as it lies in the table. */
export function encodeTally(tally: Tally): Uint8Array {
  return encodeCanonical({ ...tally } satisfies CanonicalValue);
}

/** The tally, or undefined where the bytes are none. */
export function decodeTally(bytes: Uint8Array): Tally | undefined {
  const fields = readFields(decodeCanonical(bytes, maxTallyBytes));
  const tally: Tally = {
    messages: fields.integer('messages', 0, Number.MAX_SAFE_INTEGER),
    bytes: fields.integer('bytes', 0, Number.MAX_SAFE_INTEGER),
    chain: fields.bytes('chain', 32, 32),
    last: fields.text('last', 128),
  };
  return fields.ok ? tally : undefined;
}
