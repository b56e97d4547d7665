import type { Clock, FrameStream, Random } from '@copain/core';
import { fromHex } from '@copain/core';
import { nextOffer, nextOfferAtMs } from '../drain.ts';
import { decodeDrainAnswer, drainVersion, encodeDrainRequest } from '../drain-frames.ts';
import { chunkBytes, drainFrameMs, liveOpenMs } from '../limits.ts';
import { retryDelayMs } from '../retry-schedule.ts';
import type { HeldMessage } from '../spool.ts';
import { asError, withDeadline } from './deadline.ts';
import type { MailEvents } from './events.ts';
import type { HeldStore } from './held-store.ts';

export interface DrainsOptions {
  held: HeldStore;
  open: (ownerId: string, signal: AbortSignal) => Promise<FrameStream>;
  clock: Clock;
  random: Random;
  events: MailEvents;
  /** Told once per message that its owner has now. */
  handedOver: (domain: string) => void;
}

interface OwnerDrain {
  reachable: boolean;
  running: AbortController | undefined;
  /** He came by another connection while a round was running: if that round breaks, the next begins at once. */
  cameAgain: boolean;
  failures: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Hands held mail to the owners who are there: at once when one returns, at once when something new is held for one who
 * is, again after a while when it went wrong.
 */
export class Drains implements AsyncDisposable {
  readonly #options: DrainsOptions;
  readonly #owners = new Map<string, OwnerDrain>();
  readonly #rounds = new Set<Promise<void>>();
  #stopped = false;

  constructor(options: DrainsOptions) {
    this.#options = options;
  }

  isDraining(ownerId: string): boolean {
    return this.#owners.get(ownerId)?.running !== undefined;
  }

  isReachable(ownerId: string): boolean {
    return this.#owners.get(ownerId)?.reachable === true;
  }

  reachable(ownerId: string): void {
    const owner = this.#owner(ownerId);
    owner.reachable = true;
    owner.failures = 0;
    owner.cameAgain = owner.running !== undefined;
    this.kick(ownerId);
    this.#options.events.changed();
  }

  gone(ownerId: string): void {
    const owner = this.#owner(ownerId);
    owner.reachable = false;
    clearTimeout(owner.timer);
    owner.running?.abort();
    this.#options.events.changed();
  }

  /** Something may be due for this owner: start, or set the timer. Harmless at any time. */
  kick(ownerId: string): void {
    const owner = this.#owner(ownerId);
    if (this.#stopped || !owner.reachable || owner.running) return;
    const { held, clock } = this.#options;
    const atMs = nextOfferAtMs(held.messages.values(), ownerId);
    clearTimeout(owner.timer);
    if (atMs === undefined) return;
    const nowMs = clock.nowMs();
    if (atMs > nowMs) {
      owner.timer = setTimeout(() => this.kick(ownerId), Math.max(10, atMs - nowMs));
      return;
    }
    const running = new AbortController();
    owner.running = running;
    const round = this.#round(ownerId, running.signal).then(
      () => {
        owner.failures = 0;
        owner.cameAgain = false;
        owner.running = undefined;
        this.kick(ownerId);
      },
      (error: unknown) => this.#roundFailed(ownerId, owner, asError(error)),
    );
    this.#rounds.add(round);
    void round.finally(() => {
      this.#rounds.delete(round);
      this.#options.events.changed();
    });
  }

  /** Forgets every wait of the messages of one domain or owner, or of all; answers how many there are. */
  async flush(domain: string | undefined, ownerId?: string): Promise<number> {
    const { held, clock } = this.#options;
    const chosen = [...held.messages.values()].filter(
      (one) =>
        (domain === undefined || one.domain === domain) && (ownerId === undefined || one.ownerId === ownerId),
    );
    for (const { id } of chosen) await held.step(id, { kind: 'flush' }, clock.nowMs());
    for (const ownerId of new Set(chosen.map((one) => one.ownerId))) this.kick(ownerId);
    return chosen.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    for (const { timer, running } of this.#owners.values()) {
      clearTimeout(timer);
      running?.abort();
    }
    await Promise.allSettled(this.#rounds);
  }

  #owner(ownerId: string): OwnerDrain {
    const known = this.#owners.get(ownerId);
    if (known) return known;
    const fresh: OwnerDrain = {
      reachable: false,
      running: undefined,
      cameAgain: false,
      failures: 0,
      timer: undefined,
    };
    this.#owners.set(ownerId, fresh);
    return fresh;
  }

