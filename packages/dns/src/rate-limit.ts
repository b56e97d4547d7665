import {
  answerUnitBytes,
  limitedNetworksMax,
  limitedPerSlip,
  loopbackRateFactor,
  loopbackUnitBytes,
} from './limits.ts';

/** What kinds of answers are counted apart, so that a flood of one kind leaves the others. */
export const AnswerKind: { readonly data: 0; readonly noData: 1; readonly failure: 2 } = {
  data: 0,
  noData: 1,
  failure: 2,
};

/** What happens to an answer: sent; sent as a short one that sends the client to TCP; not sent. */
export type RateVerdict = 'send' | 'slip' | 'drop';

/** Entries of the table that a network may stand in. */
const ways = 4;

/** Octets of memory that a limiter for so many networks needs. */
export function rateLimiterBytes(networks: number): number {
  return 21 * ways * Math.max(1, Math.floor(networks / ways));
}

/**
 * Response rate limiting: a token bucket for each network and kind of answer, in a table of fixed size. A bucket holds
 * the tokens of one second; an answer takes one for each 128 octets begun. Who cannot be forged (TCP, a valid cookie)
 * is never asked about. Time is given; a clock that goes back costs nobody anything.
 */
export class RateLimiter {
  readonly #perSecond: number;
  readonly #sets: number;
  readonly #tokens: Float64Array;
  readonly #atMs: Float64Array;
  readonly #tags: Int32Array;
  readonly #limited: Uint8Array;

  /**
   * `perSecond` 0 limits nothing. `memory`, as large as `rateLimiterBytes` says, may be shared between threads: what
   * they write at the same instant may be lost, which is an answer more or less.
   */
  constructor(
    perSecond: number,
    networks: number = limitedNetworksMax,
    memory: ArrayBufferLike = new ArrayBuffer(perSecond > 0 ? rateLimiterBytes(networks) : 0),
  ) {
    this.#perSecond = perSecond;
    this.#sets = Math.max(1, Math.floor(networks / ways));
    const size = perSecond > 0 ? this.#sets * ways : 0;
    this.#tokens = new Float64Array(memory, 0, size);
    this.#atMs = new Float64Array(memory, 8 * size, size);
    this.#tags = new Int32Array(memory, 16 * size, size);
    this.#limited = new Uint8Array(memory, 20 * size, size);
  }

  get isOn(): boolean {
    return this.#perSecond > 0;
  }

  /**
   * May an answer of `sizeBytes` go to this client now? `question` is a hash of what was asked: from loopback it
   * stands in place of the kind, since there only repeats of one question are a flood. (Five numbers and no object:
   * this runs once a query.)
   */
  judge(network: number, kind: number, question: number, sizeBytes: number, nowMs: number): RateVerdict {
    const local = network === loopbackNetwork;
    const perSecond = local ? this.#perSecond * loopbackRateFactor : this.#perSecond;
    const tag = mixed(local ? question : network + kind);
    const at = this.#bucket(tag, perSecond, nowMs);
    const left =
      (this.#tokens[at] ?? 0) - 1 - Math.floor(sizeBytes / (local ? loopbackUnitBytes : answerUnitBytes));
    if (left >= 0) {
      this.#tokens[at] = left;
      return 'send';
    }
    const limited = (this.#limited[at] ?? 0) + 1;
    this.#limited[at] = limited % limitedPerSlip;
    return limited === limitedPerSlip ? 'slip' : 'drop';
  }

  /** The bucket of a tag, filled up to now; a new one takes the place of the fullest, which limits nobody. */
  #bucket(tag: number, perSecond: number, nowMs: number): number {
    const first = ((tag >>> 0) % this.#sets) * ways;
    let fullest = first;
    let most = -1;
    for (let at = first; at < first + ways; at++) {
      const since = nowMs - (this.#atMs[at] ?? 0);
      const gained = since > 0 ? (since * perSecond) / 1000 : 0;
      const tokens = Math.min(perSecond, (this.#tokens[at] ?? 0) + gained);
      if (this.#tags[at] === tag && this.#atMs[at] !== 0) {
        this.#tokens[at] = tokens;
        this.#atMs[at] = nowMs;
        return at;
      }
      if (tokens > most) {
        most = tokens;
        fullest = at;
      }
    }
    this.#tags[fullest] = tag;
    this.#tokens[fullest] = perSecond;
    this.#atMs[fullest] = nowMs;
    this.#limited[fullest] = 0;
    return fullest;
  }
}

/** Spreads close numbers over all bits (the finalizer of MurmurHash3). */
function mixed(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Stands for 127/8 and ::1. */
export const loopbackNetwork = -1;

/**
 * The network of an address as a number, a multiple of four, with room for the kinds: the /24 of an IPv4 address, the
 * /56 of an IPv6 address as a hash. Reads the text without taking it apart: this runs once a query.
 */
export function networkOf(address: string): number {
  let octets = 0;
  let value = 0;
  let network = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === colon) return network6(address);
    if (code !== dot) value = value * 10 + code - zero;
    else {
      network = (network << 8) | (value & 255);
      value = 0;
      octets++;
      if (octets === 1 && network === 127) return loopbackNetwork;
      if (octets === 3) return network << 2;
    }
  }
  return 0;
}

const dot = 0x2e;
const colon = 0x3a;
const zero = 0x30;

/** The first three groups and the high half of the fourth; `::` stands for as many zero groups as are missing. */
function network6(address: string): number {
  if (address === '::1') return loopbackNetwork;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const behind = tail === '' ? [] : tail.split(':');
    while (groups.length + behind.length < 8) groups.push('0');
    groups.push(...behind);
  }
  let hash = 0x811c9dc5;
  for (let i = 0; i < 4; i++) {
    const group = Number.parseInt(groups[i] ?? '0', 16);
    hash = Math.imul(hash ^ (i === 3 ? group & 0xff00 : group), 0x01000193);
  }
  return mixed(hash) << 2;
}
