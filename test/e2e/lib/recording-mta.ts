import { createServer, type Socket } from 'node:net';
import type { Address } from './box.ts';

export interface Recorded {
  from: string;
  recipients: string[];
  /** The message as it came, dots unstuffed, with its CRLFs. */
  data: Buffer;
  atMs: number;
}

/** An owner's MTA that keeps every byte it is given, for tests of what exactly arrives. */
export interface RecordingMta extends AsyncDisposable {
  readonly address: Address;
  readonly messages: Recorded[];
}

/**
 * Listens and accepts everything but recipients for whom `refuse` has a reply, and refuses whole messages at the dot
 * where `refuseData` has one.
 */
export async function startRecordingMta(options: {
  address: Address;
  refuse?: (recipient: string) => string | undefined;
  refuseData?: (data: Buffer) => string | undefined;
}): Promise<RecordingMta> {
  const messages: Recorded[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    converse(socket, { ...options, keep: (message) => messages.push(message) });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...options.address }, resolve);
  });
  return {
    address: options.address,
    messages,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function converse(
  socket: Socket,
  options: {
    refuse?: (recipient: string) => string | undefined;
    refuseData?: (data: Buffer) => string | undefined;
    keep: (message: Recorded) => void;
  },
): void {
  let waiting = Buffer.alloc(0);
  let from = '';
  let recipients: string[] = [];
  let inData = false;
  const reply = (text: string) => socket.write(`${text}\r\n`);

  const command = (line: string): void => {
    const verb = line.slice(0, 4).toUpperCase();
    const path = /<([^>]*)>/.exec(line)?.[1] ?? '';
    if (verb === 'EHLO')
      reply('250-recorder.test\r\n250-8BITMIME\r\n250-SIZE 50000000\r\n250 ENHANCEDSTATUSCODES');
    else if (verb === 'MAIL') {
      from = path;
      recipients = [];
      reply('250 2.1.0 ok');
    } else if (verb === 'RCPT') {
      const refusal = options.refuse?.(path);
      if (refusal === undefined) recipients.push(path);
      reply(refusal ?? '250 2.1.5 ok');
    } else if (verb === 'DATA') {
      inData = recipients.length > 0;
      reply(inData ? '354 go on' : '554 5.5.1 no recipients');
    } else if (verb === 'QUIT') socket.end('221 2.0.0 bye\r\n');
    else reply('250 2.0.0 ok');
  };

  socket.on('data', (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    for (;;) {
      const text = waiting.toString('latin1');
      const ending = inData ? (text.startsWith('.\r\n') ? '.\r\n' : '\r\n.\r\n') : '\r\n';
      const at = text.indexOf(ending);
      if (at < 0) return;
      waiting = waiting.subarray(at + ending.length);
      if (!inData) {
        command(text.slice(0, at));
        continue;
      }
      inData = false;
      const body = at === 0 && ending.startsWith('.') ? '' : text.slice(0, at + 2);
      const data = Buffer.from(body.replaceAll(/(^|\r\n)\./g, '$1'), 'latin1');
      const refusal = options.refuseData?.(data);
      if (refusal === undefined) options.keep({ from, recipients, data, atMs: performance.now() });
      reply(refusal ?? '250 2.0.0 kept');
    }
  });
  reply('220 recorder.test ESMTP');
}
