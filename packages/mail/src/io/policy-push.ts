import { createHash, createHmac, createSecretKey } from 'node:crypto';
import { type Clock, concatBytes, type FrameStream, type Random, type Table, toUtf8 } from '@copain/core';
import { encodeCanonical } from '@copain/trust';
import { chunkBytes, digestBytes, policyAnswerMs, policyBytesPerSecond } from '../limits.ts';
import type { MailDomain } from '../mail-domain.ts';
import {
  decodePolicyAnswer,
  encodePolicyRequest,
  type PolicyAnswer,
  type PolicyHead,
  policyVersion,
} from '../policy-frames.ts';
import { asError, withDeadline } from './deadline.ts';
import type { MailEvents } from './events.ts';
import { recipientDigest } from './friend-policies.ts';
import type { RecipientBook } from './recipient-book.ts';

const secretKey = 'mail/recipient-secret';
const lookEveryMs = 1000;
/** A friend who says no may just not have heard of the grant yet: soon again, then less and less often. */
const againAfterMs = { first: 1000, most: 30_000 };

/** A friend's box that is heard now and takes mail of this domain. */
export interface BackupBox {
  peer: string;
  ownerId: string;
  domain: string;
}

export interface PolicyPushOptions {
  book: RecipientBook;
  table: Table;
  domains: () => readonly MailDomain[];
  backups: () => readonly BackupBox[];
  open: (peer: string, signal: AbortSignal) => Promise<FrameStream>;
  clock: Clock;
  random: Random;
  events: MailEvents;
}

interface Told {
  /** What the friend was told last: revision of the book and wish, as text. */
  what: string;
  /** When that was (ms since 1970); undefined while it never was. */
  toldAtMs: number | undefined;
  notBeforeMs: number;
  /** How often in a row it did not work. */
  failed: number;
}

/** Tells friends how an owner's mail is to be treated: when they are there, and when it changes, slowly. */
export class PolicyPush implements AsyncDisposable {
  readonly #options: PolicyPushOptions;
  readonly #secret: Uint8Array;
  readonly #told = new Map<string, Told>();
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;

  private constructor(options: PolicyPushOptions, secret: Uint8Array) {
    this.#options = options;
    this.#secret = secret;
  }

  /** Begins to tell. The secret that all keys of friendships are made of is made at the first start. */
  static async start(options: PolicyPushOptions): Promise<PolicyPush> {
    let secret = await options.table.get(secretKey);
    if (secret?.length !== 32) {
      secret = options.random.bytes(32);
      try {
        await options.table.write([{ key: secretKey, value: secret }]);
      } catch (error) {
        // Then it is good for this run, and friends are told anew after the next start.
        options.events.trouble({ where: 'the key of recipients', error: asError(error) });
      }
    }
    const push = new PolicyPush(options, secret);
    push.#timer = setInterval(() => push.look(), lookEveryMs).unref();
    return push;
  }

