import { concatBytes } from '@copain/core';
import { type DomainName, lowerName, nameKey, nameOf, readName } from './name.ts';
import { classAny, RecordType } from './record-types.ts';

/** The algorithms that RFC 8945 §6 still recommends or requires. The older ones are not spoken. */
export type TsigAlgorithm = 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512';

/** A secret that two servers share (RFC 8945 §3). The name is part of it: both sides must write the same. */
export interface TsigKey {
  name: DomainName;
  algorithm: TsigAlgorithm;
  secret: Uint8Array;
}

/** What TSIG needs of the runtime; fulfilled by `tsigCrypto` of the io side. */
export interface TsigCrypto {
  hmac(algorithm: TsigAlgorithm, secret: Uint8Array, data: Uint8Array): Uint8Array;
  /** Are both the same? Takes as long wherever they differ, so that a MAC cannot be found octet by octet. */
  sameMac(a: Uint8Array, b: Uint8Array): boolean;
}

/** The fields of a TSIG record (RFC 8945 §4.2). Names in lower case; `timeS` since 1970. */
export interface TsigFields {
  keyName: DomainName;
  algorithmName: DomainName;
  timeS: number;
  fudgeS: number;
  mac: Uint8Array;
  originalId: number;
  error: number;
  other: Uint8Array;
}

/** The ERROR field (RFC 8945 §3): 0, an rcode, or one of these. */
export const TsigError: {
  readonly badSig: 16;
  readonly badKey: 17;
  readonly badTime: 18;
} = { badSig: 16, badKey: 17, badTime: 18 };

const errorNames = new Map<number, string>([
  [16, 'BADSIG'],
  [17, 'BADKEY'],
  [18, 'BADTIME'],
  [22, 'BADTRUNC'],
]);

/** `BADSIG`, `BADKEY`, … as servers write it in their logs. */
export function tsigErrorToText(error: number): string {
  return errorNames.get(error) ?? `TSIG error ${error}`;
}

const macBytesOf: Record<TsigAlgorithm, number> = { 'hmac-sha256': 32, 'hmac-sha384': 48, 'hmac-sha512': 64 };
const algorithmNames = new Map<TsigAlgorithm, DomainName>(
  (['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const).map((name) => [name, nameOf(`${name}.`)]),
);

/** Is this text the name of an algorithm that is spoken here? */
export function isTsigAlgorithm(text: string): text is TsigAlgorithm {
  return Object.hasOwn(macBytesOf, text);
}

/** Octets of a whole MAC. */
export function macBytes(algorithm: TsigAlgorithm): number {
  return macBytesOf[algorithm];
}

/** The name that stands for an algorithm in messages. */
export function algorithmName(algorithm: TsigAlgorithm): DomainName {
  return algorithmNames.get(algorithm) as DomainName;
}

/** Octets that signing with this key adds to a message (without an error's other data). */
export function tsigRecordBytes(key: TsigKey): number {
  return key.name.length + 10 + algorithmName(key.algorithm).length + 16 + macBytes(key.algorithm);
}

/**
 * What a message says of its signature. `at` is where the TSIG record begins. `malformed`: the TSIG is not the last
 * record, or is not one by RFC 8945 §4.2, which means FORMERR (§5.2); or the message itself does not hold together.
 */
export type FoundTsig =
  | { kind: 'none' }
  | { kind: 'malformed' }
  | { kind: 'found'; tsig: TsigFields; at: number };

/** Looks for the TSIG record of a message. */
export function findTsig(message: Uint8Array): FoundTsig {
  if (message.length < 12) return { kind: 'malformed' };
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let at = 12;
  for (let left = view.getUint16(4); left > 0; left--) {
    const end = skipName(message, at);
    if (end === undefined || end + 4 > message.length) return { kind: 'malformed' };
    at = end + 4;
  }
  for (let left = view.getUint16(6) + view.getUint16(8) + view.getUint16(10); left > 0; left--) {
    const end = skipName(message, at);
    if (end === undefined || end + 10 > message.length) return { kind: 'malformed' };
    const next = end + 10 + view.getUint16(end + 8);
    if (next > message.length) return { kind: 'malformed' };
    if (view.getUint16(end) === RecordType.TSIG) {
      const isLast = left === 1 && view.getUint16(10) > 0 && next === message.length;
      const tsig = isLast ? readTsig(message, at, end) : undefined;
      return tsig ? { kind: 'found', tsig, at } : { kind: 'malformed' };
    }
    at = next;
  }
  return at === message.length ? { kind: 'none' } : { kind: 'malformed' };
}

/** The offset behind a name, compressed or not. */
function skipName(message: Uint8Array, start: number): number | undefined {
  for (let at = start; at < message.length; ) {
    const size = message[at] ?? 0;
    if (size >= 0xc0) return at + 2;
    if (size > 63) return undefined;
    at += size + 1;
    if (size === 0) return at;
  }
  return undefined;
}

/** `typeAt` is where the fixed fields of the record begin; its rdata ends with the message. */
function readTsig(message: Uint8Array, ownerAt: number, typeAt: number): TsigFields | undefined {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const rdataAt = typeAt + 10;
  const owner = readName(message, ownerAt);
  const algorithm = readName(message, rdataAt);
  if (!owner || !algorithm || algorithm.next - rdataAt !== algorithm.name.length) return undefined;
  if (view.getUint16(typeAt + 2) !== classAny || view.getUint32(typeAt + 4) !== 0) return undefined;
  const at = algorithm.next;
  if (at + 16 > message.length) return undefined;
  const macAt = at + 10;
  const behindMac = macAt + view.getUint16(at + 8);
  if (behindMac + 6 > message.length) return undefined;
  if (behindMac + 6 + view.getUint16(behindMac + 4) !== message.length) return undefined;
  return {
    keyName: lowerName(owner.name),
    algorithmName: lowerName(algorithm.name),
    timeS: view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2),
    fudgeS: view.getUint16(at + 6),
    mac: copyOf(message, macAt, behindMac),
    originalId: view.getUint16(behindMac),
    error: view.getUint16(behindMac + 2),
    other: copyOf(message, behindMac + 6, message.length),
  };
}

/** Time signed and fudge (RFC 8945 §5.3.1): all that the later messages of a transfer sign of their TSIG. */
export function tsigTimers({ timeS, fudgeS }: TsigFields): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, Math.floor(timeS / 2 ** 32));
  view.setUint32(2, timeS % 2 ** 32);
  view.setUint16(6, fudgeS);
  return bytes;
}

