import { rcodeToText } from './record-types.ts';

/** How a query came. */
export type Transport = 'udp' | 'tcp';

/** Extended rcodes that are counted apart; higher ones are never sent. */
const rcodes = 32;
const slippedAt = 2 * rcodes;
const droppedAt = slippedAt + 1;

/** Octets that the counts take, where several threads are to see them. */
export const answerCountsBytes: number = 8 * (droppedAt + 1);

/** How many answers of each rcode went out, and what rate limiting did; counting allocates nothing. */
export class AnswerCounts {
  readonly #counts: Float64Array;

  /** `memory`, if given, may be read by other threads; only one may count in it. */
  constructor(memory: ArrayBufferLike = new ArrayBuffer(answerCountsBytes)) {
    this.#counts = new Float64Array(memory);
  }

  add(transport: Transport, rcode: number): void {
    this.#increase((transport === 'tcp' ? rcodes : 0) + rcode);
  }

  /** An answer was shortened because its network asks too much. */
  addSlipped(): void {
    this.#increase(slippedAt);
  }

  /** An answer was left out because its network asks too much. */
  addDropped(): void {
    this.#increase(droppedAt);
  }

  #increase(at: number): void {
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  get slipped(): number {
    return this.#counts[slippedAt] ?? 0;
  }

  get dropped(): number {
    return this.#counts[droppedAt] ?? 0;
  }

  /** Only what occurred, here and in `others`. */
  list(others: readonly AnswerCounts[] = []): { rcode: string; transport: Transport; count: number }[] {
    return Array.from({ length: 2 * rcodes }, (_, at) => {
      const count = [this, ...others].reduce((sum, one) => sum + (one.#counts[at] ?? 0), 0);
      const transport: Transport = at < rcodes ? 'udp' : 'tcp';
      return { rcode: rcodeToText(at % rcodes), transport, count };
    }).filter(({ count }) => count > 0);
  }
}
