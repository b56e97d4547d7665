import { concatBytes, toUtf8 } from '@copain/core';
import type { Sha1 } from './denial.ts';
import { cachedAnswersMax, messageBytesMax, udpEdnsBytesMax, udpPlainBytesMax } from './limits.ts';
import { foldedText } from './lookup.ts';
import { decodeQuery, type Edns, Flag, type Incoming } from './message.ts';
import { keyToName, nameKey, nameOf } from './name.ts';
import { classChaos, classIn, Rcode, RecordType } from './record-types.ts';
import { emptyReply, type Reply, type ReplyForm, type ReplyRRset, writeReply } from './reply.ts';
import { resolve, type ServedZone, type ServedZones } from './resolve.ts';
import type { RRset } from './zone.ts';

/** How a query came. It decides how long an answer may be. */
export type Transport = 'udp' | 'tcp';

/** What an answerer needs beside its zones. */
export interface AnswererOptions {
  /** SHA-1 for NSEC3 proofs; fulfilled by `sha1` of the io side. */
  sha1: Sha1;
  /** What CHAOS TXT queries for `version.bind` and `hostname.bind` are told (RFC 4892); undefined: REFUSED. */
  chaos?: { version?: string; hostname?: string };
}

/** Answers queries from one fixed set of zones. A new version of any of them means a new answerer. */
export interface Answerer {
  /** The answer in wire form, or undefined where none must be sent. Never throws, whatever the octets. */
  answer(query: Uint8Array, transport: Transport): Uint8Array | undefined;
  readonly zones: ServedZones;
}

/** Makes an answerer; costs nothing per record, so it may be made anew at every change. */
export function createAnswerer(zones: Iterable<ServedZone>, options: AnswererOptions): Answerer {
  return new CachingAnswerer(new Map([...zones].map((served) => [served.zone.originKey, served])), options);
}

/** Answers one query; for tests and tools. Servers keep an answerer. */
export function answerQuery(
  query: Uint8Array,
  options: AnswererOptions & { zones: Iterable<ServedZone>; transport: Transport },
): Uint8Array | undefined {
  return createAnswerer(options.zones, options).answer(query, options.transport);
}

type Query = Extract<Incoming, { kind: 'query' }>;

/** RFC 8945 §5.2: the query is signed with a key that is not known here. */
const notAuth = 9;

class CachingAnswerer implements Answerer {
  readonly zones: ServedZones;
  readonly #options: AnswererOptions;
  readonly #cache = new Map<string, Uint8Array>();

  constructor(zones: ServedZones, options: AnswererOptions) {
    this.zones = zones;
    this.#options = options;
  }

  answer(bytes: Uint8Array, transport: Transport): Uint8Array | undefined {
    const incoming = decodeQuery(bytes);
    switch (incoming.kind) {
      case 'ignore':
        return undefined;
      case 'malformed':
        return failure(incoming, Rcode.formErr);
      case 'other-opcode':
        return failure(incoming, Rcode.notImp);
      case 'query':
        return this.#answerQuery(bytes, incoming, transport);
    }
  }

