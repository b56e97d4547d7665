import { cachedAnswerBytesMax, cachedAnswersBytesMax, cachedAnswersMax } from './limits.ts';

/**
 * One answer as it was encoded: no OPT record, id 0, RD and CD clear; the question in the spelling of whoever asked
 * first. `rcode` is the extended one, `extendedError` the INFO-CODE of RFC 8914 or -1.
 */
export interface EncodedAnswer {
  bytes: Uint8Array;
  questionEnd: number;
  kind: number;
  rcode: number;
  extendedError: number;
}

interface Cached {
  answer: EncodedAnswer;
  mode: number;
}

/** A-Z to a-z, every other octet to itself (RFC 4343); a table, since this runs over every octet of every question. */
export const foldTable: Uint8Array = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet,
);

/**
 * Encoded answers of one set of zone versions, under the question (the name folded) and a `mode`, a number for
 * everything else that the answer depends on. Of two questions with one hash the later stays.
 */
export class AnswerCache {
  readonly #answers = new Map<number, Cached>();
  #bytes = 0;

  /** `query` is any message with this question, which stands from octet 12 to `questionEnd`; `hash` is its hash. */
  find(query: Uint8Array, questionEnd: number, hash: number, mode: number): EncodedAnswer | undefined {
    const cached = this.#answers.get(slotOf(hash, mode));
    if (!cached || cached.mode !== mode || cached.answer.questionEnd !== questionEnd) return undefined;
    return sameQuestion(cached.answer.bytes, query, questionEnd) ? cached.answer : undefined;
  }

  /** Bounded by starting anew: the hot names are back within as many queries. */
  keep(answer: EncodedAnswer, hash: number, mode: number): void {
    if (answer.bytes.length > cachedAnswerBytesMax) return;
    const full = this.#answers.size >= cachedAnswersMax || this.#bytes > cachedAnswersBytesMax;
    if (full) {
      this.#answers.clear();
      this.#bytes = 0;
    }
    this.#bytes += answer.bytes.length;
    this.#answers.set(slotOf(hash, mode), { answer, mode });
  }
}

function slotOf(hash: number, mode: number): number {
  return (hash ^ Math.imul(mode, 0x9e3779b1)) | 0;
}

/** Names alike but for case; type and class octet by octet. */
function sameQuestion(a: Uint8Array, b: Uint8Array, questionEnd: number): boolean {
  const nameEnd = questionEnd - 4;
  for (let i = 12; i < questionEnd; i++) {
    const one = a[i] ?? 0;
    const other = b[i] ?? 0;
    if (one !== other && (i >= nameEnd || foldTable[one] !== foldTable[other])) return false;
  }
  return true;
}
