import { fromUtf8 } from '@copain/core';
import { formatIpv4, formatIpv6 } from './address-text.ts';
import { formatBase64 } from './base-text.ts';
import { type DomainName, nameToText, readName } from './name.ts';
import { keyToText, numbersIn, type Param, paramsOf, type ValueForm } from './svc-param-keys.ts';

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

/** The name of the first service parameter whose octets are none of its values; undefined where all fit. */
export function misfittingParam(type: number, octets: Uint8Array): string | undefined {
  const known = paramsOf(type);
  for (let at = 0; at + 4 <= octets.length; ) {
    const key = ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
    const length = ((octets[at + 2] ?? 0) << 8) | (octets[at + 3] ?? 0);
    const param = known.find((one) => one.key === key);
    if (param && !fits(param.form, octets.subarray(at + 4, at + 4 + length))) return param.name;
    at += 4 + length;
  }
  return undefined;
}

function fits(form: ValueForm, value: Uint8Array): boolean {
  switch (form) {
    case 'nothing':
      return value.length === 0;
    case 'port':
      return value.length === 2;
    case 'ipv4s':
      return value.length > 0 && value.length % 4 === 0;
    case 'ipv6s':
      return value.length > 0 && value.length % 16 === 0;
    case 'base64':
    case 'octets':
      return value.length > 0;
    case 'mandatory': {
      const keys = value.length > 0 && value.length % 2 === 0 ? numbersIn(value) : [0];
      return keys.every((key, index) => key > (keys[index - 1] ?? 0));
    }
    case 'groups':
      return (
        value.length > 0 && value.length % 2 === 0 && new Set(numbersIn(value)).size === value.length / 2
      );
    case 'alpn':
      return (listItems(value)?.length ?? 0) > 0;
    case 'path':
      return listItems(value) !== undefined;
    case 'names':
      return (namesIn(value)?.length ?? 0) > 0;
  }
}

/** Undefined where the octets do not fit the form or have no simple text, so that they are shown as opaque ones. */
function valueToText(
  form: ValueForm | undefined,
  known: readonly Param[],
  value: Uint8Array,
): string | undefined {
  if (form === undefined || !fits(form, value)) return undefined;
  const chunks = (size: number) =>
    Array.from({ length: value.length / size }, (_, i) => value.subarray(i * size, (i + 1) * size));
  switch (form) {
    case 'nothing':
      return '';
    case 'port':
    case 'groups':
      return numbersIn(value).join(',');
    case 'ipv4s':
      return chunks(4).map(formatIpv4).join(',');
    case 'ipv6s':
      return chunks(16).map(formatIpv6).join(',');
    case 'base64':
      return formatBase64(value);
    case 'mandatory':
      return numbersIn(value)
        .map((key) => keyToText(known, key))
        .join(',');
    case 'octets':
      return `"${escapeOctets(value)}"`;
    case 'alpn':
      return itemsToText(value);
    case 'path':
      return value.length === 0 ? '' : itemsToText(value);
    case 'names':
      return `"${namesIn(value)
        ?.map((name) => nameToText(name).replaceAll(',', '\\,'))
        .join(',')}"`;
  }
}

/** The items of a list, none of which is empty, each behind its length; undefined where the octets are no such list. */
function listItems(value: Uint8Array): Uint8Array[] | undefined {
  const items: Uint8Array[] = [];
  for (let at = 0; at < value.length; ) {
    const end = at + 1 + (value[at] ?? 0);
    if (end === at + 1 || end > value.length) return undefined;
    items.push(value.subarray(at + 1, end));
    at = end;
  }
  return items;
}

/** Undefined where an item has characters that would have to be escaped twice. */
function itemsToText(value: Uint8Array): string | undefined {
  const texts = listItems(value)?.map(fromUtf8);
  const isPlain = texts?.every(
    (text) => text !== undefined && /^[\x21-\x7e]+$/.test(text) && !/["\\,]/.test(text),
  );
  return isPlain ? `"${texts?.join(',')}"` : undefined;
}

function namesIn(value: Uint8Array): DomainName[] | undefined {
  const names: DomainName[] = [];
  for (let at = 0; at < value.length; ) {
    const read = readName(value.subarray(at), 0);
    if (!read) return undefined;
    names.push(read.name);
    at += read.next;
  }
  return names;
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
