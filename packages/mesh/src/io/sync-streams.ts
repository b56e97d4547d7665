import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, equalBytes, type FrameStream, type Random } from '@copain/core';
import { type Fact, type FactLog, hashList, logOfVersion } from '../fact-log.ts';
import { connectionSilenceMs, directSilenceMs, maxFacts, maxQueuedBytes } from '../limits.ts';
import {
  isSpoken,
  passOn,
  type SyncEffect,
  type SyncInput,
  type SyncState,
  startSync,
  stepSync,
} from '../sync.ts';
import { decodeSyncFrame, encodeSyncFrame, type SyncFrame } from '../sync-frames.ts';
import { paceAnswers, paceFrame, type SyncPace, startPace } from '../sync-pace.ts';
import type { Host, HostConnection } from './host.ts';

/** What the sync streams need from the agent, and what they tell it. */
export interface SyncOptions {
  self: string;
  host: () => Host;
  clock: Clock;
  random: Random;
  log(): FactLog;
  /** Of all records those that this box signed. */
  signedBy: (peer: string) => readonly Fact[];
  /** PeerIds of all friends' boxes. */
  friends(): readonly string[];
  /** Friends heard in the last 30 s. */
  heard(): readonly string[];
  hello(): { name: string; version: string; bootId: Uint8Array; previousBootId: Uint8Array };
  /**
   * A friend's box said with which boot id it runs: gives the one that was seen of it before (empty: none) once the new
   * one is kept durably, since a friend who was answered counts on it.
   */
  seenBoot(peer: string, bootId: Uint8Array): Promise<Uint8Array>;
  /** A record arrived; the promise settles once it was judged and stored. Records of one friend come one at a time. */
  received(
    from: string,
    record: { kind: Fact['kind']; envelope: Uint8Array; reached: Uint8Array },
  ): Promise<void>;
  events: {
    hello(peer: string, hello: { name: string; version: string; clockOffsetMs: number }): void;
    heardBits(peer: string, peers: readonly string[]): void;
    /** The stream is ready in both directions. */
    up(peer: string): void;
    failed(peer: string, error: unknown): void;
    /** A record is on its way to this friend. */
    told(peer: string): void;
    roundTrip(peer: string, rttMs: number): void;
    /** The friend, now in this run of his (his boot id), saw our box last with the boot id `lastSeen`. */
    lastSeen(peer: string, seen: { friendBoot: Uint8Array; lastSeen: Uint8Array }): void;
    /** The friend has told every record of ours that he knows: by name, or because he knows the same as we do. */
    ownTold(peer: string): void;
  };
}

interface Session {
  state: SyncState;
  stream: FrameStream;
  connectionId: string;
  openedAtMs: number;
  relayed: boolean;
  heardAtMs: number;
  greeted: boolean;
  /** The boot id in the friend's hello. */
  bootId: Uint8Array;
  sending: Promise<void>;
  queuedFrames: number;
  queuedBytes: number;
  beatSentAt: Map<number, number>;
}

/** All sync streams of this box, one a friend. */
export interface SyncStreams {
  /** The host opened or accepted a connection to a friend. */
  connected(peer: string, connectionId: string): void;
  /** The handler of the sync protocol. */
  accept(stream: FrameStream, from: { peer: string; connectionId: string; version: number }): Promise<void>;
  /** Passes a fact on to every connected friend whom it did not reach; `from` undefined for one of our own. */
  spread(fact: Fact, reached: Uint8Array, from: string | undefined): void;
  /** Every second: beats, and connections that fell silent. */
  tick(lastHeardAtMs: (peer: string) => number | undefined): void;
  peers(): string[];
  /** Asks a friend for every record of ours that we lack; `events.ownTold` follows. No stream with him: nothing happens. */
  askOwn(peer: string): void;
  /** The connection that the stream in use with this friend runs on. */
  connectionOf(peer: string): string | undefined;
  /** Says hello again on every stream with a friend. */
  greet(peer: string): void;
  stop(): void;
}

/**
 * Frames waiting to be sent to one friend before his stream is given up: he is stuck, and a new stream catches up. All
 * that this box knows fits, twice, or a friend who lacks it all could never be told.
 */
const maxQueuedFrames = 2 * maxFacts;

/**
 * The newest sync stream of a pair wins. The lower PeerId opens one on every new connection; the older stream and its
 * connection are closed once the newer one has said hello, so that a zombie connection never outlives its successor.
 */
