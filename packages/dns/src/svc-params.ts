import { concatBytes, fromUtf8 } from '@copain/core';
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from './address-text.ts';
import { formatBase64, parseBase64 } from './base-text.ts';
import { type DomainName, nameToText, parseName, readName } from './name.ts';
import { RecordType } from './record-types.ts';
import { numberOf, octetsOf, type Word, WordProblem } from './word.ts';

type ValueForm =
  | 'mandatory'
  | 'alpn'
  | 'nothing'
  | 'port'
  | 'ipv4s'
  | 'ipv6s'
  | 'base64'
  | 'octets'
  | 'names';

interface Param {
  name: string;
  key: number;
  form: ValueForm;
}

/** RFC 9460 §14.3.2, RFC 9461 §5 (dohpath), RFC 9540 §4 (ohttp). */
const serviceParams: readonly Param[] = [
  { name: 'mandatory', key: 0, form: 'mandatory' },
  { name: 'alpn', key: 1, form: 'alpn' },
  { name: 'no-default-alpn', key: 2, form: 'nothing' },
  { name: 'port', key: 3, form: 'port' },
  { name: 'ipv4hint', key: 4, form: 'ipv4s' },
  { name: 'ech', key: 5, form: 'base64' },
  { name: 'ipv6hint', key: 6, form: 'ipv6s' },
  { name: 'dohpath', key: 7, form: 'octets' },
  { name: 'ohttp', key: 8, form: 'nothing' },
];

/** The parameters of DELEG and DELEGPARAM (draft-ietf-deleg). */
const delegationParams: readonly Param[] = [
  { name: 'mandatory', key: 0, form: 'mandatory' },
  { name: 'server-ipv4', key: 1, form: 'ipv4s' },
  { name: 'server-ipv6', key: 2, form: 'ipv6s' },
  { name: 'server-name', key: 3, form: 'names' },
  { name: 'include-delegparam', key: 4, form: 'names' },
];

function paramsOf(type: number): readonly Param[] {
  return type === RecordType.DELEG || type === RecordType.DELEGPARAM ? delegationParams : serviceParams;
}

/** The service parameters of SVCB and its kin from words like `alpn=h2,h3` (RFC 9460 §2.1), in wire form, sorted. */
export function parseSvcParams(type: number, words: readonly Word[], origin: DomainName): Uint8Array {
  const known = paramsOf(type);
  const values = new Map<number, Uint8Array>();
  let mandatory: { keys: number[]; word: Word } | undefined;
  for (const word of words) {
    const [, name = '', value] = /^([^=]*)(?:=(.*))?$/s.exec(word.text) ?? [];
    const key = keyFromText(known, name, word);
    if (values.has(key)) throw new WordProblem(`the parameter ${name} is given twice`, word);
    // A known parameter written as keyN carries opaque octets (RFC 9460 §2.1).
    const form = name.startsWith('key')
      ? 'octets'
      : (known.find((param) => param.key === key)?.form ?? 'octets');
    const opaque = name.startsWith('key');
    values.set(
      key,
      valueOctets(opaque, form, { ...word, text: unquote(value) ?? '' }, value !== undefined, known, origin),
    );
    if (form === 'mandatory') mandatory = { keys: mandatoryKeys(values.get(key) ?? new Uint8Array()), word };
  }
  const missing = mandatory?.keys.find((key) => !values.has(key));
  if (missing !== undefined)
    throw new WordProblem(
      `mandatory names ${keyToText(known, missing)}, which is not given`,
      mandatory?.word,
    );
  const sorted = [...values].sort(([a], [b]) => a - b);
  return concatBytes(...sorted.flatMap(([key, octets]) => [u16(key), u16(octets.length), octets]));
}

function unquote(value: string | undefined): string | undefined {
  return value?.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1) : value;
}

function u16(number: number): Uint8Array {
  return Uint8Array.of(number >> 8, number & 255);
}

function keyFromText(known: readonly Param[], name: string, word: Word): number {
  const param = known.find((one) => one.name === name);
  if (param) return param.key;
  const match = /^key(0|[1-9]\d{0,4})$/.exec(name);
  if (!match || Number(match[1]) > 65_535) throw new WordProblem(`'${name}' is no service parameter`, word);
  return Number(match[1]);
}

function keyToText(known: readonly Param[], key: number): string {
  return known.find((param) => param.key === key)?.name ?? `key${key}`;
}

function valueOctets(
  opaque: boolean,
  form: ValueForm,
  word: Word,
  given: boolean,
  known: readonly Param[],
  origin: DomainName,
): Uint8Array {
  if (opaque) return octetsOf(word);
  if (form === 'nothing') {
    if (given) throw new WordProblem('this parameter takes no value', word);
    return new Uint8Array();
  }
  if (word.text === '') throw new WordProblem('this parameter needs a value', word);
  switch (form) {
    case 'octets':
      return octetsOf(word);
    case 'port':
      return u16(numberOf(word, 65_535, 'a port'));
    case 'base64': {
      const octets = parseBase64(word.text);
      if (!octets) throw new WordProblem('expected base64 with its padding', word);
      return octets;
    }
    case 'ipv4s':
      return concatBytes(
        ...word.text.split(',').map((text) => parseIpv4(text) ?? wrong('an IPv4 address', word)),
      );
    case 'ipv6s':
      return concatBytes(
        ...word.text.split(',').map((text) => parseIpv6(text) ?? wrong('an IPv6 address', word)),
      );
    case 'alpn':
      return concatBytes(...protocolIds(word).flatMap((id) => [Uint8Array.of(id.length), id]));
    case 'mandatory': {
      const keys = word.text.split(',').map((name) => keyFromText(known, name, word));
      if (keys.includes(0)) throw new WordProblem('mandatory must not name itself', word);
      if (new Set(keys).size < keys.length) throw new WordProblem('mandatory names a parameter twice', word);
      return concatBytes(...keys.sort((a, b) => a - b).map(u16));
    }
    case 'names':
      return concatBytes(...splitNames(word.text).map((text) => nameIn(text, origin, word)));
  }
}

