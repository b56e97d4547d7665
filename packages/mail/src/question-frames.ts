import {
  type CanonicalValue,
  decodeCanonical,
  encodeCanonical,
  type FieldReader,
  readFields,
} from '@copain/trust';
import { canaryTokenBytes } from './canary.ts';
import {
  acceptedPageMax,
  chunkBytes,
  doorsMax,
  frameMaxBytes,
  instantMaxMs,
  listMax,
  recordHeadBytes,
} from './limits.ts';
import { readTags } from './message-key.ts';

/**
 * What a box of the owner asks whoever holds mail of his, one question after the other on a stream `/copain/mail/1`. None
 * of them changes anything but `flush`, which ends the waits of what is held for the asker, and `canary`.
 */
export type MailQuestion =
  /** The newest `limit` messages that are held for the asker's owner. */
  | { t: 'list'; limit: number }
  /** A whole record from `offset` on, in parts; it stays where it is. */
  | { t: 'fetch'; id: string; offset: number }
  | { t: 'flush' }
  /** Which messages were counted under the numbers after `after`, up to `upTo` (those of the receipt). */
  | { t: 'accepted'; after: number; upTo: number }
  /** Where do strangers bring you mail for the asker's owner? */
  | { t: 'door' }
  /** Between boxes of one owner: here is what may be a canary of yours, with this sha256; it is noted that it came. */
  | { t: 'canary'; token: string; hash: Uint8Array };

/** One held message; all that tells who wrote to whom is inside `head`, sealed. */
export interface HeldEntry {
  /** The holder's own name for it; good for `fetch`. */
  id: string;
  state: 'held' | 'queued' | 'quarantined';
  /** Of the record, seal included. */
  sizeBytes: number;
  receivedAtMs: number;
  tags: Uint8Array[];
  /** The record's first bytes. */
  head: Uint8Array;
  /** What the owner's MTA said last, '' where it was not asked. */
  reply: string;
  /** 0: not planned. */
  nextTryAtMs: number;
}

export type MailQuestionAnswer =
  | { t: 'entry'; entry: HeldEntry }
  /** After the last entry: how many there are in all. */
  | { t: 'listed'; count: number }
  | { t: 'part'; offset: number; bytes: Uint8Array; last: boolean }
  | { t: 'gone' }
  | { t: 'flushed'; count: number }
  /**
   * Numbers without a gap from `from` on; `before` is the receipt's chain before the first of them. No items: this holder
   * does not know any of them (any more). `held`: the message lies here.
   */
  | { t: 'accepted'; from: number; before: Uint8Array; items: AcceptedItem[] }
  | ({ t: 'door' } & MailDoor)
  | { t: 'canary'; mine: boolean };

/** Where a box takes mail: `host:port` as it listens, which may be a wildcard. */
export interface MailDoor {
  /** What it calls itself in its greeting: the name that an MX record should have. */
  hostname: string;
  /** Addresses for all of its friends. */
  shared: string[];
  /** Addresses whose connections go to the asker's own mail server as they are. */
  raw: string[];
}

export interface AcceptedItem {
  tags: Uint8Array[];
  held: boolean;
}

const idMaxLength = 64;
const sizeMax = Number.MAX_SAFE_INTEGER;
const states = ['held', 'queued', 'quarantined'] as const;

export function encodeMailQuestion(question: MailQuestion): Uint8Array {
  return encodeCanonical({ ...question });
}

/** The question in a frame, or undefined where it is none. */
export function decodeMailQuestion(frame: Uint8Array): MailQuestion | undefined {
  const fields = readFields(decodeCanonical(frame, frameMaxBytes));
  const question = readQuestion(fields);
  return fields.ok ? question : undefined;
}

