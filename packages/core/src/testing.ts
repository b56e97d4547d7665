/**
 * Doubles for tests and simulations: a clock that tests move, seeded randomness, a pair of frame streams in memory, a
 * network in simulated time.
 *
 *     const clock = manualClock(Date.UTC(2026, 10, 22));
 *     const random = seededRandom(1);
 *     const [here, there] = frameStreamPair();
 */
import type { Clock, FrameStream, Random } from './ports.ts';

export { type SimulatedNet, simulatedNet } from './simulated-net.ts';

/** A clock that stands still until moved. */
export interface ManualClock extends Clock {
  advance(byMs: number): void;
  set(toMs: number): void;
}

/** A clock that shows `startMs` until it is moved. */
export function manualClock(startMs: number): ManualClock {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    advance: (byMs) => {
      nowMs += byMs;
    },
    set: (toMs) => {
      nowMs = toMs;
    },
  };
}

/** The same numbers for the same seed (mulberry32). Not for keys. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() & 255),
    fraction: () => next() / 2 ** 32,
  };
}

/** Two ends of one stream in memory, unbounded. `abort` on one end breaks both. */
export function frameStreamPair(): [FrameStream, FrameStream] {
  interface Half {
    queue: Uint8Array[];
    ended: boolean;
    broken: Error | undefined;
    wake: (() => void) | undefined;
  }
  const halves: [Half, Half] = [
    { queue: [], ended: false, broken: undefined, wake: undefined },
    { queue: [], ended: false, broken: undefined, wake: undefined },
  ];
  const kick = (half: Half): void => {
    const { wake } = half;
    half.wake = undefined;
    wake?.();
  };
  const end = (incoming: Half, outgoing: Half): FrameStream => ({
    send: async (frame) => {
      if (outgoing.broken) throw outgoing.broken;
      if (outgoing.ended) throw new Error('stream ended');
      outgoing.queue.push(frame.slice());
      kick(outgoing);
    },
    receive: async () => {
      for (;;) {
        const frame = incoming.queue.shift();
        if (frame) return frame;
        if (incoming.broken) throw incoming.broken;
        if (incoming.ended) return undefined;
        await new Promise<void>((resolve) => {
          incoming.wake = resolve;
        });
      }
    },
    end: async () => {
      outgoing.ended = true;
      kick(outgoing);
    },
    abort: (reason) => {
      for (const half of halves) {
        half.broken ??= reason;
        kick(half);
      }
    },
  });
  return [end(halves[0], halves[1]), end(halves[1], halves[0])];
}
