import { concatBytes, type FrameStream, fromHex } from '@copain/core';
import {
  chunkBytes,
  listMax,
  questionFrameMs,
  questionIdleMs,
  questionsMax,
  recordHeadBytes,
  recordMaxBytes,
} from '../limits.ts';
import {
  decodeMailQuestion,
  decodeMailQuestionAnswer,
  encodeMailQuestion,
  encodeMailQuestionAnswer,
  type HeldEntry,
  type MailDoor,
  type MailQuestion,
  type MailQuestionAnswer,
} from '../question-frames.ts';
import { isWaiting } from '../spool.ts';
import type { AcceptedPage } from './accepted-list.ts';
import { asError, withDeadline } from './deadline.ts';
import type { MailEvents } from './events.ts';
import type { HeldStore } from './held-store.ts';
import type { Inbox } from './inbox.ts';

export interface MailAnswersOptions {
  held: HeldStore;
  /** The queue, for another box of the same owner; undefined for friends. */
  inbox: Inbox | undefined;
  /** Whose mail may be asked for: the owner of the box that asks. */
  ownerId: string;
  nextTryAtMs: (id: string) => number | undefined;
  /** Ends the waits of what is held for the asker; how many messages that is. */
  flush: () => Promise<number>;
  door: () => MailDoor;
  /** Notes that a canary of this box came to another box of its owner; false where it is none. Undefined for friends. */
  canaryCame: ((token: string, hash: Uint8Array) => Promise<boolean>) | undefined;
  events: MailEvents;
}

/**
 * Answers the questions of one stream. The agent has checked whose box asks; it hears of its owner's mail alone, sealed as
 * it lies here, and nothing is marked or removed. Never rejects.
 */
export async function answerMailQuestions(stream: FrameStream, options: MailAnswersOptions): Promise<void> {
  try {
    for (let asked = 0; ; asked++) {
      const frame = await withDeadline(stream.receive(), questionIdleMs, 'asker');
      if (!frame) break;
      const question = decodeMailQuestion(frame);
      if (!question || asked >= questionsMax) throw new Error('not a question of this protocol');
      await answer(stream, question, options);
    }
    await stream.end();
  } catch (error) {
    stream.abort(asError(error));
  }
}

async function answer(
  stream: FrameStream,
  question: MailQuestion,
  options: MailAnswersOptions,
): Promise<void> {
  const say = (one: MailQuestionAnswer): Promise<void> =>
    withDeadline(stream.send(encodeMailQuestionAnswer(one)), questionFrameMs, 'asker');
  switch (question.t) {
    case 'list': {
      const all = (await entriesFor(options)).toSorted(newestFirst);
      for (const { tags, ...entry } of all.slice(0, question.limit)) {
        const head = await partOf(entry.id, 0, recordHeadBytes, options);
        const inBytes = tags.flatMap((tag) => fromHex(tag) ?? []);
        // It may have gone on its way meanwhile.
        if (head) await say({ t: 'entry', entry: { ...entry, tags: inBytes, head } });
      }
      await say({ t: 'listed', count: all.length });
      return;
    }
    case 'fetch': {
      const { id } = question;
      const sizeBytes = await recordBytesOf(id, options);
      if (sizeBytes === undefined || question.offset >= sizeBytes) return await say({ t: 'gone' });
      for (let { offset } = question; offset < sizeBytes; ) {
        const bytes = await partOf(id, offset, chunkBytes, options);
        if (!bytes || bytes.length === 0) return await say({ t: 'gone' });
        await say({ t: 'part', offset, bytes, last: offset + bytes.length >= sizeBytes });
        offset += bytes.length;
      }
      return;
    }
    case 'flush':
      return await say({ t: 'flushed', count: await options.flush() });
    case 'accepted': {
      const { after, upTo } = question;
      const page = await options.held.acceptedPage(options.ownerId, after, upTo);
      return await say({ t: 'accepted', ...page });
    }
    case 'door':
      return await say({ t: 'door', ...options.door() });
    case 'canary': {
      if (!options.canaryCame) throw new Error('a question for boxes of one owner');
      await say({ t: 'canary', mine: await options.canaryCame(question.token, question.hash) });
    }
  }
}

/** Times in clear are to the minute; within one the order of arrival at this box decides. */
const newestFirst = (
  a: Pick<HeldEntry, 'receivedAtMs' | 'id'>,
  b: Pick<HeldEntry, 'receivedAtMs' | 'id'>,
): number => b.receivedAtMs - a.receivedAtMs || (a.id < b.id ? 1 : -1);

const heldPrefix = 'held-';
const queuedPrefix = 'queued-';

/** What the asker's owner has here; tags in hexadecimal. */
async function entriesFor({
  held,
  inbox,
  ownerId,
  nextTryAtMs,
}: MailAnswersOptions): Promise<(Omit<HeldEntry, 'head' | 'tags'> & { tags: readonly string[] })[]> {
  const kept = [...held.messages.values()].filter((message) => message.ownerId === ownerId);
  const queue = inbox === undefined ? [] : [...inbox.queue.values()];
  const recordBytes = await inbox?.recordBytes();
  return [
    ...kept.map(({ id, sizeBytes, receivedAtMs, tags }) => ({
      id: heldPrefix + id,
      state: 'held' as const,
      sizeBytes,
      receivedAtMs,
      tags,
      reply: '',
      nextTryAtMs: 0,
    })),
    ...queue.map((message) => ({
      id: queuedPrefix + message.id,
      state: isWaiting(message) ? ('queued' as const) : ('quarantined' as const),
      sizeBytes: recordBytes?.get(message.id) ?? 0,
      receivedAtMs: message.receivedAtMs,
      tags: message.recipients.map(({ tag }) => tag),
      reply: message.reply,
      nextTryAtMs: nextTryAtMs(message.id) ?? 0,
    })),
  ];
}

