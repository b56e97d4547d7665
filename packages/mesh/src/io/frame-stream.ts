import type { FrameStream } from '@copain/core';
import type { Stream } from '@libp2p/interface';
import { decode, encode } from 'it-length-prefixed';
import { pipe } from 'it-pipe';
import type { Uint8ArrayList } from 'uint8arraylist';
import { frameDeadlineMs } from '../limits.ts';
import { acknowledgementCost, type TrafficClass } from '../line-scheduler.ts';
import type { ConnectionPace } from './connection-pace.ts';
import { renewWindowLazily } from './lazy-window.ts';
import type { Line } from './line.ts';

/** Bytes waiting to be read on one stream before the sender is held back; well under yamux's buffer limit of 4 MiB. */
const highWaterBytes = 256 * 1024;

/** What a stream tells its owner about the traffic on it. */
export interface StreamMeter {
  sent(sizeBytes: number): void;
  received(sizeBytes: number): void;
}

/**
 * A libp2p stream as frames (varint length prefix), bounded on both sides. Call it before anything else happens on the
 * stream: the stream is paused until the first `receive`. A frame over `maxFrameBytes` breaks the stream before
 * anything is allocated for it; `maxSentBytes` is what the other side takes.
 */
export function frameStream(
  stream: Stream,
  options: {
    maxFrameBytes: number;
    maxSentBytes: number;
    meter: StreamMeter;
    line: Line;
    pace: ConnectionPace;
    trafficClass: TrafficClass;
    /** How long a frame may take from its first bytes, and how long the other side may leave a write unread. */
    deadlineMs?: number | undefined;
  },
): FrameStream {
  const { deadlineMs = frameDeadlineMs } = options;
  const { maxFrameBytes, maxSentBytes, meter, line, pace, trafficClass } = options;
  renewWindowLazily(stream);
  stream.pause();
  const counted: StreamMeter = {
    ...meter,
    received: (sizeBytes) => {
      meter.received(sizeBytes);
      line.spent(acknowledgementCost(sizeBytes));
    },
  };
  /** Runs while a frame has begun and is not whole; whoever sends a byte a second keeps nothing busy for long. */
  let frameTimer: NodeJS.Timeout | undefined;
  const begun = (): void => {
    frameTimer ??= setTimeout(() => stream.abort(new Error('a frame takes too long')), deadlineMs).unref();
  };
  const whole = (): void => {
    clearTimeout(frameTimer);
    frameTimer = undefined;
  };
  const frames = pipe(incoming(stream, counted, begun), (chunks) =>
    decode(chunks, { maxDataLength: maxFrameBytes }),
  );
  const broken = new AbortController();
  let sending: Promise<void> = Promise.resolve();

  /** Piece by piece, each when the line has room for it. Frames of one stream never interleave. */
  const write = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length; ) {
      const wanted = Math.min(bytes.length - at, line.pieceBytes(trafficClass));
      const grant = await pace.room(trafficClass, wanted, broken.signal);
      const piece = bytes.subarray(at, at + grant.sizeBytes);
      let full: boolean;
      try {
        await line.take(trafficClass, piece.length, broken.signal);
        broken.signal.throwIfAborted();
        meter.sent(piece.length);
        full = !stream.send(piece);
        grant.settle(true);
      } finally {
        grant.settle(false);
      }
      if (full) await drained(stream, deadlineMs);
      at += piece.length;
    }
  };

  return {
    send: async (frame) => {
      broken.signal.throwIfAborted();
      if (frame.length > maxSentBytes)
        throw new RangeError(`frame of ${frame.length} bytes, at most ${maxSentBytes}`);
      const prefixed = encode.single(frame).subarray();
      const turn = sending.then(() => write(prefixed));
      sending = turn.catch(() => undefined);
      await turn;
    },
    receive: async () => {
      const next = await frames.next().finally(whole);
      if (next.done === true) return undefined;
      // The library may hand out a Buffer, whose slice() shares memory; rooms get plain bytes.
      const bytes = next.value.subarray();
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    end: async () => {
      await sending;
      await stream.close();
    },
    abort: (reason) => {
      broken.abort(reason);
      stream.abort(reason);
    },
  };
}

