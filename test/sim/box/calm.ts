import type { SyncFrame } from '@copain/mesh';
import { peerTags } from '@copain/mesh';
import { beatEveryMs } from '../../../packages/mesh/src/limits.ts';
import type { World } from '../world/world.ts';
import type { Box } from './box.ts';
import type { Connection, Direction } from './connection.ts';

/** Beats that change nothing are not simulated one by one; when they came is worked out where somebody asks. */
export interface Calm {
  /** The answer to this beat has arrived: nothing else is to be said on this stream, so it may become calm. */
  afterAnswer(connection: Connection, counter: number): void;
  /** Something is to be simulated on this stream: all is as if every beat until now had been. */
  end(connection: Connection): void;
  /** Lets a box hear the beats of calm streams that came since it was last awake. */
  catchUp(box: Box): void;
  isCalm(box: Box, peer: string): boolean;
}

/** Nothing follows from a silence that is shorter (`secondDialAfterMs`). */
const beforeSilenceMs = 19_000;

export function calmBeats(options: {
  world: World;
  find: (a: number, b: number) => Connection | undefined;
  deliver: (connection: Connection, from: Box, frame: SyncFrame, said: number) => void;
  planBeat: (connection: Connection, notBeforeMs: number) => void;
  isSettled: (connection: Connection) => boolean;
}): Calm {
  const { world, find, deliver, planBeat, isSettled } = options;
  const { agenda, net } = world;

  const delayMs = (connection: Connection, way: Direction, counter: number): number =>
    net.delayMs({
      from: way === 0 ? connection.low : connection.high,
      to: way === 0 ? connection.high : connection.low,
      connection: connection.number,
      count: counter * 2,
    });

  /** When the beat and its answer arrive, of the `n`-th beat since the stream became calm. */
  const arrivals = (
    connection: Connection,
    n: number,
  ): { sentMs: number; beatMs: number; answerMs: number } => {
    const { calm } = connection;
    if (calm === undefined) throw new Error('a stream that is not calm has no beats to be worked out');
    const sentMs = calm.beatMs + n * calm.everyMs + 0.25;
    const beatMs = sentMs + delayMs(connection, 0, calm.counter + n);
    return { sentMs, beatMs, answerMs: beatMs + delayMs(connection, 1, calm.counter + n) };
  };
  /** The last beat sent until now: 0 is the one with which calm began. */
  const lastSent = (connection: Connection): number => {
    const { calm } = connection;
    return calm === undefined ? 0 : Math.floor((agenda.nowMs() - 0.25 - calm.beatMs) / calm.everyMs);
  };

  /** Notes at one end the last message that came there. */
  const note = (connection: Connection, box: Box): void => {
    const side: Direction = connection.low === box.number ? 0 : 1;
    const from = world.box(side === 0 ? connection.high : connection.low);
    for (let n = lastSent(connection); n > 0; n--) {
      const { beatMs, answerMs } = arrivals(connection, n);
      const atMs = side === 0 ? answerMs : beatMs;
      if (atMs > agenda.nowMs()) continue;
      if (atMs <= connection.notedMs[side]) return;
      connection.notedMs[side] = atMs;
      box.watch.takeLate({ kind: 'heard', peer: from.person.peer }, atMs);
      const peers = connection.calm?.heard[side === 0 ? 1 : 0] ?? [];
      box.watch.takeLate({ kind: 'heard-bits', from: from.person.peer, peers }, atMs);
      return;
    }
  };

  const end = (connection: Connection): void => {
    const { calm } = connection;
    if (calm === undefined) return;
    const [low, high] = [world.box(connection.low), world.box(connection.high)];
    note(connection, low);
    note(connection, high);
    const n = lastSent(connection);
    const counter = calm.counter + n;
    const tickMs = calm.beatMs + n * calm.everyMs;
    const { beatMs, answerMs } = arrivals(connection, n);
    connection.calm = undefined;
    // From now on they may fall silent to each other.
    low.watch.wakeBy(connection.notedMs[0] + beforeSilenceMs);
    high.watch.wakeBy(connection.notedMs[1] + beforeSilenceMs);
    connection.beatSentMs = tickMs;
    connection.states[0] = {
      ...connection.states[0],
      counter,
      nextBeatAtMs: low.clock.localMs(tickMs) + beatEveryMs * (0.9 + 0.2 * connection.jitter),
    };
    planBeat(connection, tickMs + 1);
    if (n === 0) return;
    const { digest, heard } = calm;
    connection.arrivesMs[0] = Math.max(connection.arrivesMs[0], beatMs);
    if (beatMs > agenda.nowMs()) {
      const beat: SyncFrame = { t: 'beat', counter, rttMicros: 0, digest, heard: peerTags(heard[0]) };
      late(connection, low, beat, beatMs);
      return;
    }
    connection.arrivesMs[1] = Math.max(connection.arrivesMs[1], answerMs);
    if (answerMs > agenda.nowMs())
      late(connection, high, { t: 'ack', counter, digest, heard: peerTags(heard[1]) }, answerMs);
  };

  /** A message that was on its way when calm ended; what it says is of when it was sent. */
  const late = (connection: Connection, from: Box, frame: SyncFrame, atMs: number): void => {
    const way: Direction = connection.low === from.number ? 0 : 1;
    const said = connection.toldVersion[way];
    const to = way === 0 ? connection.high : connection.low;
    const sent = { order: connection.orders[way]++, deliver: () => deliver(connection, from, frame, said) };
    agenda.at(atMs, () => {
      if (!connection.open) return;
      const held = connection.dead || connection.waiting[way].length > 0 || !net.reaches(from.number, to);
      if (held) connection.waiting[way].push(sent);
      else sent.deliver();
    });
  };

  return {
    afterAnswer: (connection, counter) => {
      const idle =
        !world.full &&
        connection.open &&
        !connection.dead &&
        connection.blockedSinceMs === undefined &&
        connection.waiting[0].length + connection.waiting[1].length === 0 &&
        connection.states[0].counter === counter;
      if (!idle || !isSettled(connection)) return;
      connection.beat?.cancel();
      connection.beat = undefined;
      const everyMs = Math.ceil((beatEveryMs * (0.9 + 0.2 * connection.jitter)) / 1000) * 1000;
      const [low, high] = [world.box(connection.low), world.box(connection.high)];
      connection.calm = {
        beatMs: connection.beatSentMs,
        counter,
        everyMs,
        digest: low.records.log().digest,
        heard: [low.watch.heard(), high.watch.heard()],
      };
    },
    end,
    catchUp: (box) => {
      for (let other = 0; other < world.size; other++) {
        if (other === box.number) continue;
        const connection = find(box.number, other);
        if (connection?.calm !== undefined) note(connection, box);
      }
    },
    isCalm: (box, peer) => find(box.number, world.numberOf(peer))?.calm !== undefined,
  };
}
