/** Work that takes in all changes since it was done last, however many there were. */
export interface InBursts extends Disposable {
  /** Something changed: does the work at once, or soon where it was done a moment ago. */
  ask(): void;
  /** Does what was asked for and not done yet. */
  settle(): void;
}

/** So many times as long as the work took, it is not done again: in a burst it has a quarter of the time at most. */
const threeTimes = (tookMs: number): number => 3 * tookMs;

/**
 * One change alone is taken in at once. When a thousand zones open one after the other, each would else mean work that
 * grows with all that are there already. `restMs`: how long it is left undone after each time.
 */
export function inBursts(
  work: () => void,
  {
    restMs = threeTimes,
    nowMs = () => performance.now(),
  }: { restMs?: (tookMs: number) => number; nowMs?: () => number } = {},
): InBursts {
  let restUntilMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  const run = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const sinceMs = nowMs();
    work();
    const doneMs = nowMs();
    restUntilMs = doneMs + restMs(doneMs - sinceMs);
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
