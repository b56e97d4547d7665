import type { Socket } from 'node:net';
import type { HostPort } from '@copain/core';
import {
  tcpConnectionsMax,
  tcpConnectionsPerNetworkMax,
  tcpConnectionsPerSourceMax,
  tcpIdleMs,
  tcpQueryMs,
  tcpUnreadBytesAllMax,
  tcpUnreadBytesMax,
  transferMs,
} from '../limits.ts';
import { networkOf } from '../rate-limit.ts';
import { framed, TcpFrames } from '../tcp-frames.ts';
import { whoMakesRoom } from '../tcp-room.ts';
import type { MessageSource } from '../transfer-stream.ts';

/** See limits.ts for the reasons. */
export interface TcpLimits {
  connections: number;
  connectionsPerSource: number;
  connectionsPerNetwork: number;
  idleMs: number;
  queryMs: number;
  unreadBytes: number;
  unreadBytesAll: number;
  transferMs: number;
}

export interface TcpConnectionsOptions {
  /** One message, or several that are sent one after the other before the next query is answered. */
  answer: (query: Uint8Array, remote: HostPort) => Uint8Array | MessageSource | undefined;
  /** A transfer could not be continued; its connection is closed. */
  failed: (cause: unknown) => void;
  dropped: (remote: HostPort, why: 'idle' | 'slow' | 'too-many') => void;
  limits: Partial<TcpLimits>;
}

/** All TCP connections of one server (RFC 7766 §6.2): each may carry many queries, none may keep others out. */
export interface TcpConnections {
  accept(socket: Socket): void;
  close(): void;
}

interface Connection {
  socket: Socket;
  remote: HostPort;
  source: string;
  network: number;
  frames: TcpFrames;
  /** Since when a query has been waiting: to be whole, or for room for its answer. */
  pendingSinceMs: number | undefined;
  activeAtMs: number;
  /** The transfer that is being sent. */
  transfer: { source: MessageSource; sinceMs: number; isDue: boolean } | undefined;
}

export function startTcpConnections(options: TcpConnectionsOptions): TcpConnections {
  const limits: TcpLimits = {
    connections: tcpConnectionsMax,
    connectionsPerSource: tcpConnectionsPerSourceMax,
    connectionsPerNetwork: tcpConnectionsPerNetworkMax,
    idleMs: tcpIdleMs,
    queryMs: tcpQueryMs,
    unreadBytes: tcpUnreadBytesMax,
    unreadBytesAll: tcpUnreadBytesAllMax,
    transferMs,
    ...options.limits,
  };
  /** In the order of last activity: the first is the one idle longest. */
  const connections = new Set<Connection>();

  let closed = false;

  const end = (connection: Connection, why: 'idle' | 'slow' | 'too-many') => {
    connections.delete(connection);
    breakOff(connection);
    connection.socket.destroy();
    options.dropped(connection.remote, why);
  };

  const active = (connection: Connection) => {
    connection.activeAtMs = performance.now();
    connections.delete(connection);
    connections.add(connection);
  };

  const unreadByAll = (): number => {
    let unread = 0;
    for (const { socket } of connections) unread += socket.writableLength;
    return unread;
  };

  /** Too much unread? Only where a `drain` will follow, which comes once the stream's own mark was passed. */
  const isStalled = (socket: Socket) =>
    socket.writableNeedDrain &&
    (socket.writableLength > limits.unreadBytes || unreadByAll() > limits.unreadBytesAll);

  /**
   * Sends a transfer message by message, one in each turn of the event loop, so that queries are answered in between,
   * and none while the client has too much to read.
   */
  const continueTransfer = (connection: Connection) => {
    const { transfer, socket } = connection;
    if (transfer === undefined || transfer.isDue || isStalled(socket)) return;
    transfer.isDue = true;
    setImmediate(() => {
      if (connection.transfer !== transfer) return;
      transfer.isDue = false;
      try {
        const message = transfer.source.next(Date.now());
        if (message) {
          socket.write(framed(message));
          connection.pendingSinceMs = performance.now();
          active(connection);
          continueTransfer(connection);
          return;
        }
      } catch (cause) {
        // What was sent is not the zone: the end of the connection says so (RFC 5936 §2.2).
        options.failed(cause);
        breakOff(connection);
        socket.destroy();
        return;
      }
      connection.transfer = undefined;
      connection.pendingSinceMs = undefined;
      transfer.source.close('done');
      answerPending(connection);
    });
  };

  /** Answers what is whole, as long as the client reads what it asked for; the rest waits for `drain`. */
  const answerPending = (connection: Connection) => {
    const { socket, remote, frames } = connection;
    if (connection.transfer) {
      // RFC 7766 §6.2.1.1 lets answers come in order: what was asked behind a transfer waits for its end.
      connection.pendingSinceMs = performance.now();
      socket.pause();
      continueTransfer(connection);
      return;
    }
    // What is answered in one go leaves in as few packets as it can (RFC 7766 §8).
    socket.cork();
    while (!isStalled(socket)) {
      const query = frames.next();
      if (!query) break;
      const answer = options.answer(query, remote);
      connection.pendingSinceMs = undefined;
      if (answer instanceof Uint8Array) socket.write(framed(answer));
      else if (answer) {
        connection.transfer = { source: answer, sinceMs: performance.now(), isDue: false };
        break;
      }
    }
    socket.uncork();
    if (connection.transfer) {
      answerPending(connection);
      return;
    }
    if (frames.hasPart) connection.pendingSinceMs ??= performance.now();
    if (isStalled(socket)) socket.pause();
    else socket.resume();
    active(connection);
  };

  const take = (connection: Connection, chunk: Buffer) => {
    connection.frames.push(chunk);
    answerPending(connection);
  };

  const sweep = setInterval(
    () => {
      const nowMs = performance.now();
      for (const connection of connections) {
        if (connection.pendingSinceMs !== undefined && nowMs - connection.pendingSinceMs > limits.queryMs)
          end(connection, 'slow');
        else if (connection.transfer && nowMs - connection.transfer.sinceMs > limits.transferMs)
          end(connection, 'slow');
        else if (nowMs - connection.activeAtMs > limits.idleMs) end(connection, 'idle');
      }
    },
    Math.max(10, Math.min(1000, limits.idleMs / 4, limits.queryMs / 4)),
  );
  sweep.unref();

  return {
    accept: (socket) => {
      if (closed) {
        socket.destroy();
        return;
      }
      const remote = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
      const network = networkOf(remote.host);
      const leaving = whoMakesRoom(connections, { source: remote.host, network }, limits);
      if (leaving) end(leaving, 'too-many');
      const connection: Connection = {
        socket,
        remote,
        source: remote.host,
        network,
        frames: new TcpFrames(),
        pendingSinceMs: undefined,
        activeAtMs: performance.now(),
        transfer: undefined,
      };
      connections.add(connection);
      socket.on('data', (chunk) => take(connection, chunk));
      socket.on('drain', () => answerPending(connection));
      // Resets are everyday events for a server; the close that follows is what counts.
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        connections.delete(connection);
        breakOff(connection);
      });
    },
    close: () => {
      closed = true;
      clearInterval(sweep);
      for (const connection of connections) {
        breakOff(connection);
        connection.socket.destroy();
      }
      connections.clear();
    },
  };
}

function breakOff(connection: Connection): void {
  connection.transfer?.source.close('broken');
  connection.transfer = undefined;
}
