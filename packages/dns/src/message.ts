import { emptyAsks, readOptions } from './edns.ts';
import { messageBytesMax } from './limits.ts';
import { type DomainName, nameKey, parentKey, readName, rootName } from './name.ts';
import { expandRdata, splitRdata } from './rdata-wire.ts';
import { RecordType } from './record-types.ts';

/** Bits of the second header word (RFC 1035 §4.1.1, RFC 2535 §6.1). */
export const Flag: {
  readonly response: 0x8000;
  readonly authoritative: 0x0400;
  readonly truncated: 0x0200;
  readonly recursionDesired: 0x0100;
  readonly checkingDisabled: 0x0010;
} = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  checkingDisabled: 0x0010,
};

export interface Question {
  name: DomainName;
  type: number;
  class: number;
}

/** A record of a message. For OPT (RFC 6891 §6.1) class and TTL have meanings of their own. */
export interface MessageRecord {
  owner: DomainName;
  type: number;
  class: number;
  ttl: number;
  rdata: Uint8Array;
}

/** A whole message. `flags` is the second header word, with opcode and the low four bits of the rcode. */
export interface Message {
  id: number;
  flags: number;
  questions: Question[];
  answers: MessageRecord[];
  authority: MessageRecord[];
  additional: MessageRecord[];
}

/** EDNS as a query carries it (RFC 6891 §6.1.2). */
interface Edns {
  version: number;
  payloadBytes: number;
  dnssecOk: boolean;
  /** The options in wire form; well-formed where the version is 0. */
  options: Uint8Array;
}

/** The opcode in a flags word. */
function opcodeOf(flags: number): number {
  return (flags >> 11) & 15;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) * 65_536 + u16(bytes, at + 2);
}

function readQuestion(bytes: Uint8Array, at: number): { question: Question; next: number } | undefined {
  const read = readName(bytes, at);
  if (!read || read.next + 4 > bytes.length) return undefined;
  const question = { name: read.name, type: u16(bytes, read.next), class: u16(bytes, read.next + 2) };
  return { question, next: read.next + 4 };
}

function readRecord(bytes: Uint8Array, at: number): { record: MessageRecord; next: number } | undefined {
  const read = readName(bytes, at);
  if (!read || read.next + 10 > bytes.length) return undefined;
  const type = u16(bytes, read.next);
  const rdataAt = read.next + 10;
  const next = rdataAt + u16(bytes, read.next + 8);
  if (next > bytes.length) return undefined;
  // Updates (RFC 2136 §2.4) and questions about types use records without data; they are opaque, not malformed.
  const rdata = next === rdataAt ? new Uint8Array() : expandRdata(type, bytes, rdataAt, next);
  if (!rdata) return undefined;
  return {
    record: {
      owner: read.name,
      type,
      class: u16(bytes, read.next + 2),
      ttl: u32(bytes, read.next + 4),
      rdata,
    },
    next,
  };
}

/**
 * Takes a whole message apart, compressed names written out. Undefined for anything malformed: a length that does not
 * fit, a pointer that does not point back, octets left over.
 */
export function decodeMessage(bytes: Uint8Array): Message | undefined {
  if (bytes.length < 12 || bytes.length > messageBytesMax) return undefined;
  const message: Message = {
    id: u16(bytes, 0),
    flags: u16(bytes, 2),
    questions: [],
    answers: [],
    authority: [],
    additional: [],
  };
  let at = 12;
  for (let left = u16(bytes, 4); left > 0; left--) {
    const read = readQuestion(bytes, at);
    if (!read) return undefined;
    message.questions.push(read.question);
    at = read.next;
  }
  for (const [section, countAt] of [
    [message.answers, 6],
    [message.authority, 8],
    [message.additional, 10],
  ] as const) {
    for (let left = u16(bytes, countAt); left > 0; left--) {
      const read = readRecord(bytes, at);
      if (!read) return undefined;
      section.push(read.record);
      at = read.next;
    }
  }
  return at === bytes.length ? message : undefined;
}

/**
 * What a server makes of an incoming message. `ignore`: no answer, lest two servers answer each other for ever (a
 * response, or too short to have a header). `malformed`: FORMERR, with the question and the OPT as far as they could be
 * read. `other-opcode`: NOTIMP. `cookie-only`: no question, a cookie is asked for (RFC 7873 §5.4).
 */
export type Incoming =
  | { kind: 'ignore' }
  | { kind: 'other-opcode'; id: number; flags: number; edns: Edns | undefined }
  | { kind: 'malformed'; id: number; flags: number; question?: Question; edns?: Edns | undefined }
  | { kind: 'cookie-only'; id: number; flags: number; edns: Edns }
  | { kind: 'query'; id: number; flags: number; question: Question; edns: Edns | undefined; signed: boolean };