function readQuestion(fields: FieldReader): MailQuestion | undefined {
  switch (fields.text('t', 8)) {
    case 'list':
      return { t: 'list', limit: fields.integer('limit', 1, listMax) };
    case 'fetch':
      return { t: 'fetch', id: fields.text('id', idMaxLength), offset: fields.integer('offset', 0, sizeMax) };
    case 'flush':
      return { t: 'flush' };
    case 'accepted':
      return {
        t: 'accepted',
        after: fields.integer('after', 0, sizeMax),
        upTo: fields.integer('upTo', 0, sizeMax),
      };
    case 'door':
      return { t: 'door' };
    case 'canary':
      return {
        t: 'canary',
        token: fields.text('token', 2 * canaryTokenBytes),
        hash: fields.bytes('hash', 32, 32),
      };
    default:
      fields.refuse();
      return undefined;
  }
}

export function encodeMailQuestionAnswer(answer: MailQuestionAnswer): Uint8Array {
  switch (answer.t) {
    case 'entry': {
      const { id, state, sizeBytes, receivedAtMs, tags, head, reply, nextTryAtMs } = answer.entry;
      return encodeCanonical({
        t: 'entry',
        id,
        state,
        size: sizeBytes,
        at: receivedAtMs,
        tags,
        head,
        reply: reply.slice(0, 300),
        next: nextTryAtMs,
      });
    }
    case 'part':
      return encodeCanonical({ t: 'part', offset: answer.offset, b: answer.bytes, last: answer.last });
    case 'accepted':
      return encodeCanonical({
        t: 'accepted',
        from: answer.from,
        before: answer.before,
        items: answer.items.map(({ tags, held }) => ({ tags, held })),
      });
    case 'listed':
    case 'flushed':
    case 'gone':
    case 'door':
    case 'canary':
      return encodeCanonical({ ...answer });
  }
}

/** The answer in a frame from a friend, or undefined where it is none. */
export function decodeMailQuestionAnswer(frame: Uint8Array): MailQuestionAnswer | undefined {
  const fields = readFields(decodeCanonical(frame, frameMaxBytes));
  const answer = readAnswer(fields);
  return fields.ok ? answer : undefined;
}

function readAnswer(fields: FieldReader): MailQuestionAnswer | undefined {
  const kind = fields.text('t', 8);
  switch (kind) {
    case 'entry':
      return { t: 'entry', entry: readEntry(fields) };
    case 'part':
      return {
        t: 'part',
        offset: fields.integer('offset', 0, sizeMax),
        bytes: fields.bytes('b', 0, chunkBytes),
        last: fields.flag('last'),
      };
    case 'gone':
      return { t: 'gone' };
    case 'listed':
    case 'flushed':
      return { t: kind, count: fields.integer('count', 0, sizeMax) };
    case 'accepted': {
      const items = fields.list('items', acceptedPageMax).map(readAccepted);
      const good = items.filter((item) => item !== undefined);
      if (good.length !== items.length) fields.refuse();
      return {
        t: 'accepted',
        from: fields.integer('from', 1, sizeMax),
        before: fields.bytes('before', 32, 32),
        items: good,
      };
    }
    case 'door':
      return {
        t: 'door',
        hostname: fields.text('hostname', 253),
        shared: fields.texts('shared', doorsMax, 280),
        raw: fields.texts('raw', doorsMax, 280),
      };
    case 'canary':
      return { t: 'canary', mine: fields.flag('mine') };
    default:
      fields.refuse();
      return undefined;
  }
}

function readAccepted(value: CanonicalValue): AcceptedItem | undefined {
  const fields = readFields(value);
  const item = { tags: readTags(fields), held: fields.flag('held') };
  return fields.ok ? item : undefined;
}

function readEntry(fields: FieldReader): HeldEntry {
  const state = states.find((one) => one === fields.text('state', 16));
  if (state === undefined) fields.refuse();
  return {
    id: fields.text('id', idMaxLength),
    state: state ?? 'held',
    sizeBytes: fields.integer('size', 0, sizeMax),
    receivedAtMs: fields.integer('at', 0, instantMaxMs),
    tags: readTags(fields),
    head: fields.bytes('head', 1, recordHeadBytes),
    reply: fields.text('reply', 300),
    nextTryAtMs: fields.integer('next', 0, instantMaxMs),
  };
}
