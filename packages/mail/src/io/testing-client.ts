import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { HostPort } from '@copain/core';

/** A client that says one thing at a time. */
export interface Talk extends AsyncDisposable {
  readonly socket: Socket;
  /** Sends a line and returns the whole reply, lines joined with `\n`; without a line, waits for the next reply. */
  say(line?: string): Promise<string>;
  /** Sends bytes and waits for nothing. */
  send(bytes: string): void;
  /** Resolves when the other side has closed. */
  closed(): Promise<void>;
}

/** Greets as a client does; `localAddress`: where it comes from. */
export async function talkTo(address: HostPort, localAddress?: string): Promise<Talk> {
  // It says one thing at a time, so nothing is gained by waiting for more to send with it.
  const socket = connect({ ...address, localAddress, noDelay: true });
  socket.setEncoding('latin1');
  const replies: string[] = [];
  let pending = '';
  let lines: string[] = [];
  let wake = (): void => {};
  let ended = false;
  socket.on('data', (text: string) => {
    pending += text;
    for (let end = pending.indexOf('\r\n'); end >= 0; end = pending.indexOf('\r\n')) {
      const line = pending.slice(0, end);
      pending = pending.slice(end + 2);
      lines.push(line);
      if (line[3] === '-') continue;
      replies.push(lines.join('\n'));
      lines = [];
    }
    wake();
  });
  socket.on('close', () => {
    ended = true;
    wake();
  });
  socket.on('error', () => {});
  const next = async (): Promise<string> => {
    while (replies.length === 0 && !ended)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return replies.shift() ?? 'closed';
  };
  const talk: Talk = {
    socket,
    say: async (line) => {
      if (line !== undefined) socket.write(`${line}\r\n`, 'latin1');
      return await next();
    },
    send: (bytes) => {
      socket.write(bytes, 'latin1');
    },
    closed: async () => {
      while (!ended)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    },
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
      if (!socket.closed) await once(socket, 'close');
    },
  };
  await talk.say();
  await talk.say('EHLO client.test');
  return talk;
}

/** MAIL, RCPTs, DATA; the final reply. `data` goes out as it is, the dot is added. */
export async function submit(
  talk: Talk,
  {
    from = 'sender@out.test',
    to = ['a@alice.test'],
    data = message('hello'),
  }: { from?: string; to?: string[]; data?: string } = {},
): Promise<string> {
  await talk.say(`MAIL FROM:<${from}>`);
  for (const recipient of to) {
    const answer = await talk.say(`RCPT TO:<${recipient}>`);
    if (!answer.startsWith('250')) return answer;
  }
  await talk.say('DATA');
  talk.send(data);
  return await talk.say('.');
}

export function message(text: string): string {
  return `From: sender@out.test\r\nTo: a@alice.test\r\nSubject: ${text}\r\n\r\n${text}\r\n`;
}

/** Everything after our one header. */
export function withoutTrace(data: string): string {
  return data.replace(/^Received: from [^\r\n]+\r\n(?:\t[^\r\n]+\r\n)+/, '');
}