function wrong(expected: string, word: Word): never {
  throw new WordProblem(`expected ${expected}`, word);
}

function nameIn(text: string, origin: DomainName, word: Word): Uint8Array {
  const parsed = parseName(text, origin);
  if (parsed.kind === 'problem') throw new WordProblem(parsed.text, word);
  return parsed.name;
}

/** Splits at commas that no backslash precedes. */
function splitNames(text: string): string[] {
  return [...text.matchAll(/(?:^|,)((?:\\.|[^\\,])*)/gs)].map((match) => match[1] ?? '');
}

function mandatoryKeys(octets: Uint8Array): number[] {
  return Array.from(
    { length: octets.length / 2 },
    (_, i) => ((octets[2 * i] ?? 0) << 8) | (octets[2 * i + 1] ?? 0),
  );
}

/** A comma-separated list in which `\,` and `\\` stand for themselves, after the usual escapes (RFC 9460 §A.1). */
function protocolIds(word: Word): Uint8Array[] {
  const ids: number[][] = [[]];
  const octets = octetsOf(word);
  for (let i = 0; i < octets.length; i++) {
    const octet = octets[i] ?? 0;
    if (octet === 0x2c) ids.push([]);
    else if (octet === 0x5c) {
      const next = octets[++i];
      if (next !== 0x2c && next !== 0x5c)
        throw new WordProblem('in a list a backslash stands only before a comma or a backslash', word);
      ids.at(-1)?.push(next);
    } else ids.at(-1)?.push(octet);
  }
  for (const id of ids) {
    if (id.length === 0) throw new WordProblem('an item of the list is empty', word);
    if (id.length > 255) throw new WordProblem('an item of the list is longer than 255 octets', word);
  }
  return ids.map((id) => Uint8Array.from(id));
}

/** The text form of service parameters in wire form that `isRdata` has accepted. */
export function formatSvcParams(type: number, octets: Uint8Array): string {
  const texts: string[] = [];
  for (let at = 0; at + 4 <= octets.length; ) {
    const key = ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
    const length = ((octets[at + 2] ?? 0) << 8) | (octets[at + 3] ?? 0);
    texts.push(paramToText(paramsOf(type), key, octets.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return texts.join(' ');
}

function paramToText(known: readonly Param[], key: number, value: Uint8Array): string {
  const text = valueToText(known.find((param) => param.key === key)?.form, known, value);
  if (text === undefined) return value.length === 0 ? `key${key}` : `key${key}="${escapeOctets(value)}"`;
  return text === '' ? keyToText(known, key) : `${keyToText(known, key)}=${text}`;
}

/** Undefined where the octets do not fit the form, so that they are shown as opaque ones. */
function valueToText(
  form: ValueForm | undefined,
  known: readonly Param[],
  value: Uint8Array,
): string | undefined {
  const chunks = (size: number) =>
    Array.from({ length: value.length / size }, (_, i) => value.subarray(i * size, (i + 1) * size));
  switch (form) {
    case 'nothing':
      return value.length === 0 ? '' : undefined;
    case 'port':
      return value.length === 2 ? String(((value[0] ?? 0) << 8) | (value[1] ?? 0)) : undefined;
    case 'ipv4s':
      return value.length > 0 && value.length % 4 === 0 ? chunks(4).map(formatIpv4).join(',') : undefined;
    case 'ipv6s':
      return value.length > 0 && value.length % 16 === 0 ? chunks(16).map(formatIpv6).join(',') : undefined;
    case 'base64':
      return value.length > 0 ? formatBase64(value) : undefined;
    case 'mandatory':
      return value.length > 0 && value.length % 2 === 0
        ? mandatoryKeys(value)
            .map((key) => keyToText(known, key))
            .join(',')
        : undefined;
    case 'octets':
      return value.length > 0 ? `"${escapeOctets(value)}"` : undefined;
    case 'alpn':
      return alpnToText(value);
    case 'names':
      return namesToText(value);
    case undefined:
      return undefined;
  }
}

function alpnToText(value: Uint8Array): string | undefined {
  const ids: string[] = [];
  let at = 0;
  while (at < value.length) {
    const length = value[at] ?? 0;
    if (length === 0 || at + 1 + length > value.length) return undefined;
    const id = fromUtf8(value.subarray(at + 1, at + 1 + length));
    if (id === undefined || !/^[\x21-\x7e]+$/.test(id) || /["\\,]/.test(id)) return undefined;
    ids.push(id);
    at += 1 + length;
  }
  return ids.length > 0 ? `"${ids.join(',')}"` : undefined;
}

function namesToText(value: Uint8Array): string | undefined {
  const texts: string[] = [];
  for (let at = 0; at < value.length; ) {
    const read = readName(value.subarray(at), 0);
    if (!read) return undefined;
    texts.push(nameToText(read.name).replaceAll(',', '\\,'));
    at += read.next;
  }
  return texts.length > 0 ? `"${texts.join(',')}"` : undefined;
}

/** The inside of a quoted character string (RFC 1035 §5.1). */
export function escapeOctets(octets: Uint8Array): string {
  let text = '';
  for (const octet of octets) {
    if (octet < 0x20 || octet >= 0x7f) text += `\\${octet.toString().padStart(3, '0')}`;
    else if (octet === 0x22 || octet === 0x5c) text += `\\${String.fromCharCode(octet)}`;
    else text += String.fromCharCode(octet);
  }
  return text;
}
