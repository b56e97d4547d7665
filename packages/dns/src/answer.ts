import { concatBytes } from '@copain/core';
import { parseIpv4, parseIpv6 } from './address-text.ts';
import { AnswerCache, type EncodedAnswer } from './answer-cache.ts';
import type { AnswerCounts, Transport } from './answer-counts.ts';
import { ByteSlab } from './byte-slab.ts';
import { type CookieSecrets, judgeCookie, makeServerCookie } from './cookie.ts';
import type { Sha1 } from './denial.ts';
import {
  clientCookieBytes,
  EdnsOption,
  ExtendedError,
  emptyOptBytes,
  optionBytes,
  writeOpt,
} from './edns.ts';
import { encoded, failure } from './encoded-answer.ts';
import { messageBytesMax, tcpIdleMs, udpEdnsBytesMax, udpPlainBytesMax } from './limits.ts';
import { decodeQuery, Flag, type Incoming, type Question } from './message.ts';
import { type NameKey, nameKey } from './name.ts';
import { QueryView } from './query-view.ts';
import { networkOf, type RateLimiter } from './rate-limit.ts';
import { classChaos, classIn, Rcode, RecordType } from './record-types.ts';
import { emptyReply } from './reply.ts';
import { resolve, type ServedZone, type ServedZones } from './resolve.ts';
import { chaosReply, identityOctets, type ServerIdentity } from './server-identity.ts';

/** Who asks, how and when. Address as text without a zone; `nowMs` since 1970. */
export interface Asker {
  transport: Transport;
  address: string;
  nowMs: number;
}

/** What an answerer needs beside its zones. Secrets, limiter and counts outlive it: the same ones go to the next. */
export interface AnswererOptions {
  /** SHA-1 for NSEC3 proofs; fulfilled by `sha1` of the io side. */
  sha1: Sha1;
  identity?: ServerIdentity;
  /** undefined: cookies are ignored like any unknown option. */
  cookies?: CookieSecrets;
  limiter?: RateLimiter;
  counts?: AnswerCounts;
  /** Zones that are to be served and are not here yet: SERVFAIL, since REFUSED would send clients away for good. */
  awaited?: ReadonlySet<NameKey>;
}

/** Answers queries from one fixed set of zones. A new version of any of them means a new answerer. */
export interface Answerer {
  /** The answer in wire form, or undefined where none must be sent. Never throws, whatever the octets. */
  answer(query: Uint8Array, asker: Asker): Uint8Array | undefined;
  readonly zones: ServedZones;
}

/** Makes an answerer; costs nothing per record, so it may be made anew at every change. */
export function createAnswerer(zones: Iterable<ServedZone>, options: AnswererOptions): Answerer {
  return new CachingAnswerer(new Map([...zones].map((served) => [served.zone.originKey, served])), options);
}

/** Answers one query; for tests and tools. Servers keep an answerer. */
export function answerQuery(
  query: Uint8Array,
  options: AnswererOptions & { zones: Iterable<ServedZone> } & Partial<Asker> & { transport: Transport },
): Uint8Array | undefined {
  const { transport, address = '127.0.0.1', nowMs = 0 } = options;
  return createAnswerer(options.zones, options).answer(query, { transport, address, nowMs });
}

type Query = Extract<Incoming, { kind: 'query' }>;

class CachingAnswerer implements Answerer {
  readonly zones: ServedZones;
  readonly #options: AnswererOptions;
  readonly #nsid: Uint8Array | undefined;
  readonly #cache = new AnswerCache();
  readonly #view = new QueryView();
  readonly #slab = new ByteSlab();
  /** Of the query at hand: the options of its answer, and whether its sender cannot be forged. */
  #answerOptions: Uint8Array = noOptions;
  #isProven = false;
  #lastAddress: { text: string; octets: Uint8Array } = { text: '', octets: noOptions };

  constructor(zones: ServedZones, options: AnswererOptions) {
    this.zones = zones;
    this.#options = options;
    const { nsid } = options.identity ?? {};
    this.#nsid = nsid === undefined ? undefined : optionBytes(EdnsOption.nsid, identityOctets(nsid));
  }

