import type { Socket } from 'node:net';
import type { HostPort } from '@copain/core';
import {
  tcpConnectionsMax,
  tcpConnectionsPerSourceMax,
  tcpIdleMs,
  tcpQueryMs,
  tcpUnreadBytesMax,
} from '../limits.ts';

/** See limits.ts for the reasons. */
export interface TcpLimits {
  connections: number;
  connectionsPerSource: number;
  idleMs: number;
  queryMs: number;
  unreadBytes: number;
}

export interface TcpConnectionsOptions {
  answer: (query: Uint8Array, remote: HostPort) => Uint8Array | undefined;
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
  /** Octets of a query that is not whole yet, with its length prefix. */
  pending: Buffer;
  pendingSinceMs: number | undefined;
  activeAtMs: number;
}

export function startTcpConnections(options: TcpConnectionsOptions): TcpConnections {
  const limits: TcpLimits = {
    connections: tcpConnectionsMax,
    connectionsPerSource: tcpConnectionsPerSourceMax,
    idleMs: tcpIdleMs,
    queryMs: tcpQueryMs,
    unreadBytes: tcpUnreadBytesMax,
    ...options.limits,
  };
  /** In the order of last activity: the first is the one idle longest. */
  const connections = new Set<Connection>();

  let closed = false;

  const end = (connection: Connection, why: 'idle' | 'slow' | 'too-many') => {
    connections.delete(connection);
    connection.socket.destroy();
    options.dropped(connection.remote, why);
  };

  const active = (connection: Connection) => {
    connection.activeAtMs = performance.now();
    connections.delete(connection);
    connections.add(connection);
  };

  /** Makes room for one more: the newcomer is let in at the cost of whoever has been idle longest. */
  const makeRoom = (source: string) => {
    const sameSource = [...connections].filter(({ remote }) => remote.host === source);
    const oldest = sameSource.length >= limits.connectionsPerSource ? sameSource[0] : undefined;
    if (oldest) end(oldest, 'too-many');
    const [first] = connections;
    if (first && connections.size >= limits.connections) end(first, 'too-many');
  };

  /** Too much unread? Only where a `drain` will follow, which comes once the stream's own mark was passed. */
  const isStalled = (socket: Socket) =>
    socket.writableNeedDrain && socket.writableLength > limits.unreadBytes;

  /** Answers what is whole, as long as the client reads what it asked for; the rest waits for `drain`. */
  const answerPending = (connection: Connection) => {
    const { socket, remote } = connection;
    let bytes = connection.pending;
    while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
      if (isStalled(socket)) break;
      const queryEnd = 2 + bytes.readUInt16BE(0);
      const answer = options.answer(bytes.subarray(2, queryEnd), remote);
      if (answer) socket.write(framed(answer));
      bytes = bytes.subarray(queryEnd);
      connection.pendingSinceMs = undefined;
    }
    connection.pending = bytes;
    if (bytes.length > 0) connection.pendingSinceMs ??= performance.now();
    if (isStalled(socket)) socket.pause();
    else socket.resume();
  };

  const take = (connection: Connection, chunk: Buffer) => {
    connection.pending = connection.pending.length === 0 ? chunk : Buffer.concat([connection.pending, chunk]);
    answerPending(connection);
    active(connection);
  };

  const sweep = setInterval(
    () => {
      const nowMs = performance.now();
      for (const connection of connections) {
        if (connection.pendingSinceMs !== undefined && nowMs - connection.pendingSinceMs > limits.queryMs)
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
      makeRoom(remote.host);
      const connection: Connection = {
        socket,
        remote,
        pending: Buffer.alloc(0),
        pendingSinceMs: undefined,
        activeAtMs: performance.now(),
      };
      connections.add(connection);
      socket.on('data', (chunk) => take(connection, chunk));
      socket.on('drain', () => answerPending(connection));
      // Resets are everyday events for a server; the close that follows is what counts.
      socket.on('error', () => socket.destroy());
      socket.on('close', () => connections.delete(connection));
    },
    close: () => {
      closed = true;
      clearInterval(sweep);
      for (const { socket } of connections) socket.destroy();
      connections.clear();
    },
  };
}

/** RFC 1035 §4.2.2: the length first, in one write with the message (RFC 7766 §8). */
function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(2 + message.length);
  frame[0] = message.length >> 8;
  frame[1] = message.length & 255;
  frame.set(message, 2);
  return frame;
}