  #roundFailed(ownerId: string, owner: OwnerDrain, error: Error): void {
    const { random, events } = this.#options;
    owner.running = undefined;
    if (this.#stopped || !owner.reachable) return;
    if (owner.cameAgain) {
      owner.cameAgain = false;
      this.kick(ownerId);
      return;
    }
    owner.failures += 1;
    events.trouble({ where: `handing mail to ${ownerId}`, error });
    owner.timer = setTimeout(() => this.kick(ownerId), retryDelayMs(owner.failures, random.fraction()));
  }

  /** One stream: offers until nothing is due. */
  async #round(ownerId: string, signal: AbortSignal): Promise<void> {
    const { held, open, clock } = this.#options;
    const stream = await withDeadline(open(ownerId, signal), liveOpenMs, 'owner');
    const cut = (): void => stream.abort(new Error('owner gone'));
    signal.addEventListener('abort', cut);
    let offered: HeldMessage[] = [];
    try {
      await stream.send(encodeDrainRequest({ t: 'hello', version: drainVersion }));
      for (;;) {
        if (signal.aborted) throw new Error('stopped');
        offered = nextOffer(held.messages.values(), ownerId, clock.nowMs());
        if (offered.length === 0) break;
        await this.#offer(stream, offered);
      }
      await stream.end();
    } catch (error) {
      stream.abort(asError(error));
      throw error;
    } finally {
      signal.removeEventListener('abort', cut);
      for (const { id } of offered)
        if (held.messages.get(id)?.state === 'offered')
          await held.step(id, { kind: 'interrupted' }, clock.nowMs());
    }
  }

  async #offer(stream: FrameStream, offered: readonly HeldMessage[]): Promise<void> {
    const { held, clock, random } = this.#options;
    for (const { id } of offered) await held.step(id, { kind: 'offered' }, clock.nowMs());
    const items = offered.map(({ id, sizeBytes, receivedAtMs, tags }) => ({
      id,
      sizeBytes,
      receivedAtMs,
      tags: tags.map((tag) => fromHex(tag) ?? new Uint8Array()),
    }));
    await stream.send(encodeDrainRequest({ t: 'offer', items }));
    const open = new Set(offered.map(({ id }) => id));
    for (;;) {
      const frame = await withDeadline(stream.receive(), drainFrameMs, 'owner');
      const answer = frame && decodeDrainAnswer(frame);
      if (!answer) throw new Error(frame ? 'not a frame of this protocol' : 'owner ended the stream');
      if (answer.t === 'next') break;
      // An owner may only speak of what is open in this offer: an acknowledgement deletes.
      if (!open.has(answer.id)) throw new Error('owner speaks of a message that was not offered');
      if (answer.t === 'pull') await this.#send(stream, answer.id, answer.offset);
      else open.delete(answer.id);
      if (answer.t === 'ack') await this.#acknowledged(answer.id, answer.duplicate);
      if (answer.t === 'later')
        await held.step(answer.id, { kind: 'postponed', fraction: random.fraction() }, clock.nowMs());
    }
    for (const id of open)
      await held.step(id, { kind: 'postponed', fraction: random.fraction() }, clock.nowMs());
  }

  async #send(stream: FrameStream, id: string, from: number): Promise<void> {
    const { held, events } = this.#options;
    const sizeBytes = held.messages.get(id)?.sizeBytes ?? 0;
    for (let offset = from, last = false; !last; ) {
      let bytes: Uint8Array | undefined;
      try {
        bytes = await held.readPart(id, offset, chunkBytes);
      } catch (error) {
        events.trouble({ where: `held message ${id}`, error: asError(error) });
      }
      if (bytes === undefined || bytes.length === 0) {
        await stream.send(encodeDrainRequest({ t: 'gone', id }));
        return;
      }
      last = offset + bytes.length >= sizeBytes;
      const frame = encodeDrainRequest({ t: 'part', id, offset, bytes, last });
      await withDeadline(stream.send(frame), drainFrameMs, 'path to the owner');
      offset += bytes.length;
    }
  }

  async #acknowledged(id: string, duplicate: boolean): Promise<void> {
    const { held, clock, events, handedOver } = this.#options;
    const message = held.messages.get(id);
    if (!message) return;
    const nowMs = clock.nowMs();
    await held.step(id, { kind: 'acknowledged' }, nowMs);
    const { domain, sizeBytes, receivedAtMs } = message;
    events.handedOver({ id, domain, duplicate, sizeBytes, waitedMs: nowMs - receivedAtMs });
    handedOver(domain);
  }
}
