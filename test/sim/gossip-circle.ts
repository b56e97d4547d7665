import { createHash } from 'node:crypto';
import type { Random } from '@copain/core';
import { type SimulatedNet, seededRandom, simulatedNet } from '@copain/core/testing';
import {
  addFact,
  emptyFactLog,
  encodeSyncFrame,
  type Fact,
  type FactLog,
  judgeFact,
  passOn,
  type SyncEffect,
  type SyncFrame,
  type SyncInput,
  type SyncState,
  startSync,
  stepSync,
} from '@copain/mesh';
import { peerIdFromKey } from '@copain/trust';

/** A connection between two boxes, as TCP is one: in order, and once something was lost in a cut, silent for good. */
interface Connection {
  ends: readonly [string, string];
  dead: boolean;
  /** When the last frame towards each end arrives. */
  arrivesMs: Map<string, number>;
}

interface Box {
  peer: string;
  on: boolean;
  log: FactLog;
  streams: Map<string, { connection: Connection; state: SyncState; heardAtMs: number }>;
  redialAtMs: Map<string, number>;
  sentBytes: number;
  sentFrames: Record<SyncFrame['t'], number>;
  sequence: number;
}

/** Boxes that run the deciding code of the sync streams on a simulated network, fact by fact and frame by frame. */
export interface GossipCircle {
  net: SimulatedNet<never>;
  random: Random;
  peers: readonly string[];
  box(peer: string): Box;
  /** The box signs a newer version of its fact; resolves to it. Everyone connected is told at once. */
  publish(peer: string): Fact;
  /** When each box that has this fact learned it. */
  learnedAtMs(fact: Fact): ReadonlyMap<string, number>;
  /** Both ends of every connection of this box go on believing in it, but nothing passes: its address changed. */
  changeAddress(peer: string): void;
  stop(peer: string): void;
  start(peer: string): void;
  isAgreed(): boolean;
  /** Rules that were broken, each as one line. */
  broken: string[];
  digest(): string;
}

const silenceMs = 35_000;

/**
 * `linked`: may these two reach each other at all (default: all may)? `refuses`: facts that a box does not take, for
 * good. Envelopes are 350 bytes, as a small signed record is.
 */
