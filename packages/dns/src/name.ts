import { compareBytes } from '@copain/core';
import { labelBytesMax, nameBytesMax } from './limits.ts';

/**
 * A domain name as in RFC 1035 §3.1, uncompressed: length octet and label, over and over, closed by the root's zero
 * octet. Labels are raw octets in the case they were written. Text exists only at the edges.
 */
export type DomainName = Uint8Array;

/**
 * A name for maps: the wire form with A-Z folded (RFC 4343), one character an octet. The parent's key is what follows
 * the first label: see `parentKey`.
 */
export type NameKey = string;

export const rootName: DomainName = new Uint8Array(1);
export const rootKey: NameKey = '\0';

/** What `parseName` makes of a text: a name, or what is wrong with it in words for the person who wrote it. */
export type ParsedName = { kind: 'name'; name: DomainName } | { kind: 'problem'; text: string };

const dot = 0x2e;
const backslash = 0x5c;

/**
 * Reads a name in master-file form (RFC 1035 §5.1): `\X`, `\DDD`, a final dot for an absolute name, `@` for the
 * origin. A relative name is completed with `origin`; without an origin every name counts as absolute. One character
 * of the text is one octet (Latin-1).
 */
export function parseName(text: string, origin?: DomainName): ParsedName {
  if (text === '@' && origin) return { kind: 'name', name: origin };
  if (text === '.') return { kind: 'name', name: rootName };
  if (text === '') return problem('a name is missing');
  const wire = new Uint8Array(nameBytesMax);
  let length = 1;
  let labelAt = 0;
  let endsWithDot = false;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    endsWithDot = code === dot;
    if (endsWithDot) {
      if (length === labelAt + 1) return problem('a label is empty (two dots, or a dot at the beginning)');
      if (length >= nameBytesMax) return problem(`the name is longer than ${nameBytesMax} octets`);
      wire[labelAt] = length - labelAt - 1;
      labelAt = length++;
      continue;
    }
    if (code === backslash) {
      const escaped = readEscape(text, i);
      if (escaped === undefined)
        return problem('a backslash must be followed by a character or by three digits up to 255');
      code = escaped.octet;
      i += escaped.length - 1;
    }
    if (code > 255) return problem('a character is not one octet; write it as \\DDD');
    if (length - labelAt > labelBytesMax) return problem(`a label is longer than ${labelBytesMax} octets`);
    if (length >= nameBytesMax - 1) return problem(`the name is longer than ${nameBytesMax} octets`);
    wire[length++] = code;
  }
  if (endsWithDot) return { kind: 'name', name: wire.slice(0, length) };
  wire[labelAt] = length - labelAt - 1;
  const rest = origin ?? rootName;
  if (length + rest.length > nameBytesMax)
    return problem(`the name with its origin is longer than ${nameBytesMax} octets`);
  wire.set(rest, length);
  return { kind: 'name', name: wire.slice(0, length + rest.length) };
}

function problem(text: string): ParsedName {
  return { kind: 'problem', text };
}

/** The octet of the escape that begins at `text[at]` (a backslash) and how many characters it takes. RFC 1035 §5.1. */
export function readEscape(text: string, at: number): { octet: number; length: number } | undefined {
  const first = text.charCodeAt(at + 1);
  if (Number.isNaN(first)) return undefined;
  if (first < 0x30 || first > 0x39) return first > 255 ? undefined : { octet: first, length: 2 };
  const digits = text.slice(at + 1, at + 4);
  if (!/^\d{3}$/.test(digits) || Number(digits) > 255) return undefined;
  return { octet: Number(digits), length: 4 };
}

/** The name of a text that is known to be one, absolute with or without its final dot. Throws RangeError otherwise. */
export function nameOf(text: string): DomainName {
  const parsed = parseName(text);
  if (parsed.kind === 'problem') throw new RangeError(`${text}: ${parsed.text}`);
  return parsed.name;
}

/** What a master file may hold in a name without an escape: all that `nameIn` takes, but for what has a meaning there. */
const plainInName = /[\w*/!+:-]/;

/** The name in master-file form with its final dot; octets that are not plain are written as `\X` or `\DDD`. */
export function nameToText(name: DomainName): string {
  if (name.length <= 1) return '.';
  let text = '';
  for (let at = 0; name[at]; at += (name[at] ?? 0) + 1) {
    const end = at + (name[at] ?? 0);
    for (let i = at + 1; i <= end; i++) {
      const octet = name[i] ?? 0;
      if (octet <= 0x20 || octet >= 0x7f) text += `\\${octet.toString().padStart(3, '0')}`;
      else
        text += plainInName.test(String.fromCharCode(octet))
          ? String.fromCharCode(octet)
          : `\\${String.fromCharCode(octet)}`;
    }
    text += '.';
  }
  return text;
}

/** The map key of a name; equal for names that differ only in case (RFC 4343). */
export function nameKey(name: DomainName): NameKey {
  const key: NameKey = Reflect.apply(String.fromCharCode, undefined, name);
  // Length octets are at most 63, below 'A', so folding every octet leaves them alone.
  return /[A-Z]/.test(key) ? key.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : key;
}

/** The name, in lower case, that a key stands for. */
export function keyToName(key: NameKey): DomainName {
  const name = new Uint8Array(key.length);
  for (let i = 0; i < key.length; i++) name[i] = key.charCodeAt(i);
  return name;
}

