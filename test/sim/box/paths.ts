import type { Planned } from '../world/agenda.ts';
import { lot } from '../world/chance.ts';
import type { World } from '../world/world.ts';
import type { Box } from './box.ts';
import type { Calm } from './calm.ts';
import type { Connection, Direction } from './connection.ts';

/** What happens to connections: cut, given up, closed, and dialled again. */
export interface Paths {
  boxStarted(box: Box): void;
  /** Its agent ends: with a good-bye on every connection, or as at a power cut. */
  boxStopped(box: Box, how: 'bye' | 'silent'): void;
  /** Its provider gave it another address: all its connections are dead, and only it can dial. */
  addressChanged(box: Box): void;
  /** Whoever is no longer anybody's friend is not talked to any more. */
  membersChanged(): void;
}

/** A connection on which nothing was heard for so long is given up (`connectionSilenceMs`). */
const giveUpAfterMs = 90_000;
/** From this silence on a second connection is dialled beside the old one (`secondDialAfterMs`). */
const dialSecondAfterMs = 20_000;

/**
 * Dialling is modelled, not run: once two boxes can reach each other, they are connected after 0.3 to 14 s, mostly soon,
 * as was measured with the real redial and knocking. After a short cut the old connection sends again what was lost, after
 * up to 0.4 × the cut.
 */
export function paths(options: {
  world: World;
  find: (a: number, b: number) => Connection | undefined;
  open: (a: number, b: number) => void;
  close: (connection: Connection) => void;
  calm: Calm;
}): Paths {
  const { world, find, open, close, calm } = options;
  const { agenda, net, chance } = world;
  const dials = new Map<number, Planned>();
  let asked = 0;

  const mayTalk = (a: Box, b: Box): boolean => a.on && b.on && world.areFriends(a, b);

  const dial = (a: number, b: number, waitMs = 0): void => {
    const pair = Math.min(a, b) * world.size + Math.max(a, b);
    if (dials.has(pair) || !mayTalk(world.box(a), world.box(b)) || !net.connects(a, b)) return;
    asked += 1;
    const afterMs = waitMs + 300 + 13_700 * chance(lot.reconnect, pair, asked) ** 2;
    const planned = agenda.after(afterMs, () => {
      dials.delete(pair);
      if (!mayTalk(world.box(a), world.box(b)) || !net.connects(a, b)) return;
      const before = find(a, b);
      if (before === undefined || before.dead || before.blockedSinceMs !== undefined) open(a, b);
      else if (before.waiting[0].length + before.waiting[1].length > 0) open(a, b);
    });
    dials.set(pair, planned);
  };

  const giveUp = (connection: Connection): void => {
    const ends = [world.box(connection.low), world.box(connection.high)] as const;
    close(connection);
    for (const [box, other] of [ends, [ends[1], ends[0]] as const]) {
      if (!box.on) continue;
      box.watch.take({ kind: 'disconnected', peer: other.person.peer });
      world.peersChanged(box);
    }
  };

  const flush = (connection: Connection): void => {
    if (!connection.open || connection.dead) return;
    for (const way of [0, 1] as Direction[]) {
      const sent = connection.waiting[way].sort((a, b) => a.order - b.order);
      connection.waiting[way] = [];
      const lastMs = agenda.nowMs() + 5 + sent.length * 0.01;
      connection.arrivesMs[way] = Math.max(connection.arrivesMs[way], lastMs);
      for (const [i, one] of sent.entries()) {
        agenda.after(5 + i * 0.01, () => {
          if (connection.open) one.deliver();
        });
      }
    }
  };

  const blocked = (connection: Connection): void => {
    calm.end(connection);
    connection.blockedSinceMs ??= agenda.nowMs();
    connection.recovery?.cancel();
    connection.recovery = agenda.after(giveUpAfterMs, () => giveUp(connection));
  };

  const healed = (connection: Connection): void => {
    const outageMs = agenda.nowMs() - (connection.blockedSinceMs ?? agenda.nowMs());
    connection.blockedSinceMs = undefined;
    connection.recovery?.cancel();
    const { low, high } = connection;
    if (connection.dead || outageMs >= dialSecondAfterMs) dial(low, high);
    if (connection.dead) {
      connection.recovery = agenda.after(giveUpAfterMs, () => giveUp(connection));
      return;
    }
    asked += 1;
    const resumesMs = 50 + 0.4 * outageMs * chance(lot.resume, low * world.size + high, asked);
    connection.recovery = agenda.after(resumesMs, () => flush(connection));
  };

  net.onChange((a, b) => {
    const connection = find(a, b);
    const works = net.connects(a, b);
    if (connection === undefined) {
      if (works) dial(a, b);
      return;
    }
    if (works && connection.blockedSinceMs !== undefined) healed(connection);
    else if (!works) blocked(connection);
    else calm.end(connection);
  });

  /** Both ends believe in it, but one of them is gone or elsewhere. */
  const kill = (connection: Connection): void => {
    calm.end(connection);
    connection.dead = true;
    connection.recovery?.cancel();
    connection.recovery = agenda.after(giveUpAfterMs, () => giveUp(connection));
  };

  const connectionsOf = (box: Box): [Connection, Box][] =>
    world.boxes.flatMap((other) => {
      const connection = find(box.number, other.number);
      return connection === undefined ? [] : [[connection, other] as [Connection, Box]];
    });

  return {
    boxStarted: (box) => {
      for (const other of world.boxes) if (other !== box) dial(box.number, other.number);
    },
    boxStopped: (box, how) => {
      for (const [connection, other] of connectionsOf(box)) {
        const hears = how === 'bye' && net.reaches(box.number, other.number) && !connection.dead;
        if (!hears) {
          kill(connection);
          continue;
        }
        close(connection);
        agenda.after(20, () => {
          if (!other.on || find(box.number, other.number) !== undefined) return;
          other.watch.take({ kind: 'disconnected', peer: box.person.peer });
          world.peersChanged(other);
        });
      }
    },
    addressChanged: (box) => {
      for (const [connection, other] of connectionsOf(box)) {
        kill(connection);
        dial(box.number, other.number, dialSecondAfterMs);
      }
    },
    membersChanged: () => {
      for (const box of world.boxes) {
        for (const [connection, other] of connectionsOf(box))
          if (!world.areFriends(box, other)) giveUp(connection);
        if (box.on)
          for (const other of world.boxes)
            if (find(box.number, other.number) === undefined) dial(box.number, other.number);
      }
    },
  };
}
