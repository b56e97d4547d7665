/** Work that takes in all changes since it was done last, however many there were. */
export interface InBursts extends Disposable {
  /** Something changed: does the work at once, or soon where it was done a moment ago. */
  ask(): void;
  /** Does what was asked for and not done yet. */
  settle(): void;
}

/** So many times as long as the work took, it is not done again: in a burst it has a quarter of the time at most. */
const restFactor = 3;

/**
 * One change alone is taken in at once. When a thousand zones open one after the other, each would else mean work that
 * grows with all that are there already.
 */
export function inBursts(work: () => void, nowMs: () => number = () => performance.now()): InBursts {
  let restUntilMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  const run = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const sinceMs = nowMs();
    work();
    const tookMs = nowMs() - sinceMs;
    restUntilMs = sinceMs + tookMs * (1 + restFactor);
  };
  return {
    ask: () => {
      if (timer !== undefined) return;
      const leftMs = restUntilMs - nowMs();
      if (leftMs <= 0) run();
      else timer = setTimeout(run, leftMs);
    },
    settle: () => {
      if (timer !== undefined) run();
    },
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
