import { concatBytes, type FrameStream } from '@copain/core';
import { smallAndOldFirst } from '../drain.ts';
import {
  type DrainAnswer,
  type DrainRequest,
  decodeDrainRequest,
  drainVersion,
  encodeDrainAnswer,
  type OfferItem,
} from '../drain-frames.ts';
import { drainFrameMs, partialsMax, partialsMaxBytes, recordMaxBytes } from '../limits.ts';
import { handOverTooSlow } from '../session-deadlines.ts';
import { asError, withDeadline } from './deadline.ts';
import type { MailEvents } from './events.ts';
import type { Inbox } from './inbox.ts';
import type { PullsUnderWay } from './pulls-under-way.ts';

/** Messages that were being pulled when a stream broke, so that the next one goes on where it stopped. */
export class PartialPulls {
  readonly #parts = new Map<string, Uint8Array[]>();

  take(key: string): Uint8Array[] {
    const parts = this.#parts.get(key) ?? [];
    this.#parts.delete(key);
    return parts;
  }

  keep(key: string, parts: Uint8Array[]): void {
    this.#parts.set(key, parts);
    const total = (): number => [...this.#parts.values()].flat().reduce((sum, part) => sum + part.length, 0);
    for (const oldest of this.#parts.keys())
      if (this.#parts.size > partialsMax || total() > partialsMaxBytes) this.#parts.delete(oldest);
  }
}

export interface DrainOwnerOptions {
  inbox: Inbox;
  partials: PartialPulls;
  /** Shared by all friends. */
  pulls: PullsUnderWay;
  events: MailEvents;
  /** Something was queued: deliver it. */
  queued: (domain: string) => void;
}

/**
 * The owner's end of a hand-over: looks at each offer, pulls what is new (small and old first), stores it, and only then
 * acknowledges. Never rejects.
 */
export async function handleDrain(
  stream: FrameStream,
  fromPeer: string,
  options: DrainOwnerOptions,
): Promise<void> {
  try {
    const hello = await receive(stream);
    if (hello?.t !== 'hello' || hello.version !== drainVersion)
      throw new Error(`this box speaks mail hand-over version ${drainVersion}`);
    for (;;) {
      const offer = await receive(stream);
      if (!offer) break;
      if (offer.t !== 'offer') throw new Error(`unexpected ${offer.t}`);
      const items = offer.items.toSorted(smallAndOldFirst);
      while (items.length > 0) {
        // What another friend brings right now comes last: by then it is here.
        const free = items.findIndex(({ tags }) => !options.pulls.has(tags));
        for (const item of items.splice(Math.max(0, free), 1))
          await send(stream, await answerItem(stream, fromPeer, item, options));
      }
      await send(stream, { t: 'next' });
    }
    await stream.end();
  } catch (error) {
    options.events.trouble({ where: `mail from ${fromPeer}`, error: asError(error) });
    stream.abort(asError(error));
  }
}

async function answerItem(
  stream: FrameStream,
  fromPeer: string,
  item: OfferItem,
  { inbox, partials, pulls, queued }: DrainOwnerOptions,
): Promise<DrainAnswer> {
  const { id } = item;
  if (await inbox.knowsAll(item.tags)) return { t: 'ack', id, duplicate: true };
  if (item.sizeBytes > recordMaxBytes) return { t: 'later', id, why: 'too large' };
  if (pulls.has(item.tags)) {
    const isWorthIt = await pulls.waitedFor(item);
    if (await inbox.knowsAll(item.tags)) return { t: 'ack', id, duplicate: true };
    if (isWorthIt && pulls.has(item.tags)) return { t: 'later', id, why: 'comes from another friend' };
  }
  const outcome = await pulls.during(item.tags, async () => {
    const record = await pull(stream, `${fromPeer} ${id}`, item, partials);
    return record && (await inbox.take(record));
  });
  if (!outcome) return { t: 'later', id, why: 'not there' };
  if (outcome.kind === 'later') return { t: 'later', id, why: outcome.why };
  if (outcome.kind === 'stored') queued(outcome.domain);
  return { t: 'ack', id, duplicate: outcome.kind === 'duplicate' };
}

/** The whole record, or undefined where the friend has it no more. */
async function pull(
  stream: FrameStream,
  key: string,
  { id, sizeBytes }: OfferItem,
  partials: PartialPulls,
): Promise<Uint8Array | undefined> {
  const parts = partials.take(key);
  let offset = parts.reduce((sum, part) => sum + part.length, 0);
  if (offset >= sizeBytes) {
    parts.length = 0;
    offset = 0;
  }
  const [sinceMs, before] = [performance.now(), offset];
  try {
    await send(stream, { t: 'pull', id, offset });
    for (;;) {
      const part = await receive(stream);
      if (part?.t === 'gone' && part.id === id) return undefined;
      if (part?.t !== 'part' || part.id !== id || part.offset !== offset)
        throw new Error('not the part that was pulled');
      if (part.bytes.length === 0 && !part.last) throw new Error('an empty part');
      parts.push(part.bytes);
      offset += part.bytes.length;
      if (offset > sizeBytes) throw new Error('more than was offered');
      if (part.last) break;
      if (handOverTooSlow(offset - before, performance.now() - sinceMs)) throw new Error('too slow');
    }
  } catch (error) {
    if (offset <= sizeBytes) partials.keep(key, parts);
    throw error;
  }
  return concatBytes(...parts);
}

async function receive(stream: FrameStream): Promise<DrainRequest | undefined> {
  const frame = await withDeadline(stream.receive(), drainFrameMs, 'friend');
  if (!frame) return undefined;
  const request = decodeDrainRequest(frame);
  if (!request) throw new Error('not a frame of this protocol');
  return request;
}

async function send(stream: FrameStream, answer: DrainAnswer): Promise<void> {
  await withDeadline(stream.send(encodeDrainAnswer(answer)), drainFrameMs, 'friend');
}