  answer(bytes: Uint8Array, asker: Asker): Uint8Array | undefined {
    const view = this.#view;
    if (!view.read(bytes)) return this.#answerOdd(bytes, asker);
    this.#prepareOptions(bytes, asker);
    return this.#deliver(bytes, asker, this.#ordinary(bytes, asker));
  }

  /** From the cache where it can be: looked up as a whole first, which most answers fit in. */
  #ordinary(bytes: Uint8Array, asker: Asker): EncodedAnswer {
    const view = this.#view;
    const room = this.#room(asker);
    const listAny = view.type === RecordType.ANY && asker.transport === 'tcp';
    const mode = (view.dnssecOk ? 1 : 0) + (listAny ? 2 : 0);
    const whole = this.#cache.find(bytes, view.questionEnd, view.hash, mode);
    if (whole && whole.bytes.length <= room) return whole;
    const cut = this.#cache.find(bytes, view.questionEnd, view.hash, mode + 4 * room);
    return cut ?? this.#resolve(bytes, { mode, room, listAny });
  }

  #resolve(
    bytes: Uint8Array,
    { mode, room, listAny }: { mode: number; room: number; listAny: boolean },
  ): EncodedAnswer {
    const { questionEnd, type, dnssecOk, hash } = this.#view;
    const question = { name: bytes.slice(12, questionEnd - 4), type, class: classIn };
    const answer = this.#encode(question, { dnssec: dnssecOk, listAny }, messageBytesMax);
    if (answer.bytes.length <= room) {
      this.#cache.keep(answer, hash, mode);
      return answer;
    }
    const cut = this.#encode(question, { dnssec: dnssecOk, listAny }, room);
    this.#cache.keep(cut, hash, mode + 4 * room);
    return cut;
  }

  #encode(
    question: Question,
    { dnssec, listAny }: { dnssec: boolean; listAny: boolean },
    limitBytes: number,
  ): EncodedAnswer {
    const { sha1, awaited } = this.#options;
    const asked = { name: question.name, type: question.type, dnssec, listAny };
    const reply = resolve(this.zones, asked, { sha1, awaited });
    const truncated = reply === undefined ? Flag.truncated : 0;
    const flags = truncated | (reply?.authoritative === false ? 0 : Flag.authoritative);
    return encoded(reply ?? emptyReply(Rcode.noError), { flags, question, limitBytes });
  }

  /** Everything that is no ordinary query: answered without the cache. */
  #answerOdd(bytes: Uint8Array, asker: Asker): Uint8Array | undefined {
    const incoming = decodeQuery(bytes);
    if (incoming.kind === 'ignore') return undefined;
    const question = 'question' in incoming ? incoming.question : undefined;
    const edns = 'edns' in incoming ? incoming.edns : undefined;
    const questionEnd = question ? 12 + question.name.length + 4 : 12;
    this.#view.set({ questionEnd, type: question?.type ?? 0, edns });
    this.#prepareOptions(bytes, asker);
    switch (incoming.kind) {
      case 'malformed':
        return this.#deliver(bytes, asker, failure(Rcode.formErr, questionEnd));
      case 'other-opcode':
        return this.#deliver(bytes, asker, failure(Rcode.notImp, questionEnd, ExtendedError.notSupported));
      case 'cookie-only':
        return this.#deliver(bytes, asker, failure(Rcode.noError, questionEnd));
      case 'query':
        return this.#deliver(bytes, asker, this.#refusal(incoming, asker) ?? this.#uncached(incoming, asker));
    }
  }

  #uncached({ question, edns }: Query, asker: Asker): EncodedAnswer {
    const listAny = asker.transport === 'tcp';
    return this.#encode(question, { dnssec: edns?.dnssecOk ?? false, listAny }, this.#room(asker));
  }

  /** The answer to what is not looked up in zones at all, or undefined for ordinary questions. */
  #refusal({ edns, question, signed }: Query, { transport }: Asker): EncodedAnswer | undefined {
    const { questionEnd } = this.#view;
    if (edns && edns.version !== 0) return failure(Rcode.badVers, questionEnd);
    // RFC 8945 §5.2: the query is signed with a key that is not known here.
    if (signed) return failure(Rcode.notAuth, questionEnd);
    if (question.class === classChaos) return this.#chaos(question);
    if (question.class !== classIn) return failure(Rcode.refused, questionEnd, ExtendedError.notSupported);
    switch (question.type) {
      case RecordType.AXFR:
        // RFC 5936 §4.2: AXFR over UDP is not defined.
        if (transport === 'udp') return failure(Rcode.formErr, questionEnd);
        return failure(Rcode.refused, questionEnd, ExtendedError.prohibited);
      case RecordType.IXFR:
        return failure(Rcode.refused, questionEnd, ExtendedError.prohibited);
      case RecordType.OPT:
      case RecordType.TSIG:
      case RecordType.TKEY:
        return failure(Rcode.formErr, questionEnd);
      case RecordType.MAILA:
      case RecordType.MAILB:
        return failure(Rcode.notImp, questionEnd, ExtendedError.notSupported);
      default:
        return undefined;
    }
  }

  #chaos(question: Question): EncodedAnswer {
    const reply = chaosReply(question, this.#options.identity ?? {});
    if (!reply) return failure(Rcode.refused, this.#view.questionEnd, ExtendedError.notSupported);
    return encoded(reply, { flags: 0, question, limitBytes: udpPlainBytesMax });
  }

  /** Octets that the answer may have before its OPT record. */
  #room({ transport }: Asker): number {
    const { hasEdns, payloadBytes } = this.#view;
    if (transport === 'tcp')
      return messageBytesMax - (hasEdns ? emptyOptBytes + this.#answerOptions.length : 0);
    if (!hasEdns) return udpPlainBytesMax;
    const taken = Math.min(Math.max(payloadBytes, udpPlainBytesMax), udpEdnsBytesMax);
    return taken - emptyOptBytes - this.#answerOptions.length;
  }

  /** Finds what the options of the query at hand ask for. */
  #prepareOptions(bytes: Uint8Array, asker: Asker): void {
    const { asks, hasEdns } = this.#view;
    this.#isProven = asker.transport === 'tcp';
    this.#answerOptions = noOptions;
    if (!hasEdns || !(asks.cookieAt >= 0 || asks.nsid || asks.expire || asks.keepalive)) return;
    const options: Uint8Array[] = [];
    const { cookies } = this.#options;
    if (cookies && asks.cookieAt >= 0) options.push(this.#cookie(cookies, asker));
    if (asks.nsid && this.#nsid) options.push(this.#nsid);
    const expireS = asks.expire ? this.#expireS(bytes, asker.nowMs) : undefined;
    if (expireS !== undefined) options.push(optionBytes(EdnsOption.expire, u32Bytes(expireS)));
    // RFC 7828 §3.2.1: over UDP it is ignored.
    if (asks.keepalive && asker.transport === 'tcp') options.push(keepaliveOption);
    const [first] = options;
    this.#answerOptions = options.length === 1 && first ? first : concatBytes(...options);
  }

  #cookie(secrets: CookieSecrets, asker: Asker): Uint8Array {
    const { bytes, cookieAt, cookieLength } = this.#view.asks;
    const cookie = bytes.subarray(cookieAt, cookieAt + cookieLength);
    const nowS = Math.floor(asker.nowMs / 1000);
    const address = this.#octetsOf(asker.address);
    const worth = judgeCookie(secrets, cookie, { address, nowS });
    if (worth !== 'unknown') this.#isProven = true;
    if (worth === 'fresh') return optionBytes(EdnsOption.cookie, cookie);
    const clientCookie = cookie.subarray(0, clientCookieBytes);
    const made = makeServerCookie(secrets.current, { clientCookie, address }, nowS);
    return optionBytes(EdnsOption.cookie, clientCookie, made);
  }

  /** Queries of one client often come in a row. */
  #octetsOf(address: string): Uint8Array {
    if (address !== this.#lastAddress.text) {
      const octets = parseIpv4(address) ?? parseIpv6(address) ?? new Uint8Array();
      this.#lastAddress = { text: address, octets };
    }
    return this.#lastAddress.octets;
  }

  /** RFC 7314 §3: seconds until the zone expires here; of our own zones, what its SOA allows secondaries. */
  #expireS(bytes: Uint8Array, nowMs: number): number | undefined {
    const { type, questionEnd } = this.#view;
    if (type !== RecordType.SOA) return undefined;
    const served = this.zones.get(nameKey(bytes.subarray(12, questionEnd - 4)));
    if (!served || served.expired) return undefined;
    if (served.expiresAtMs === undefined) return served.zone.expireS;
    return Math.min(0xffff_ffff, Math.max(0, Math.floor((served.expiresAtMs - nowMs) / 1000)));
  }

  /** Sends an answer to the query at hand, if the rate of its network allows it. */
  #deliver(bytes: Uint8Array, asker: Asker, answer: EncodedAnswer): Uint8Array | undefined {
    const { limiter, counts } = this.#options;
    let sent = answer;
    if (!this.#isProven && limiter?.isOn) {
      const { kind } = answer;
      const verdict = limiter.judge(
        networkOf(asker.address),
        kind,
        this.#view.hash,
        answer.bytes.length,
        asker.nowMs,
      );
      if (verdict === 'drop') {
        counts?.addDropped();
        return undefined;
      }
      if (verdict === 'slip') {
        counts?.addSlipped();
        sent = this.#shortened(bytes, answer);
      }
    }
    counts?.add(asker.transport, sent.rcode);
    return this.#write(bytes, sent);
  }

  /** In place of a limited answer: BADCOOKIE where that helps (RFC 7873 §5.2.3), else a truncated one, never larger. */
  #shortened(query: Uint8Array, answer: EncodedAnswer): EncodedAnswer {
    const { questionEnd, asks } = this.#view;
    if (this.#options.cookies && asks.cookieAt >= 0) return failure(Rcode.badCookie, questionEnd);
    if (answer.bytes.length <= query.length) return answer;
    const short = failure(Rcode.noError, questionEnd);
    short.bytes[2] = (Flag.response | Flag.truncated) >> 8;
    return short;
  }

  /**
   * An encoded answer with this query's id, opcode, RD, CD (RFC 4035 §3.1.6) and spelling of the name (0x20), and with an
   * OPT (RFC 6891 §7); what else is set in the query is not sent back (RFC 8906 §3).
   */
  #write(query: Uint8Array, { bytes, questionEnd, rcode, extendedError }: EncodedAnswer): Uint8Array {
    const { hasEdns, dnssecOk } = this.#view;
    const options = this.#answerOptions;
    const withError = hasEdns && extendedError >= 0;
    const optionsLength = options.length + (withError ? 6 : 0);
    const length = bytes.length + (hasEdns ? emptyOptBytes + optionsLength : 0);
    const into = this.#slab.take(length);
    into.set(bytes);
    into[0] = query[0] ?? 0;
    into[1] = query[1] ?? 0;
    into[2] = (into[2] ?? 0) | ((query[2] ?? 0) & 0x79);
    into[3] = (into[3] ?? 0) | ((query[3] ?? 0) & Flag.checkingDisabled);
    for (let i = 12; i < questionEnd; i++) into[i] = query[i] ?? 0;
    if (!hasEdns) return into;
    const additional = (((into[10] ?? 0) << 8) | (into[11] ?? 0)) + 1;
    into[10] = additional >> 8;
    into[11] = additional & 255;
    const at = bytes.length;
    writeOpt(into, at, { payloadBytes: udpEdnsBytesMax, rcode, dnssecOk, optionsLength });
    into.set(options, at + emptyOptBytes);
    if (withError) {
      const errorAt = at + emptyOptBytes + options.length;
      into[errorAt + 1] = EdnsOption.extendedError;
      into[errorAt + 3] = 2;
      into[errorAt + 5] = extendedError;
    }
    return into;
  }
}

const noOptions = new Uint8Array();
const keepaliveOption = optionBytes(
  EdnsOption.keepalive,
  // RFC 7828 §3.1: in units of 100 ms.
  Uint8Array.of((tcpIdleMs / 100) >> 8, (tcpIdleMs / 100) & 255),
);
function u32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
