import { answerSlabBytes } from './limits.ts';

/** Hands out pieces of larger arrays, each piece once: asking for memory for every answer costs more than writing it. */
export class ByteSlab {
  #slab = new Uint8Array(answerSlabBytes);
  #used = 0;

  /** Zeroed octets that nobody else holds. */
  take(length: number): Uint8Array {
    if (length > answerSlabBytes / 8) return new Uint8Array(length);
    if (this.#used + length > answerSlabBytes) {
      this.#slab = new Uint8Array(answerSlabBytes);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += length;
    return this.#slab.subarray(at, at + length);
  }
}
