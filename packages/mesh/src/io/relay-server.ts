import { toHex } from '@copain/core';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import {
  maxRelayCircuits,
  maxRelayedPerFriend,
  maxRelayHeldBytes,
  maxRelayMessageBytes,
  maxRelayReservations,
  nextConnectionAfterMs,
  relayCallMs,
  relayLookMs,
  relayReservationMs,
} from '../limits.ts';
import {
  decodeHopRequest,
  decodeStopAnswer,
  encodeHopAnswer,
  encodeStopRequest,
  relayStatus,
} from '../relay-messages.ts';
import { openFirst } from './dial-ways.ts';
import type { StreamMeter } from './frame-stream.ts';
import type { Line } from './line.ts';
import { hopProtocol, relayOf, stopProtocol } from './relay.ts';
import { type Circuit, joinEnds, type RelayEnd, relayEnd } from './relay-circuit.ts';

/** This box as a relay for friends' boxes. */
export interface RelayServer {
  /** A friend's box has a new connection: whoever calls it and waits is put through there. */
  connected(peer: string): void;
  /** Ends what is not allowed any more. */
  enforce(): void;
  stop(): void;
}

/**
 * Relays without limits of volume or time, for those friends whom this box offers it (circuit relay v2). What passes
 * is counted with both friends, waits for its turn on our line, and is held back at its source where the other side is
 * slower. Call it once, before the node starts.
 */
