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
  /**
   * One end knows something new. Where both know the same again when the next beat is due nothing follows from it, as is the
   * rule: news takes a fraction of a second. Else, or where a beat is under way, calm ends.
   */
  doubt(connection: Connection): void;
  /** Something is to be simulated on this stream: all is as if every beat until now had been. */
  end(connection: Connection): void;
  /** Lets a box hear the beats of calm streams that came since it was last awake. */
  catchUp(box: Box): void;
  isCalm(box: Box, peer: string): boolean;
}

/** After the tick of the lower box, and before its beat. */
const justBeforeBeatMs = 0.2;

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

  /** The last message that came to one end, where it is not noted there yet. */
  const note = (connection: Connection, box: Box): { peer: string; atMs: number } | undefined => {
    const side: Direction = connection.low === box.number ? 0 : 1;
    const { calm } = connection;
    if (calm === undefined || agenda.nowMs() < calm.nextNoteMs[side]) return undefined;
    for (let n = lastSent(connection); n > 0; n--) {
      const { beatMs, answerMs } = arrivals(connection, n);
      const atMs = side === 0 ? answerMs : beatMs;
      if (atMs > agenda.nowMs()) continue;
      if (atMs <= connection.notedMs[side]) return undefined;
      connection.notedMs[side] = atMs;
      calm.nextNoteMs[side] = calm.beatMs + (n + 1) * calm.everyMs;
      const from = world.box(side === 0 ? connection.high : connection.low);
      return { peer: from.person.peer, atMs };
    }
    return undefined;
  };

  const end = (connection: Connection): void => {
    const { calm } = connection;
    if (calm === undefined) return;
    const [low, high] = [world.box(connection.low), world.box(connection.high)];
    for (const box of [low, high]) {
      const beat = note(connection, box);
      if (beat !== undefined) box.watch.heardLate([beat]);
    }
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

  const doubt = (connection: Connection): void => {
    const { calm } = connection;
    if (calm === undefined || calm.doubted) return;
    const n = lastSent(connection);
    if (n > 0 && arrivals(connection, n).answerMs > agenda.nowMs()) {
      end(connection);
      return;
    }
    calm.doubted = true;
    agenda.at(calm.beatMs + (n + 1) * calm.everyMs + justBeforeBeatMs, () => {
      if (connection.calm !== calm) return;
      calm.doubted = false;
      if (!isSettled(connection)) {
        end(connection);
        return;
      }
      calm.digest = world.box(connection.low).records.log().digest;
    });
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
        doubted: false,
        nextNoteMs: [0, 0],
      };
    },
    end,
    doubt,
    catchUp: (box) => {
      const beats: { peer: string; atMs: number }[] = [];
      for (let other = 0; other < world.size; other++) {
        const connection = other === box.number ? undefined : find(box.number, other);
        const beat = connection?.calm === undefined ? undefined : note(connection, box);
        if (beat !== undefined) beats.push(beat);
      }
      if (beats.length > 0) box.watch.heardLate(beats);
    },
    isCalm: (box, peer) => find(box.number, world.numberOf(peer))?.calm !== undefined,
  };
}
