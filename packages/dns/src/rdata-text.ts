import { concatBytes, fromHex, toHex } from '@copain/core';
import { parseIpv4, parseIpv6 } from './address-text.ts';
import { parseBase32Hex, parseBase64 } from './base-text.ts';
import { parseLocation } from './location.ts';
import type { DomainName } from './name.ts';
import { type RdataField, rdataLayout } from './rdata-layout.ts';
import { isRdata, typesBitmap } from './rdata-wire.ts';
import { isMetaType, typeFromText } from './record-types.ts';
import { parseSvcParams } from './svc-params.ts';
import { nameIn, numberOf, octetsOf, periodOf, type Word, WordProblem, WordReader } from './word.ts';

/** What became of one record's data: octets, or what is wrong and at which word (undefined: at the end). */
export type ParsedRdata =
  | { kind: 'rdata'; rdata: Uint8Array }
  | { kind: 'problem'; text: string; word: Word | undefined };

/**
 * Rdata in wire form from its text in a master file, in the type's own form or in that of RFC 3597 §5 (`\# 4 C0000201`).
 * Relative names are completed with `origin`.
 */
export function parseRdata(type: number, words: readonly Word[], origin: DomainName): ParsedRdata {
  try {
    return { kind: 'rdata', rdata: readRdata(type, words, origin) };
  } catch (error) {
    if (error instanceof WordProblem) return { kind: 'problem', text: error.message, word: error.word };
    throw error;
  }
}

function readRdata(type: number, words: readonly Word[], origin: DomainName): Uint8Array {
  const first = words[0];
  const reader = new WordReader(words);
  if (first && !first.quoted && first.text === '\\#') return readOpaque(type, reader);
  const layout = rdataLayout(type);
  if (!layout) throw new WordProblem('data of this type is written as \\# LENGTH HEX (RFC 3597)', first);
  const rdata = concatBytes(...layout.map((field) => readField(type, field, reader, origin)));
  reader.expectEnd();
  if (rdata.length > 65_535) throw new WordProblem('the data is longer than 65535 octets', first);
  return rdata;
}

/** RFC 3597 §5. Known types are held to their own form all the same. */
function readOpaque(type: number, words: WordReader): Uint8Array {
  words.next('\\#');
  const lengthWord = words.next('the length in octets');
  const length = numberOf(lengthWord, 65_535, 'the length in octets');
  const rdata =
    length === 0 && !words.peek() ? new Uint8Array() : hexOf(words.someRest('the data in hexadecimal'));
  if (rdata.length !== length)
    throw new WordProblem(`${rdata.length} octets follow, not ${length}`, lengthWord);
  if (!isRdata(type, rdata))
    throw new WordProblem('these octets are not what this type consists of', lengthWord);
  return rdata;
}

function readField(type: number, field: RdataField, words: WordReader, origin: DomainName): Uint8Array {
  switch (field) {
    case 'u8':
      return number(words.next('a number'), 1, 'a number');
    case 'u16':
      return number(words.next('a number'), 2, 'a number');
    case 'u32':
      return number(words.next('a number'), 4, 'a number');
    case 'period':
      return big(periodOf(words.next('a time'), 'a time'), 4);
    case 'time':
      return big(signatureTime(words.next('a time like 20261231235959')), 4);
    case 'algorithm':
      return mnemonic(words.next('an algorithm'), algorithms, 1, 'an algorithm');
    case 'certificate-type':
      return mnemonic(words.next('a certificate type'), certificateTypes, 2, 'a certificate type');
    case 'scheme':
      return mnemonic(words.next('a scheme'), schemes, 1, 'a scheme');
    case 'type':
      return big(typeOf(words.next('a record type')), 2);
    case 'ipv4':
      return parsed(words.next('an IPv4 address'), parseIpv4, 'an IPv4 address like 192.0.2.1');
    case 'ipv6':
      return parsed(words.next('an IPv6 address'), parseIpv6, 'an IPv6 address like 2001:db8::1');
    case 'eui48':
    case 'eui64':
      return parsed(
        words.next('an address'),
        (text) => pairs(text, '-', 2, field === 'eui48' ? 6 : 8),
        'pairs of hex digits with hyphens',
      );
    case 'locator64':
      return parsed(
        words.next('a locator'),
        (text) => pairs(text, ':', 4, 4),
        'four groups of four hex digits',
      );
    case 'name-packed':
    case 'name-unpacked':
    case 'name-plain':
      return nameIn(words.next('a name'), origin);
    case 'string':
      return characterString(words.next('a text'));
    case 'strings':
      return concatBytes(...words.someRest('a text').flatMap(characterStrings));
    case 'salt':
      return lengthFirst(saltOf(words.next('the salt, or -')));
    case 'hash':
      return lengthFirst(parsed(words.next('a hash'), parseBase32Hex, 'base32hex'));
    case 'hex':
      return hexOf(words.someRest('hexadecimal data'));
    case 'base64':
      return base64Of(words.someRest('base64 data'));
    case 'base64-or-nothing':
      return base64Of(words.rest());
    case 'text':
      return octetsOf(words.next('a text'));
    case 'tag':
      return tagOf(words.next('a tag'));
    case 'bitmap':
      return typesBitmap(words.rest().map(typeOf));
    case 'svc-params':
      return parseSvcParams(type, words.rest(), origin);
    case 'gateway':
      return readGateway(words, origin);
    case 'prefixes':
      return concatBytes(...words.rest().map(addressPrefix));
    case 'location':
      return parseLocation(words);
    case 'host-identity':
      return readHostIdentity(words, origin);
    case 'opaque':
      throw new WordProblem('data of this type is written as \\# LENGTH HEX (RFC 3597)', words.peek());
  }
}

