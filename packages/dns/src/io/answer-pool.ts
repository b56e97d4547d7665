import type { HostPort } from '@copain/core';
import { type Answerer, type AnswererOptions, type Asker, createAnswerer } from '../answer.ts';
import { AnswerCounts, answerCountsBytes } from '../answer-counts.ts';
import { type CookieSecrets, rotateSecrets } from '../cookie.ts';
import { limitedNetworksMax } from '../limits.ts';
import type { NameKey } from '../name.ts';
import { RateLimiter, rateLimiterBytes } from '../rate-limit.ts';
import type { ServedZone } from '../resolve.ts';
import type { ServerIdentity } from '../server-identity.ts';
import type { Zone } from '../zone.ts';
import { encodeZone } from '../zone-encoding.ts';
import { type AnswerThread, type ForMain, startAnswerThread } from './answer-thread.ts';
import { sha1 } from './hash.ts';
import type { ToWorker } from './worker-messages.ts';

export interface AnswerPoolOptions {
  /** Threads that answer over UDP, this one among them: 1 to 64. */
  threads: number;
  identity: ServerIdentity;
  /** 16 random octets. */
  cookieSecret: Uint8Array;
  /** See `RateLimiter`; all threads count together. */
  answersPerSecond: number;
  /** A thread failed, and is started again, or could not do something. */
  failed(fact: { cause: unknown }): void;
}

/** What the listener needs of the further threads: they open the same UDP sockets. */
export interface UdpThreads {
  /** Resolves when every thread answers there, or has said why not. */
  open(endpoint: string, address: HostPort): Promise<void>;
  close(endpoint: string): void;
  /** Who answers what the threads pass on. */
  onForMain(handler: ForMain): void;
}

/** Answers from the zones it was last given, in this thread and in others. */
export interface AnswerPool extends AsyncDisposable {
  answer(query: Uint8Array, asker: Asker): Uint8Array | undefined;
  /**
   * From the instant that this resolves all threads answer from these zones; until then, from those before. With one
   * thread that is at once.
   */
  serve(zones: readonly ServedZone[], awaited: ReadonlySet<NameKey>): Promise<void>;
  /** A new secret behind the cookies; those of the one before still count. */
  rotate(fresh: Uint8Array): void;
  counts(): ReturnType<AnswerCounts['list']>;
  /** What rate limiting did, in all threads. */
  limited(): { action: 'truncated' | 'dropped'; count: number }[];
  /** undefined where there is one thread only. */
  threads: UdpThreads | undefined;
}

export function startAnswerPool(options: AnswerPoolOptions): AnswerPool {
  return new RunningPool(options);
}

/** Zones that are being taken in: used by all when `waiting` is empty. */
interface Generation {
  number: number;
  answerer: Answerer;
  waiting: Set<AnswerThread>;
  used: PromiseWithResolvers<void>;
}

