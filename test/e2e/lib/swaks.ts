import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from './box.ts';
import { run } from './run.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface SwaksResult {
  /** Did the server take responsibility for the message? */
  accepted: boolean;
  /** The server's replies, in order. */
  replies: string[];
  tookMs: number;
}

/**
 * Sends one message with the real swaks. `message` has LF line ends and ends with one; on the wire it is the same with
 * CRLF, dots stuffed.
 */
export async function swaks(options: {
  server: Address;
  from: string;
  to: string;
  message?: string;
  namespace?: string | undefined;
  /** The local address to come from. */
  source?: string;
  /** STARTTLS, whatever the certificate. */
  tls?: boolean;
}): Promise<SwaksResult> {
  await using folder = temporaryFolder('swaks');
  const file = join(folder.path, 'message');
  // swaks ends the last line itself.
  writeFileSync(file, (options.message ?? letter('swaks')).replace(/\n$/, ''));
  const { host, port } = options.server;
  const envelope = ['--server', host, '--port', String(port), '--from', options.from, '--to', options.to];
  const way = [
    ...(options.source === undefined ? [] : ['--local-interface', options.source]),
    ...(options.tls === true ? ['--tls'] : []),
  ];
  const content = ['--data', `@${file}`, '--helo', 'sender.test', '--timeout', '20'];
  const ran = await run(['swaks', ...envelope, ...way, ...content], {
    limitMs: 60_000,
    namespace: options.namespace,
  });
  const replies = ran.stdout
    .split('\n')
    .filter((line) => /^<(-|\*\*)/.test(line))
    .map((line) => line.replace(/^<(-|\*\*)\s*/, ''));
  return { accepted: ran.code === 0, replies, tookMs: ran.tookMs };
}

/** A message with what is easily damaged on the way: leading dots, blanks at line ends, eight-bit text, empty lines. */
export function letter(subject: string): string {
  return [
    'From: Erika <erika@outside.test>',
    'To: anna@alice.example',
    `Subject: ${subject}`,
    'Date: Sun, 22 Nov 2026 12:00:00 +0000',
    `Message-ID: <${subject.replaceAll(/[^a-z0-9]/gi, '')}.1@outside.test>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    'Grüße aus Zürich.',
    '.a line with a leading dot',
    '..and one with two',
    '.',
    'blanks at the end   ',
    '',
    'x'.repeat(900),
    '',
    '',
    'end',
    '',
  ].join('\n');
}