/**
 * Reads a query: exactly one question (RFC 9619), at most one OPT (RFC 6891 §6.1.1), a TSIG only at the end (RFC 8945
 * §5.1), nothing behind the last record.
 */
export function decodeQuery(bytes: Uint8Array): Incoming {
  if (bytes.length < 12) return { kind: 'ignore' };
  const id = u16(bytes, 0);
  const flags = u16(bytes, 2);
  if (flags & Flag.response) return { kind: 'ignore' };
  if (opcodeOf(flags) !== 0) return { kind: 'other-opcode', id, flags, edns: anyEdns(bytes) };
  const malformed: Incoming = { kind: 'malformed', id, flags };
  if (u16(bytes, 4) === 0) return withoutQuestion(bytes, malformed);
  if (u16(bytes, 4) !== 1 || u16(bytes, 6) !== 0) return malformed;
  const asked = readQuestion(bytes, 12);
  // The first name of a message has nothing to point to.
  if (!asked || asked.next !== 12 + asked.question.name.length + 4) return malformed;
  const { question } = asked;
  const authorityCount = u16(bytes, 8);
  if (authorityCount > (question.type === RecordType.IXFR ? 1 : 0)) return { ...malformed, question };
  const read = readAdditional(bytes, asked.next, { authorityCount, count: authorityCount + u16(bytes, 10) });
  return read.ok
    ? { kind: 'query', id, flags, question, edns: read.edns, signed: read.signed }
    : { ...malformed, question, edns: read.edns };
}

/** The OPT of a message of any opcode, so that the answer has one too (RFC 6891 §6.1.1). */
function anyEdns(bytes: Uint8Array): Edns | undefined {
  const opt = decodeMessage(bytes)?.additional.find(({ type }) => type === RecordType.OPT);
  return (
    opt && {
      version: (opt.ttl >> 16) & 255,
      payloadBytes: opt.class,
      dnssecOk: (opt.ttl & 0x8000) !== 0,
      options: new Uint8Array(),
    }
  );
}

/** RFC 7873 §5.4, RFC 9619 §4: a query without a question asks for a cookie, or is malformed. */
function withoutQuestion(bytes: Uint8Array, malformed: Extract<Incoming, { kind: 'malformed' }>): Incoming {
  const onlyAdditional = u16(bytes, 6) === 0 && u16(bytes, 8) === 0;
  const read = readAdditional(bytes, 12, { authorityCount: 0, count: u16(bytes, 10) });
  const asks = emptyAsks();
  if (!onlyAdditional || !read.ok || !read.edns || read.edns.version !== 0) return malformed;
  readOptions(read.edns.options, 0, read.edns.options.length, asks);
  return asks.cookieAt < 0 ? malformed : { ...malformed, kind: 'cookie-only', edns: read.edns };
}

/** What stands behind the question of a query. `edns` is the first OPT also where something else is wrong. */
function readAdditional(
  bytes: Uint8Array,
  start: number,
  { authorityCount, count }: { authorityCount: number; count: number },
): { ok: boolean; edns: Edns | undefined; signed: boolean } {
  let at = start;
  let edns: Edns | undefined;
  let signed = false;
  const asks = emptyAsks();
  for (let i = 0; i < count; i++) {
    const read = readRecord(bytes, at);
    if (!read || signed) return { ok: false, edns, signed };
    at = read.next;
    const { type, owner, ttl, rdata, class: payloadBytes } = read.record;
    if (type === RecordType.TSIG) signed = true;
    if (type !== RecordType.OPT) continue;
    if (edns || i < authorityCount || owner.length !== 1) return { ok: false, edns, signed };
    const version = (ttl >> 16) & 255;
    edns = { version, payloadBytes, dnssecOk: (ttl & 0x8000) !== 0, options: rdata };
    if (version !== 0 || readOptions(rdata, 0, rdata.length, asks)) continue;
    return { ok: false, edns: { ...edns, options: new Uint8Array() }, signed };
  }
  return { ok: at === bytes.length, edns, signed };
}

/** A place to go back to when what was written since does not fit. */
export interface WriterMark {
  length: number;
  names: number;
}

/**
 * Writes one message of at most `limitBytes`, compressing names (RFC 1035 §4.1.4). A write that does not fit returns
 * false and may leave half of itself behind: take a mark before and go back to it.
 */