function big(value: number, width: number): Uint8Array {
  return Uint8Array.from({ length: width }, (_, i) => Math.floor(value / 256 ** (width - 1 - i)) & 255);
}

function number(word: Word, width: number, what: string): Uint8Array {
  return big(numberOf(word, 256 ** width - 1, what), width);
}

function lengthFirst(octets: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(octets.length), octets);
}

function parsed(word: Word, parse: (text: string) => Uint8Array | undefined, expected: string): Uint8Array {
  const octets = word.quoted ? undefined : parse(word.text);
  if (!octets) throw new WordProblem(`'${word.text}' is not ${expected}`, word);
  return octets;
}

/** RFC 1035 §3.3: a character string is one octet of length and as many octets. */
const stringBytesMax = 255;

function characterString(word: Word): Uint8Array {
  const octets = octetsOf(word);
  if (octets.length > stringBytesMax)
    throw new WordProblem('a text is longer than 255 octets; split it into several', word);
  return lengthFirst(octets);
}

/** A text of any length as the strings of up to 255 octets that it is carried in; what reads TXT joins them again. */
function characterStrings(word: Word): Uint8Array[] {
  const octets = octetsOf(word);
  const count = Math.max(1, Math.ceil(octets.length / stringBytesMax));
  return Array.from({ length: count }, (_, index) =>
    lengthFirst(octets.subarray(index * stringBytesMax, (index + 1) * stringBytesMax)),
  );
}

/** The first of these words that is carried in several strings because it is longer than one holds. */
export function splitText(type: number, words: readonly Word[]): Word | undefined {
  if (!rdataLayout(type)?.includes('strings')) return undefined;
  return words.find((word) => word.text.length > stringBytesMax && octetsOf(word).length > stringBytesMax);
}

/** A type by its name; those that no record has (RFC 6895 §3.1) are covered by no signature and listed in no proof. */
function typeOf(word: Word): number {
  const type = word.quoted ? undefined : typeFromText(word.text);
  if (type === undefined || (isMetaType(type) && !/^type/i.test(word.text)))
    throw new WordProblem(`'${word.text}' is no type that a record has`, word);
  return type;
}

/** Hexadecimal in words of whole octets each. */
function hexOf(words: readonly Word[]): Uint8Array {
  return concatBytes(...words.map((word) => parsed(word, fromHex, 'hexadecimal, two digits an octet')));
}

/** Base64 in words that are each a multiple of four characters. */
function base64Of(words: readonly Word[]): Uint8Array {
  const octets = words.map((word) => parsed(word, parseBase64, 'base64 in groups of four'));
  const early = words.findIndex((word, index) => word.text.endsWith('=') && index < words.length - 1);
  if (early >= 0) throw new WordProblem('base64 goes on after its end', words[early + 1]);
  if (words.length > 0 && octets.every((part) => part.length === 0))
    throw new WordProblem('base64 data is missing', words[0]);
  return concatBytes(...octets);
}

/** What a tag consists of is checked with the record (RFC 8659 §4.1): servers differ in what they read. */
function tagOf(word: Word): Uint8Array {
  const tag = characterString(word);
  if (tag.length === 1) throw new WordProblem('the tag is empty', word);
  return tag;
}

function saltOf(word: Word): Uint8Array {
  if (word.text === '-' && !word.quoted) return new Uint8Array();
  const salt = parsed(word, fromHex, 'a salt in hexadecimal, or -');
  if (salt.length > 255) throw new WordProblem('the salt is longer than 255 octets', word);
  return salt;
}

function pairs(text: string, separator: string, digits: number, count: number): Uint8Array | undefined {
  const groups = text.split(separator);
  if (groups.length !== count || groups.some((group) => group.length !== digits)) return undefined;
  return fromHex(groups.join(''));
}

function mnemonic(word: Word, table: Record<string, number>, width: number, what: string): Uint8Array {
  const upper = word.text.toUpperCase();
  const known = !word.quoted && Object.hasOwn(table, upper) ? table[upper] : undefined;
  return known === undefined ? number(word, width, what) : big(known, width);
}

