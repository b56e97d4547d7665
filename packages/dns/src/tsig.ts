import { concatBytes } from '@copain/core';
import { tsigFudgeS, tsigUnsignedMax } from './limits.ts';
import { lowerName, type NameKey, nameKey } from './name.ts';
import {
  algorithmName,
  copyOf,
  findTsig,
  isOfKey,
  macBytes,
  type TsigCrypto,
  TsigError,
  type TsigFields,
  type TsigKey,
  tsigTimers,
  tsigVariables,
  u16Bytes,
  withoutTsig,
  withTsig,
} from './tsig-record.ts';

/** Keys by the key of their name. */
export type TsigKeys = ReadonlyMap<NameKey, TsigKey>;

/** What signing and checking need beside the message. `nowS` since 1970, whole seconds. */
export interface TsigContext {
  crypto: TsigCrypto;
  nowS: number;
}

/** A query that must not be acted on. `key` is there where the answer is to be signed all the same (BADTIME). */
export interface TsigRefusal {
  kind: 'refused';
  error: number;
  key: TsigKey | undefined;
  tsig: TsigFields;
}

/** What a server makes of a message's TSIG. `malformed` is answered with FORMERR, `refused` by `signTsigRefusal`. */
export type TsigVerdict =
  | { kind: 'unsigned' }
  | { kind: 'malformed' }
  | TsigRefusal
  | { kind: 'verified'; key: TsigKey; tsig: TsigFields };

/**
 * Checks a message that was sent to us unasked (a query, a NOTIFY), in the order of RFC 8945 §5.2: key, MAC, time. A
 * MAC cut to less than half, or to less than 10 octets, is malformed (§5.2.2.1), as is one that is longer than whole.
 */
export function verifyTsigQuery(
  message: Uint8Array,
  { keys, crypto, nowS }: TsigContext & { keys: TsigKeys },
): TsigVerdict {
  const found = findTsig(message);
  if (found.kind === 'none') return { kind: 'unsigned' };
  if (found.kind === 'malformed') return found;
  const { tsig, at } = found;
  const key = keys.get(nameKey(tsig.keyName));
  if (!key || !isOfKey(tsig, key)) return { kind: 'refused', error: TsigError.badKey, key: undefined, tsig };
  if (!isMacLength(tsig.mac.length, key)) return { kind: 'malformed' };
  const signed = concatBytes(withoutTsig(message, tsig, at), tsigVariables(tsig));
  if (!isMac(tsig.mac, signed, key, crypto))
    return { kind: 'refused', error: TsigError.badSig, key: undefined, tsig };
  if (!isTimely(tsig, nowS)) return { kind: 'refused', error: TsigError.badTime, key, tsig };
  return { kind: 'verified', key, tsig };
}

/** RFC 8945 §5.2.2.1. */
function isMacLength(length: number, key: TsigKey): boolean {
  const whole = macBytes(key.algorithm);
  return length <= whole && length >= Math.max(10, whole / 2);
}

/** Is this, whole or cut to its length, the MAC over these octets? */
function isMac(mac: Uint8Array, signed: Uint8Array, key: TsigKey, crypto: TsigCrypto): boolean {
  return crypto.sameMac(mac, crypto.hmac(key.algorithm, key.secret, signed).subarray(0, mac.length));
}

/** RFC 8945 §5.2.3. The fudge is the sender's word; more than our own window is not granted. */
function isTimely({ timeS, fudgeS }: TsigFields, nowS: number): boolean {
  return Math.abs(nowS - timeS) <= Math.min(fudgeS, tsigFudgeS);
}

/** A MAC as it enters the next one (RFC 8945 §5.3): its length first. */
function priorMac(mac: Uint8Array): Uint8Array {
  return concatBytes(u16Bytes(mac.length), mac);
}

function fieldsFor(message: Uint8Array, key: TsigKey, nowS: number): TsigFields {
  return {
    keyName: lowerName(key.name),
    algorithmName: algorithmName(key.algorithm),
    timeS: nowS,
    fudgeS: tsigFudgeS,
    mac: new Uint8Array(),
    originalId: ((message[0] ?? 0) << 8) | (message[1] ?? 0),
    error: 0,
    other: new Uint8Array(),
  };
}

/** Signs a message that we send unasked. `mac` is what the answer will be bound to. */
export function signTsigQuery(
  message: Uint8Array,
  key: TsigKey,
  { crypto, nowS }: TsigContext,
): { message: Uint8Array; mac: Uint8Array } {
  const tsig = fieldsFor(message, key, nowS);
  const mac = crypto.hmac(key.algorithm, key.secret, concatBytes(message, tsigVariables(tsig)));
  return { message: withTsig(message, { ...tsig, mac }), mac };
}

/**
 * Puts the TSIG of a refusal (RFC 8945 §5.3.2) to an answer, which has rcode NOTAUTH: for BADKEY and BADSIG without a
 * MAC, since nobody is proven to be there; for BADTIME signed, with the time of the query and ours beside it.
 */
