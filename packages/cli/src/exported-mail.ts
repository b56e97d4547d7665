import { isoTime } from '@copain/core';
import { matchesId } from '@copain/mail';
import type { MessageInfo } from '@copain/status';

/**
 * Which of the messages are meant: those with one of the ids (or their beginnings; none for all), of the domain where one
 * is given. `unknown`: ids that mean none of them.
 */
export function messagesToExport(
  messages: readonly MessageInfo[],
  { ids, domain }: { ids: readonly string[]; domain: string | undefined },
): { chosen: MessageInfo[]; unknown: string[] } {
  const there = messages.filter((message) => domain === undefined || message.domain === domain.toLowerCase());
  return {
    chosen: there.filter(({ id }) => ids.length === 0 || ids.some((typed) => matchesId(typed, id))),
    unknown: ids.filter((typed) => !there.some(({ id }) => matchesId(typed, id))),
  };
}

/** What belongs to an exported message beside its bytes. */
export interface ExportedEnvelope {
  from: string;
  recipients: readonly string[];
  receivedAtMs: number;
}

/** Lines of a message in Latin-1 with LF, as mailboxes on disk have them. */
function withEnvelope(message: string, { from, recipients }: ExportedEnvelope): string {
  const plain = (address: string): string => address.replaceAll(/[^\u0021-\u007e\u00a0-\u00ff]/g, '');
  const added = [`Return-Path: <${plain(from)}>`, ...recipients.map((one) => `Envelope-To: ${plain(one)}`)];
  return `${added.join('\n')}\n${message.replaceAll('\r\n', '\n')}`;
}

/** A file of a Maildir: Return-Path (RFC 5321 §4.4) and Envelope-To in front, LF at line ends. One character a byte. */
export function maildirFile(message: string, envelope: ExportedEnvelope): string {
  return withEnvelope(message, envelope);
}

/**
 * An entry of an mbox (RFC 4155) in the mboxrd way: a From_ line, `>` in front of every line that begins with any number
 * of `>` and `From `, an empty line at the end. One character a byte.
 */
export function mboxEntry(message: string, envelope: ExportedEnvelope): string {
  const text = withEnvelope(message, envelope).replaceAll(/^(>*From )/gm, '>$1');
  const sender = envelope.from === '' ? 'MAILER-DAEMON' : envelope.from.replaceAll(/[^\u0021-\u007e]/g, '');
  const date = asctime(envelope.receivedAtMs);
  return `From ${sender} ${date}\n${text}${text.endsWith('\n') ? '' : '\n'}\n`;
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Sun Nov 22 22:30:00 2026`, UTC: the date of a From_ line (RFC 4155, appendix A). */
function asctime(atMs: number): string {
  const [date = '', time = ''] = isoTime(atMs).split('T');
  const [year = '', month = '', day = ''] = date.split('-');
  const weekday = weekdays[(Math.floor(atMs / 86_400_000) + 4) % 7] ?? '';
  return `${weekday} ${months[Number(month) - 1] ?? ''} ${String(Number(day)).padStart(2)} ${time.slice(0, 8)} ${year}`;
}
