import {
  type CanonicalValue,
  decodeCanonical,
  encodeCanonical,
  type FieldReader,
  readFields,
} from '@copain/trust';
import { chunkBytes, frameMaxBytes, offerItemsMax } from './limits.ts';
import { readTags } from './message-key.ts';

/** The version both sides speak; the protocol name `/copain/drain/1` carries the same number. */
export const drainVersion = 1;

/** One held message, as it is offered: what the owner needs to choose and to see whether he has it already. */
export interface OfferItem {
  id: string;
  /** Of the record as it is sent, seal included. */
  sizeBytes: number;
  receivedAtMs: number;
  /** One per recipient. */
  tags: Uint8Array[];
}

/**
 * What a friend sends: hello, then offers one after the other; within an offer the parts of what the owner pulls. `gone`
 * answers a pull of something that cannot be read (any more).
 */
export type DrainRequest =
  | { t: 'hello'; version: number }
  | { t: 'offer'; items: OfferItem[] }
  | { t: 'part'; id: string; offset: number; bytes: Uint8Array; last: boolean }
  | { t: 'gone'; id: string };

/**
 * What the owner answers: for each offered item one of `ack` (it is safely his; the friend deletes) and `later` (the
 * friend keeps it), after pulling it if he did not have it; `next` when the offer is dealt with.
 */
export type DrainAnswer =
  | { t: 'pull'; id: string; offset: number }
  | { t: 'ack'; id: string; duplicate: boolean }
  | { t: 'later'; id: string; why: string }
  | { t: 'next' };

const idMaxLength = 64;
const sizeMax = Number.MAX_SAFE_INTEGER;

export function encodeDrainRequest(request: DrainRequest): Uint8Array {
  switch (request.t) {
    case 'hello':
      return encodeCanonical({ t: 'hello', v: request.version });
    case 'offer':
      return encodeCanonical({
        t: 'offer',
        items: request.items.map(({ id, sizeBytes, receivedAtMs, tags }) => ({
          id,
          size: sizeBytes,
          at: receivedAtMs,
          tags,
        })),
      });
    case 'part':
      return encodeCanonical({
        t: 'part',
        id: request.id,
        offset: request.offset,
        b: request.bytes,
        last: request.last,
      });
    case 'gone':
      return encodeCanonical({ t: 'gone', id: request.id });
  }
}

/** The request in a frame from a friend, or undefined where it is none. */
export function decodeDrainRequest(frame: Uint8Array): DrainRequest | undefined {
  const fields = readFields(decodeCanonical(frame, frameMaxBytes));
  const request = readRequest(fields);
  return fields.ok ? request : undefined;
}

function readRequest(fields: FieldReader): DrainRequest | undefined {
  switch (fields.text('t', 8)) {
    case 'hello':
      return { t: 'hello', version: fields.integer('v', 1, 0xffff) };
    case 'offer': {
      const items = fields.list('items', offerItemsMax).map(readItem);
      const good = items.filter((item) => item !== undefined);
      if (good.length !== items.length) fields.refuse();
      return { t: 'offer', items: good };
    }
    case 'part':
      return {
        t: 'part',
        id: fields.text('id', idMaxLength),
        offset: fields.integer('offset', 0, sizeMax),
        bytes: fields.bytes('b', 0, chunkBytes),
        last: fields.flag('last'),
      };
    case 'gone':
      return { t: 'gone', id: fields.text('id', idMaxLength) };
    default:
      fields.refuse();
      return undefined;
  }
}

function readItem(value: CanonicalValue): OfferItem | undefined {
  const fields = readFields(value);
  const item = {
    id: fields.text('id', idMaxLength),
    sizeBytes: fields.integer('size', 0, sizeMax),
    receivedAtMs: fields.integer('at', 0, sizeMax),
    tags: readTags(fields),
  };
  return fields.ok ? item : undefined;
}

export function encodeDrainAnswer(answer: DrainAnswer): Uint8Array {
  switch (answer.t) {
    case 'pull':
      return encodeCanonical({ t: 'pull', id: answer.id, offset: answer.offset });
    case 'ack':
      return encodeCanonical({ t: 'ack', id: answer.id, duplicate: answer.duplicate });
    case 'later':
      return encodeCanonical({ t: 'later', id: answer.id, why: answer.why.slice(0, 200) });
    case 'next':
      return encodeCanonical({ t: 'next' });
  }
}

/** The answer in a frame from the owner, or undefined where it is none. */
export function decodeDrainAnswer(frame: Uint8Array): DrainAnswer | undefined {
  const fields = readFields(decodeCanonical(frame, frameMaxBytes));
  const answer = readAnswer(fields);
  return fields.ok ? answer : undefined;
}

function readAnswer(fields: FieldReader): DrainAnswer | undefined {
  const kind = fields.text('t', 8);
  switch (kind) {
    case 'pull':
      return { t: 'pull', id: fields.text('id', idMaxLength), offset: fields.integer('offset', 0, sizeMax) };
    case 'ack':
      return { t: 'ack', id: fields.text('id', idMaxLength), duplicate: fields.flag('duplicate') };
    case 'later':
      return { t: 'later', id: fields.text('id', idMaxLength), why: fields.text('why', 200) };
    case 'next':
      return { t: 'next' };
    default:
      fields.refuse();
      return undefined;
  }
}
