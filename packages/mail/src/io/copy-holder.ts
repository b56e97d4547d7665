import { createHash } from 'node:crypto';
import { concatBytes, equalBytes, type FrameStream, toHex } from '@copain/core';
import { type CopyRefusal, judgeOffer } from '../copies.ts';
import {
  type CopyAnswer,
  type CopyOffer,
  type CopyRequest,
  copyVersion,
  decodeCopyRequest,
  encodeCopyAnswer,
} from '../copy-frames.ts';
import {
  chunkBytes,
  copiesArrivingMax,
  drainFrameMs,
  notesPerStreamMax,
  recordStartMaxBytes,
} from '../limits.ts';
import type { MailDomain } from '../mail-domain.ts';
import { handOverTooSlow } from '../session-deadlines.ts';
import { decodeSpoolRecord, type RecordHeader } from '../spool-record.ts';
import type { ArrivingRoom } from './arriving-message.ts';
import { asError, withDeadline } from './deadline.ts';
import type { MailEvents } from './events.ts';
import type { HeldStore } from './held-store.ts';
import { TemporaryBytes } from './temporary-bytes.ts';

/** Who opened the stream, as the agent knows him by his PeerId. */
export interface CopySender {
  peer: string;
  ownerId: string;
}

export interface CopyHolderOptions {
  held: HeldStore;
  arriving: ArrivingRoom;
  domains: () => readonly MailDomain[];
  /** Does that friend keep mail for this domain, by its owner's grant and his own offer? */
  isBackup: (friendId: string, domain: MailDomain) => boolean;
  events: MailEvents;
  /** Something lies here now that was not here before. */
  stored: (domain: MailDomain) => void;
}

interface Incoming {
  offer: CopyOffer;
  domain: MailDomain;
  bytes: TemporaryBytes;
  sinceMs: number;
}

/**
 * The second friend's end of one `/copain/copy/1` stream: takes what is offered by a friend who keeps mail for the same
 * owner, and says `have` once it is on disk. To an owner the same stream brings notes about his mail. Never rejects.
 */
export async function handleCopy(
  stream: FrameStream,
  from: CopySender,
  options: CopyHolderOptions,
): Promise<void> {
  const incoming = new Map<string, Incoming>();
  const storing = new Set<Promise<void>>();
  const { events } = options;
  let notes = 0;
  const answer = async (what: CopyAnswer): Promise<void> => {
    await withDeadline(stream.send(encodeCopyAnswer(what)), drainFrameMs, 'friend');
  };
  const refuse = async (id: string, why: CopyRefusal): Promise<void> => {
    const known = incoming.get(id);
    incoming.delete(id);
    await known?.bytes[Symbol.asyncDispose]();
    await answer({ t: 'not', id, why });
  };
  const finish = async (one: Incoming): Promise<void> => {
    try {
      await answer(await keep(one, from, options));
    } finally {
      incoming.delete(one.offer.id);
      await one.bytes[Symbol.asyncDispose]();
    }
  };

  const take = async (request: CopyRequest): Promise<void> => {
    switch (request.t) {
      case 'offer': {
        if (incoming.has(request.id)) throw new Error('a message that is on its way already');
        if (incoming.size >= copiesArrivingMax) return await refuse(request.id, 'busy');
        const { verdict, domain } = await judge(request, from, options);
        if (verdict.kind === 'not' || domain === undefined)
          return await refuse(request.id, verdict.kind === 'not' ? verdict.why : 'no backup');
        if (verdict.kind === 'want') {
          const { dir, memory } = options.arriving;
          const bytes = new TemporaryBytes(dir, memory);
          incoming.set(request.id, { offer: request, domain, bytes, sinceMs: performance.now() });
        }
        return await answer({ t: verdict.kind, id: request.id });
      }
      case 'part': {
        const one = incoming.get(request.id);
        // Of a message that was refused on its way, parts may still come.
        if (one === undefined) return;
        const { offer, bytes } = one;
        if (request.offset !== bytes.sizeBytes) throw new Error('not the part that follows');
        if (bytes.sizeBytes + request.bytes.length > offer.sizeBytes)
          throw new Error('more than was offered');
        if (handOverTooSlow(bytes.sizeBytes, performance.now() - one.sinceMs)) throw new Error('too slow');
        try {
          await bytes.push(request.bytes);
        } catch (error) {
          events.trouble({ where: 'a copy while it comes in', error: asError(error) });
          return await refuse(request.id, 'disk trouble');
        }
        if (!request.last) return;
        // The disk is waited for beside the stream: others come in meanwhile, and share the sync.
        const work = finish(one).catch((error: unknown) => stream.abort(asError(error)));
        storing.add(work);
        void work.finally(() => storing.delete(work));
        return;
      }
      case 'gone': {
        const one = incoming.get(request.id);
        incoming.delete(request.id);
        await one?.bytes[Symbol.asyncDispose]();
        return;
      }
      case 'note': {
        notes += 1;
        if (notes > notesPerStreamMax) throw new Error('too many notes');
        const { t: _, ...note } = request;
        const isOurs = options
          .domains()
          .some(({ role, domain }) => role === 'own' && domain === request.domain);
        if (isOurs) events.noted({ fromId: from.ownerId, ...note });
        return await answer({ t: 'noted' });
      }
      case 'hello':
        throw new Error('unexpected hello');
    }
  };

  /** A friend who goes while nothing is on its way is no trouble. */
  const next = async (): Promise<CopyRequest | undefined> => {
    const frame = await withDeadline(stream.receive(), drainFrameMs, 'friend').catch((error: unknown) => {
      if (incoming.size > 0 || storing.size > 0) throw error;
      return undefined;
    });
    if (!frame) return undefined;
    const request = decodeCopyRequest(frame);
    if (!request) throw new Error('not a frame of this protocol');
    return request;
  };

  try {
    const hello = await next();
    if (hello === undefined) return stream.abort(new Error('gone'));
    if (hello.t !== 'hello' || hello.version !== copyVersion)
      throw new Error(`this box speaks copies of held mail version ${copyVersion}`);
    for (let request = await next(); request; request = await next()) await take(request);
    await Promise.all(storing);
    await stream.end().catch((error: unknown) => stream.abort(asError(error)));
  } catch (error) {
    events.trouble({ where: `a copy of held mail from ${from.peer}`, error: asError(error) });
    stream.abort(asError(error));
  } finally {
    await Promise.allSettled(storing);
    for (const { bytes } of incoming.values()) await bytes[Symbol.asyncDispose]();
  }
}

