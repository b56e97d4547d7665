import { CommandError, ExitCode } from '@copain/core';
import { htmlWords, type ReadMessage, readableMessage } from '../message-text.ts';
import { fetchMessage, type KeyOptions } from './fetch-message.ts';
import type { Session } from './session.ts';

/** Decodes a message for display. Whatever the library throws means that it is for `--raw`. */
async function decode(bytes: Uint8Array): Promise<ReadMessage> {
  const { default: PostalMime } = await import('postal-mime');
  try {
    const email = await PostalMime.parse(bytes, { attachmentEncoding: 'arraybuffer', maxNestingDepth: 32 });
    const mailboxes = (list: typeof email.to): string =>
      (list ?? [])
        .map(({ name, address, group }) => {
          const inside = (group ?? []).map((one) => one.address).join(', ');
          if (address === undefined) return `${name}: ${inside}`;
          return name === '' ? address : `${name} <${address}>`;
        })
        .join(', ');
    const headers: [string, string][] = [
      ['From', mailboxes(email.from === undefined ? [] : [email.from])],
      ['To', mailboxes(email.to)],
      ['Cc', mailboxes(email.cc)],
      ['Date', email.date ?? ''],
      ['Subject', email.subject ?? ''],
    ];
    return {
      headers: headers.filter(([, value]) => value !== ''),
      text: email.text ?? htmlWords(email.html ?? ''),
      attachments: email.attachments.map(({ filename, mimeType, content }) => ({
        name: filename ?? 'without a name',
        type: mimeType,
        sizeBytes: typeof content === 'string' ? content.length : content.byteLength,
      })),
    };
  } catch (cause) {
    throw new CommandError(ExitCode.badInput, 'this message cannot be decoded for display', {
      hint: 'peer mail read ID --raw',
      cause,
    });
  }
}

/** `peer mail read ID`: the message, decoded for a terminal, or its bytes. Nothing is marked, moved or deleted. */
export async function readMail(
  session: Session,
  id: string,
  options: KeyOptions & { raw?: boolean | undefined },
): Promise<void> {
  const { message, bytes } = await fetchMessage(session, id, options);
  if (options.raw === true) {
    if (session.isJson) {
      session.answer('mail.read', { message, raw: Buffer.from(bytes).toString('base64') }, '');
      return;
    }
    session.world.stdout.write(bytes);
    return;
  }
  const decoded = await decode(bytes);
  const { headers, text, attachments } = decoded;
  const named = Object.fromEntries(headers.map(([label, value]) => [label.toLowerCase(), value]));
  session.answer('mail.read', { message, headers: named, text, attachments }, readableMessage(decoded));
}