/** The key of the name one label up. The root's parent is the root. */
export function parentKey(key: NameKey): NameKey {
  const length = key.charCodeAt(0);
  return length === 0 ? key : key.slice(length + 1);
}

/** A-Z to a-z, all other octets as they are. */
export function foldOctet(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet;
}

/** The name in lower case, as RFC 4034 §6.2 wants it. */
export function lowerName(name: DomainName): DomainName {
  return name.map(foldOctet);
}

/** Do both texts name the same node? RFC 4343: case makes no difference. */
export function sameName(a: DomainName, b: DomainName): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (foldOctet(a[i] ?? 0) !== foldOctet(b[i] ?? 0)) return false;
  return true;
}

/** Is `name` the origin itself or below it? */
export function isAtOrBelow(name: DomainName, origin: DomainName): boolean {
  let at = 0;
  while (name.length - at > origin.length) {
    const length = name[at] ?? 0;
    if (length === 0) return false;
    at += length + 1;
  }
  if (name.length - at !== origin.length) return false;
  for (let i = 0; i < origin.length; i++)
    if (foldOctet(name[at + i] ?? 0) !== foldOctet(origin[i] ?? 0)) return false;
  return true;
}

/** Is `name` below the origin, the origin itself not counted? */
export function isBelow(name: DomainName, origin: DomainName): boolean {
  return name.length > origin.length && isAtOrBelow(name, origin);
}

/** The labels of a name, each as lower-case octets, the first label first, the root left out. */
function foldedLabels(name: DomainName): Uint8Array[] {
  const labels: Uint8Array[] = [];
  for (let at = 0; name[at]; at += (name[at] ?? 0) + 1) {
    labels.push(name.subarray(at + 1, at + 1 + (name[at] ?? 0)).map(foldOctet));
  }
  return labels;
}

/** Canonical order (RFC 4034 §6.1): by labels from the right, folded, as unsigned octets. */
export function compareNames(a: DomainName, b: DomainName): number {
  const left = foldedLabels(a).reverse();
  const right = foldedLabels(b).reverse();
  const shared = Math.min(left.length, right.length);
  for (let i = 0; i < shared; i++) {
    const order = compareBytes(left[i] as Uint8Array, right[i] as Uint8Array);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/**
 * A text that sorts, by JavaScript's `<`, as its name does in canonical order (RFC 4034 §6.1); for sorting many names
 * without taking them apart at each comparison. Labels from the right, each closed by a zero; the two lowest octets are
 * written with two characters, so that the end of a label sorts before all of them.
 */
export function canonicalSortKey(name: DomainName): string {
  return sortKeyOf(nameKey(name));
}

/** The same for a name of which the key is known. */
export function sortKeyOf(key: NameKey): string {
  let text = '';
  for (let at = 0, length = key.charCodeAt(0); length > 0; at += length + 1, length = key.charCodeAt(at)) {
    const label = key.slice(at + 1, at + 1 + length);
    text = `${label.includes('\0') || label.includes('\x01') ? escapeLowest(label) : label}\0${text}`;
  }
  return text;
}

function escapeLowest(label: string): string {
  return label.replaceAll('\x01', '\x01\x02').replaceAll('\0', '\x01\x01');
}

/** The key of `*.NAME`. Where that would pass 255 octets, no node can have it. */
export function wildcardOf(key: NameKey): NameKey {
  return `\x01*${key}`;
}

/** The name whose labels before `from` are kept and whose end `from` becomes `to` (RFC 6672 §2.2); undefined: too long. */
export function replaceSuffix(name: DomainName, from: DomainName, to: DomainName): DomainName | undefined {
  const kept = name.length - from.length;
  if (kept + to.length > nameBytesMax) return undefined;
  const replaced = new Uint8Array(kept + to.length);
  replaced.set(name.subarray(0, kept));
  replaced.set(to, kept);
  return replaced;
}

/**
 * Reads a possibly compressed name from a message (RFC 1035 §4.1.4). Undefined where it runs past `end`, is too long,
 * uses another label type, or a pointer does not point behind the header and before the labels read so far (so that
 * loops cannot be).
 * `next` is the offset behind the name where it stood.
 */
export function readName(
  message: Uint8Array,
  at: number,
  end: number = message.length,
): { name: DomainName; next: number } | undefined {
  let next = -1;
  let limit = end;
  let runStart = at;
  const pieces: Uint8Array[] = [];
  let length = 1;
  for (let offset = at; ; ) {
    if (offset >= limit) return undefined;
    const octet = message[offset] ?? 0;
    if (octet >= 0xc0) {
      if (offset + 1 >= limit) return undefined;
      if (next < 0) next = offset + 2;
      const target = ((octet & 0x3f) << 8) | (message[offset + 1] ?? 0);
      if (target < 12 || target >= runStart) return undefined;
      runStart = target;
      offset = target;
      limit = message.length;
      continue;
    }
    if (octet > labelBytesMax) return undefined;
    if (octet === 0) {
      if (next < 0) next = offset + 1;
      break;
    }
    length += octet + 1;
    if (length > nameBytesMax || offset + 1 + octet > limit) return undefined;
    pieces.push(message.subarray(offset, offset + 1 + octet));
    offset += octet + 1;
  }
  const name = new Uint8Array(length);
  let filled = 0;
  for (const piece of pieces) {
    name.set(piece, filled);
    filled += piece.length;
  }
  return { name, next };
}
