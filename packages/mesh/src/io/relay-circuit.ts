import type { Connection, Stream } from '@libp2p/interface';
import { encode } from 'it-length-prefixed';
import { frameDeadlineMs, maxPieceBytes, relayHoldBytes } from '../limits.ts';
import { acknowledgementCost, type TrafficClass } from '../line-scheduler.ts';
import { classOfRelayed, startRelayedUrgent } from '../relay-class.ts';
import { type ByteSource, byteSource } from './byte-source.ts';
import { paceOf } from './connection-pace.ts';
import type { StreamMeter } from './frame-stream.ts';
import { renewWindowLazily } from './lazy-window.ts';
import type { Line } from './line.ts';
import { writePaced } from './write-paced.ts';

/** One end of what a relay joins: a stream with a friend's box. */
export interface RelayEnd {
  peer: string;
  source: ByteSource;
  /** Sends one message of the relay protocols. */
  say(message: Uint8Array): Promise<void>;
  /** Passes bytes on, in their class, at the pace of the line and of the connection. */
  write(bytes: Uint8Array, trafficClass: TrafficClass): Promise<void>;
  end(): Promise<void>;
  abort(why: Error): void;
}

/** A relayed connection, as the relay in its middle sees it. */
export interface Circuit {
  peers: readonly [string, string];
  /** What came from either side and was not passed on yet. */
  heldBytes(): number;
  abort(why: Error): void;
  /** Resolves once both sides are done. */
  done: Promise<void>;
}

/**
 * Takes a stream as one end. A relay holds back whoever sends faster than the other side or the line takes: the stream's
 * window does not grow, and is renewed only when something was passed on.
 */
export function relayEnd(
  stream: Stream,
  connection: Connection,
  { line, meter }: { line: Line; meter: StreamMeter },
): RelayEnd {
  renewWindowLazily(stream);
  const received = (sizeBytes: number): void => {
    meter.received(sizeBytes);
    line.spent(acknowledgementCost(sizeBytes));
  };
  const source = byteSource(stream, { received, holdBytes: relayHoldBytes, pieceBytes: maxPieceBytes });
  const broken = new AbortController();
  stream.addEventListener('close', (event) => broken.abort(event.error ?? new Error('stream closed')), {
    once: true,
  });
  const write = (bytes: Uint8Array, trafficClass: TrafficClass): Promise<void> =>
    writePaced(stream, bytes, {
      trafficClass,
      line,
      pace: paceOf(connection, line),
      sent: meter.sent,
      signal: broken.signal,
      deadlineMs: frameDeadlineMs,
    });
  return {
    peer: connection.remotePeer.toString(),
    source,
    say: (message) => write(encode.single(message).subarray(), 'control'),
    write,
    end: () => stream.close(),
    abort: (why) => {
      broken.abort(why);
      stream.abort(why);
    },
  };
}

/** Passes on what comes from either end to the other, until both have ended or one breaks. */
export function joinEnds(one: RelayEnd, other: RelayEnd): Circuit {
  const abort = (why: Error): void => {
    one.abort(why);
    other.abort(why);
  };
  const done = Promise.all([passOn(one, other), passOn(other, one)]).then(
    () => undefined,
    (error: unknown) => abort(error instanceof Error ? error : new Error('the relayed connection broke')),
  );
  return {
    peers: [one.peer, other.peer],
    heldBytes: () => one.source.heldBytes() + other.source.heldBytes(),
    abort,
    done,
  };
}

async function passOn(from: RelayEnd, to: RelayEnd): Promise<void> {
  let urgent = startRelayedUrgent(performance.now());
  for (let bytes = await from.source.some(); bytes !== undefined; bytes = await from.source.some()) {
    const [next, trafficClass] = classOfRelayed(urgent, bytes.length, performance.now());
    urgent = next;
    await to.write(bytes, trafficClass);
  }
  await to.end();
}