/**
 * The bytes of a stream with back-pressure. Only the other side's FIN is a clean end; a connection that went away
 * while bytes were expected is an error, since a clean-looking end proves nothing about completeness.
 */
async function* incoming(
  stream: Stream,
  meter: StreamMeter,
  handingOut: () => void,
): AsyncGenerator<Uint8Array | Uint8ArrayList> {
  const waiting: (Uint8Array | Uint8ArrayList)[] = [];
  let waitingBytes = 0;
  let finished = stream.remoteWriteStatus === 'closed';
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  const changed = (): void => {
    const waker = wake;
    wake = undefined;
    waker?.();
  };
  let resuming = false;
  // Never pause from within resume(): the stream would go on granting window. flow() checks again after it.
  const pauseIfFull = (): void => {
    if (waitingBytes >= highWaterBytes && !resuming && stream.readStatus === 'readable') stream.pause();
  };
  const onMessage = (event: { data: Uint8Array | Uint8ArrayList }): void => {
    waiting.push(event.data);
    waitingBytes += event.data.byteLength;
    meter.received(event.data.byteLength);
    pauseIfFull();
    changed();
  };
  const onFinish = (): void => {
    finished = true;
    changed();
  };
  const onClose = (event: { error?: Error }): void => {
    failure ??= event.error ?? (finished ? undefined : new Error('connection lost'));
    finished = true;
    changed();
  };
  const flow = (): void => {
    if (stream.readStatus !== 'paused' || waitingBytes >= highWaterBytes / 2) return;
    resuming = true;
    try {
      stream.resume();
    } finally {
      resuming = false;
    }
    pauseIfFull();
  };
  stream.addEventListener('message', onMessage);
  stream.addEventListener('remoteCloseWrite', onFinish);
  stream.addEventListener('close', onClose);
  try {
    for (;;) {
      const chunk = waiting.shift();
      if (chunk !== undefined) {
        waitingBytes -= chunk.byteLength;
        flow();
        handingOut();
        yield chunk;
        continue;
      }
      if (failure !== undefined) throw failure;
      if (stream.status === 'reset' || stream.status === 'aborted')
        throw new Error(`stream ${stream.status}`);
      flow();
      if (waiting.length > 0) continue;
      if ((finished || stream.remoteWriteStatus === 'closed') && stream.readBufferLength === 0) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    stream.removeEventListener('message', onMessage);
    stream.removeEventListener('remoteCloseWrite', onFinish);
    stream.removeEventListener('close', onClose);
  }
}

/**
 * Waits for the stream's drain event; whoever reads nothing for `limitMs` loses the stream. The stream's own onDrain()
 * resolves at once from its second call on.
 */
async function drained(stream: Stream, limitMs: number): Promise<void> {
  if (!stream.writableNeedsDrain) return;
  const timer = setTimeout(() => stream.abort(new Error('the other side does not read')), limitMs).unref();
  await new Promise<void>((resolve, reject) => {
    const done = (settle: () => void): void => {
      clearTimeout(timer);
      stream.removeEventListener('drain', onDrain);
      stream.removeEventListener('close', onClose);
      settle();
    };
    const onDrain = (): void => done(resolve);
    const onClose = (event: { error?: Error }): void => {
      done(() => reject(event.error ?? new Error('stream closed')));
    };
    stream.addEventListener('drain', onDrain);
    stream.addEventListener('close', onClose);
  });
}

/** Did a stream break because a frame was announced that is larger than what its protocol takes? */
export function isFrameTooLarge(error: unknown): boolean {
  return error instanceof Error && error.name === 'InvalidDataLengthError';
}