/** RFC 4034 appendix A.1 and the IANA registry. */
const algorithms: Record<string, number> = {
  RSAMD5: 1,
  DH: 2,
  DSA: 3,
  RSASHA1: 5,
  'DSA-NSEC3-SHA1': 6,
  'RSASHA1-NSEC3-SHA1': 7,
  RSASHA256: 8,
  RSASHA512: 10,
  'ECC-GOST': 12,
  ECDSAP256SHA256: 13,
  ECDSAP384SHA384: 14,
  ED25519: 15,
  ED448: 16,
  INDIRECT: 252,
  PRIVATEDNS: 253,
  PRIVATEOID: 254,
};

/** RFC 4398 §2.1. */
const certificateTypes: Record<string, number> = {
  PKIX: 1,
  SPKI: 2,
  PGP: 3,
  IPKIX: 4,
  ISPKI: 5,
  IPGP: 6,
  ACPKIX: 7,
  IACPKIX: 8,
  URI: 253,
  OID: 254,
};

/** RFC 9859 §2.1: how a DSYNC record has parents be told. */
const schemes: Record<string, number> = { NOTIFY: 1 };

/** RFC 4034 §3.2: seconds since 1970 as a number, or YYYYMMDDHHmmSS in UTC. */
function signatureTime(word: Word): number {
  const match = word.quoted ? null : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(word.text);
  if (!match) return numberOf(word, 0xffffffff, 'a time like 20261231235959');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  if (
    year < 1970 ||
    month < 1 ||
    month > 12 ||
    day < 1 ||
    day > daysIn(year, month) ||
    hour > 23 ||
    minute > 59 ||
    second > 59
  ) {
    throw new WordProblem(`'${word.text}' is no time`, word);
  }
  let days = day - 1;
  for (let earlier = 1970; earlier < year; earlier++) days += isLeap(earlier) ? 366 : 365;
  for (let earlier = 1; earlier < month; earlier++) days += daysIn(year, earlier);
  return (days * 86_400 + hour * 3600 + minute * 60 + second) % 2 ** 32;
}

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** RFC 4025 §3.1: gateway type, algorithm, gateway; the key that follows belongs to the next field. */
function readGateway(words: WordReader, origin: DomainName): Uint8Array {
  const kindWord = words.next('a gateway type');
  const kind = numberOf(kindWord, 255, 'a gateway type');
  const algorithmWord = words.next('an algorithm');
  const algorithm = numberOf(algorithmWord, 255, 'an algorithm');
  const word = words.next('a gateway');
  const head = Uint8Array.of(kind, algorithm);
  const hasKey = words.peek() !== undefined;
  if (algorithm === 0 && hasKey) throw new WordProblem('algorithm 0 says that no key follows', words.peek());
  if (algorithm !== 0 && !hasKey) throw new WordProblem('the key is missing', undefined);
  switch (kind) {
    case 0:
      if (word.quoted || word.text !== '.') throw new WordProblem('gateway type 0 takes a single dot', word);
      return head;
    case 1:
      return concatBytes(head, parsed(word, parseIpv4, 'an IPv4 address'));
    case 2:
      return concatBytes(head, parsed(word, parseIpv6, 'an IPv6 address'));
    case 3:
      return concatBytes(head, nameIn(word, origin));
    default:
      throw new WordProblem('a gateway type is 0, 1, 2 or 3', kindWord);
  }
}

/** RFC 3123 §5: `[!]family:address/prefix`. */
function addressPrefix(word: Word): Uint8Array {
  const match = word.quoted ? null : /^(!?)([12]):([^/]+)\/(\d{1,3})$/.exec(word.text);
  const family = Number(match?.[2]);
  const address = family === 1 ? parseIpv4(match?.[3] ?? '') : parseIpv6(match?.[3] ?? '');
  const prefix = Number(match?.[4]);
  if (!match || !address || prefix > address.length * 8) {
    throw new WordProblem('expected an address prefix like 1:192.0.2.0/24 or !2:2001:db8::/32', word);
  }
  const used = address.findLastIndex((octet) => octet !== 0) + 1;
  return concatBytes(
    big(family, 2),
    Uint8Array.of(prefix, (match[1] ? 0x80 : 0) | used),
    address.subarray(0, used),
  );
}

/** RFC 8005 §6: algorithm, tag in hexadecimal, key in base64, rendezvous servers. */
function readHostIdentity(words: WordReader, origin: DomainName): Uint8Array {
  const algorithm = numberOf(words.next('an algorithm'), 255, 'an algorithm');
  const tag = parsed(words.next('a host identity tag'), fromHex, 'hexadecimal');
  const key = parsed(words.next('a key'), parseBase64, 'base64');
  const servers = words.rest().map((word) => nameIn(word, origin));
  if (tag.length > 255) throw new WordProblem('the tag is longer than 255 octets', undefined);
  return concatBytes(Uint8Array.of(tag.length, algorithm), big(key.length, 2), tag, key, ...servers);
}

/** The form of RFC 3597 §5, which every type may take. */
export function opaqueRdataText(rdata: Uint8Array): string {
  return rdata.length === 0 ? '\\# 0' : `\\# ${rdata.length} ${toHex(rdata)}`;
}