export class MessageWriter {
  readonly #limitBytes: number;
  readonly #keepCase: boolean;
  #bytes: Uint8Array;
  #length = 12;
  readonly #offsets = new Map<string, number>();
  readonly #keys: string[] = [];

  /** `keepCase` false also points at names in other case, as answers do to spell names like the question (0x20). */
  constructor({
    limitBytes = messageBytesMax,
    keepCase = false,
  }: { limitBytes?: number; keepCase?: boolean } = {}) {
    this.#limitBytes = limitBytes;
    this.#keepCase = keepCase;
    this.#bytes = new Uint8Array(Math.min(limitBytes, 2048));
  }

  mark(): WriterMark {
    return { length: this.#length, names: this.#keys.length };
  }

  backTo(mark: WriterMark): void {
    this.#length = mark.length;
    for (const key of this.#keys.splice(mark.names)) this.#offsets.delete(key);
  }

  #room(count: number): boolean {
    const needed = this.#length + count;
    if (needed > this.#limitBytes) return false;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.min(this.#limitBytes, Math.max(needed, this.#bytes.length * 2)));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return true;
  }

  #u16(value: number): void {
    this.#bytes[this.#length++] = value >> 8;
    this.#bytes[this.#length++] = value & 255;
  }

  #octets(octets: Uint8Array): boolean {
    if (!this.#room(octets.length)) return false;
    this.#bytes.set(octets, this.#length);
    this.#length += octets.length;
    return true;
  }

  /** Writes a name. `pack` false writes it out in full, but later names may still point into it. */
  #name(name: DomainName, pack: boolean): boolean {
    let key = this.#keepCase ? String.fromCharCode(...name) : nameKey(name);
    let at = 0;
    while (key.length > 1) {
      const known = pack ? this.#offsets.get(key) : undefined;
      if (known !== undefined) {
        if (!this.#room(2)) return false;
        this.#u16(0xc000 | known);
        return true;
      }
      if (this.#length < 0x4000 && !this.#offsets.has(key)) {
        this.#offsets.set(key, this.#length);
        this.#keys.push(key);
      }
      const size = (name[at] ?? 0) + 1;
      if (!this.#octets(name.subarray(at, at + size))) return false;
      at += size;
      key = parentKey(key);
    }
    return this.#octets(rootName);
  }

  question(question: Question): boolean {
    if (!this.#name(question.name, true) || !this.#room(4)) return false;
    this.#u16(question.type);
    this.#u16(question.class);
    return true;
  }

  /** Writes a record as it is. Rdata that is not what its type consists of is written as opaque octets. */
  record(record: MessageRecord): boolean {
    if (!this.#name(record.owner, true) || !this.#room(10)) return false;
    this.#u16(record.type);
    this.#u16(record.class);
    this.#u16(Math.floor(record.ttl / 65_536));
    this.#u16(record.ttl & 0xffff);
    const lengthAt = this.#length;
    this.#length += 2;
    if (!this.#rdata(record)) return false;
    const length = this.#length - lengthAt - 2;
    this.#bytes[lengthAt] = length >> 8;
    this.#bytes[lengthAt + 1] = length & 255;
    return true;
  }

  #rdata({ type, rdata }: MessageRecord): boolean {
    const parts = rdata.length === 0 ? undefined : splitRdata(type, rdata, 0, rdata.length);
    if (!parts) return this.#octets(rdata);
    return parts.every((part) =>
      part.kind === 'octets' ? this.#octets(part.bytes) : this.#name(part.bytes, part.kind === 'name-packed'),
    );
  }

  /** The message with its header. The counts are those of the four sections in order. */
  finish(id: number, flags: number, counts: readonly [number, number, number, number]): Uint8Array {
    const view = new DataView(this.#bytes.buffer);
    view.setUint16(0, id);
    view.setUint16(2, flags);
    for (const [index, count] of counts.entries()) view.setUint16(4 + 2 * index, count);
    return this.#bytes.slice(0, this.#length);
  }
}

/** A whole message in wire form, compressed; undefined where it would pass `limitBytes`. */
export function encodeMessage(
  message: Message,
  limitBytes: number = messageBytesMax,
): Uint8Array | undefined {
  const writer = new MessageWriter({ limitBytes, keepCase: true });
  const { questions, answers, authority, additional } = message;
  const fits =
    questions.every((question) => writer.question(question)) &&
    [...answers, ...authority, ...additional].every((record) => writer.record(record));
  if (!fits) return undefined;
  return writer.finish(message.id, message.flags, [
    questions.length,
    answers.length,
    authority.length,
    additional.length,
  ]);
}
