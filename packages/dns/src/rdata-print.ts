import { toHex } from '@copain/core';
import { formatIpv4, formatIpv6 } from './address-text.ts';
import { formatBase32Hex, formatBase64 } from './base-text.ts';
import { formatLocation } from './location.ts';
import { nameToText, readName } from './name.ts';
import { type RdataField, rdataLayout } from './rdata-layout.ts';
import { opaqueRdataText } from './rdata-text.ts';
import { bitmapTypes, splitRdata } from './rdata-wire.ts';
import { RecordType, typeToText } from './record-types.ts';
import { escapeOctets, formatSvcParams } from './svc-params-print.ts';

/**
 * Rdata as text that `parseRdata` reads back to the same octets. Types without a known layout, and octets that are not
 * what their type consists of, come in the form of RFC 3597 §5.
 */
export function rdataToText(type: number, rdata: Uint8Array): string {
  const layout = rdataLayout(type);
  const parts = layout && splitRdata(type, rdata, 0, rdata.length);
  if (!layout || !parts || hasOddKey(type, rdata, parts.at(-1)?.bytes)) return opaqueRdataText(rdata);
  const texts = layout.map((field, index) =>
    fieldToText(type, field, parts[index]?.bytes ?? new Uint8Array()),
  );
  return texts.includes(undefined) ? opaqueRdataText(rdata) : texts.filter((text) => text !== '').join(' ');
}

/** IPSECKEY (RFC 4025 §2.4): algorithm 0 and "no key" go together in text; octets may say otherwise. */
function hasOddKey(type: number, rdata: Uint8Array, key: Uint8Array | undefined): boolean {
  return type === RecordType.IPSECKEY && (rdata[2] === 0) !== (key?.length === 0);
}

function numberIn(octets: Uint8Array): number {
  return octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

function quoted(octets: Uint8Array): string {
  return `"${escapeOctets(octets)}"`;
}

/** Undefined where the field has no text form here, so that the whole record falls back to RFC 3597. */
function fieldToText(type: number, field: RdataField, octets: Uint8Array): string | undefined {
  switch (field) {
    case 'u8':
    case 'u16':
    case 'u32':
    case 'period':
    case 'time':
    case 'algorithm':
    case 'certificate-type':
      return String(numberIn(octets));
    case 'type':
      return typeToText(numberIn(octets));
    case 'scheme':
      return numberIn(octets) === 1 ? 'NOTIFY' : String(numberIn(octets));
    case 'ipv4':
      return formatIpv4(octets);
    case 'ipv6':
      return formatIpv6(octets);
    case 'eui48':
    case 'eui64':
      return [...octets].map((octet) => octet.toString(16).padStart(2, '0')).join('-');
    case 'locator64':
      return [0, 2, 4, 6].map((at) => toHex(octets.subarray(at, at + 2))).join(':');
    case 'name-packed':
    case 'name-unpacked':
    case 'name-plain':
      return nameToText(octets);
    case 'string':
      return quoted(octets.subarray(1));
    case 'strings': {
      const texts: string[] = [];
      for (let at = 0; at < octets.length; at += 1 + (octets[at] ?? 0)) {
        texts.push(quoted(octets.subarray(at + 1, at + 1 + (octets[at] ?? 0))));
      }
      return texts.join(' ');
    }
    case 'salt':
      return octets.length > 1 ? toHex(octets.subarray(1)) : '-';
    case 'hash':
      return paddedBase32Hex(octets.subarray(1));
    case 'hex':
      return octets.length > 0 ? toHex(octets) : undefined;
    case 'base64':
      return octets.length > 0 ? formatBase64(octets) : undefined;
    case 'base64-or-nothing':
      return formatBase64(octets);
    case 'text':
      return quoted(octets);
    case 'tag':
      return tagToText(octets.subarray(1));
    case 'bitmap':
      return bitmapTypes(octets).map(typeToText).join(' ');
    case 'svc-params':
      return formatSvcParams(type, octets);
    case 'gateway':
      return gatewayToText(octets);
    case 'location':
      return formatLocation(octets);
    case 'prefixes':
    case 'host-identity':
    case 'opaque':
      return undefined;
  }
}

function tagToText(octets: Uint8Array): string | undefined {
  const text = String.fromCharCode(...octets);
  return /^[a-zA-Z0-9]+$/.test(text) ? text : undefined;
}

function gatewayToText(octets: Uint8Array): string | undefined {
  const kind = octets[0] ?? 0;
  const gateway = octets.subarray(2);
  const name = kind === 3 ? readName(gateway, 0)?.name : undefined;
  const text =
    kind === 0
      ? '.'
      : kind === 1
        ? formatIpv4(gateway)
        : kind === 2
          ? formatIpv6(gateway)
          : name && nameToText(name);
  return text === undefined ? undefined : `${kind} ${octets[1] ?? 0} ${text}`;
}

/** A hash that does not fill its last group of eight digits is padded, since master files are read in whole groups. */
function paddedBase32Hex(octets: Uint8Array): string {
  const digits = formatBase32Hex(octets);
  return digits.padEnd(Math.ceil(digits.length / 8) * 8, '=');
}
