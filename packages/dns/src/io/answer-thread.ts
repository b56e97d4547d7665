import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { HostPort } from '@copain/core';
import { threadPatienceMs, threadRestartMs } from '../limits.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './worker-messages.ts';

/** A query that a thread leaves to the main one, which answers through its own socket of this endpoint. */
export type ForMain = (endpoint: string, query: Uint8Array, address: string, port: number) => void;

export interface AnswerThreadOptions {
  setup: () => WorkerSetup;
  /** It runs, also after it was started anew; what is told now comes before anything else. */
  started(thread: AnswerThread): void;
  ready(thread: AnswerThread, generation: number): void;
  gone(thread: AnswerThread): void;
  forMain: ForMain;
  failed(fact: { cause: unknown }): void;
}

/** One thread that answers over UDP. When it ends by itself, or hangs, another takes its place. */
export interface AnswerThread extends AsyncDisposable {
  readonly isUp: boolean;
  /** Ids of the zones it has. */
  zones: ReadonlySet<number>;
  tell(message: ToWorker): void;
  /** Never rejects: what went wrong is said to `failed`. */
  open(endpoint: string, address: HostPort): Promise<void>;
}

export function startAnswerThread(options: AnswerThreadOptions): AnswerThread {
  const thread = new RunningThread(options);
  thread.start();
  return thread;
}

const program = new URL(`./answer-worker${extname(import.meta.url)}`, import.meta.url);

class RunningThread implements AnswerThread {
  readonly #options: AnswerThreadOptions;
  readonly #opening = new Map<string, PromiseWithResolvers<void>>();
  #worker: Worker | undefined;
  #restart: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;
  #disposed = false;
  zones: ReadonlySet<number> = new Set();

  constructor(options: AnswerThreadOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#worker !== undefined;
  }

  start(): void {
    const worker = new Worker(program, { workerData: this.#options.setup(), execArgv: [] });
    this.#worker = worker;
    worker.on('message', (message: FromWorker) => this.#take(message));
    worker.on('error', (cause) => this.#options.failed({ cause }));
    worker.on('exit', () => this.#ended(worker));
    // The pool knows the thread only after this returned.
    queueMicrotask(() => {
      if (this.#worker === worker) this.#options.started(this);
    });
  }

  #take(message: FromWorker): void {
    switch (message.kind) {
      case 'opened': {
        const { endpoint, cause } = message;
        if (cause !== undefined) this.#options.failed({ cause });
        this.#opening.get(endpoint)?.resolve();
        this.#opening.delete(endpoint);
        break;
      }
      case 'ready':
        clearTimeout(this.#patience);
        this.#options.ready(this, message.generation);
        break;
      case 'for-main':
        this.#options.forMain(message.endpoint, message.query, message.address, message.port);
        break;
      case 'failed':
        this.#options.failed({ cause: message.cause });
        break;
    }
  }

  tell(message: ToWorker): void {
    this.#worker?.postMessage(message);
    if (message.kind !== 'zones') return;
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => {
      this.#options.failed({ cause: new Error('a thread that answers DNS hangs; it is started anew') });
      void this.#worker?.terminate();
    }, threadPatienceMs);
    this.#patience.unref();
  }

  async open(endpoint: string, address: HostPort): Promise<void> {
    if (this.#worker === undefined) return;
    const opening = this.#opening.get(endpoint) ?? Promise.withResolvers<void>();
    this.#opening.set(endpoint, opening);
    this.tell({ kind: 'open', endpoint, ...address });
    await opening.promise;
  }

  #ended(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    clearTimeout(this.#patience);
    for (const { resolve } of this.#opening.values()) resolve();
    this.#opening.clear();
    this.#options.gone(this);
    if (this.#disposed) return;
    this.#options.failed({ cause: new Error('a thread that answers DNS ended; it is started anew') });
    this.#restart = setTimeout(() => this.start(), threadRestartMs);
    this.#restart.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    clearTimeout(this.#restart);
    clearTimeout(this.#patience);
    await this.#worker?.terminate();
  }
}
