import { foldTable } from './answer-cache.ts';
import { type EdnsAsks, emptyAsks, readOptions } from './edns.ts';
import { labelBytesMax, nameBytesMax } from './limits.ts';
import { classIn, RecordType } from './record-types.ts';

/** FNV-1a, 32 bits. */
const hashSeed = 0x811c9dc5;
const hashPrime = 0x01000193;

/** Types from here to ANY are asked for by queries that are answered in ways of their own (RFC 6895 §3.1). */
const firstMetaType: number = RecordType.TKEY;

/**
 * What answering needs to know of an ordinary query, read without allocating: one view serves query after query, and
 * its fields hold until the next `read`. Whatever is not ordinary is left to `decodeQuery`.
 */
export class QueryView {
  /** The question stands from octet 12 to here. */
  questionEnd = 0;
  type = 0;
  /** Of the question with its name folded. */
  hash = 0;
  hasEdns = false;
  dnssecOk = false;
  payloadBytes = 0;
  readonly asks: EdnsAsks = emptyAsks();

  /**
   * True for a query of opcode QUERY with one question of class IN and no meta type but ANY, followed by nothing or by
   * one OPT of version 0 (RFC 6891 §6.1.2).
   */
  read(bytes: Uint8Array): boolean {
    const length = bytes.length;
    if (length < 17 || ((bytes[2] ?? 0) & 0xf8) !== 0) return false;
    const additional = bytes[11] ?? 0;
    if (bytes[4] !== 0 || bytes[5] !== 1 || bytes[6] !== 0 || bytes[7] !== 0) return false;
    if (bytes[8] !== 0 || bytes[9] !== 0 || bytes[10] !== 0 || additional > 1) return false;
    let at = 12;
    let hash = hashSeed;
    for (;;) {
      const size = bytes[at] ?? 0;
      hash = Math.imul(hash ^ size, hashPrime);
      at++;
      if (size === 0) break;
      const end = at + size;
      if (size > labelBytesMax || end - 12 >= nameBytesMax || end >= length) return false;
      for (; at < end; at++) hash = Math.imul(hash ^ (foldTable[bytes[at] ?? 0] ?? 0), hashPrime);
    }
    if (at + 4 > length) return false;
    const type = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    if (bytes[at + 2] !== 0 || bytes[at + 3] !== classIn) return false;
    if (type === RecordType.OPT || (type >= firstMetaType && type < RecordType.ANY)) return false;
    this.type = type;
    this.hash = Math.imul(Math.imul(hash ^ (type >> 8), hashPrime) ^ (type & 255), hashPrime);
    this.questionEnd = at + 4;
    return this.#readOpt(bytes, additional);
  }

  #readOpt(bytes: Uint8Array, count: number): boolean {
    const at = this.questionEnd;
    this.hasEdns = count === 1;
    this.dnssecOk = false;
    if (count === 0) {
      this.asks.cookieAt = -1;
      return at === bytes.length;
    }
    const isOpt = bytes[at] === 0 && bytes[at + 1] === 0 && bytes[at + 2] === RecordType.OPT;
    if (!isOpt || at + 11 > bytes.length || bytes[at + 6] !== 0) return false;
    this.payloadBytes = ((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0);
    this.dnssecOk = ((bytes[at + 7] ?? 0) & 0x80) !== 0;
    const end = at + 11 + (((bytes[at + 9] ?? 0) << 8) | (bytes[at + 10] ?? 0));
    return end === bytes.length && readOptions(bytes, at + 11, end, this.asks);
  }

  /** Takes over what `decodeQuery` read from a query that is not ordinary. */
  set(from: {
    questionEnd: number;
    type: number;
    edns: { payloadBytes: number; dnssecOk: boolean; options: Uint8Array } | undefined;
  }): void {
    const { edns } = from;
    this.questionEnd = from.questionEnd;
    this.type = from.type;
    this.hash = 0;
    this.hasEdns = edns !== undefined;
    this.dnssecOk = edns?.dnssecOk ?? false;
    this.payloadBytes = edns?.payloadBytes ?? 0;
    this.asks.cookieAt = -1;
    if (edns) readOptions(edns.options, 0, edns.options.length, this.asks);
  }
}
