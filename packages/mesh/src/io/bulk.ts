import { type Clock, CommandError, ExitCode, type FrameStream, type Random, toHex } from '@copain/core';
import {
  type BulkFrame,
  bulkTicketBytes,
  decodeBulkFrame,
  encodeBulkFrame,
  maxBulkFrameBytes,
} from '../bulk-frames.ts';
import {
  bulkArrivalMs,
  bulkIdleMs,
  bulkSilenceMs,
  bulkStarvedMs,
  bulkTicketMs,
  dialTimeoutMs,
  maxBulkTransfers,
} from '../limits.ts';
import { chunkArrived, chunkWritten, roomBytes, type SendWindow, startSendWindow } from '../send-window.ts';
import type { Host } from './host.ts';
import type { ProtocolHandler } from './serve-protocols.ts';

/** How much a receiver takes, and for how long. */
export interface BulkLimits {
  maxBytes: number;
  maxMs: number;
}

/** What takes bulk of one purpose in. */
export interface BulkService {
  /** How much of it, or why none. `sizeBytes`: 0 where the sender does not know. */
  accept(from: string, sizeBytes: number): BulkLimits | { refuse: string };
  /** Reads the chunks to their end; only when it resolves is the sender told that all is done. */
  take(from: string, chunks: AsyncIterable<Uint8Array>): Promise<void>;
}

/** A transfer as its sender saw it. */
export interface BulkSent {
  bytes: number;
  tookMs: number;
  /** False where no second connection could be made, and the friend's only one was used. */
  ownConnection: boolean;
  limits: BulkLimits;
  /** At the end: how much was kept under way, and the shortest round trip of a chunk. */
  windowBytes: number;
  shortestRttMs: number;
}

