import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { FrameStream } from '@copain/core';
import { chunkBytes, rawIdleMs, rawMaxMs } from '../limits.ts';
import { decodeRawFrame, encodeRawFrame, type RawFrame } from '../raw-frames.ts';

/** Bytes from the socket into the stream, and the other way. */
export interface RawCounts {
  fromSocketBytes: number;
  toSocketBytes: number;
}

/** The bytes that a socket brings; closing the iterator leaves the socket open. */
export function bytesFrom(socket: Socket): AsyncIterator<Uint8Array> {
  return socket.iterator({ destroyOnReturn: false });
}

/** The next frame, undefined at the end of the stream. Throws where it is none of this protocol. */
export async function receiveRaw(stream: FrameStream): Promise<RawFrame | undefined> {
  const bytes = await stream.receive();
  if (!bytes) return undefined;
  const frame = decodeRawFrame(bytes);
  if (!frame) throw new Error('not a frame of this protocol');
  return frame;
}

/** Sends bytes in frames; resolves when the path has room for more. */
export async function sendRaw(stream: FrameStream, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const piece = new Uint8Array(bytes.subarray(at, at + chunkBytes));
    await stream.send(encodeRawFrame({ t: 'bytes', bytes: piece }));
  }
}

/**
 * Joins a socket (with `allowHalfOpen`) and a stream, each direction as fast as its far end reads, until both have ended;
 * the end of one is passed on while the other goes on. Rejects where one of them breaks, nothing moves for `idleMs`, or it
 * takes too long: the caller then cuts both. `lingerMs`: for how long the socket may keep its direction open after the
 * stream has ended; unless given, as long as it has anything to say.
 */
export async function pipeRaw(
  socket: Socket,
  incoming: AsyncIterator<Uint8Array>,
  stream: FrameStream,
  {
    counts,
    lingerMs,
    idleMs = rawIdleMs,
  }: { counts: RawCounts; lingerMs?: number; idleMs?: number | undefined },
): Promise<void> {
  const timers: NodeJS.Timeout[] = [];
  const after = (ms: number, act: () => void): NodeJS.Timeout => {
    const timer = setTimeout(act, ms).unref();
    timers.push(timer);
    return timer;
  };
  const { promise: over, resolve: lingered, reject: fail } = Promise.withResolvers<void>();
  const idle = after(idleMs, () => fail(new Error('nothing came for too long')));
  after(rawMaxMs, () => fail(new Error('took too long')));

  const outward = async (): Promise<void> => {
    for (;;) {
      const next = await incoming.next();
      if (next.done === true) break;
      idle.refresh();
      await sendRaw(stream, next.value);
      counts.fromSocketBytes += next.value.length;
    }
    await stream.end();
  };
  const inward = async (): Promise<void> => {
    for (;;) {
      const frame = await receiveRaw(stream);
      if (!frame) break;
      if (frame.t !== 'bytes') throw new Error(`unexpected ${frame.t}`);
      idle.refresh();
      await write(socket, frame.bytes);
      counts.toSocketBytes += frame.bytes.length;
    }
    socket.end();
    if (lingerMs !== undefined) after(lingerMs, lingered);
  };
  try {
    await Promise.race([Promise.all([outward(), inward()]), over]);
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}

async function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (socket.destroyed) throw new Error('connection closed');
  if (socket.write(bytes)) return;
  const waiting = new AbortController();
  const { signal } = waiting;
  try {
    const closed = once(socket, 'close', { signal }).then(() => {
      throw new Error('connection closed');
    });
    await Promise.race([once(socket, 'drain', { signal }), closed]);
  } finally {
    waiting.abort();
  }
}
