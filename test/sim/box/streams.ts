import { compareBytes } from '@copain/core';
import {
  type Fact,
  passOn,
  type SyncEffect,
  type SyncFrame,
  type SyncInput,
  startSync,
  stepSync,
} from '@copain/mesh';
import { beatEveryMs, beatJitter } from '../../../packages/mesh/src/limits.ts';
import { lot } from '../world/chance.ts';
import type { World } from '../world/world.ts';
import type { Box } from './box.ts';
import { type Calm, calmBeats } from './calm.ts';
import type { Connection, Direction } from './connection.ts';
import { type Paths, paths } from './paths.ts';

/** All connections of the circle and the sync streams on them. */
export interface Streams
  extends Pick<Paths, 'boxStarted' | 'boxStopped' | 'addressChanged' | 'membersChanged'> {
  /** Passes a fact on to everybody connected whom it did not reach. */
  spread(box: Box, fact: Fact, reached: Uint8Array, from: string | undefined): void;
  /** PeerIds of those with whom this box has a stream. */
  connected(box: Box): string[];
  /** Can these two talk now, over a connection that stands? */
  talk(a: number, b: number): boolean;
  /** When the last byte from `about` came to this box on the connection that stands; undefined where none does. */
  heardMs(box: Box, about: Box): number | undefined;
  /** A box hears others than before, and its beats will say so. */
  hearsOthers(box: Box): void;
  /** A box knows another record. */
  knowsMore(box: Box): void;
  /** Its clock is about to be set, or its line to become slow: what depends on times is worked out before. */
  settle(box: Box): void;
  /** Its clock was set: its next beats come at other instants. */
  clockSet(box: Box): void;
  calm: Calm;
}

/** After a beat's tick, so that whatever that tick decided is in it. */
const afterTickMs = 0.25;
const bootId = new Uint8Array(16);

