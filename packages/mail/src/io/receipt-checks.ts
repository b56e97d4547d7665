import { createHash } from 'node:crypto';
import { type Clock, type FrameStream, fromHex, type Table, toHex } from '@copain/core';
import { questionsMax } from '../limits.ts';
import {
  checkFrom,
  freshCheck,
  hasRoomFor,
  type ReceiptCheck,
  type ReceiptFact,
  type ReceiptInput,
  receiptFact,
  type SignedCount,
  stepReceipt,
} from '../receipt-check.ts';
import {
  decodeReceiptRow,
  encodeReceiptRow,
  receiptRowKey,
  receiptRowPrefix,
  receiptsForgotKey,
} from '../receipt-row.ts';
import type { AcceptedPage } from './accepted-list.ts';
import { asError } from './deadline.ts';
import { askAccepted, askList } from './mail-questions.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());

/**
 * Holds what friends signed for against what arrived: asks each which message stands behind which number of his receipt,
 * follows the chain to his signature, and knows which of them never came. One row a friend's box, synced.
 */
export class ReceiptChecks {
  readonly #table: Table;
  readonly #clock: Clock;
  readonly #isHere: (tags: readonly Uint8Array[]) => Promise<boolean>;
  readonly #checks = new Map<string, ReceiptCheck>();
  #forgotAtMs = 0;

  private constructor(table: Table, clock: Clock, isHere: (tags: readonly Uint8Array[]) => Promise<boolean>) {
    this.#table = table;
    this.#clock = clock;
    this.#isHere = isHere;
  }

  /** Reads what earlier runs found; a row that cannot be read begins anew. */
  static async open(
    table: Table,
    clock: Clock,
    isHere: (tags: readonly Uint8Array[]) => Promise<boolean>,
  ): Promise<ReceiptChecks> {
    const checks = new ReceiptChecks(table, clock, isHere);
    for await (const [key, value] of table.entries(receiptRowPrefix)) {
      const check = decodeReceiptRow(value);
      if (check !== undefined) checks.#checks.set(key.slice(receiptRowPrefix.length), check);
    }
    const forgot = await table.get(receiptsForgotKey);
    if (forgot?.length === 8)
      checks.#forgotAtMs = Number(new DataView(forgot.buffer, forgot.byteOffset, 8).getBigUint64(0));
    return checks;
  }