async function judge(
  offer: CopyOffer,
  from: CopySender,
  { held, arriving, domains, isBackup }: CopyHolderOptions,
): Promise<{ verdict: ReturnType<typeof judgeOffer>; domain: MailDomain | undefined }> {
  const domain = domains().find(
    (one) => one.role === 'backup' && one.domain === offer.domain && one.ownerId === offer.ownerId,
  );
  const isDiskLow = await arriving.isDiskLow();
  const same = held.withTags(offer.tags);
  const verdict = judgeOffer(offer, {
    isBackup: domain !== undefined,
    senderIsBackup: domain !== undefined && isBackup(from.ownerId, domain),
    same,
    heldBytes: held.heldBytes(offer.domain),
    maxBytes: domain?.maxBytes ?? 0,
    isDiskLow,
  });
  if (verdict.kind !== 'have' || same === undefined) return { verdict, domain };
  if (offer.give) {
    // Whoever gives it away drops it on our word: it is read through first.
    for (const { id, sizeBytes } of same)
      if (!(await isWhole(partsOf(held, id, sizeBytes))))
        return { verdict: { kind: 'not', why: 'damaged' }, domain };
    // Reading took a while; it may be leaving, or gone, by now.
    const still = held.withTags(offer.tags);
    if (still === undefined || still.some(({ asking }) => asking))
      return { verdict: { kind: 'not', why: 'busy' }, domain };
    // Whichever copy was known of, it may be the one that is given here.
    for (const { id } of still) await held.step(id, { kind: 'doubted' }, 0);
  } else for (const { id } of same) await held.step(id, { kind: 'told', by: from.ownerId }, 0);
  return { verdict, domain };
}

/** Stores a record that came in whole; what is wrong with it, or with the disk, is the answer. */
async function keep(
  { offer, domain, bytes }: Incoming,
  from: CopySender,
  { held, events, stored }: CopyHolderOptions,
): Promise<CopyAnswer> {
  const { id } = offer;
  try {
    const header = bytes.sizeBytes === offer.sizeBytes ? await headerOf(bytes) : undefined;
    if (header === undefined || !fits(header, offer) || !(await isWhole(bytes.pieces())))
      return { t: 'not', id, why: 'damaged' };
    const { inMemory, sizeBytes } = bytes;
    const record =
      inMemory === undefined ? { sizeBytes, pieces: () => bytes.pieces() } : concatBytes(...inMemory);
    const outcome = await held.add(record, header, domain);
    switch (outcome.kind) {
      case 'stored': {
        const message = outcome.message.id;
        if (!offer.give) await held.step(message, { kind: 'told', by: from.ownerId }, 0);
        events.copyTaken({
          id: message,
          fromId: from.ownerId,
          domain: domain.domain,
          sizeBytes,
          give: offer.give,
        });
        stored(domain);
        return { t: 'have', id };
      }
      case 'duplicate':
        // The sender of the mail brought it here as well, in the same moment: the next offer finds it.
        return { t: 'not', id, why: 'busy' };
      case 'full':
        return { t: 'not', id, why: 'no room' };
      case 'failed':
        throw asError(outcome.cause);
    }
  } catch (error) {
    events.trouble({ where: 'storing a copy of held mail', error: asError(error) });
    return { t: 'not', id, why: 'disk trouble' };
  }
}

/** Is it the message that was offered? What is inside only its owner can see. */
function fits(header: RecordHeader, { ownerId, domain, tags }: CopyOffer): boolean {
  return (
    header.ownerId === ownerId &&
    header.domain === domain &&
    header.tags.map(toHex).join() === tags.map(toHex).join()
  );
}

async function headerOf(bytes: TemporaryBytes): Promise<RecordHeader | undefined> {
  let start = new Uint8Array();
  for await (const piece of bytes.pieces()) {
    start = concatBytes(start, piece);
    if (start.length >= recordStartMaxBytes) break;
  }
  return decodeSpoolRecord(start)?.header;
}

/** Is the sealed part of this record the one whose hash its header has? */
async function isWhole(pieces: AsyncIterable<Uint8Array>): Promise<boolean> {
  const hash = createHash('sha256');
  let start = new Uint8Array();
  let header: RecordHeader | undefined;
  for await (const piece of pieces) {
    if (header !== undefined) {
      hash.update(piece);
      continue;
    }
    start = concatBytes(start, piece);
    const decoded = decodeSpoolRecord(start);
    if (decoded === undefined && start.length > recordStartMaxBytes) return false;
    if (decoded === undefined) continue;
    header = decoded.header;
    hash.update(decoded.sealed);
  }
  return header !== undefined && equalBytes(new Uint8Array(hash.digest()), header.hash);
}

async function* partsOf(held: HeldStore, id: string, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < sizeBytes; ) {
    const bytes = await held.readPart(id, offset, chunkBytes);
    if (bytes === undefined || bytes.length === 0) return;
    offset += bytes.length;
    yield bytes;
  }
}