export function streams(world: World): Streams {
  const { agenda, net, chance } = world;
  const byPair: (Connection | undefined)[] = Array.from({ length: world.size ** 2 });
  const opened = new Map<number, number>();
  const pairOf = (a: number, b: number): number => Math.min(a, b) * world.size + Math.max(a, b);
  const boxAt = (number: number): Box => world.box(number);
  const endsOf = (connection: Connection): [Box, Box] => [boxAt(connection.low), boxAt(connection.high)];
  const sideOf = (connection: Connection, box: Box): Direction => (connection.low === box.number ? 0 : 1);
  const otherEnd = (connection: Connection, box: Box): Box =>
    boxAt(connection.low === box.number ? connection.high : connection.low);
  const find = (a: number, b: number): Connection | undefined => byPair[pairOf(a, b)];

  const transmit = (connection: Connection, from: Box, count: number, deliver: () => void): void => {
    const way = sideOf(connection, from);
    const to = otherEnd(connection, from).number;
    const delayMs = net.delayMs({ from: from.number, to, connection: connection.number, count });
    const sent = { order: connection.orders[way]++, deliver };
    const hold = (): void => {
      connection.waiting[way].push(sent);
    };
    if (connection.dead || connection.waiting[way].length > 0 || !net.reaches(from.number, to)) {
      hold();
      return;
    }
    const atMs = Math.max(agenda.nowMs() + delayMs, connection.arrivesMs[way]);
    connection.arrivesMs[way] = atMs;
    agenda.at(atMs, () => {
      if (!connection.open) return;
      if (connection.dead || connection.waiting[way].length > 0 || !net.reaches(from.number, to)) hold();
      else deliver();
    });
  };

  const step = (box: Box, connection: Connection, input: SyncInput, atMs = agenda.nowMs()): SyncEffect[] => {
    const side = sideOf(connection, box);
    const log = () => box.records.log();
    const knowledge = () => box.records.knowledge();
    const context = {
      log: log(),
      signedBy: (signer: string) =>
        [...log().facts.values()].filter(({ key }) => knowledge().records.get(key)?.signed.signer === signer),
      friends: world.friendsOf(box),
      heard: box.watch.heard(),
      jitter: connection.jitter,
    };
    const [state, effects] = stepSync(connection.states[side], input, context, box.clock.localMs(atMs));
    connection.states[side] = state;
    return effects;
  };

  const sendAll = (box: Box, connection: Connection, effects: readonly SyncEffect[]): void => {
    for (const effect of effects) if (effect.kind === 'send') send(box, connection, effect.frame);
  };

  /** Beats and their answers are counted by the beat, everything else by itself: calm or not, delays are the same. */
  const send = (box: Box, connection: Connection, frame: SyncFrame): void => {
    const side = sideOf(connection, box);
    const isBeat = frame.t === 'beat' || frame.t === 'ack';
    const count = isBeat ? frame.counter * 2 : connection.counts[side]++ * 2 + 1;
    const said = box.watch.heardVersion();
    const { life } = box;
    transmit(connection, box, count, () => receive(connection, box, frame, { said, life }));
  };

  const receive = (
    connection: Connection,
    from: Box,
    frame: SyncFrame,
    { said, life }: { said: number; life: number },
  ): void => {
    const box = otherEnd(connection, from);
    if (!box.on || !connection.open) return;
    connection.notedMs[sideOf(connection, box)] = agenda.nowMs();
    box.watch.take({ kind: 'heard', peer: from.person.peer });
    const effects = step(box, connection, { kind: 'frame', frame });
    for (const effect of effects) {
      if (effect.kind === 'heard-bits') {
        box.watch.take({ kind: 'heard-bits', from: from.person.peer, peers: effect.peers });
        if (life === from.life) connection.toldVersion[sideOf(connection, from)] = said;
      } else if (effect.kind === 'received') {
        world.received(box, from, effect.record);
      } else if (effect.kind === 'send') send(box, connection, effect.frame);
    }
    if (frame.t === 'ack') calm.afterAnswer(connection, frame.counter);
  };

  const beatNow = (connection: Connection, tickMs: number): void => {
    const [low] = endsOf(connection);
    connection.beat = undefined;
    if (!connection.open || !low.on) return;
    low.watch.wake();
    const effects = step(low, connection, { kind: 'tick' }, tickMs);
    if (effects.length > 0) connection.beatSentMs = tickMs;
    sendAll(low, connection, effects);
    planBeat(connection, tickMs + 1);
  };

  /** The next beat comes at the first tick of the lower box at which it is due, by that box's clock. */
  const planBeat = (connection: Connection, notBeforeMs: number): void => {
    const [low] = endsOf(connection);
    const dueMs = connection.states[0].nextBeatAtMs - low.clock.localMs(0);
    // Further away than any beat: the clock was set back, and the stream itself is to say what it makes of that.
    const isOdd = dueMs - agenda.nowMs() > beatEveryMs * (1 + beatJitter) + 1000;
    const tickMs = low.watch.tickAtMs(isOdd ? notBeforeMs : Math.max(dueMs, notBeforeMs));
    connection.beat?.cancel();
    connection.beat = agenda.at(tickMs + afterTickMs, () => beatNow(connection, tickMs));
  };

  const greet = (box: Box, connection: Connection): void => {
    send(box, connection, {
      t: 'hello',
      name: 'box',
      version: '0',
      bootId,
      previousBootId: new Uint8Array(),
      digest: box.records.log().digest,
      nowMs: Math.round(box.clock.localMs(agenda.nowMs())),
    });
  };

  const open = (a: number, b: number): void => {
    const before = find(a, b);
    if (before !== undefined) close(before);
    const pair = pairOf(a, b);
    const number = (opened.get(pair) ?? 0) + 1;
    opened.set(pair, number);
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    const [lowBox, highBox] = [boxAt(low), boxAt(high)];
    const startOf = (box: Box, peer: string, beats: boolean) =>
      startSync({ peer, version: 3, beats }, box.clock.localMs(agenda.nowMs()));
    const connection: Connection = {
      low,
      high,
      number,
      open: true,
      dead: false,
      states: [startOf(lowBox, highBox.person.peer, true), startOf(highBox, lowBox.person.peer, false)],
      counts: [0, 0],
      orders: [0, 0],
      arrivesMs: [0, 0],
      waiting: [[], []],
      blockedSinceMs: undefined,
      recovery: undefined,
      jitter: chance(lot.beatEvery, pair, number) < 0.5 ? 0 : 0.5,
      beat: undefined,
      beatSentMs: 0,
      toldVersion: [-1, -1],
      calm: undefined,
      notedMs: [agenda.nowMs(), agenda.nowMs()],
    };
    byPair[pair] = connection;
    lowBox.watch.take({ kind: 'connected', peer: highBox.person.peer });
    highBox.watch.take({ kind: 'connected', peer: lowBox.person.peer });
    planBeat(connection, agenda.nowMs());
    for (const box of [lowBox, highBox]) {
      greet(box, connection);
      world.peersChanged(box);
    }
  };

  /** Gone without a word to anybody; `boxStopped` and giving up tell the ends. */
  const close = (connection: Connection): void => {
    calm.end(connection);
    connection.open = false;
    connection.beat?.cancel();
    connection.recovery?.cancel();
    const pair = pairOf(connection.low, connection.high);
    if (byPair[pair] === connection) byPair[pair] = undefined;
  };

  const calm = calmBeats({
    world,
    find,
    deliver: (connection, from, frame, said) => receive(connection, from, frame, { said, life: from.life }),
    planBeat,
    isSettled: (connection) => {
      const [low, high] = endsOf(connection);
      const friend = (box: Box, other: Box) => box.watch.view().friends.get(other.person.peer);
      const isQuiet = (box: Box, other: Box): boolean =>
        friend(box, other)?.state === 'up' && friend(box, other)?.votes.get(box.person.peer)?.silent !== true;
      return (
        connection.toldVersion[0] === low.watch.heardVersion() &&
        connection.toldVersion[1] === high.watch.heardVersion() &&
        compareBytes(low.records.log().digest, high.records.log().digest) === 0 &&
        isQuiet(low, high) &&
        isQuiet(high, low)
      );
    },
  });
  const roads = paths({ world, find, open, close, calm });

  return {
    ...roads,
    calm,
    spread: (box, fact, reached, from) => {
      const targets = passOn(world.connected(box), reached, from);
      for (const peer of targets.to) {
        const connection = find(box.number, world.numberOf(peer));
        if (connection === undefined) continue;
        sendAll(box, connection, step(box, connection, { kind: 'fact', fact, reached: targets.reached }));
      }
    },
    connected: (box) =>
      world.boxes
        .filter((other) => find(box.number, other.number)?.open === true)
        .map(({ person }) => person.peer),
    talk: (a, b) => {
      const connection = find(a, b);
      return (
        connection !== undefined &&
        !connection.dead &&
        connection.blockedSinceMs === undefined &&
        connection.waiting[0].length + connection.waiting[1].length === 0
      );
    },
    heardMs: (box, about) => {
      calm.catchUp(box);
      const connection = find(box.number, about.number);
      return connection?.open === true ? connection.notedMs[sideOf(connection, box)] : undefined;
    },
    hearsOthers: (box) => {
      for (const other of world.boxes) {
        const connection = find(box.number, other.number);
        if (connection !== undefined) calm.end(connection);
      }
    },
    knowsMore: (box) => {
      for (const other of world.boxes) {
        const connection = find(box.number, other.number);
        if (connection !== undefined) calm.doubt(connection);
      }
    },
    settle: (box) => {
      box.watch.wake();
      for (const other of world.boxes) {
        const connection = find(box.number, other.number);
        if (connection !== undefined) calm.end(connection);
      }
    },
    clockSet: (box) => {
      for (const other of world.boxes) {
        const connection = find(box.number, other.number);
        if (connection?.low === box.number) planBeat(connection, agenda.nowMs());
      }
    },
  };
}