/** What is large and may wait, between two friends. */
export interface Bulk {
  /**
   * Sends what `source` gives, within the friend's limits; resolves once he is done with all of it. A second
   * connection is made for it, or used where there is one. Rejects with a CommandError where he refuses or runs a
   * version without bulk, and with any error where the transfer broke; what he has taken by then is for the service
   * of that purpose to know.
   */
  send(
    peer: string,
    offer: { purpose: string; sizeBytes: number },
    source: (limits: BulkLimits) => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<BulkSent>;
  /** The protocol's handler. */
  handler: ProtocolHandler;
  /** A friend dialled us: calls `other` at once, or soon where the connection may turn out to be the one for bulk. */
  unlessBulk(peer: string, connectionId: string, other: () => void): void;
  stop(): void;
}

interface Ticket {
  peer: string;
  service: BulkService;
  limits: BulkLimits;
  untilMs: number;
}

export function startBulk(options: {
  host: () => Host;
  clock: Clock;
  random: Random;
  services: Readonly<Record<string, BulkService>>;
  addressesOf(peer: string): readonly string[];
  /** Other than `bulkIdleMs`, for tests. */
  idleMs?: number;
}): Bulk {
  const { host, clock, random, services, idleMs = bulkIdleMs } = options;
  const tickets = new Map<string, Ticket>();
  const taking = new Map<string, number>();
  /** Transfers on each second connection, and when an idle one is closed. */
  const uses = new Map<string, number>();
  const idle = new Map<string, NodeJS.Timeout>();
  const stopping = new AbortController();

  const say = (stream: FrameStream, frame: BulkFrame): Promise<void> => stream.send(encodeBulkFrame(frame));

  /** Keeps a second connection open while it is used, and closes it some time after. */
  const use = (peer: string, connectionId: string, closeAfterMs: number): Disposable => {
    clearTimeout(idle.get(connectionId));
    idle.delete(connectionId);
    uses.set(connectionId, (uses.get(connectionId) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (uses.get(connectionId) ?? 1) - 1;
        if (left > 0) {
          uses.set(connectionId, left);
          return;
        }
        uses.delete(connectionId);
        const close = (): void => {
          idle.delete(connectionId);
          host().closeConnection(peer, connectionId);
        };
        const timer = setTimeout(close, closeAfterMs);
        timer.unref();
        idle.set(connectionId, timer);
      },
    };
  };

  /** The second connection to this friend, made where there is none; undefined where he cannot be dialled. */
  const secondConnection = async (peer: string, signal: AbortSignal): Promise<string | undefined> => {
    const there = host().bulkConnection(peer);
    if (there !== undefined) return there;
    const within = AbortSignal.any([signal, AbortSignal.timeout(dialTimeoutMs)]);
    try {
      return await host().dialBulk(peer, options.addressesOf(peer), within);
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  };

  const openStream = async (
    peer: string,
    signal: AbortSignal,
    connectionId: string | undefined,
  ): Promise<FrameStream> => {
    try {
      return await host().open(peer, 'bulk', {
        signal,
        ...(connectionId === undefined ? {} : { connectionId }),
      });
    } catch (error) {
      if (error instanceof Error && error.name === 'UnsupportedProtocolError')
        throw new CommandError(
          ExitCode.unreachable,
          "the friend's box runs a version without bulk transfers",
          {
            hint: 'peer version --friends',
            cause: error,
          },
        );
      throw error;
    }
  };

  const send: Bulk['send'] = async (peer, offer, source, ended) => {
    const broken = new AbortController();
    const signal = AbortSignal.any([ended, stopping.signal, broken.signal]);
    await using opened = new AsyncDisposableStack();
    const open = async (connectionId?: string): Promise<FrameStream> => {
      const stream = await openStream(
        peer,
        AbortSignal.any([signal, AbortSignal.timeout(bulkSilenceMs)]),
        connectionId,
      );
      const giveUp = (): void => stream.abort(reasonOf(signal));
      signal.addEventListener('abort', giveUp, { once: true });
      opened.defer(() => {
        signal.removeEventListener('abort', giveUp);
        stream.abort(new Error('the transfer is over'));
      });
      return stream;
    };

    const existing = host().bulkConnection(peer);
    const first = await open(existing);
    await say(first, { t: 'offer', ...offer });
    const answer = await heardWithin(first, bulkSilenceMs);
    if (answer.t === 'refuse') throw new CommandError(ExitCode.no, `the friend's box refuses: ${answer.why}`);
    if (answer.t !== 'accept') throw new Error('the friend answered an offer with something else');
    const connectionId = existing ?? (await secondConnection(peer, signal));
    let stream = first;
    if (existing === undefined && connectionId !== undefined) {
      stream = await open(connectionId);
      await say(stream, { t: 'resume', ticket: answer.ticket });
      await first.end();
    }
    using _used = connectionId === undefined ? undefined : use(peer, connectionId, idleMs);

    const limits = { maxBytes: answer.maxBytes, maxMs: answer.maxMs };
    const startMs = performance.now();
    let window = startSendWindow(startMs);
    let heardTotal = 0;
    let done = false;
    let allWritten = false;
    let moved = Promise.withResolvers<void>();
    let silence: NodeJS.Timeout | undefined;
    const watchSilence = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => {
        // What waits for its turn on our own line is no silence of his.
        if (window.inFlight.length === 0 && !allWritten) watchSilence();
        else broken.abort(new Error('the friend stopped answering'));
      }, bulkSilenceMs);
      silence.unref();
    };
    const listening = (async () => {
      while (!done) {
        const frame = await heard(stream);
        if (frame.t === 'refuse')
          throw new CommandError(ExitCode.no, `the friend's box ends it: ${frame.why}`);
        if (frame.t === 'done') done = true;
        if (frame.t === 'ack') {
          heardTotal = Math.max(heardTotal, frame.totalBytes);
          window = chunkArrived(window, heardTotal, performance.now());
        }
        watchSilence();
        moved.resolve();
        moved = Promise.withResolvers();
      }
    })();
    const failed = listening.then(
      () => new Promise<never>(() => {}),
      (error: unknown) => Promise.reject(error instanceof Error ? error : new Error('the stream broke')),
    );
    failed.catch(() => undefined);
    try {
      watchSilence();
      for await (const bytes of source(limits)) {
        for (let at = 0; at < bytes.length; ) {
          const room = roomBytes(window);
          if (room === 0) {
            await Promise.race([moved.promise, failed]);
            continue;
          }
          const chunk = bytes.subarray(at, at + room);
          await Promise.race([say(stream, { t: 'data', bytes: chunk }), failed]);
          window = chunkWritten(window, chunk.length, performance.now());
          // The line may have made it wait, and its acknowledgement may have been quicker than this task.
          window = chunkArrived(window, heardTotal, performance.now());
          at += chunk.length;
        }
      }
      await say(stream, { t: 'end', totalBytes: window.writtenBytes });
      allWritten = true;
      await listening;
    } finally {
      clearTimeout(silence);
    }
    return sentSummary(window, {
      tookMs: performance.now() - startMs,
      limits,
      ownConnection: connectionId !== undefined,
    });
  };