/** How long a record is that the asker's owner may have; undefined where it is none of his. */
async function recordBytesOf(
  id: string,
  { held, inbox, ownerId }: MailAnswersOptions,
): Promise<number | undefined> {
  if (id.startsWith(heldPrefix)) {
    const message = held.messages.get(id.slice(heldPrefix.length));
    return message?.ownerId === ownerId ? message.sizeBytes : undefined;
  }
  const queuedId = id.slice(queuedPrefix.length);
  return inbox?.queue.has(queuedId) ? (await inbox.recordBytes()).get(queuedId) : undefined;
}

/**
 * A part of a record, so that one of 50 MB never lies in memory for a friend who reads slowly. Undefined where it is gone,
 * or cannot be read: that is told here, and hides no other message from its owner.
 */
async function partOf(
  id: string,
  offset: number,
  lengthBytes: number,
  { held, inbox, events }: MailAnswersOptions,
): Promise<Uint8Array | undefined> {
  try {
    return id.startsWith(heldPrefix)
      ? await held.readPart(id.slice(heldPrefix.length), offset, lengthBytes)
      : await inbox?.readPart(id.slice(queuedPrefix.length), offset, lengthBytes);
  } catch (error) {
    events.trouble({ where: `message ${id}`, error: asError(error) });
    return undefined;
  }
}

/** Asks for the newest messages that are held for us. Rejects where the other side breaks off or says something else. */
export async function askList(
  stream: FrameStream,
  limit: number = listMax,
): Promise<{ entries: HeldEntry[]; count: number }> {
  await ask(stream, { t: 'list', limit });
  const entries: HeldEntry[] = [];
  for (;;) {
    const said = await hear(stream);
    if (said.t === 'listed') return { entries, count: said.count };
    if (said.t !== 'entry' || entries.length >= limit) throw new Error('not the list that was asked for');
    entries.push(said.entry);
  }
}

/** The whole record of a listed message, or undefined where it is gone. Rejects where the stream breaks. */
export async function askRecord(
  stream: FrameStream,
  { id, sizeBytes }: Pick<HeldEntry, 'id' | 'sizeBytes'>,
): Promise<Uint8Array | undefined> {
  await ask(stream, { t: 'fetch', id, offset: 0 });
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (;;) {
    const said = await hear(stream);
    if (said.t === 'gone') return undefined;
    if (said.t !== 'part' || said.offset !== offset) throw new Error('not the part that was asked for');
    if (said.bytes.length === 0 && !said.last) throw new Error('an empty part');
    parts.push(said.bytes);
    offset += said.bytes.length;
    if (offset > Math.min(sizeBytes, recordMaxBytes)) throw new Error('more than a record can be');
    if (said.last) return concatBytes(...parts);
  }
}

/** Has the holder try to hand over at once; how many messages that concerns. */
export async function askFlush(stream: FrameStream): Promise<number> {
  await ask(stream, { t: 'flush' });
  const said = await hear(stream);
  if (said.t !== 'flushed') throw new Error('not an answer to flush');
  return said.count;
}

/** What a holder counted under the numbers after `after`, up to `upTo`. Rejects where he does not know the question. */
export async function askAccepted(
  stream: FrameStream,
  { after, upTo }: { after: number; upTo: number },
): Promise<AcceptedPage> {
  await ask(stream, { t: 'accepted', after, upTo });
  const said = await hear(stream);
  const isFitting =
    said.t === 'accepted' &&
    (said.items.length === 0 || (said.from > after && said.from + said.items.length - 1 <= upTo));
  if (!isFitting) throw new Error('not the numbers that were asked for');
  return { from: said.from, before: said.before, items: said.items };
}

/** Where a friend takes our mail. Rejects where he does not know the question. */
export async function askDoor(stream: FrameStream): Promise<MailDoor> {
  await ask(stream, { t: 'door' });
  const said = await hear(stream);
  if (said.t !== 'door') throw new Error('not an answer to door');
  const { hostname, shared, raw } = said;
  return { hostname, shared, raw };
}

/** Is this a canary of that box of ours? Then it has noted that it came. Rejects where it does not know the question. */
export async function askCanary(stream: FrameStream, token: string, hash: Uint8Array): Promise<boolean> {
  await ask(stream, { t: 'canary', token, hash });
  const said = await hear(stream);
  if (said.t !== 'canary') throw new Error('not an answer to canary');
  return said.mine;
}

async function ask(stream: FrameStream, question: MailQuestion): Promise<void> {
  await withDeadline(stream.send(encodeMailQuestion(question)), questionFrameMs, 'friend');
}

async function hear(stream: FrameStream): Promise<MailQuestionAnswer> {
  const frame = await withDeadline(stream.receive(), questionFrameMs, 'friend');
  const said = frame && decodeMailQuestionAnswer(frame);
  if (!said) throw new Error(frame ? 'not a frame of this protocol' : 'friend ended the stream');
  return said;
}