  #answerQuery(bytes: Uint8Array, query: Query, transport: Transport): Uint8Array {
    const { edns, question } = query;
    const limitBytes = transport === 'tcp' ? messageBytesMax : udpLimit(edns);
    const form: ReplyForm = {
      id: query.id,
      flags: replyFlags(query.flags),
      question,
      limitBytes,
      edns: edns && { payloadBytes: udpEdnsBytesMax, dnssecOk: edns.dnssecOk },
    };
    const refusal = this.#refusal(query, transport);
    if (refusal !== undefined) return writeReply(refusal, form);
    const end = 12 + question.name.length + 4;
    const listAny = transport === 'tcp';
    const mode =
      (edns ? 1 : 0) + (edns?.dnssecOk ? 2 : 0) + (listAny && question.type === RecordType.ANY ? 4 : 0);
    const key = `${mode}${foldedText(bytes, 12, end)}`;
    const cached = this.#cache.get(key);
    if (cached && cached.length <= limitBytes) return personalized(cached, bytes, end, form);
    const reply = resolve(
      this.zones,
      { name: question.name, type: question.type, dnssec: edns?.dnssecOk ?? false, listAny },
      this.#options.sha1,
    );
    if (!reply) return writeReply(emptyReply(Rcode.noError), { ...form, flags: form.flags | Flag.truncated });
    if (reply.authoritative) form.flags |= Flag.authoritative;
    const whole = writeReply(reply, { ...form, limitBytes: messageBytesMax });
    if (whole.length > limitBytes) return writeReply(reply, form);
    this.#keep(key, whole);
    return whole;
  }

  /** Bounded by starting anew: the hot names are back within as many queries. */
  #keep(key: string, answer: Uint8Array): void {
    if (this.#cache.size >= cachedAnswersMax) this.#cache.clear();
    this.#cache.set(key, answer);
  }

  /** The reply to what is not looked up in zones at all, or undefined for ordinary questions. */
  #refusal({ edns, question, signed }: Query, transport: Transport): Reply | undefined {
    if (edns && edns.version !== 0) return emptyReply(Rcode.badVers);
    if (signed) return emptyReply(notAuth);
    if (question.class === classChaos) return this.#chaos(question.type, nameKey(question.name));
    if (question.class !== classIn) return emptyReply(Rcode.refused);
    switch (question.type) {
      case RecordType.AXFR:
      case RecordType.IXFR:
        // RFC 5936 §4.2: AXFR over UDP is not defined. Transfers are only for those listed.
        return emptyReply(
          transport === 'udp' && question.type === RecordType.AXFR ? Rcode.formErr : Rcode.refused,
        );
      case RecordType.OPT:
      case RecordType.TSIG:
      case RecordType.TKEY:
        return emptyReply(Rcode.formErr);
      case RecordType.MAILA:
      case RecordType.MAILB:
        return emptyReply(Rcode.notImp);
      default:
        return undefined;
    }
  }

  #chaos(type: number, key: string): Reply {
    const { version, hostname } = this.#options.chaos ?? {};
    const text = versionKeys.has(key) ? version : hostnameKeys.has(key) ? hostname : undefined;
    if (text === undefined || type !== RecordType.TXT) return emptyReply(Rcode.refused);
    return { ...emptyReply(Rcode.noError), answer: [chaosText(key, text)] };
  }
}

const versionKeys = new Set(['version.bind.', 'version.server.'].map((name) => nameKey(nameOf(name))));
const hostnameKeys = new Set(['hostname.bind.', 'id.server.'].map((name) => nameKey(nameOf(name))));

function chaosText(key: string, text: string): ReplyRRset {
  const octets = toUtf8(text).subarray(0, 255);
  const rdata = concatBytes(Uint8Array.of(octets.length), octets);
  const rrset: RRset = { type: RecordType.TXT, ttl: 0, rdatas: [rdata], signatures: [], signatureTtl: 0 };
  return { owner: keyToName(key), rrset, signed: false };
}

function udpLimit(edns: Edns | undefined): number {
  return edns ? Math.min(Math.max(edns.payloadBytes, udpPlainBytesMax), udpEdnsBytesMax) : udpPlainBytesMax;
}

/** QR set; opcode, RD and CD as asked (RFC 1035 §4.1.1, RFC 4035 §3.1.6); RA, AD and the rest clear. */
function replyFlags(flags: number): number {
  return Flag.response | (flags & (0x7800 | Flag.recursionDesired | Flag.checkingDisabled));
}

/** A header without sections, for what could not be read or is not done here. */
function failure(incoming: { id: number; flags: number }, rcode: number): Uint8Array {
  const form = {
    id: incoming.id,
    flags: replyFlags(incoming.flags),
    question: undefined,
    limitBytes: 12,
    edns: undefined,
  };
  return writeReply(emptyReply(rcode), form);
}

/** A cached answer with this query's id, flags and spelling of the name (0x20), which later names may point into. */
function personalized(cached: Uint8Array, query: Uint8Array, end: number, form: ReplyForm): Uint8Array {
  const answer = cached.slice();
  answer[0] = form.id >> 8;
  answer[1] = form.id & 255;
  const flags =
    (((cached[2] ?? 0) << 8) | (cached[3] ?? 0)) & ~(Flag.recursionDesired | Flag.checkingDisabled);
  const own = flags | form.flags;
  answer[2] = own >> 8;
  answer[3] = own & 255;
  answer.set(query.subarray(12, end), 12);
  return answer;
}
