import type { Stream } from '@libp2p/interface';
import type { TrafficClass } from '../line-scheduler.ts';
import type { ConnectionPace } from './connection-pace.ts';
import type { Line } from './line.ts';

/**
 * Writes to a stream piece by piece, each when the line and the connection have room for it, and when the other side
 * reads. Rejects when `signal` aborts; whoever reads nothing for `deadlineMs` loses the stream. One call at a time.
 */
export async function writePaced(
  stream: Stream,
  bytes: Uint8Array,
  options: {
    trafficClass: TrafficClass;
    line: Line;
    pace: ConnectionPace;
    sent(sizeBytes: number): void;
    signal: AbortSignal;
    deadlineMs: number;
  },
): Promise<void> {
  const { trafficClass, line, pace, signal } = options;
  for (let at = 0; at < bytes.length; ) {
    const wanted = Math.min(bytes.length - at, line.pieceBytes(trafficClass));
    const grant = await pace.room(trafficClass, wanted, signal);
    const piece = bytes.subarray(at, at + grant.sizeBytes);
    let full: boolean;
    try {
      await line.take(trafficClass, piece.length, signal);
      signal.throwIfAborted();
      options.sent(piece.length);
      full = !stream.send(piece);
      grant.settle(true);
    } finally {
      grant.settle(false);
    }
    if (full) await drained(stream, options.deadlineMs);
    at += piece.length;
  }
}

/**
 * Waits until the stream has sent what it holds; whoever takes nothing of it for `limitMs` loses the stream. Its drain
 * event alone says little: it comes with every few bytes that may be sent, and with whatever else on the connection went
 * out. The stream's own onDrain() resolves at once from its second call on.
 */
async function drained(stream: Stream, limitMs: number): Promise<void> {
  if (!stream.writableNeedsDrain) return;
  await new Promise<void>((resolve, reject) => {
    const giveUp = (): void => stream.abort(new Error('the other side does not read'));
    let heldBytes = stream.writeBufferLength;
    let timer = setTimeout(giveUp, limitMs).unref();
    const done = (settle: () => void): void => {
      clearTimeout(timer);
      stream.removeEventListener('drain', onDrain);
      stream.removeEventListener('close', onClose);
      settle();
    };
    const look = (): void => {
      const leftBytes = stream.writeBufferLength;
      if (leftBytes === 0) done(resolve);
      else if (leftBytes < heldBytes) {
        heldBytes = leftBytes;
        clearTimeout(timer);
        timer = setTimeout(giveUp, limitMs).unref();
      }
    };
    // The stream's own listener, the first, sends in a microtask.
    const onDrain = (): void => queueMicrotask(look);
    const onClose = (event: { error?: Error }): void => {
      done(() => reject(event.error ?? new Error('stream closed')));
    };
    stream.addEventListener('drain', onDrain);
    stream.addEventListener('close', onClose);
  });
}
