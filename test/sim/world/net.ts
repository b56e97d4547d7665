import type { Agenda } from './agenda.ts';
import { type Chance, lot } from './chance.ts';

/** The lines of all boxes and the paths between them, by number of the box. */
export interface Net {
  /** Takes a box's line away, both directions, until `restore`; cuts add up. */
  cutLine(box: number): void;
  restoreLine(box: number): void;
  isLineUp(box: number): boolean;
  /** Cuts one direction of one path until `heal`; cuts add up. */
  cut(from: number, to: number): void;
  heal(from: number, to: number): void;
  /** Would a packet sent now arrive? */
  reaches(from: number, to: number): boolean;
  /** Both directions, as a handshake needs. */
  connects(a: number, b: number): boolean;
  /** How long a full uplink delays what this box sends, at most: a modem's queue. */
  setQueue(box: number, queueMs: number): void;
  /** How long the `count`-th message of one connection in one direction is on its way, lost packets sent again included. */
  delayMs(message: { from: number; to: number; connection: number; count: number }): number;
  /** When so many bytes of bulk from this box have left its line of 128 kbit/s; beats and records go before them. */
  bulkLeavesMs(from: number, sizeBytes: number): number;
  /** Told after a path between two boxes changed, in whichever direction. */
  onChange(listener: (a: number, b: number) => void): void;
}

/** 128 kbit/s. */
const bytesPerMs = 16;

/** A packet that is lost over and over again makes a cut, and cuts are simulated apart. */
const delayMaxMs = 6000;

export function net(options: { boxes: number; loss: number; agenda: Agenda; chance: Chance }): Net {
  const { boxes, loss, agenda, chance } = options;
  const lineCuts = new Uint16Array(boxes);
  const pathCuts = new Uint16Array(boxes * boxes);
  const queueMs = new Float64Array(boxes);
  const bulkFreeAtMs = new Float64Array(boxes);
  const listeners: ((a: number, b: number) => void)[] = [];

  const changed = (a: number, b: number): void => {
    for (const listener of listeners) listener(a, b);
  };
  const lineChanged = (box: number): void => {
    for (let other = 0; other < boxes; other++) if (other !== box) changed(box, other);
  };
  const reaches = (from: number, to: number): boolean =>
    lineCuts[from] === 0 && lineCuts[to] === 0 && pathCuts[from * boxes + to] === 0;
  const change = (from: number, to: number, by: number): void => {
    const at = from * boxes + to;
    const before = pathCuts[at] ?? 0;
    pathCuts[at] = Math.max(0, before + by);
    if ((before === 0) !== (pathCuts[at] === 0)) changed(from, to);
  };
  const changeLine = (box: number, by: number): void => {
    const before = lineCuts[box] ?? 0;
    lineCuts[box] = Math.max(0, before + by);
    if ((before === 0) !== (lineCuts[box] === 0)) lineChanged(box);
  };

  return {
    cutLine: (box) => changeLine(box, 1),
    restoreLine: (box) => changeLine(box, -1),
    isLineUp: (box) => lineCuts[box] === 0,
    cut: (from, to) => change(from, to, 1),
    heal: (from, to) => change(from, to, -1),
    reaches,
    connects: (a, b) => reaches(a, b) && reaches(b, a),
    setQueue: (box, ms) => {
      queueMs[box] = ms;
      lineChanged(box);
    },
    delayMs: ({ from, to, connection, count }) => {
      const [low, high] = from < to ? [from, to] : [to, from];
      const direction = from < to ? 0 : 1;
      const place = low * boxes + high;
      const pathMs = 5 + 55 * chance(lot.pairDelay, low, high);
      const spread = chance(lot.messageDelay, place, connection * 2 + direction, count);
      let ms = pathMs + 15 * spread + (queueMs[from] ?? 0) * spread;
      let resentAfterMs = 250;
      for (let lost = 0; lost < 5; lost++) {
        if (chance(lot.loss, place, connection * 2 + direction, count * 8 + lost) >= loss) break;
        ms += resentAfterMs;
        resentAfterMs *= 2;
      }
      return Math.min(ms, delayMaxMs);
    },
    bulkLeavesMs: (from, sizeBytes) => {
      const startMs = Math.max(agenda.nowMs(), bulkFreeAtMs[from] ?? 0);
      const leavesMs = startMs + sizeBytes / bytesPerMs;
      bulkFreeAtMs[from] = leavesMs;
      return leavesMs;
    },
    onChange: (listener) => {
      listeners.push(listener);
    },
  };
}
