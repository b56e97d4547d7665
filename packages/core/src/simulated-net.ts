import type { Random } from './ports.ts';

/** One run of events in simulated time, with the messages that boxes send each other as events among them. */
export interface SimulatedNet<Message> {
  nowMs(): number;
  /** Runs `action` at `nowMs() + delayMs`; actions of one instant run in the order in which they were planned. */
  after(delayMs: number, action: () => void): void;
  /** Delivers the message after a random delay, or never: by loss, or when the path is cut at sending or arrival. */
  send(from: string, to: string, message: Message): void;
  /** Cuts one direction, until `heal`. Cuts add up: two cuts of one path need two heals. */
  cut(from: string, to: string): void;
  heal(from: string, to: string): void;
  /** Cuts all paths between both groups, in both directions; the answer heals exactly these. */
  separate(these: readonly string[], those: readonly string[]): () => void;
  /** What one box sends takes so much longer from now on, as behind a full queue; 0: as it was. */
  lag(from: string, extraMs: number): void;
  /** Would a message sent now, from one to the other, arrive but for loss? */
  reaches(from: string, to: string): boolean;
  /** Runs everything planned until that instant, and ends there. */
  runUntil(atMs: number): void;
}

interface Planned {
  atMs: number;
  order: number;
  action: () => void;
}

/**
 * A seeded network without sockets or timers: `delayMs` is the range of one-way delays, `loss` the fraction of
 * messages that vanish, `deliver` the receiving side. The same options and calls give the same run.
 */
export function simulatedNet<Message>(options: {
  random: Random;
  delayMs: readonly [least: number, most: number];
  loss: number;
  deliver: (to: string, from: string, message: Message) => void;
}): SimulatedNet<Message> {
  const { random, loss, deliver } = options;
  const [least, most] = options.delayMs;
  const agenda = heap();
  const cuts = new Map<string, number>();
  const lags = new Map<string, number>();
  let nowMs = 0;
  let order = 0;

  const path = (from: string, to: string): string => `${from} ${to}`;
  const reaches = (from: string, to: string): boolean => (cuts.get(path(from, to)) ?? 0) === 0;
  const change = (from: string, to: string, by: number): void => {
    cuts.set(path(from, to), Math.max(0, (cuts.get(path(from, to)) ?? 0) + by));
  };
  const after = (delayMs: number, action: () => void): void => {
    agenda.push({ atMs: nowMs + Math.max(0, delayMs), order: order++, action });
  };

  return {
    nowMs: () => nowMs,
    after,
    send: (from, to, message) => {
      const lost = random.fraction() < loss;
      const delayMs = least + random.fraction() * (most - least) + (lags.get(from) ?? 0);
      if (lost || !reaches(from, to)) return;
      after(delayMs, () => {
        if (reaches(from, to)) deliver(to, from, message);
      });
    },
    cut: (from, to) => change(from, to, 1),
    heal: (from, to) => change(from, to, -1),
    separate: (these, those) => {
      const pairs = these.flatMap((one) =>
        those.filter((other) => other !== one).map((other) => [one, other]),
      );
      for (const [one = '', other = ''] of pairs) {
        change(one, other, 1);
        change(other, one, 1);
      }
      let healed = false;
      return () => {
        if (healed) return;
        healed = true;
        for (const [one = '', other = ''] of pairs) {
          change(one, other, -1);
          change(other, one, -1);
        }
      };
    },
    lag: (from, extraMs) => void lags.set(from, extraMs),
    reaches,
    runUntil: (atMs) => {
      for (let next = agenda.peek(); next && next.atMs <= atMs; next = agenda.peek()) {
        agenda.pop();
        nowMs = next.atMs;
        next.action();
      }
      nowMs = Math.max(nowMs, atMs);
    },
  };
}

/** A binary heap, earliest first and in order of planning: a simulated week holds millions of events. */
function heap(): { push(item: Planned): void; pop(): void; peek(): Planned | undefined } {
  const items: Planned[] = [];
  const before = (a: Planned, b: Planned): boolean =>
    a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  return {
    push: (item) => {
      let at = items.length;
      items.push(item);
      while (at > 0) {
        const parentAt = (at - 1) >> 1;
        const parent = items[parentAt];
        if (!parent || before(parent, item)) break;
        items[at] = parent;
        at = parentAt;
      }
      items[at] = item;
    },
    pop: () => {
      const last = items.pop();
      if (!last || items.length === 0) return;
      let at = 0;
      for (;;) {
        let childAt = 2 * at + 1;
        const [left, right] = [items[childAt], items[childAt + 1]];
        if (!left) break;
        const child = right && before(right, left) ? right : left;
        if (child === right) childAt++;
        if (before(last, child)) break;
        items[at] = child;
        at = childAt;
      }
      items[at] = last;
    },
    peek: () => items[0],
  };
}
