import { connect } from 'node:net';
import type { HostPort } from '@copain/core';
import { framed, TcpFrames } from '../tcp-frames.ts';

/** A server, and how long it may take: to take the connection, between two pieces, and for all of it. */
export interface ServerToTalkTo {
  address: HostPort;
  signal: AbortSignal;
  limits: { connectMs: number; stallMs: number; transferMs: number };
}

/**
 * Sends one message over a connection of its own and hands over what comes until `take` says that it is done. Gives why
 * it ended otherwise; undefined for a clean end.
 */
export function converse(
  server: ServerToTalkTo,
  message: Uint8Array,
  take: (message: Uint8Array) => boolean,
): Promise<string | undefined> {
  const { address, signal, limits } = server;
  return new Promise((resolve) => {
    const frames = new TcpFrames();
    const socket = connect({ host: address.host, port: address.port, noDelay: true });
    let isDone = false;
    const finish = (why: string | undefined): void => {
      if (isDone) return;
      isDone = true;
      clearTimeout(deadline);
      signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve(why);
    };
    const stop = (): void => finish('this box is stopping, or nobody asks for it any more');
    const deadline = setTimeout(
      () => finish(`it was not through after ${limits.transferMs / 1000} s`),
      limits.transferMs,
    );
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    socket.setTimeout(limits.connectMs, () =>
      finish(
        socket.connecting
          ? `it does not accept a connection within ${limits.connectMs / 1000} s`
          : `nothing came from it for ${limits.stallMs / 1000} s`,
      ),
    );
    socket.on('connect', () => {
      socket.setTimeout(limits.stallMs);
      socket.write(framed(message));
    });
    socket.on('data', (chunk) => {
      frames.push(chunk);
      for (let next = frames.next(); next && !isDone; next = frames.next()) {
        if (take(next)) finish(undefined);
      }
    });
    socket.on('error', (cause) => finish(errorText(cause)));
    socket.on('close', () => finish(undefined));
  });
}

function errorText(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  switch (code) {
    case 'ECONNREFUSED':
      return 'nothing listens there (connection refused)';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'it broke the connection off';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'there is no way to it (unreachable)';
    default:
      return cause instanceof Error ? cause.message : String(cause);
  }
}
