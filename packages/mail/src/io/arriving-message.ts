import { mayArrive } from '../arriving.ts';
import { arrivingMaxBytes, diskFloorBytes } from '../limits.ts';
import { type Reply, reply } from '../smtp-reply.ts';
import { asError } from './deadline.ts';
import type { MailEvents } from './events.ts';
import { type MemoryShare, TemporaryBytes } from './temporary-bytes.ts';

/** What a client hears while the disk has too little room for anything new. */
export const diskLow: Reply = reply(452, '4.3.1 too little disk space, try later');

const noShare = reply(452, '4.3.1 too much from your network at once, try later');

/** How long a measurement of the free space is good for. */
const freeSpaceForMs = 1000;

/** What all messages share that are under way: a folder for their files, the memory, and the room by network. */
export class ArrivingRoom {
  readonly memory: MemoryShare = { sizeBytes: 0 };
  readonly byNetwork: Map<string, number> = new Map();
  readonly dir: string;
  readonly #freeBytes: () => Promise<number>;
  readonly #events: MailEvents;
  #lastTurn: Promise<unknown> = Promise.resolve();
  #measured: { atMs: number; low: Promise<boolean> } | undefined;

  /** `freeBytes` measures what the disk of `dir` has left for us. */
  constructor(dir: string, events: MailEvents, freeBytes: () => Promise<number>) {
    this.dir = dir;
    this.#events = events;
    this.#freeBytes = freeBytes;
  }

  /** Is less free than the floor? Where that cannot be measured: no, and the write itself will tell. */
  isDiskLow(): Promise<boolean> {
    const nowMs = performance.now();
    if (this.#measured === undefined || nowMs - this.#measured.atMs > freeSpaceForMs) {
      const low = this.#freeBytes().then(
        (freeBytes) => freeBytes < diskFloorBytes,
        () => false,
      );
      this.#measured = { atMs: nowMs, low };
    }
    return this.#measured.low;
  }

  /** Does work that has a whole large message in memory: one after the other, however many sessions have come to it. */
  oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(work);
    this.#lastTurn = turn.catch(() => {});
    return turn;
  }

  trouble(error: unknown): void {
    this.#events.trouble({ where: 'a message while it comes in', error: asError(error) });
  }
}

/** One message while it comes in: within its network's share, and only while the disk has room. */
export class ArrivingMessage implements AsyncDisposable {
  readonly bytes: TemporaryBytes;
  /** Set when a piece could not be kept; from then on none is. */
  refusal: Reply | undefined;
  readonly #room: ArrivingRoom;
  readonly #network: string;
  #counted = 0;
  #dropped = false;

  constructor(room: ArrivingRoom, network: string) {
    this.#room = room;
    this.#network = network;
    this.bytes = new TemporaryBytes(room.dir, room.memory);
  }

  /** Keeps a piece, or sets `refusal`. Never rejects. */
  async push(piece: Uint8Array): Promise<void> {
    if (this.refusal || this.#dropped) return;
    const { byNetwork } = this.#room;
    const wanted = { network: this.#network, moreBytes: piece.length, maxBytes: arrivingMaxBytes };
    if (!mayArrive(byNetwork, wanted)) this.refusal = noShare;
    else if (this.bytes.inMemory === undefined && (await this.#room.isDiskLow())) this.refusal = diskLow;
    else {
      byNetwork.set(this.#network, (byNetwork.get(this.#network) ?? 0) + piece.length);
      this.#counted += piece.length;
      try {
        await this.bytes.push(piece);
      } catch (error) {
        this.#room.trouble(error);
        this.refusal = diskLow;
      }
    }
    if (this.refusal) await this.drop();
  }

  /** Lets go of what was kept. */
  async drop(): Promise<void> {
    if (this.#dropped) return;
    this.#dropped = true;
    const { byNetwork } = this.#room;
    const left = (byNetwork.get(this.#network) ?? 0) - this.#counted;
    if (left > 0) byNetwork.set(this.#network, left);
    else byNetwork.delete(this.#network);
    await this.bytes[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drop();
  }
}