  /** Tells whoever is to be told now. Harmless at any time. */
  look(): void {
    if (this.#stop.signal.aborted) return;
    this.#working ??= this.#look().finally(() => {
      this.#working = undefined;
    });
  }

  /** When this friend was last told all of it, or that he was not; undefined for one that is not heard. */
  told(domain: string): ReadonlyMap<string, { isCurrent: boolean; toldAtMs: number | undefined }> {
    const target = this.#options.domains().find((one) => one.domain === domain);
    const all = new Map<string, { isCurrent: boolean; toldAtMs: number | undefined }>();
    for (const { ownerId, peer, domain: of } of this.#options.backups()) {
      if (of !== domain || target === undefined) continue;
      const told = this.#told.get(`${peer} ${domain}`);
      all.set(ownerId, { isCurrent: told?.what === this.#what(target), toldAtMs: told?.toldAtMs });
    }
    return all;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    await this.#working;
  }

  #what({ domain, wish }: MailDomain): string {
    return `${this.#options.book.revision(domain)} ${JSON.stringify(wish)}`;
  }

  async #look(): Promise<void> {
    const { backups, domains, clock, events } = this.#options;
    const here = backups();
    // Who was away may have been put back from an older copy: on his return he is asked what he has.
    for (const key of this.#told.keys())
      if (!here.some(({ peer, domain }) => key === `${peer} ${domain}`)) this.#told.delete(key);
    for (const backup of here) {
      const key = `${backup.peer} ${backup.domain}`;
      const told = this.#told.get(key);
      const target = domains().find((one) => one.role === 'own' && one.domain === backup.domain);
      const nowMs = clock.nowMs();
      if (target === undefined || this.#stop.signal.aborted) continue;
      const what = this.#what(target);
      if (told?.what === what || (told !== undefined && nowMs < told.notBeforeMs)) continue;
      try {
        const sentBytes = await this.#tell(backup, target);
        const notBeforeMs = nowMs + (sentBytes / policyBytesPerSecond) * 1000;
        this.#told.set(key, { what, toldAtMs: clock.nowMs(), notBeforeMs, failed: 0 });
      } catch (error) {
        if (told === undefined)
          events.trouble({ where: `telling a friend about ${backup.domain}`, error: asError(error) });
        const failed = told?.failed ?? 0;
        const notBeforeMs =
          nowMs + Math.min(againAfterMs.first * 2 ** Math.min(failed, 10), againAfterMs.most);
        this.#told.set(key, { what: '', toldAtMs: told?.toldAtMs, notBeforeMs, failed: failed + 1 });
      }
      events.changed();
    }
  }

  /** Bytes of digests that were sent; 0 where the friend had them. */
  async #tell({ peer, ownerId }: BackupBox, target: MailDomain): Promise<number> {
    const { signal } = this.#stop;
    const stream = await this.#options.open(peer, signal);
    const cut = (): void => stream.abort(new Error('shutting down'));
    signal.addEventListener('abort', cut);
    try {
      signal.throwIfAborted();
      const { head, known, refused } = this.#policyFor(ownerId, target);
      await say(stream, encodePolicyRequest({ t: 'hello', version: policyVersion }));
      await say(stream, encodePolicyRequest({ t: 'policy', ...head }));
      const first = await answerOf(stream);
      if (first.t === 'not') throw new Error(first.why);
      if (first.t === 'want') {
        for (const [t, digests] of [
          ['known', known],
          ['refused', refused],
        ] as const)
          for (let at = 0; at < digests.length; at += partBytes)
            await say(stream, encodePolicyRequest({ t, digests: digests.subarray(at, at + partBytes) }));
        await say(stream, encodePolicyRequest({ t: 'done' }));
        const second = await answerOf(stream);
        if (second.t !== 'have') throw new Error(second.t === 'not' ? second.why : 'not kept');
      }
      await stream.end();
      return first.t === 'want' ? known.length + refused.length : 0;
    } catch (error) {
      stream.abort(asError(error));
      throw error;
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }

  #policyFor(
    friendId: string,
    target: MailDomain,
  ): { head: PolicyHead; known: Uint8Array; refused: Uint8Array } {
    const { book } = this.#options;
    const { domain, wish } = target;
    const key = new Uint8Array(
      createHmac('sha256', this.#secret)
        .update(toUtf8(`copain/recipient-key/1\0${domain}\0${friendId}`))
        .digest(),
    );
    const digestKey = createSecretKey(key);
    const digests = (forms: Iterable<string>): Uint8Array => {
      const all = [...forms].map((form) => Buffer.from(recipientDigest(digestKey, domain, form)));
      // In the order of the digests, so that their place tells nothing about when each was learnt.
      return concatBytes(...all.toSorted((a, b) => Buffer.compare(a, b)));
    };
    const any = book.isAny(target);
    const known = any ? new Uint8Array() : digests(book.list(target).map(({ form }) => form));
    const refused = digests(book.refused(target).keys());
    const rest = { key, any, unknown: wish?.unknown ?? ('accept' as const), copies: wish?.copies ?? 1 };
    const hash = createHash('sha256').update(encodeCanonical({ ...rest, known, refused }));
    return { head: { ...rest, domain, version: new Uint8Array(hash.digest()) }, known, refused };
  }
}

/** Whole digests, below what a frame takes. */
const partBytes = chunkBytes - (chunkBytes % digestBytes);

async function say(stream: FrameStream, frame: Uint8Array): Promise<void> {
  await withDeadline(stream.send(frame), policyAnswerMs, 'friend');
}

async function answerOf(stream: FrameStream): Promise<PolicyAnswer> {
  const frame = await withDeadline(stream.receive(), policyAnswerMs, 'friend');
  const answer = frame && decodePolicyAnswer(frame);
  if (!answer) throw new Error(frame ? 'not a frame of this protocol' : 'friend ended the stream');
  return answer;
}