export function signTsigRefusal(
  answer: Uint8Array,
  { error, key, tsig }: TsigRefusal,
  { crypto, nowS }: TsigContext,
): Uint8Array {
  const originalId = ((answer[0] ?? 0) << 8) | (answer[1] ?? 0);
  const bare = { ...tsig, mac: new Uint8Array(), originalId, error, other: new Uint8Array() };
  if (!key) return withTsig(answer, bare);
  const other = new Uint8Array(6);
  const view = new DataView(other.buffer);
  view.setUint16(0, Math.floor(nowS / 2 ** 32));
  view.setUint32(2, nowS % 2 ** 32);
  const refused = { ...bare, other };
  const signed = concatBytes(priorMac(tsig.mac), answer, tsigVariables(refused));
  return withTsig(answer, { ...refused, mac: crypto.hmac(key.algorithm, key.secret, signed) });
}

/**
 * Signs the answer to a verified query, or the messages of a transfer one after the other (RFC 8945 §5.3.1): each is
 * bound to the one before it, so none can be left out, doubled or moved.
 */
export class TsigSigner {
  readonly #key: TsigKey;
  readonly #crypto: TsigCrypto;
  #priorMac: Uint8Array;
  #isFirst = true;

  constructor({ key, crypto, queryMac }: { key: TsigKey; crypto: TsigCrypto; queryMac: Uint8Array }) {
    this.#key = key;
    this.#crypto = crypto;
    this.#priorMac = queryMac;
  }

  /** The next message, signed. It must leave `tsigRecordBytes` octets of room. */
  sign(message: Uint8Array, nowS: number): Uint8Array {
    const tsig = fieldsFor(message, this.#key, nowS);
    const covered = this.#isFirst ? tsigVariables(tsig) : tsigTimers(tsig);
    const signed = concatBytes(priorMac(this.#priorMac), message, covered);
    const mac = this.#crypto.hmac(this.#key.algorithm, this.#key.secret, signed);
    this.#priorMac = mac;
    this.#isFirst = false;
    return withTsig(message, { ...tsig, mac });
  }
}

/**
 * What a client makes of a message that answers its signed query. `unsigned`: one between two signed ones, to be
 * trusted only when a later one is verified. `refused`: the server says with `error` why it does not take our
 * signature; only if `isProven` is it really him. `failed`: throw away all that came.
 */
export type TsigAnswerVerdict =
  | { kind: 'verified' }
  | { kind: 'unsigned' }
  | { kind: 'refused'; error: number; isProven: boolean; serverTimeS: number | undefined }
  | { kind: 'failed'; why: 'not-signed' | 'malformed' | 'other-key' | 'bad-mac' | 'bad-time' };

/** Checks the answer to a query that `signTsigQuery` signed, or the messages of a transfer in their order. */
export class TsigVerifier {
  readonly #key: TsigKey;
  readonly #crypto: TsigCrypto;
  #priorMac: Uint8Array;
  #isFirst = true;
  /** Messages since the last signed one, which its successor covers too. */
  #unsigned: Uint8Array[] = [];

  constructor({ key, crypto, queryMac }: { key: TsigKey; crypto: TsigCrypto; queryMac: Uint8Array }) {
    this.#key = key;
    this.#crypto = crypto;
    this.#priorMac = queryMac;
  }

  /** Is everything so far covered by a MAC? Must be true at the end of a transfer (RFC 8945 §5.3.1). */
  get isCovered(): boolean {
    return !this.#isFirst && this.#unsigned.length === 0;
  }

  /** Looks at the next message. At most 99 unsigned ones may stand between two signed ones. */
  verify(message: Uint8Array, nowS: number): TsigAnswerVerdict {
    const found = findTsig(message);
    if (found.kind === 'malformed') return { kind: 'failed', why: 'malformed' };
    if (found.kind === 'none') {
      if (this.#isFirst || this.#unsigned.length >= tsigUnsignedMax)
        return { kind: 'failed', why: 'not-signed' };
      this.#unsigned.push(copyOf(message, 0, message.length));
      return { kind: 'unsigned' };
    }
    const { tsig, at } = found;
    const isBare = tsig.mac.length === 0;
    if (isBare && (tsig.error === TsigError.badKey || tsig.error === TsigError.badSig))
      return { kind: 'refused', error: tsig.error, isProven: false, serverTimeS: undefined };
    if (!isOfKey(tsig, this.#key)) return { kind: 'failed', why: 'other-key' };
    if (!isMacLength(tsig.mac.length, this.#key)) return { kind: 'failed', why: 'malformed' };
    const signed = concatBytes(
      priorMac(this.#priorMac),
      ...this.#unsigned,
      withoutTsig(message, tsig, at),
      this.#isFirst ? tsigVariables(tsig) : tsigTimers(tsig),
    );
    if (!isMac(tsig.mac, signed, this.#key, this.#crypto)) return { kind: 'failed', why: 'bad-mac' };
    if (!isTimely(tsig, nowS)) return { kind: 'failed', why: 'bad-time' };
    this.#priorMac = tsig.mac;
    this.#isFirst = false;
    this.#unsigned = [];
    if (tsig.error === 0) return { kind: 'verified' };
    return { kind: 'refused', error: tsig.error, isProven: true, serverTimeS: timeIn(tsig.other) };
  }
}

/** The server's clock in a BADTIME answer (RFC 8945 §5.2.3). */
function timeIn(other: Uint8Array): number | undefined {
  if (other.length !== 6) return undefined;
  const view = new DataView(other.buffer, other.byteOffset, other.byteLength);
  return view.getUint16(0) * 2 ** 32 + view.getUint32(2);
}
