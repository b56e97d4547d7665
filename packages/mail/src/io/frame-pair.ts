import type { FrameStream } from '@copain/core';

/** Frames that may wait in one direction before `send` waits too. */
const waitingMax = 4;

interface Direction {
  frames: Uint8Array[];
  ended: boolean;
  broken: Error | undefined;
  waiters: (() => void)[];
}

/**
 * The two ends of a stream within this process, with back-pressure: mail for our own domains at our own listener takes
 * the same way as mail from a friend.
 */
export function framePair(): [FrameStream, FrameStream] {
  const there: Direction = { frames: [], ended: false, broken: undefined, waiters: [] };
  const back: Direction = { frames: [], ended: false, broken: undefined, waiters: [] };
  const abort = (reason: Error): void => {
    for (const direction of [there, back]) {
      direction.broken ??= reason;
      wake(direction);
    }
  };
  const end = (outgoing: Direction, incoming: Direction): FrameStream => ({
    send: async (frame) => {
      while (!outgoing.broken && !outgoing.ended && outgoing.frames.length >= waitingMax)
        await change(outgoing);
      if (outgoing.broken) throw outgoing.broken;
      if (outgoing.ended) throw new Error('stream ended');
      outgoing.frames.push(frame);
      wake(outgoing);
    },
    receive: async () => {
      for (;;) {
        const frame = incoming.frames.shift();
        if (frame) {
          wake(incoming);
          return frame;
        }
        if (incoming.broken) throw incoming.broken;
        if (incoming.ended) return undefined;
        await change(incoming);
      }
    },
    end: async () => {
      outgoing.ended = true;
      wake(outgoing);
    },
    abort,
  });
  return [end(there, back), end(back, there)];
}

function change(direction: Direction): Promise<void> {
  return new Promise((resolve) => {
    direction.waiters.push(resolve);
  });
}

function wake(direction: Direction): void {
  for (const waiter of direction.waiters.splice(0)) waiter();
}
