import { isoTime } from '@copain/core';
import { type ClientInfo, ipv4Bytes } from './client-info.ts';

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Sun, 22 Nov 2026 22:30:00 +0000` (RFC 5322 §3.3). */
export function mailDate(atMs: number): string {
  const [date = '', time = ''] = isoTime(atMs).split('T');
  const [year = '', month = '', day = ''] = date.split('-');
  const weekday = days[(((Math.floor(atMs / 86_400_000) + 4) % 7) + 7) % 7] ?? '';
  return `${weekday}, ${Number(day)} ${months[Number(month) - 1] ?? ''} ${year} ${time.slice(0, 8)} +0000`;
}

export interface TraceOptions {
  client: ClientInfo;
  /** The friend who took the message, by the name in his greeting. */
  by: string;
  /** Set where the message has exactly one recipient; more would tell each of the others (RFC 5321 §7.2). */
  recipient: string | undefined;
  atMs: number;
}

/**
 * The one header that we add: `Received` (RFC 5321 §4.4), folded, ending with CRLF. Everything in it that came from
 * outside is cut down to characters that can neither end the line nor open a comment.
 */
export function receivedHeader({ client, by, recipient, atMs }: TraceOptions): string {
  const ip = ipv4Bytes(client.ip)?.join('.') ?? `IPv6:${client.ip}`;
  const helo = plainName(client.helo);
  const protocol = `${client.esmtp ? 'ESMTP' : 'SMTP'}${client.esmtp && client.tls ? 'S' : ''}`;
  const lines = [
    `Received: from ${helo === '' ? 'unknown' : helo} ([${plainName(ip)}])`,
    `by ${plainName(by) || 'unknown'} (copain) with ${protocol}`,
    ...(recipient !== undefined && isPlain(recipient) ? [`for <${recipient}>`] : []),
  ];
  return `${lines.join('\r\n\t')};\r\n\t${mailDate(atMs)}\r\n`;
}

function plainName(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._:[\]-]/g, '').slice(0, 255);
}

function isPlain(address: string): boolean {
  return /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~@-]{1,254}$/.test(address);
}
