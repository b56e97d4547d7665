import { concatBytes, toUtf8 } from '@copain/core';
import { type ClientInfo, ipv4Bytes, ipv6Bytes } from './client-info.ts';

/**
 * The line that tells the MTA the true client (PROXY protocol version 1), to be sent before any SMTP byte. Two addresses
 * of different families cannot be said in it: `UNKNOWN`, and the MTA sees us instead.
 */
export function proxyV1Header({ ip, port, serverIp, serverPort }: ClientInfo): Uint8Array {
  const from = ipv4Bytes(ip);
  const to = ipv4Bytes(serverIp);
  if (from && to) return toUtf8(`PROXY TCP4 ${from.join('.')} ${to.join('.')} ${port} ${serverPort}\r\n`);
  if (ipv6Bytes(ip) && ipv6Bytes(serverIp))
    return toUtf8(`PROXY TCP6 ${ip} ${serverIp} ${port} ${serverPort}\r\n`);
  return toUtf8('PROXY UNKNOWN\r\n');
}

const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];

/** The same as PROXY protocol version 2 (binary). A mixed pair goes out as IPv6 with IPv4 addresses mapped. */
export function proxyV2Header({ ip, port, serverIp, serverPort }: ClientInfo): Uint8Array {
  const ports = [port >> 8, port & 255, serverPort >> 8, serverPort & 255];
  const from4 = ipv4Bytes(ip);
  const to4 = ipv4Bytes(serverIp);
  if (from4 && to4) return header(0x11, [...from4, ...to4, ...ports]);
  const from6 = from4 ? mapped(from4) : ipv6Bytes(ip);
  const to6 = to4 ? mapped(to4) : ipv6Bytes(serverIp);
  if (from6 && to6) return header(0x21, [...from6, ...to6, ...ports]);
  return concatBytes(Uint8Array.from([...signature, 0x20, 0x00, 0, 0]));
}

function header(family: number, addresses: number[]): Uint8Array {
  return Uint8Array.from([
    ...signature,
    0x21,
    family,
    addresses.length >> 8,
    addresses.length & 255,
    ...addresses,
  ]);
}

function mapped(bytes: number[]): number[] {
  return [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes];
}

/**
 * The XCLIENT command that says the same (Postfix XCLIENT_README), without CRLF; `offered` are the attributes that the
 * MTA listed in its EHLO reply. Values are xtext (RFC 3461 §4), so nothing in a HELO name can add an attribute.
 */
export function xclientCommand(client: ClientInfo, offered: readonly string[]): string | undefined {
  const values: Record<string, string> = {
    NAME: '[UNAVAILABLE]',
    ADDR: ipv4Bytes(client.ip)?.join('.') ?? `IPV6:${client.ip}`,
    PORT: String(client.port),
    PROTO: client.esmtp ? 'ESMTP' : 'SMTP',
    HELO: client.helo === '' ? '[UNAVAILABLE]' : xtext(client.helo),
  };
  const attributes = Object.entries(values).filter(([name]) => offered.includes(name));
  if (!attributes.some(([name]) => name === 'ADDR')) return undefined;
  return `XCLIENT ${attributes.map(([name, value]) => `${name}=${value}`).join(' ')}`;
}

function xtext(text: string): string {
  let encoded = '';
  for (const byte of toUtf8(text)) {
    const plain = byte > 0x20 && byte < 0x7f && byte !== 0x2b && byte !== 0x3d;
    encoded += plain ? String.fromCharCode(byte) : `+${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