  /** Takes one transfer in; acknowledges each chunk once the service asked for the next one. */
  const take = async (
    stream: FrameStream,
    peer: string,
    granted: Ticket,
    first: BulkFrame | undefined,
  ): Promise<void> => {
    const { service, limits } = granted;
    if ((taking.get(peer) ?? 0) >= maxBulkTransfers) throw new Error('too many bulk transfers at once');
    taking.set(peer, (taking.get(peer) ?? 0) + 1);
    const late = setTimeout(() => stream.abort(new Error('the transfer took too long')), limits.maxMs);
    late.unref();
    let total = 0;
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let frame = first ?? (await heardWithin(stream, bulkStarvedMs)); ; ) {
        if (frame.t === 'end') {
          if (frame.totalBytes !== total)
            throw new Error('a bulk transfer ended with another size than it had');
          return;
        }
        if (frame.t === 'data') {
          total += frame.bytes.length;
          if (total > limits.maxBytes) {
            await say(stream, { t: 'refuse', why: `more than ${limits.maxBytes} bytes` });
            throw new Error('a bulk transfer is larger than was agreed');
          }
          yield frame.bytes;
          await say(stream, { t: 'ack', totalBytes: total });
        }
        frame = await heardWithin(stream, bulkStarvedMs);
      }
    }
    try {
      await service.take(peer, chunks());
      await say(stream, { t: 'done' });
      await stream.end();
    } finally {
      clearTimeout(late);
      taking.set(peer, (taking.get(peer) ?? 1) - 1);
      if (taking.get(peer) === 0) taking.delete(peer);
    }
  };

  const forgetOldTickets = (): void => {
    for (const [key, { untilMs }] of tickets) if (clock.nowMs() > untilMs) tickets.delete(key);
  };

  const handle: ProtocolHandler['handle'] = async (stream, { peer, connectionId }) => {
    const frame = await heardWithin(stream, bulkSilenceMs);
    forgetOldTickets();
    if (frame.t === 'resume') {
      const key = toHex(frame.ticket);
      const ticket = tickets.get(key);
      if (ticket === undefined || ticket.peer !== peer)
        throw new Error('no transfer was agreed under this ticket');
      tickets.delete(key);
      host().markBulk(peer, connectionId);
      // Whoever dialled closes it first, so that his next offer does not meet a closing connection.
      using _used = use(peer, connectionId, 2 * idleMs);
      await take(stream, peer, ticket, undefined);
      return;
    }
    if (frame.t !== 'offer') throw new Error('a bulk stream starts with an offer');
    const service = services[frame.purpose];
    const verdict = service?.accept(peer, frame.sizeBytes) ?? { refuse: 'this version takes no such thing' };
    const mine = [...tickets.values()].filter((ticket) => ticket.peer === peer).length;
    if ('refuse' in verdict || service === undefined || mine >= maxBulkTransfers) {
      const why = 'refuse' in verdict ? verdict.refuse : 'too many transfers at once';
      await say(stream, { t: 'refuse', why });
      await stream.end();
      return;
    }
    const ticket: Ticket = { peer, service, limits: verdict, untilMs: clock.nowMs() + bulkTicketMs };
    const bytes = random.bytes(bulkTicketBytes);
    const key = toHex(bytes);
    tickets.set(key, ticket);
    await say(stream, { t: 'accept', ticket: bytes, ...verdict });
    // Either the transfer starts here, or this stream ends since it goes on elsewhere.
    const next = await receiveWithin(stream, bulkTicketMs);
    if (next === undefined) {
      await stream.end();
      return;
    }
    tickets.delete(key);
    const isSecond = host().bulkConnection(peer) === connectionId;
    using _used = isSecond ? use(peer, connectionId, 2 * idleMs) : undefined;
    await take(stream, peer, ticket, decoded(next));
  };

  return {
    send,
    handler: { maxFrameBytes: maxBulkFrameBytes, handle },
    unlessBulk: (peer, connectionId, other) => {
      forgetOldTickets();
      if (![...tickets.values()].some((ticket) => ticket.peer === peer)) {
        other();
        return;
      }
      const later = setTimeout(() => {
        if (
          host()
            .connections(peer)
            .some(({ id }) => id === connectionId)
        )
          other();
      }, bulkArrivalMs);
      later.unref();
    },
    stop: () => {
      stopping.abort(new Error('stopping'));
      for (const timer of idle.values()) clearTimeout(timer);
    },
  };
}

function sentSummary(
  window: SendWindow,
  rest: Pick<BulkSent, 'tookMs' | 'limits' | 'ownConnection'>,
): BulkSent {
  const { writtenBytes: bytes, windowBytes, shortestRttMs } = window;
  return { ...rest, bytes, windowBytes: Math.round(windowBytes), shortestRttMs: shortestRttMs ?? 0 };
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('given up');
}

function decoded(bytes: Uint8Array): BulkFrame {
  const frame = decodeBulkFrame(bytes);
  if (frame === undefined) throw new Error('not a frame of the bulk protocol');
  return frame;
}

/** The next frame; a stream that ends where one is due is broken. */
async function heard(stream: FrameStream): Promise<BulkFrame> {
  const bytes = await stream.receive();
  if (bytes === undefined) throw new Error('the transfer ended in the middle');
  return decoded(bytes);
}

async function receiveWithin(stream: FrameStream, limitMs: number): Promise<Uint8Array | undefined> {
  const timer = setTimeout(() => stream.abort(new Error('nothing came in time')), limitMs);
  timer.unref();
  try {
    return await stream.receive();
  } finally {
    clearTimeout(timer);
  }
}

async function heardWithin(stream: FrameStream, limitMs: number): Promise<BulkFrame> {
  const bytes = await receiveWithin(stream, limitMs);
  if (bytes === undefined) throw new Error('the transfer ended in the middle');
  return decoded(bytes);
}
