import { concatBytes } from '@copain/core';
import { parseIpv4, parseIpv6 } from './address-text.ts';
import { parseBase64 } from './base-text.ts';
import { type DomainName, parseName } from './name.ts';
import { keyToText, numbersIn, type Param, paramsOf, type ValueForm } from './svc-param-keys.ts';
import { numberOf, octetsOf, type Word, WordProblem } from './word.ts';

/** The service parameters of SVCB and its kin from words like `alpn=h2,h3` (RFC 9460 §2.1), in wire form, sorted. */
export function parseSvcParams(type: number, words: readonly Word[], origin: DomainName): Uint8Array {
  const known = paramsOf(type);
  const values = new Map<number, Uint8Array>();
  let mandatory: { keys: number[]; word: Word } | undefined;
  for (const word of words) {
    if (word.quoted) throw new WordProblem('quotation marks stand round the value alone: key="value"', word);
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
      valueOctets(opaque, form, { ...word, text: unquote(value, word) }, value !== undefined, known, origin),
    );
    if (form === 'mandatory') mandatory = { keys: numbersIn(values.get(key) ?? new Uint8Array()), word };
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

function unquote(value: string | undefined, word: Word): string {
  if (value === undefined || !value.startsWith('"')) return value ?? '';
  // The first quotation mark that no backslash precedes closes it.
  const inside = /^"((?:[^"\\]|\\.)*)"$/s.exec(value)?.[1];
  if (inside === undefined) throw new WordProblem('a blank is missing behind the quotation mark', word);
  return inside;
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
  // The path of no segments is the root.
  if (form === 'path' && word.text === '') return new Uint8Array();
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
    case 'groups':
      return concatBytes(...groupsOf(word).map(u16));
    case 'alpn':
    case 'path':
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

/** Numbers of TLS groups, each once, without any escapes. */
function groupsOf(word: Word): number[] {
  const groups = word.text
    .split(',')
    .map((text) => numberOf({ ...word, text }, 65_535, 'the number of a TLS group'));
  if (new Set(groups).size < groups.length)
    throw new WordProblem('tls-supported-groups names a group twice', word);
  return groups;
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