export function gossipCircle(options: {
  boxes: number;
  seed: number;
  linked?: (a: number, b: number) => boolean;
  refuses?: (peer: string, fact: Fact) => boolean;
}): GossipCircle {
  const random = seededRandom(options.seed);
  const peers = Array.from({ length: options.boxes }, () => peerIdFromKey(random.bytes(32)));
  const net = simulatedNet<never>({ random, delayMs: [10, 60], loss: 0, deliver: () => undefined });
  const broken: string[] = [];
  const learned = new Map<string, Map<string, number>>();
  const record = createHash('sha256');
  const boxes = new Map<string, Box>(
    peers.map((peer) => [
      peer,
      {
        peer,
        on: true,
        log: emptyFactLog(),
        streams: new Map(),
        redialAtMs: new Map(),
        sentBytes: 0,
        sentFrames: { hello: 0, beat: 0, ack: 0, push: 0, have: 0, want: 0, ignored: 0 } as Box['sentFrames'],
        sequence: 0,
      },
    ]),
  );
  const box = (peer: string): Box => {
    const found = boxes.get(peer);
    if (found === undefined) throw new Error(`no box ${peer}`);
    return found;
  };
  peers.forEach((a, i) => {
    peers.forEach((b, j) => {
      if (i < j && options.linked?.(i, j) === false) net.separate([a], [b]);
    });
  });

  const send = (from: Box, to: string, connection: Connection, frame: SyncFrame): void => {
    const bytes = encodeSyncFrame(frame).length;
    from.sentBytes += bytes;
    from.sentFrames[frame.t] = (from.sentFrames[frame.t] ?? 0) + 1;
    const lost = (): boolean => !net.reaches(from.peer, to) || !net.reaches(to, from.peer);
    if (connection.dead || lost()) {
      connection.dead = true;
      return;
    }
    const atMs = Math.max(net.nowMs() + 10 + random.fraction() * 50, connection.arrivesMs.get(to) ?? 0);
    connection.arrivesMs.set(to, atMs);
    net.after(atMs - net.nowMs(), () => {
      if (connection.dead || lost()) connection.dead = true;
      else receive(box(to), from.peer, connection, frame);
    });
  };

  const step = (at: Box, peer: string, input: SyncInput): SyncEffect[] => {
    const stream = at.streams.get(peer);
    if (stream === undefined) return [];
    const context = {
      log: at.log,
      signedBy: (signer: string) =>
        [...at.log.facts.values()].filter(({ key }) => key === `address/${signer}`),
      friends: peers.filter((one) => one !== at.peer),
      heard: [...at.streams.keys()],
      jitter: random.fraction(),
    };
    const [state, effects] = stepSync(stream.state, input, context, net.nowMs());
    stream.state = state;
    for (const effect of effects) if (effect.kind === 'send') send(at, peer, stream.connection, effect.frame);
    return effects;
  };

  const receive = (at: Box, from: string, connection: Connection, frame: SyncFrame): void => {
    const stream = at.streams.get(from);
    if (!at.on || stream?.connection !== connection) return;
    stream.heardAtMs = net.nowMs();
    for (const effect of step(at, from, { kind: 'frame', frame })) {
      if (effect.kind !== 'received') continue;
      const fact = known.get(Buffer.from(effect.record.envelope).toString('hex'));
      if (fact === undefined) broken.push('a record arrived that nobody signed');
      else if (options.refuses?.(at.peer, fact) !== true) take(at, fact, effect.record.reached, from);
    }
  };

  const known = new Map<string, Fact>();
  const take = (at: Box, fact: Fact, reached: Uint8Array, from: string | undefined): void => {
    if (judgeFact(at.log, fact) !== 'new') return;
    const before = at.log.facts.get(fact.key);
    if (before !== undefined && before.sequence >= fact.sequence) broken.push(`${fact.key} went back`);
    at.log = addFact(at.log, fact);
    learned.get(`${fact.key} ${fact.sequence}`)?.set(at.peer, net.nowMs());
    record.update(`${net.nowMs()} ${at.peer} ${fact.key} ${fact.sequence}\n`);
    const targets = passOn([...at.streams.keys()], reached, from);
    for (const peer of targets.to) step(at, peer, { kind: 'fact', fact, reached: targets.reached });
  };

  const close = (connection: Connection): void => {
    for (const [at, other] of [connection.ends, connection.ends.toReversed()]) {
      const one = box(at ?? '');
      if (one.streams.get(other ?? '')?.connection !== connection) continue;
      one.streams.delete(other ?? '');
      one.redialAtMs.set(other ?? '', net.nowMs() + 2000 + random.fraction() * 28_000);
    }
    connection.dead = true;
  };

  /** The lower PeerId opens the stream and beats; both say hello. A connection that stood before is replaced. */
  const connect = (a: string, b: string): void => {
    const connection: Connection = { ends: [a, b], dead: false, arrivesMs: new Map() };
    for (const [at, other] of [
      [box(a), b],
      [box(b), a],
    ] as const) {
      const state = startSync({ peer: other, version: 2, beats: at.peer < other }, net.nowMs());
      at.streams.set(other, { connection, state, heardAtMs: net.nowMs() });
    }
    for (const [at, other] of [
      [box(a), b],
      [box(b), a],
    ] as const) {
      const hello = {
        t: 'hello' as const,
        name: 'box',
        version: '0',
        bootId: new Uint8Array(16),
        previousBootId: new Uint8Array(),
        digest: at.log.digest,
        nowMs: Math.round(net.nowMs()),
      };
      send(at, other, connection, hello);
    }
  };

  const tick = (at: Box): void => {
    net.after(1000, () => tick(at));
    if (!at.on) return;
    for (const other of peers) {
      if (other === at.peer) continue;
      const stream = at.streams.get(other);
      if (stream !== undefined && net.nowMs() - stream.heardAtMs > silenceMs) close(stream.connection);
      else if (stream !== undefined) step(at, other, { kind: 'tick' });
      else if (net.nowMs() >= (at.redialAtMs.get(other) ?? 0)) {
        at.redialAtMs.set(other, net.nowMs() + 2000 + random.fraction() * 28_000);
        const open = box(other).on && net.reaches(at.peer, other) && net.reaches(other, at.peer);
        if (open) connect(at.peer, other);
      }
    }
  };
  for (const one of boxes.values()) net.after(random.fraction() * 1000, () => tick(one));

  return {
    net,
    random,
    peers,
    box,
    publish: (peer) => {
      const at = box(peer);
      at.sequence += 1;
      const envelope = random.bytes(350);
      const hash = new Uint8Array(createHash('sha256').update(envelope).digest().subarray(0, 8));
      const fact: Fact = {
        kind: 'address',
        key: `address/${peer}`,
        epoch: 0,
        sequence: at.sequence,
        hash,
        envelope,
      };
      known.set(Buffer.from(envelope).toString('hex'), fact);
      learned.set(`${fact.key} ${fact.sequence}`, new Map());
      take(at, fact, new Uint8Array(), undefined);
      return fact;
    },
    learnedAtMs: (fact) => learned.get(`${fact.key} ${fact.sequence}`) ?? new Map(),
    changeAddress: (peer) => {
      for (const { connection } of box(peer).streams.values()) connection.dead = true;
    },
    stop: (peer) => {
      box(peer).on = false;
      for (const { connection } of box(peer).streams.values()) close(connection);
    },
    start: (peer) => {
      box(peer).on = true;
      box(peer).redialAtMs.clear();
    },
    isAgreed: () => {
      const [first] = boxes.values();
      return [...boxes.values()].every(
        (one) => Buffer.compare(one.log.digest, first?.log.digest ?? new Uint8Array()) === 0,
      );
    },
    broken,
    digest: () => record.copy().digest('hex'),
  };
}
