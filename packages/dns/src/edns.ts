import { RecordType } from './record-types.ts';

/** Option codes of the IANA registry that mean something here. All others are ignored (RFC 6891 §6.1.2). */
export const EdnsOption: {
  readonly nsid: 3;
  readonly expire: 9;
  readonly cookie: 10;
  readonly keepalive: 11;
  readonly extendedError: 15;
} = { nsid: 3, expire: 9, cookie: 10, keepalive: 11, extendedError: 15 };

/** INFO-CODEs of RFC 8914 §4 that an authoritative server has a use for. */
export const ExtendedError: {
  readonly notReady: 14;
  readonly prohibited: 18;
  readonly notAuthoritative: 20;
  readonly notSupported: 21;
  readonly invalidData: 24;
} = { notReady: 14, prohibited: 18, notAuthoritative: 20, notSupported: 21, invalidData: 24 };

/** Octets of a client cookie, and of the server cookie made here (RFC 9018 §4); others have 8 to 32 (RFC 7873 §4). */
export const clientCookieBytes = 8;
export const serverCookieBytes = 16;
const foreignCookieBytesMax = 40;

/**
 * What the options of one query ask for. Filled anew for each query, so that the ordinary one allocates nothing.
 * `cookieAt` is an offset into `bytes`, or -1 where there is no cookie.
 */
export interface EdnsAsks {
  bytes: Uint8Array;
  cookieAt: number;
  cookieLength: number;
  nsid: boolean;
  expire: boolean;
  keepalive: boolean;
}

/** Asks for nothing. */
export function emptyAsks(): EdnsAsks {
  return {
    bytes: new Uint8Array(),
    cookieAt: -1,
    cookieLength: 0,
    nsid: false,
    expire: false,
    keepalive: false,
  };
}

/**
 * Reads the options of an OPT record (RFC 6891 §6.1.2) that stand from `at` to `end`. False means FORMERR: lengths that
 * do not fill the rdata exactly, or a cookie of a length that no cookie has (RFC 7873 §5.2.2). Of several cookies the
 * first counts.
 */
export function readOptions(bytes: Uint8Array, at: number, end: number, asks: EdnsAsks): boolean {
  asks.bytes = bytes;
  asks.cookieAt = -1;
  asks.nsid = false;
  asks.expire = false;
  asks.keepalive = false;
  let offset = at;
  while (offset + 4 <= end) {
    const code = ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
    const length = ((bytes[offset + 2] ?? 0) << 8) | (bytes[offset + 3] ?? 0);
    offset += 4 + length;
    if (offset > end) return false;
    if (code === EdnsOption.nsid) asks.nsid = true;
    else if (code === EdnsOption.expire) asks.expire = true;
    else if (code === EdnsOption.keepalive) asks.keepalive = true;
    else if (code === EdnsOption.cookie) {
      if (length !== clientCookieBytes && (length < 16 || length > foreignCookieBytesMax)) return false;
      if (asks.cookieAt >= 0) continue;
      asks.cookieAt = offset - length;
      asks.cookieLength = length;
    }
  }
  return offset === end;
}

/** Octets of an OPT record without options. */
export const emptyOptBytes = 11;

/** One option in wire form: code, length, data. */
export function optionBytes(code: number, ...data: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const piece of data) length += piece.length;
  const option = new Uint8Array(4 + length);
  option[0] = code >> 8;
  option[1] = code & 255;
  option[2] = length >> 8;
  option[3] = length & 255;
  let at = 4;
  for (const piece of data) {
    option.set(piece, at);
    at += piece.length;
  }
  return option;
}

/**
 * Writes the fixed part of an OPT record (RFC 6891 §6.1) at `at`; its options, `optionsLength` octets, go right behind.
 * `rcode` is the whole extended one, of which the high eight bits stand here.
 */
export function writeOpt(
  into: Uint8Array,
  at: number,
  opt: { payloadBytes: number; rcode: number; dnssecOk: boolean; optionsLength: number },
): void {
  into[at] = 0;
  into[at + 1] = 0;
  into[at + 2] = RecordType.OPT;
  into[at + 3] = opt.payloadBytes >> 8;
  into[at + 4] = opt.payloadBytes & 255;
  into[at + 5] = opt.rcode >> 4;
  into[at + 6] = 0;
  into[at + 7] = opt.dnssecOk ? 0x80 : 0;
  into[at + 8] = 0;
  into[at + 9] = opt.optionsLength >> 8;
  into[at + 10] = opt.optionsLength & 255;
}
