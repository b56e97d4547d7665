import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { HostPort } from '@copain/core';

/** One message as the MTA got it. */
interface Delivered {
  proxy: string | undefined;
  helo: string;
  from: string;
  recipients: string[];
  /** Dots unstuffed, one character per byte. */
  data: string;
}

/**
 * What the MTA says to a command line, or to `.` at the end of DATA: a reply, 'drop' to close the connection, 'silence' to
 * say nothing, 'late' for the usual after a while, undefined for the usual.
 */
export type Script = (line: string) => string | undefined;

export interface FakeMta extends AsyncDisposable {
  readonly address: HostPort;
  readonly messages: Delivered[];
  /** Every connection that ended inside DATA without a dot. */
  readonly broken: string[];
  script: Script;
  /** Resolves when there are at least this many messages. */
  received(count: number): Promise<Delivered[]>;
}

/** A mail server that keeps what it gets. Port 0 for any. */
export async function startFakeMta({
  port = 0,
  script = () => undefined,
}: {
  port?: number;
  script?: Script;
} = {}): Promise<FakeMta> {
  const sockets = new Set<Socket>();
  const watchers = new Set<() => void>();
  const state = { script, messages: [] as Delivered[], broken: [] as string[] };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    serve(socket, state, () => {
      for (const watcher of watchers) watcher();
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    get messages() {
      return state.messages;
    },
    get broken() {
      return state.broken;
    },
    get script() {
      return state.script;
    },
    set script(next: Script) {
      state.script = next;
    },
    received: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (state.messages.length < count) return;
          watchers.delete(look);
          resolve(state.messages);
        };
        watchers.add(look);
        look();
      }),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function serve(
  socket: Socket,
  state: { script: Script; messages: Delivered[]; broken: string[] },
  changed: () => void,
): void {
  let pending = '';
  let data: string | undefined;
  let current: Delivered = { proxy: undefined, helo: '', from: '', recipients: [], data: '' };
  const say = (line: string, usual: string): string => {
    const answer = state.script(line) ?? usual;
    if (answer === 'drop') socket.destroy();
    else if (answer === 'late') setTimeout(() => socket.write(`${usual}\r\n`), 300);
    else if (answer !== 'silence') socket.write(`${answer}\r\n`);
    return answer;
  };
  const command = (line: string): void => {
    const word = (line.split(/[ :]/)[0] ?? '').toUpperCase();
    const address = /<(.*?)>/.exec(line)?.[1] ?? '';
    if (word === 'PROXY') current.proxy = line;
    else if (word === 'EHLO') {
      current.helo = line.slice(5);
      say(
        line,
        '250-mta\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 XCLIENT NAME ADDR PORT PROTO HELO',
      );
    } else if (word === 'MAIL') {
      current = { ...current, from: address, recipients: [], data: '' };
      say(line, '250 2.1.0 Ok');
    } else if (word === 'RCPT') {
      if (say(line, '250 2.1.5 Ok').startsWith('2')) current.recipients.push(address);
    } else if (word === 'DATA') {
      if (say(line, '354 go on').startsWith('354')) data = '';
    } else if (word === 'QUIT') socket.end('221 2.0.0 Bye\r\n');
    else say(line, word === 'XCLIENT' ? '220 mta again' : '250 2.0.0 Ok');
  };
  socket.setEncoding('latin1');
  say('connect', '220 mta ESMTP');
  socket.on('data', (text: string) => {
    pending += text;
    for (;;) {
      const end = data === undefined ? pending.indexOf('\r\n') : pending.indexOf('\r\n.\r\n');
      const empty = data !== undefined && pending.startsWith('.\r\n');
      if (end < 0 && !empty) return;
      if (data === undefined) {
        const line = pending.slice(0, end);
        pending = pending.slice(end + 2);
        command(line);
      } else {
        current.data = empty ? '' : pending.slice(0, end + 2).replaceAll(/(^|\r\n)\.\./g, '$1.');
        pending = pending.slice(empty ? 3 : end + 5);
        data = undefined;
        if (/^(?:250|late)/.test(say('.', '250 2.0.0 Ok: queued as FAKE'))) {
          state.messages.push(current);
          changed();
        }
      }
    }
  });
  socket.on('close', () => {
    if (data !== undefined) state.broken.push(pending);
  });
}