export function startSyncStreams(options: SyncOptions): SyncStreams {
  const { clock, random, events } = options;
  /** The stream in use with each friend, and all that are open. */
  const sessions = new Map<string, Session>();
  const open = new Set<Session>();
  const opening = new Set<string>();
  /** By friend, over all his streams: a new one brings no new rights. */
  const paces = new Map<string, SyncPace>();
  const paceOf = (peer: string): SyncPace => paces.get(peer) ?? startPace(clock.nowMs());
  let stopped = false;

  const send = (session: Session, frame: SyncFrame): void => {
    if (!isSpoken(session.state.version, frame)) return;
    const bytes = encodeSyncFrame(frame);
    if (session.queuedFrames >= maxQueuedFrames || session.queuedBytes + bytes.length > maxQueuedBytes) {
      session.stream.abort(new Error('friend does not read'));
      return;
    }
    session.queuedFrames += 1;
    session.queuedBytes += bytes.length;
    if (frame.t === 'beat') session.beatSentAt.set(frame.counter, performance.now());
    session.sending = session.sending
      .then(() => session.stream.send(bytes))
      .catch((error: unknown) => {
        session.stream.abort(error instanceof Error ? error : new Error('send failed'));
      })
      .finally(() => {
        session.queuedFrames -= 1;
        session.queuedBytes -= bytes.length;
      });
  };

  const step = (session: Session, input: SyncInput): SyncEffect[] => {
    const context = {
      log: options.log(),
      signedBy: options.signedBy,
      friends: options.friends(),
      heard: options.heard(),
      jitter: random.fraction(),
    };
    const [state, effects] = stepSync(session.state, input, context, clock.nowMs());
    session.state = state;
    return effects;
  };

  const act = async (session: Session, effects: readonly SyncEffect[]): Promise<void> => {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'send':
          send(session, effect.frame);
          break;
        case 'received':
          await options.received(session.state.peer, effect.record);
          break;
        case 'hello':
          events.hello(session.state.peer, effect);
          break;
        case 'heard-bits':
          events.heardBits(session.state.peer, effect.peers);
          break;
        case 'same-records':
        case 'own-told':
          events.ownTold(session.state.peer);
          break;
        case 'last-seen':
          events.lastSeen(session.state.peer, { friendBoot: session.bootId, lastSeen: effect.bootId });
          break;
      }
    }
  };

  /** The beating side measures, and tells the other with its next beat. */
  const noteRoundTrip = (session: Session, frame: SyncFrame): void => {
    if (frame.t === 'beat' && frame.rttMicros > 0)
      events.roundTrip(session.state.peer, frame.rttMicros / 1000);
    if (frame.t !== 'ack') return;
    const sentAtMs = session.beatSentAt.get(frame.counter);
    session.beatSentAt.clear();
    if (sentAtMs === undefined) return;
    const rttMs = performance.now() - sentAtMs;
    session.state = { ...session.state, rttMicros: Math.round(rttMs * 1000) };
    events.roundTrip(session.state.peer, rttMs);
  };

  const greet = (session: Session): void => {
    const { name, version, bootId, previousBootId } = options.hello();
    const nowMs = Math.round(clock.nowMs());
    const { digest } = logOfVersion(options.log(), session.state.version);
    send(session, { t: 'hello', name, version, bootId, previousBootId, digest, nowMs });
  };

  /**
   * Tells a friend's box as which run of it we saw it last. Two boxes with one key may both be connected: then the one
   * that was there first is told of the other at once, since it might not say hello again for months.
   */
  const answerHello = async (session: Session): Promise<void> => {
    const { bootId, state } = session;
    try {
      const lastSeen = await options.seenBoot(state.peer, bootId);
      send(session, { t: 'boot', lastSeen });
    } catch (error) {
      // What could not be kept is not claimed; his next hello is answered.
      events.failed(state.peer, error);
    }
    for (const other of open) {
      const isTwin = other.state.peer === state.peer && other.greeted && !equalBytes(other.bootId, bootId);
      if (isTwin) send(other, { t: 'boot', lastSeen: bootId });
    }
  };

  /** Runs one stream until it ends; both sides say hello first. */
  const run = async (
    stream: FrameStream,
    {
      peer,
      connectionId,
      ...spoken
    }: { peer: string; connectionId: string; version: number; beats: boolean },
  ): Promise<void> => {
    const session: Session = {
      state: startSync({ peer, ...spoken }, clock.nowMs()),
      stream,
      connectionId,
      openedAtMs: connectionNamed(peer, connectionId)?.openedAtMs ?? 0,
      relayed: connectionNamed(peer, connectionId)?.via !== undefined,
      heardAtMs: clock.nowMs(),
      greeted: false,
      bootId: new Uint8Array(),
      sending: Promise.resolve(),
      queuedFrames: 0,
      queuedBytes: 0,
      beatSentAt: new Map(),
    };
    open.add(session);
    greet(session);
    try {
      for (;;) {
        const bytes = await stream.receive();
        if (bytes === undefined) break;
        const frame = decodeSyncFrame(bytes);
        if (frame === undefined) throw new Error('not a frame of the sync protocol');
        session.heardAtMs = clock.nowMs();
        const [pace, turn] = paceFrame(paceOf(peer), frame, clock.nowMs());
        paces.set(peer, pace);
        if (turn.kind === 'pass-over') continue;
        // Nothing more is read from him meanwhile, so that it is his own end that fills.
        if (turn.waitMs > 0) await delay(turn.waitMs);
        if (frame.t === 'hello') {
          session.greeted = true;
          session.bootId = frame.bootId;
          void answerHello(session);
          choose(peer);
        }
        noteRoundTrip(session, frame);
        const [told, effects] = paceAnswers(
          paceOf(peer),
          step(session, { kind: 'frame', frame }),
          clock.nowMs(),
        );
        paces.set(peer, told);
        await act(session, effects);
        if (frame.t === 'hello') events.up(peer);
      }
    } finally {
      open.delete(session);
      choose(peer);
      stream.abort(new Error('sync stream ended'));
    }
  };

  const connectionNamed = (peer: string, connectionId: string): HostConnection | undefined =>
    options
      .host()
      .connections(peer)
      .find((one) => one.id === connectionId);

  /** A direct connection on which he is heard; one that fell silent may be dead, and a relayed one that talks beats it. */
  const isGoodWay = (session: Session): boolean =>
    !session.relayed && clock.nowMs() - session.heardAtMs < directSilenceMs;

  /**
   * The greeted stream on the newest connection is the one in use, a direct one on which he is heard before a relayed one
   * whatever their age. Only the side that beats closes the others, so that two boxes that dialled each other at once
   * never close one connection each.
   */
  const choose = (peer: string): void => {
    const greeted = [...open].filter((session) => session.state.peer === peer && session.greeted);
    const [newest, ...older] = greeted
      .reverse()
      .sort((a, b) => Number(isGoodWay(b)) - Number(isGoodWay(a)) || b.openedAtMs - a.openedAtMs);
    if (newest === undefined) {
      sessions.delete(peer);
      return;
    }
    sessions.set(peer, newest);
    if (!newest.state.beats) return;
    for (const session of older) {
      session.stream.abort(new Error('replaced by a newer stream'));
      if (session.connectionId !== newest.connectionId)
        options.host().closeConnection(peer, session.connectionId);
    }
  };

  return {
    connected: (peer, connectionId) => {
      if (stopped || options.self > peer || !options.friends().includes(peer)) return;
      if (opening.has(connectionId) || [...open].some((session) => session.connectionId === connectionId))
        return;
      opening.add(connectionId);
      const signal = AbortSignal.timeout(30_000);
      options
        .host()
        .open(peer, 'sync', { signal, connectionId })
        .then((stream) => run(stream, { peer, connectionId, version: stream.version, beats: true }))
        .finally(() => opening.delete(connectionId))
        .catch((error: unknown) => {
          events.failed(peer, error);
          // Who shares no version with us says so on this connection, and a new one would change nothing.
          if (error instanceof Error && error.name === 'UnsupportedProtocolError') return;
          // Without a sync stream the connection is of no use; closing it lets the redial try again.
          options.host().closeConnection(peer, connectionId);
        });
    },
    accept: async (stream, from) => {
      if (options.self < from.peer) throw new Error('the lower PeerId opens the sync stream');
      await run(stream, { ...from, beats: false });
    },
    spread: (fact, reached, from) => {
      const targets = passOn([...sessions.keys()], reached, from);
      for (const peer of targets.to) {
        const session = sessions.get(peer);
        if (session === undefined) continue;
        for (const effect of step(session, { kind: 'fact', fact, reached: targets.reached })) {
          if (effect.kind !== 'send') continue;
          send(session, effect.frame);
          events.told(peer);
        }
      }
    },
    tick: (lastHeardAtMs) => {
      for (const [peer, session] of sessions) {
        const heardAtMs = lastHeardAtMs(peer);
        if (heardAtMs !== undefined && clock.nowMs() - heardAtMs > connectionSilenceMs) {
          // Bytes on any of them would have been heard.
          for (const { id } of options.host().connections(peer)) options.host().closeConnection(peer, id);
          continue;
        }
        for (const effect of step(session, { kind: 'tick' })) {
          if (effect.kind === 'send') send(session, effect.frame);
        }
      }
    },
    peers: () => [...sessions.keys()],
    greet: (peer) => {
      for (const session of open) if (session.state.peer === peer) greet(session);
    },
    askOwn: (peer) => {
      const session = sessions.get(peer);
      if (session !== undefined)
        send(session, { t: 'ask-own', hashes: hashList(options.signedBy(options.self)) });
    },
    connectionOf: (peer) => sessions.get(peer)?.connectionId,
    stop: () => {
      stopped = true;
      for (const session of open) session.stream.abort(new Error('stopping'));
    },
  };
}