/** The TSIG variables that are signed (RFC 8945 §4.3.3). */
export function tsigVariables(tsig: TsigFields): Uint8Array {
  const { keyName, algorithmName: algorithm, error, other } = tsig;
  return concatBytes(
    keyName,
    u16Bytes(classAny),
    new Uint8Array(4),
    algorithm,
    tsigTimers(tsig),
    u16Bytes(error),
    u16Bytes(other.length),
    other,
  );
}

/** A message as it was before it was signed (RFC 8945 §4.3.2): its own id, no TSIG record. `at` as `findTsig` gave it. */
export function withoutTsig(message: Uint8Array, tsig: TsigFields, at: number): Uint8Array {
  const bytes = copyOf(message, 0, at);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, tsig.originalId);
  view.setUint16(10, view.getUint16(10) - 1);
  return bytes;
}

/** The message with this TSIG as its last record. */
export function withTsig(message: Uint8Array, tsig: TsigFields): Uint8Array {
  const rdata = concatBytes(
    tsig.algorithmName,
    tsigTimers(tsig),
    u16Bytes(tsig.mac.length),
    tsig.mac,
    u16Bytes(tsig.originalId),
    u16Bytes(tsig.error),
    u16Bytes(tsig.other.length),
    tsig.other,
  );
  const fixed = concatBytes(u16Bytes(RecordType.TSIG), u16Bytes(classAny), new Uint8Array(4));
  const bytes = concatBytes(message, tsig.keyName, fixed, u16Bytes(rdata.length), rdata);
  const view = new DataView(bytes.buffer);
  view.setUint16(10, view.getUint16(10) + 1);
  return bytes;
}

/** Does this TSIG name the key, as key and as algorithm? Both in canonical form, so that the case plays no part. */
export function isOfKey(tsig: TsigFields, key: TsigKey): boolean {
  const algorithm = algorithmName(key.algorithm);
  return nameKey(tsig.keyName) === nameKey(key.name) && nameKey(tsig.algorithmName) === nameKey(algorithm);
}

/** A copy whatever kind of array it is: the `slice` of Node's Buffer would be a view. */
export function copyOf(message: Uint8Array, from: number, to: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(message.subarray(from, to));
}

/** 16 bits in network order. */
export function u16Bytes(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}
