import { type FrameStream, fromHex } from '@copain/core';
import type { CopyRefusal } from '../copies.ts';
import {
  type CopyAnswer,
  copyVersion,
  decodeCopyAnswer,
  encodeCopyRequest,
  type OwnerNote,
} from '../copy-frames.ts';
import { chunkBytes, copiesAtOnce, copyAnswerMs, drainFrameMs } from '../limits.ts';
import type { HeldMessage } from '../spool.ts';
import { asError, withDeadline } from './deadline.ts';
import type { HeldStore } from './held-store.ts';

/** What a friend answered who was to have a message. */
export type CopyOutcome = { kind: 'have' } | { kind: 'not'; why: CopyRefusal } | { kind: 'gone' };

/** One stream to a friend's box, on which several messages are copied side by side. */
export class CopyLink {
  readonly #stream: FrameStream;
  readonly #waiting = new Map<string, PromiseWithResolvers<CopyAnswer>>();
  readonly #turns: (() => void)[] = [];
  #underWay = 0;
  #broken: Error | undefined;

  private constructor(stream: FrameStream) {
    this.#stream = stream;
    void this.#read();
  }

  /** Greets; rejects where the stream breaks at once. */
  static async over(stream: FrameStream): Promise<CopyLink> {
    const link = new CopyLink(stream);
    await stream.send(encodeCopyRequest({ t: 'hello', version: copyVersion }));
    return link;
  }

  get isBroken(): boolean {
    return this.#broken !== undefined;
  }

  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  /**
   * Offers a message and sends it where it is wanted; `gone` where it left this box meanwhile. `urgent`: a client waits
   * for it, so it goes before what does not. Rejects where the stream breaks or the friend is silent.
   */
  async copy(
    held: HeldStore,
    message: HeldMessage,
    { give, urgent }: { give: boolean; urgent: boolean },
  ): Promise<CopyOutcome> {
    await this.#turn(urgent);
    try {
      return await this.#converse(held, message, give);
    } catch (error) {
      this.abort(asError(error));
      throw error;
    } finally {
      this.#waiting.delete(message.id);
      this.#underWay -= 1;
      this.#turns.shift()?.();
    }
  }

  /** Tells an owner; resolves once he keeps it. */
  async note(note: OwnerNote): Promise<void> {
    const answer = this.#expect('');
    await this.#send(encodeCopyRequest({ t: 'note', ...note }));
    await withDeadline(answer, copyAnswerMs, 'owner');
  }

  abort(reason: Error): void {
    this.#broken ??= reason;
    this.#stream.abort(reason);
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }

  async end(): Promise<void> {
    this.#broken ??= new Error('closed');
    await this.#stream.end().catch((error: unknown) => this.#stream.abort(asError(error)));
  }

  async #turn(urgent: boolean): Promise<void> {
    if (this.#underWay >= copiesAtOnce)
      await new Promise<void>((resolve) => {
        if (urgent) this.#turns.unshift(resolve);
        else this.#turns.push(resolve);
      });
    this.#underWay += 1;
  }

  async #converse(held: HeldStore, message: HeldMessage, give: boolean): Promise<CopyOutcome> {
    const { id, ownerId, domain, sizeBytes } = message;
    const tags = message.tags.map((tag) => fromHex(tag) ?? new Uint8Array());
    const first = this.#expect(id);
    await this.#send(encodeCopyRequest({ t: 'offer', id, ownerId, domain, sizeBytes, tags, give }));
    const answer = await withDeadline(first, copyAnswerMs, 'friend');
    if (answer.t !== 'want') return outcomeOf(answer);
    let early: CopyOutcome | undefined;
    const second = this.#expect(id).then((one) => {
      early = outcomeOf(one);
      return early;
    });
    // It is waited for below; until then nobody may find it rejected unheard.
    second.catch(() => {});
    for (let offset = 0; offset < sizeBytes && early === undefined; ) {
      const bytes = await held.readPart(id, offset, chunkBytes);
      if (bytes === undefined || bytes.length === 0) {
        await this.#send(encodeCopyRequest({ t: 'gone', id }));
        return { kind: 'gone' };
      }
      const last = offset + bytes.length >= sizeBytes;
      await this.#send(encodeCopyRequest({ t: 'part', id, offset, bytes, last }));
      offset += bytes.length;
    }
    return await withDeadline(second, copyAnswerMs, 'friend');
  }

  #expect(id: string): Promise<CopyAnswer> {
    if (this.#broken) throw this.#broken;
    const waiting = Promise.withResolvers<CopyAnswer>();
    // Whoever waits may have given up before it is rejected.
    waiting.promise.catch(() => {});
    this.#waiting.set(id, waiting);
    return waiting.promise;
  }

  async #send(frame: Uint8Array): Promise<void> {
    if (this.#broken) throw this.#broken;
    await withDeadline(this.#stream.send(frame), drainFrameMs, 'friend');
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const frame = await this.#stream.receive();
        const answer = frame && decodeCopyAnswer(frame);
        if (!answer) throw new Error(frame ? 'not a frame of this protocol' : 'friend ended the stream');
        const id = answer.t === 'noted' ? '' : answer.id;
        // What was given up meanwhile may still be answered.
        const waiting = this.#waiting.get(id);
        this.#waiting.delete(id);
        waiting?.resolve(answer);
      }
    } catch (error) {
      this.abort(asError(error));
    }
  }
}

function outcomeOf(answer: CopyAnswer): CopyOutcome {
  if (answer.t === 'have') return { kind: 'have' };
  if (answer.t === 'not') return { kind: 'not', why: answer.why };
  throw new Error(`unexpected ${answer.t}`);
}