  /**
   * This box does not know any more what came to it until `atMs`: its index was lost, or it was put back from an old copy.
   * Nothing from before is missed from then on. Twice for the same is once. Rejects where the disk refused.
   */
  async forget(atMs: number): Promise<void> {
    if (atMs <= this.#forgotAtMs) return;
    const value = new Uint8Array(8);
    new DataView(value.buffer).setBigUint64(0, BigInt(Math.round(atMs)));
    const checks = [...this.#checks.keys()].map((peer) => ({ key: receiptRowKey(peer), value: undefined }));
    await this.#table.write([{ key: receiptsForgotKey, value }, ...checks]);
    this.#forgotAtMs = atMs;
    this.#checks.clear();
  }

  /** Is there anything to ask this box: numbers not looked at, or messages that have not come? */
  isDue(peer: string, signed: SignedCount): boolean {
    const check = this.#checks.get(peer);
    return check === undefined
      ? signed.messages > 0
      : check.through < signed.messages || check.pending.length > 0;
  }

  /**
   * Looks at every number up to the signed one, and again at what was pending. Rejects where the stream breaks, or the
   * other side does not know the question; what was found until then stays.
   */
  async look(peer: string, signed: SignedCount, open: () => Promise<FrameStream>): Promise<void> {
    if (this.#forgotAtMs > 0 && !this.#checks.has(peer)) await this.#store(peer, checkFrom(signed));
    const asker = new Asker(open);
    try {
      // What lost its number at the friend, and lies there under a new one, is found under that first.
      const through = this.#checks.get(peer)?.through ?? 0;
      await this.#lookOn(peer, signed, asker);
      await this.#lookAgain(peer, asker, through);
      await asker.end();
    } catch (error) {
      asker.abort(asError(error));
      throw error;
    }
  }

  async #lookOn(peer: string, signed: SignedCount, asker: Asker): Promise<void> {
    for (;;) {
      const check = this.#checks.get(peer) ?? freshCheck();
      const room = hasRoomFor(check);
      if (check.through >= signed.messages || room === 0) return;
      const page = await asker.ask({ after: check.through, upTo: signed.messages });
      const items = await this.#withHere(page.items.slice(0, room));
      await this.#take(peer, { kind: 'page', from: page.from, before: page.before, items, signed });
    }
  }

  /** The owner has seen what is missing of this box, and lets it go; false where there is nothing. Rejects on disk trouble. */
  async settle(peer: string, former: boolean = false): Promise<boolean> {
    const before = this.#checks.get(peer);
    if (before === undefined) return false;
    await this.#take(peer, { kind: 'settle', former });
    return this.#checks.get(peer) !== before;
  }

  /** A friend's box is none any more. `messages`: what he had signed for by then. Rejects on disk trouble. */
  async left(peer: string, messages: number): Promise<void> {
    await this.#take(peer, { kind: 'left', messages });
  }

  /** Boxes of which something has not come, or cannot be told. */
  unsettled(): string[] {
    return [...this.#checks].flatMap(([peer, { pending, gaps }]) =>
      pending.length > 0 || gaps.length > 0 ? [peer] : [],
    );
  }

  /** Looks whether what had not come is here by now, and asks nobody. Rejects on disk trouble. */
  async lookHere(peer: string): Promise<void> {
    const here = new Set<number>();
    for (const { number, tags } of this.#checks.get(peer)?.pending ?? [])
      if (await this.#isHere(bytesOf(tags))) here.add(number);
    await this.#take(peer, { kind: 'looked', here, held: new Map() });
  }

  /**
   * How this box's receipts stand, undefined where it was never asked. `accepted`: by his newest signed word. What a former
   * friend holds is no reason to wait for it.
   */
  fact(
    peer: string,
    accepted: number,
    isFormer: (peer: string) => boolean = () => false,
  ): ReceiptFact | undefined {
    const known = [...this.#checks].map(([one, check]): [string, ReceiptCheck] => [
      one,
      isFormer(one)
        ? { ...check, pending: check.pending.map((pending) => ({ ...pending, held: false })) }
        : check,
    ]);
    const check = known.find(([one]) => one === peer)?.[1];
    return (
      check &&
      receiptFact(
        check,
        accepted,
        known.map(([, one]) => one),
      )
    );
  }

  /** At what was pending of the numbers up to `through`. */
  async #lookAgain(peer: string, asker: Asker, through: number): Promise<void> {
    const pending = (this.#checks.get(peer)?.pending ?? []).filter(({ number }) => number <= through);
    const here = new Set<number>();
    const isHere = (tags: readonly string[]): Promise<boolean> => this.#isHere(bytesOf(tags));
    for (const { number, tags } of pending) if (await isHere(tags)) here.add(number);
    const left = pending.filter(({ number }) => !here.has(number));
    const held = new Map<number, boolean>();
    const last = left.at(-1)?.number ?? 0;
    for (let after = (left[0]?.number ?? 1) - 1; after < last; ) {
      const page = await asker.ask({ after, upTo: last });
      if (page.items.length === 0) break;
      for (const [i, item] of page.items.entries()) {
        const asked = left.find(({ number }) => number === page.from + i);
        const isSame = asked?.tags.join(' ') === item.tags.map(toHex).join(' ');
        // Another message under the same number tells nothing of this one.
        if (isSame) held.set(page.from + i, item.held);
      }
      after = page.from + page.items.length - 1;
      const next = left.find(({ number }) => number > after);
      after = next === undefined ? last : next.number - 1;
    }
    // He keeps the number of whatever he holds, unless he lost his index: then what he lists tells. Asked once for each.
    const unknown = left.filter(({ number }) => !held.has(number));
    const listed = unknown.some((one) => one.held) ? await asker.list() : undefined;
    for (const { number, tags, held: before } of unknown)
      held.set(number, before && (listed === undefined || listed.has(tags)));
    // It may have come between his answer and this moment.
    for (const { number, tags } of left)
      if (held.get(number) === false && (await isHere(tags))) here.add(number);
    await this.#take(peer, { kind: 'looked', here, held });
  }

  /** Looked up after the friend has answered: whatever he does not hold any more was stored here before he let it go. */
  async #withHere(
    items: AcceptedPage['items'],
  ): Promise<(AcceptedPage['items'][number] & { here: boolean })[]> {
    const looked: (AcceptedPage['items'][number] & { here: boolean })[] = [];
    for (const item of items) looked.push({ ...item, here: await this.#isHere(item.tags) });
    return looked;
  }

  async #take(peer: string, input: ReceiptInput): Promise<void> {
    const before = this.#checks.get(peer) ?? freshCheck();
    const after = stepReceipt(before, input, Math.round(this.#clock.nowMs()), sha256);
    if (after !== before) await this.#store(peer, after);
  }

  async #store(peer: string, check: ReceiptCheck): Promise<void> {
    await this.#table.write([{ key: receiptRowKey(peer), value: encodeReceiptRow(check) }]);
    this.#checks.set(peer, check);
  }
}

const bytesOf = (tags: readonly string[]): Uint8Array[] =>
  tags.map((tag) => fromHex(tag) ?? new Uint8Array());

/** Asks one question after the other; a friend answers so many on one stream, then it opens the next. */
class Asker {
  readonly #open: () => Promise<FrameStream>;
  #stream: FrameStream | undefined;
  #asked = 0;

  constructor(open: () => Promise<FrameStream>) {
    this.#open = open;
  }

  async ask(range: { after: number; upTo: number }): Promise<AcceptedPage> {
    if (this.#asked >= questionsMax) {
      await this.end();
      this.#asked = 0;
    }
    this.#asked += 1;
    this.#stream ??= await this.#open();
    return await askAccepted(this.#stream, range);
  }

  /** What lies there for us: `has` is true of what is listed, and of everything where there is more than he lists. */
  async list(): Promise<{ has: (tags: readonly string[]) => boolean }> {
    this.#asked += 1;
    this.#stream ??= await this.#open();
    const { entries, count } = await askList(this.#stream);
    const all = new Set(entries.flatMap(({ tags }) => tags.map(toHex)));
    return { has: (tags) => count > entries.length || tags.every((tag) => all.has(tag)) };
  }

  async end(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    await stream?.end();
  }

  abort(reason: Error): void {
    this.#stream?.abort(reason);
  }
}
