import { decodeCanonical, encodeCanonical, type FieldReader, readFields } from '@copain/trust';
import type { CopyRefusal } from './copies.ts';
import { chunkBytes, frameMaxBytes, instantMaxMs } from './limits.ts';
import { readTags } from './message-key.ts';

/** The version both sides speak; the protocol name `/copain/copy/1` carries the same number. */
export const copyVersion = 1;

/** A held message, as it is offered to a second friend. */
export interface CopyOffer {
  id: string;
  ownerId: string;
  domain: string;
  /** Of the record as it is sent, seal included. */
  sizeBytes: number;
  /** One per recipient. */
  tags: Uint8Array[];
  /** Whoever offers it drops it when the other one has it. */
  give: boolean;
}

/** What a friend wants the owner to know of mail that he took: sums, until the owner has heard of them. */
export interface OwnerNote {
  domain: string;
  /** `single`: accepted though no second friend had it. `moved`: now answered for by the friend `to`. */
  what: 'single' | 'moved';
  /** Owner id of a friend; empty with `single`. */
  to: string;
  messages: number;
  bytes: number;
  sinceMs: number;
  untilMs: number;
}

/**
 * What a friend sends to another who keeps mail for the same owner: hello, then offers and the parts of what is wanted,
 * of several messages in any order. To the owner he sends notes.
 */
export type CopyRequest =
  | { t: 'hello'; version: number }
  | ({ t: 'offer' } & CopyOffer)
  | { t: 'part'; id: string; offset: number; bytes: Uint8Array; last: boolean }
  /** The rest of it does not come: it is gone, or cannot be read. */
  | { t: 'gone'; id: string }
  | ({ t: 'note' } & OwnerNote);

/** `have`: it is on this disk, durably. `noted`: the note before is kept. */
export type CopyAnswer =
  | { t: 'want'; id: string }
  | { t: 'have'; id: string }
  | { t: 'not'; id: string; why: CopyRefusal }
  | { t: 'noted' };

const idMaxLength = 64;
const sizeMax = Number.MAX_SAFE_INTEGER;
const refusals: readonly CopyRefusal[] = [
  'no backup',
  'no room',
  'leaving',
  'too large',
  'disk trouble',
  'busy',
  'damaged',
];

export function encodeCopyRequest(request: CopyRequest): Uint8Array {
  switch (request.t) {
    case 'hello':
      return encodeCanonical({ t: 'hello', v: request.version });
    case 'offer': {
      const { id, ownerId, domain, sizeBytes, tags, give } = request;
      return encodeCanonical({ t: 'offer', id, owner: ownerId, domain, size: sizeBytes, tags, give });
    }
    case 'part': {
      const { id, offset, bytes, last } = request;
      return encodeCanonical({ t: 'part', id, offset, b: bytes, last });
    }
    case 'gone':
      return encodeCanonical({ t: 'gone', id: request.id });
    case 'note':
      return encodeCanonical({ t: 'note', ...noteFields(request) });
  }
}

/** A note as it is sent, and as it lies in the table until it was. */
export function noteFields({ domain, what, to, messages, bytes, sinceMs, untilMs }: OwnerNote): {
  [name: string]: string | number;
} {
  return { domain, what, to, messages, bytes, since: sinceMs, until: untilMs };
}

/** The request in a frame from a friend, or undefined where it is none. */
export function decodeCopyRequest(frame: Uint8Array): CopyRequest | undefined {
  const fields = readFields(decodeCanonical(frame, frameMaxBytes));
  const request = readRequest(fields);
  return fields.ok ? request : undefined;
}

function readRequest(fields: FieldReader): CopyRequest | undefined {
  switch (fields.text('t', 8)) {
    case 'hello':
      return { t: 'hello', version: fields.integer('v', 1, 0xffff) };
    case 'offer':
      return {
        t: 'offer',
        id: fields.text('id', idMaxLength),
        ownerId: fields.text('owner', 128),
        domain: fields.text('domain', 253),
        sizeBytes: fields.integer('size', 1, sizeMax),
        tags: readTags(fields),
        give: fields.flag('give'),
      };
    case 'part':
      return {
        t: 'part',
        id: fields.text('id', idMaxLength),
        offset: fields.integer('offset', 0, sizeMax),
        bytes: fields.bytes('b', 1, chunkBytes),
        last: fields.flag('last'),
      };
    case 'gone':
      return { t: 'gone', id: fields.text('id', idMaxLength) };
    case 'note':
      return { t: 'note', ...readNote(fields) };
    default:
      fields.refuse();
      return undefined;
  }
}

export function readNote(fields: FieldReader): OwnerNote {
  const what = fields.text('what', 8);
  if (what !== 'single' && what !== 'moved') fields.refuse();
  return {
    domain: fields.text('domain', 253),
    what: what === 'moved' ? 'moved' : 'single',
    to: fields.text('to', 128),
    messages: fields.integer('messages', 1, sizeMax),
    bytes: fields.integer('bytes', 0, sizeMax),
    sinceMs: fields.integer('since', 0, instantMaxMs),
    untilMs: fields.integer('until', 0, instantMaxMs),
  };
}

export function encodeCopyAnswer(answer: CopyAnswer): Uint8Array {
  return encodeCanonical({ ...answer });
}

/** The answer in a frame from the friend or owner who was asked, or undefined where it is none. */
export function decodeCopyAnswer(frame: Uint8Array): CopyAnswer | undefined {
  const fields = readFields(decodeCanonical(frame, frameMaxBytes));
  const answer = readAnswer(fields);
  return fields.ok ? answer : undefined;
}

function readAnswer(fields: FieldReader): CopyAnswer | undefined {
  const kind = fields.text('t', 8);
  switch (kind) {
    case 'want':
    case 'have':
      return { t: kind, id: fields.text('id', idMaxLength) };
    case 'not': {
      const why = fields.text('why', 32);
      // A reason that a later version gives is a no all the same.
      return {
        t: 'not',
        id: fields.text('id', idMaxLength),
        why: refusals.find((one) => one === why) ?? 'busy',
      };
    }
    case 'noted':
      return { t: 'noted' };
    default:
      fields.refuse();
      return undefined;
  }
}