export async function serveRelay(
  node: Libp2p,
  options: {
    isFriend: (peer: string) => boolean;
    relaysFor: (peer: string) => boolean;
    /** Direct connections to a friend's box, the best first. */
    direct(peer: string): readonly Connection[];
    line: Line;
    meterFor(peer: string): StreamMeter;
    /** What all relayed connections may have on the way in this box's memory. */
    maxHeldBytes?: number | undefined;
  },
): Promise<RelayServer> {
  const { isFriend, relaysFor, maxHeldBytes = maxRelayHeldBytes } = options;
  /** By the multihash of the box's PeerId, as callers name it. */
  const reservations = new Map<string, { peer: string; untilMs: number }>();
  const circuits = new Set<Circuit>();
  /** Who called and waits, or is connected: each has his share, over all his connections with this box. */
  const callers = new Set<RelayEnd>();
  /** Calls that wait for an answer, by whom they call; aborted to try a better connection. */
  const calling = new Map<string, Set<AbortController>>();
  const stopping = new AbortController();
  const mayPass = (peer: string, called: string): boolean =>
    isFriend(peer) && isFriend(called) && relaysFor(called);
  const endOn = (stream: Stream, connection: Connection): RelayEnd =>
    relayEnd(stream, connection, {
      line: options.line,
      meter: options.meterFor(connection.remotePeer.toString()),
    });

  const reserve = (connection: Connection): Uint8Array => {
    const peer = connection.remotePeer.toString();
    const nowMs = performance.now();
    for (const [key, { untilMs }] of reservations) if (untilMs <= nowMs) reservations.delete(key);
    if (!relaysFor(peer)) return encodeHopAnswer(relayStatus.denied);
    const key = toHex(connection.remotePeer.toMultihash().bytes);
    if (!reservations.has(key) && reservations.size >= maxRelayReservations)
      return encodeHopAnswer(relayStatus.limitReached);
    reservations.set(key, { peer, untilMs: nowMs + relayReservationMs });
    const addresses = node
      .getMultiaddrs()
      .filter((address) => relayOf(address) === undefined)
      .map(({ bytes }) => bytes);
    const expiresAtS = Math.floor((Date.now() + relayReservationMs) / 1000);
    return encodeHopAnswer(relayStatus.ok, { expiresAtS, addresses });
  };

  /** Asks the box at the other end of this connection to take the call. */
  const ring = async (connection: Connection, caller: Uint8Array, signal: AbortSignal): Promise<RelayEnd> => {
    const end = endOn(await connection.newStream(stopProtocol, { signal }), connection);
    const giveUp = (): void => end.abort(new Error('the call was given up'));
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      signal.throwIfAborted();
      await end.say(encodeStopRequest(caller));
      const answer = decodeStopAnswer(await end.source.message(maxRelayMessageBytes));
      if (answer?.status !== relayStatus.ok) throw new Error('the box takes no call');
      return end;
    } catch (error) {
      end.abort(new Error('the call failed'));
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  };

  /** Rings on the best connection, on the next beside one that hangs, and anew when the box comes back meanwhile. */
  const call = async (called: string, caller: Uint8Array): Promise<RelayEnd> => {
    const until = AbortSignal.any([stopping.signal, AbortSignal.timeout(relayCallMs)]);
    for (;;) {
      const back = new AbortController();
      const waiting = calling.get(called) ?? new Set();
      calling.set(called, waiting.add(back));
      try {
        const signal = AbortSignal.any([until, back.signal]);
        const ways = options.direct(called).map((connection, i) => ({
          afterMs: i * nextConnectionAfterMs,
          open: (given: AbortSignal) => ring(connection, caller, given),
        }));
        if (ways.length === 0) await aborted(signal);
        return await openFirst(ways, () => true, signal);
      } catch (error) {
        if (until.aborted || !back.signal.aborted) throw error;
      } finally {
        waiting.delete(back);
        if (waiting.size === 0) calling.delete(called);
      }
    }
  };

  /** What friends have on the way through this box must fit into its memory: the fullest connections end. */
  const keepWithin = (): void => {
    const held = [...circuits].map((circuit) => ({ circuit, bytes: circuit.heldBytes() }));
    let sum = held.reduce((all, { bytes }) => all + bytes, 0);
    for (const { circuit, bytes } of held.toSorted((a, b) => b.bytes - a.bytes)) {
      if (sum <= maxHeldBytes) return;
      circuit.abort(new Error('too much waits to be relayed'));
      sum -= bytes;
    }
  };
  // What fills a stream's window while it is held back is told by no event.
  const looking = setInterval(keepWithin, relayLookMs).unref();

  const hasRoomFor = (caller: RelayEnd): boolean =>
    callers.size < maxRelayCircuits &&
    [...callers].filter(({ peer }) => peer === caller.peer).length < maxRelayedPerFriend;

  const turnDown = async (caller: RelayEnd, status: number): Promise<void> => {
    await caller.say(encodeHopAnswer(status));
    await caller.end();
  };

  const connect = async (caller: RelayEnd, connection: Connection, box: Uint8Array): Promise<void> => {
    const called = reservations.get(toHex(box));
    if (called === undefined || called.untilMs <= performance.now())
      await turnDown(caller, relayStatus.noReservation);
    else if (!mayPass(caller.peer, called.peer)) await turnDown(caller, relayStatus.denied);
    else if (!hasRoomFor(caller)) await turnDown(caller, relayStatus.limitReached);
    else {
      callers.add(caller);
      try {
        await putThrough(caller, called.peer, connection.remotePeer.toMultihash().bytes);
      } finally {
        callers.delete(caller);
      }
    }
  };

  const putThrough = async (caller: RelayEnd, called: string, callerBox: Uint8Array): Promise<void> => {
    let end: RelayEnd;
    try {
      end = await call(called, callerBox);
    } catch {
      await turnDown(caller, relayStatus.connectionFailed);
      return;
    }
    try {
      await caller.say(encodeHopAnswer(relayStatus.ok));
    } catch (error) {
      end.abort(new Error('the caller is gone'));
      throw error;
    }
    const circuit = joinEnds(caller, end);
    circuits.add(circuit);
    // The call took its time, in which the roster or an offer may have changed.
    if (!mayPass(caller.peer, called)) circuit.abort(new Error('not relayed any more'));
    await circuit.done;
    circuits.delete(circuit);
  };

  await node.handle(
    hopProtocol,
    async (stream: Stream, connection: Connection) => {
      const caller = endOn(stream, connection);
      const late = setTimeout(() => caller.abort(new Error('asks nothing')), relayCallMs).unref();
      try {
        const request = decodeHopRequest(await caller.source.message(maxRelayMessageBytes));
        clearTimeout(late);
        if (request === undefined || relayOf(connection.remoteAddr) !== undefined || !isFriend(caller.peer)) {
          await turnDown(caller, request === undefined ? relayStatus.malformed : relayStatus.denied);
        } else if (request.kind === 'reserve') {
          await caller.say(reserve(connection));
          await caller.end();
        } else {
          await connect(caller, connection, request.box);
        }
      } catch (error) {
        caller.abort(error instanceof Error ? error : new Error('the stream failed'));
      } finally {
        clearTimeout(late);
      }
    },
    // Of one connection. The library takes the second number for our own calls, on relays of ours.
    { maxInboundStreams: maxRelayedPerFriend, maxOutboundStreams: maxRelayedPerFriend },
  );

  return {
    connected: (peer) => {
      for (const hanging of calling.get(peer) ?? []) hanging.abort(new Error('the box is back'));
    },
    enforce: () => {
      for (const [key, { peer }] of reservations)
        if (!isFriend(peer) || !relaysFor(peer)) reservations.delete(key);
      for (const circuit of circuits) {
        const [caller, called] = circuit.peers;
        if (!mayPass(caller, called)) circuit.abort(new Error('not relayed any more'));
      }
    },
    stop: () => {
      clearInterval(looking);
      stopping.abort(new Error('stopping'));
      for (const circuit of circuits) circuit.abort(new Error('stopping'));
    },
  };
}

/** Rejects when `signal` aborts, with its reason. */
async function aborted(signal: AbortSignal): Promise<never> {
  return await new Promise((_, reject) => {
    const giveUp = (): void => reject(signal.reason as Error);
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
}