class RunningPool implements AnswerPool, UdpThreads {
  readonly #base: AnswererOptions;
  readonly #secrets: CookieSecrets;
  readonly #counts: AnswerCounts[];
  readonly #threads: AnswerThread[];
  #inFlight: Generation | undefined;
  #next: PromiseWithResolvers<void> | undefined;
  readonly #zoneIds = new WeakMap<Zone, number>();
  readonly #bodies = new WeakMap<Zone, SharedArrayBuffer>();
  readonly #endpoints = new Map<string, HostPort>();
  #lastZoneId = 0;
  #lastGeneration = 0;
  #answerer: Answerer;
  #served: { zones: readonly ServedZone[]; awaited: ReadonlySet<NameKey> } = {
    zones: [],
    awaited: new Set(),
  };
  #forMain: ForMain = () => undefined;

  constructor(options: AnswerPoolOptions) {
    const { identity, answersPerSecond, threads } = options;
    this.#secrets = { current: options.cookieSecret, previous: undefined };
    const limiterMemory = new SharedArrayBuffer(
      answersPerSecond > 0 ? rateLimiterBytes(limitedNetworksMax) : 0,
    );
    const memories = Array.from({ length: threads }, () => new SharedArrayBuffer(answerCountsBytes));
    this.#counts = memories.map((memory) => new AnswerCounts(memory));
    const limiter = new RateLimiter(answersPerSecond, limitedNetworksMax, limiterMemory);
    const [counts = new AnswerCounts()] = this.#counts;
    this.#base = { sha1, identity, cookies: this.#secrets, limiter, counts };
    this.#answerer = createAnswerer([], this.#base);
    this.#threads = memories.slice(1).map((countsMemory) =>
      startAnswerThread({
        setup: () => ({
          identity,
          secrets: { ...this.#secrets },
          answersPerSecond,
          limiterMemory,
          countsMemory,
        }),
        started: (thread) => this.#bringUp(thread),
        ready: (thread, generation) => this.#ready(thread, generation),
        gone: (thread) => this.#gone(thread),
        forMain: (...query) => this.#forMain(...query),
        failed: (fact) => options.failed(fact),
      }),
    );
  }

  get threads(): UdpThreads | undefined {
    return this.#threads.length > 0 ? this : undefined;
  }

  answer(query: Uint8Array, asker: Asker): Uint8Array | undefined {
    return this.#answerer.answer(query, asker);
  }

  async serve(zones: readonly ServedZone[], awaited: ReadonlySet<NameKey>): Promise<void> {
    this.#served = { zones, awaited };
    this.#next ??= Promise.withResolvers();
    const { promise } = this.#next;
    if (!this.#inFlight) this.#sendNext();
    await promise;
  }

  /** One at a time: what is given meanwhile goes out together, next. */
  #sendNext(): void {
    const used = this.#next;
    if (!used) return;
    this.#next = undefined;
    const { zones, awaited } = this.#served;
    const generation: Generation = {
      number: ++this.#lastGeneration,
      answerer: createAnswerer(zones, { ...this.#base, awaited }),
      waiting: new Set(this.#threads.filter((thread) => thread.isUp)),
      used,
    };
    this.#inFlight = generation;
    for (const thread of generation.waiting) thread.tell(this.#zonesFor(thread, generation.number));
    this.#useIfReady();
  }

  #zonesFor(thread: AnswerThread, generation: number): ToWorker {
    const { zones, awaited } = this.#served;
    const served = zones.map(({ zone, expired, expiresAtMs }) => ({
      zoneId: this.#zoneId(zone),
      expired,
      expiresAtMs,
    }));
    const added = zones.flatMap(({ zone }) => {
      const zoneId = this.#zoneId(zone);
      return thread.zones.has(zoneId) ? [] : [{ zoneId, origin: zone.origin, body: this.#body(zone) }];
    });
    thread.zones = new Set(served.map(({ zoneId }) => zoneId));
    return { kind: 'zones', generation, added, served, awaited: [...awaited] };
  }

  #zoneId(zone: Zone): number {
    const known = this.#zoneIds.get(zone) ?? ++this.#lastZoneId;
    this.#zoneIds.set(zone, known);
    return known;
  }

  /** Written once for all threads. */
  #body(zone: Zone): SharedArrayBuffer {
    const known = this.#bodies.get(zone);
    if (known) return known;
    const encoded = encodeZone(zone);
    const body = new SharedArrayBuffer(encoded.length);
    new Uint8Array(body).set(encoded);
    this.#bodies.set(zone, body);
    return body;
  }

  #ready(thread: AnswerThread, number: number): void {
    if (this.#inFlight?.number === number) this.#inFlight.waiting.delete(thread);
    this.#useIfReady();
  }

  #useIfReady(): void {
    const generation = this.#inFlight;
    if (!generation || generation.waiting.size > 0) return;
    this.#inFlight = undefined;
    this.#answerer = generation.answerer;
    for (const thread of this.#threads) thread.tell({ kind: 'use', generation: generation.number });
    generation.used.resolve();
    this.#sendNext();
  }

  /** A thread that begins, or begins anew, gets all that the others have, or are about to have. */
  #bringUp(thread: AnswerThread): void {
    thread.zones = new Set();
    thread.tell(this.#zonesFor(thread, this.#lastGeneration));
    thread.tell({ kind: 'use', generation: this.#lastGeneration });
    for (const [endpoint, address] of this.#endpoints) void thread.open(endpoint, address);
  }

  #gone(thread: AnswerThread): void {
    this.#inFlight?.waiting.delete(thread);
    this.#useIfReady();
  }

  async open(endpoint: string, address: HostPort): Promise<void> {
    await (this.#next ?? this.#inFlight?.used)?.promise;
    this.#endpoints.set(endpoint, address);
    await Promise.all(this.#threads.map((thread) => thread.open(endpoint, address)));
  }

  close(endpoint: string): void {
    this.#endpoints.delete(endpoint);
    for (const thread of this.#threads) thread.tell({ kind: 'close', endpoint });
  }

  onForMain(handler: ForMain): void {
    this.#forMain = handler;
  }

  rotate(fresh: Uint8Array): void {
    rotateSecrets(this.#secrets, fresh);
    for (const thread of this.#threads) thread.tell({ kind: 'secrets', ...this.#secrets });
  }

  counts(): ReturnType<AnswerCounts['list']> {
    const [first, ...others] = this.#counts;
    return first?.list(others) ?? [];
  }

  limited(): { action: 'truncated' | 'dropped'; count: number }[] {
    const sum = (of: (counts: AnswerCounts) => number): number =>
      this.#counts.reduce((all, counts) => all + of(counts), 0);
    return [
      { action: 'truncated', count: sum(({ slipped }) => slipped) },
      { action: 'dropped', count: sum(({ dropped }) => dropped) },
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread[Symbol.asyncDispose]()));
  }
}
