import type { FrameStream } from '@copain/core';
import type { Stream } from '@libp2p/interface';
import { decode, encode } from 'it-length-prefixed';
import { pipe } from 'it-pipe';
import { frameDeadlineMs } from '../limits.ts';
import { acknowledgementCost, type TrafficClass } from '../line-scheduler.ts';
import { bytesOf } from './bytes-of.ts';
import type { ConnectionPace } from './connection-pace.ts';
import { letWindowGrow, renewWindowLazily } from './lazy-window.ts';
import type { Line } from './line.ts';
import { writePaced } from './write-paced.ts';

/** What a stream tells its owner about the traffic on it. */
export interface StreamMeter {
  sent: (sizeBytes: number) => void;
  received: (sizeBytes: number) => void;
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
  letWindowGrow(stream);
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
  const frames = pipe(bytesOf(stream, { received: counted.received, handingOut: begun }), (chunks) =>
    decode(chunks, { maxDataLength: maxFrameBytes }),
  );
  const broken = new AbortController();
  // Whoever waits for his turn to write waits no longer once nothing can be written.
  stream.addEventListener('close', (event) => broken.abort(event.error ?? new Error('stream closed')), {
    once: true,
  });
  let sending: Promise<void> = Promise.resolve();

  /** Frames of one stream never interleave. */
  const write = (bytes: Uint8Array): Promise<void> =>
    writePaced(stream, bytes, {
      trafficClass,
      line,
      pace,
      sent: meter.sent,
      signal: broken.signal,
      deadlineMs,
    });

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

/** Did a stream break because a frame was announced that is larger than what its protocol takes? */
export function isFrameTooLarge(error: unknown): boolean {
  return error instanceof Error && error.name === 'InvalidDataLengthError';
}
