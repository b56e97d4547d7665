import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { concatBytes } from '@copain/core';
import { sealsBeforeThread, sealThreadIdleMs, sealThreadPatienceMs } from '../limits.ts';
import { sealAgeFile } from './age-file.ts';
import { asError, DeadlineError, withDeadline } from './deadline.ts';
import type { SealAnswer, SealRequest } from './seal-worker.ts';

/** An age file, and its sha256. */
export interface Sealed {
  file: Uint8Array;
  hash: Uint8Array;
}

const program = new URL(`./seal-worker${extname(import.meta.url)}`, import.meta.url);

/** Seals in this thread. Throws where there is no key, or one is none. */
export function sealHere(sealTo: readonly string[], content: Uint8Array): Sealed {
  const file = concatBytes(...sealAgeFile(sealTo, content));
  return { file, hash: new Uint8Array(createHash('sha256').update(file).digest()) };
}

/**
 * Seals messages, which is a third of the work of taking one: in this thread as long as there are few of them, in a thread
 * of its own while there are many, so that the conversations go on meanwhile. That thread ends when it is idle, and whatever
 * goes wrong with it is done here instead.
 */
export class Sealing implements AsyncDisposable {
  readonly #told: (error: Error) => void;
  readonly #waiting = new Map<number, PromiseWithResolvers<Sealed>>();
  #worker: Worker | undefined;
  /** Not handed to the thread yet: a message to it wakes it up, which costs as much as a small mail. */
  #unsent: SealRequest[] = [];
  #idle: NodeJS.Timeout | undefined;
  #nextId = 0;
  #second = { at: 0, seals: 0 };
  #disposed = false;

  /** `told` hears what goes wrong with the thread. */
  constructor(told: (error: Error) => void) {
    this.#told = told;
  }

  /** Is there a thread of its own now? */
  get hasThread(): boolean {
    return this.#worker !== undefined;
  }

  async seal(sealTo: readonly string[], content: Uint8Array): Promise<Sealed> {
    const worker = this.#worker ?? (this.#isBusy() ? this.#start() : undefined);
    if (worker === undefined) return sealHere(sealTo, content);
    this.#idle?.refresh();
    const id = this.#nextId++;
    const waiting = Promise.withResolvers<Sealed>();
    this.#waiting.set(id, waiting);
    try {
      this.#unsent.push({ id, sealTo, content });
      // What the other conversations of this turn of the loop want sealed goes along.
      if (this.#unsent.length === 1) setImmediate(() => this.#send());
      return await withDeadline(waiting.promise, sealThreadPatienceMs, 'the thread that seals');
    } catch (error) {
      if (error instanceof DeadlineError) this.#told(error);
      // A key that is none fails here too, with its own words.
      return sealHere(sealTo, content);
    } finally {
      this.#waiting.delete(id);
    }
  }

  /** Where the thread has ended meanwhile, whoever waits is told so by its end. */
  #send(): void {
    const requests = this.#unsent;
    this.#unsent = [];
    this.#worker?.postMessage(requests);
  }

  #isBusy(): boolean {
    const at = Math.floor(performance.now() / 1000);
    if (this.#second.at !== at) this.#second = { at, seals: 0 };
    this.#second.seals += 1;
    return this.#second.seals > sealsBeforeThread && !this.#disposed;
  }

  #start(): Worker {
    const worker = new Worker(program, { execArgv: [] });
    worker.unref();
    this.#worker = worker;
    worker.on('message', (answers: readonly SealAnswer[]) => {
      for (const answer of answers) {
        const waiting = this.#waiting.get(answer.id);
        if (answer.why === undefined) waiting?.resolve({ file: answer.file, hash: answer.hash });
        else waiting?.reject(new Error(answer.why));
      }
    });
    worker.on('error', (error) => this.#told(asError(error)));
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
      // Ids are never used twice, so those of a newer thread are done here once as well.
      for (const waiting of this.#waiting.values()) waiting.reject(new Error('the thread ended'));
    });
    this.#idle = setTimeout(() => this.#end(), sealThreadIdleMs).unref();
    return worker;
  }

  #end(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    clearTimeout(this.#idle);
    void worker?.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}
