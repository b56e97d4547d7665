import { rcodeToText } from './record-types.ts';

/** How a query came. */
export type Transport = 'udp' | 'tcp';

/** Extended rcodes that are counted apart; higher ones are never sent. */
const rcodes = 32;

/** How many answers of each rcode went out, and what rate limiting did; counting allocates nothing. */
export class AnswerCounts {
  readonly #answers = new Float64Array(2 * rcodes);
  /** Answers shortened, or left out, because a network asks too much. */
  slipped = 0;
  dropped = 0;

  add(transport: Transport, rcode: number): void {
    const at = (transport === 'tcp' ? rcodes : 0) + rcode;
    this.#answers[at] = (this.#answers[at] ?? 0) + 1;
  }

  /** Only what occurred. */
  list(): { rcode: string; transport: Transport; count: number }[] {
    return [...this.#answers].flatMap((count, at) =>
      count === 0
        ? []
        : [
            {
              rcode: rcodeToText(at % rcodes),
              transport: at < rcodes ? ('udp' as const) : ('tcp' as const),
              count,
            },
          ],
    );
  }
}
