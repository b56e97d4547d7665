import { mailDate } from '@copain/mail';
import type { AlertMessage } from '../alert-message.ts';

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

/** Bytes of UTF-8 in one encoded word: with the name of the header before it a line has 76 characters at most (RFC 2047 §2). */
const wordBytes = 39;

/** A header's text as it may stand there: encoded words where it is not plain ASCII or too long for a line. */
export function headerText(text: string): string {
  if (/^[\x20-\x7e]{1,900}$/.test(text)) return text;
  const words: string[] = [];
  let word = '';
  for (const character of text) {
    if (Buffer.byteLength(word + character) > wordBytes) {
      words.push(word);
      word = '';
    }
    word += character;
  }
  return [...words, word].map((one) => `=?utf-8?B?${base64(one)}?=`).join('\r\n ');
}

/** An alert as a mail (RFC 5322), with CRLF; no answer is wanted (RFC 3834 §5). `id`: unique for its content. */
export function alertMail(
  message: AlertMessage,
  { from, to, id, nowMs }: { from: string; to: string; id: string; nowMs: number },
): Uint8Array {
  const body = base64(message.text).replaceAll(/.{1,76}/g, '$&\r\n');
  const lines = [
    `Date: ${mailDate(nowMs)}`,
    `From: copain <${from}>`,
    `To: <${to}>`,
    `Subject: ${headerText(message.title)}`,
    `Message-ID: <copain-alert-${id}@${from.slice(from.lastIndexOf('@') + 1)}>`,
    'Auto-Submitted: auto-generated',
    'X-Auto-Response-Suppress: All',
    ...(message.weight === 'danger' ? ['Importance: high'] : []),
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
    '',
    body,
  ];
  return Buffer.from(lines.join('\r\n'), 'utf8');
}
