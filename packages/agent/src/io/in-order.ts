import type { Clock } from '@copain/core';

/** Work that is done one piece after the other, in the order in which it came. */
export interface InOrder<Work> extends AsyncDisposable {
  /** Puts these behind what is waiting; `start` does them. */
  add(work: readonly Work[]): void;
  /** Begins, unless it is at work, or waits after a failure. */
  start(): void;
  /** What is not done yet, what is being done first. */
  waiting(): readonly Work[];
}

/**
 * A piece that fails (disk full) is tried again by the first `start` that comes `retryAfterMs` later, and the rest waits
 * for it. Disposing waits for the piece that is being done; those behind it are left undone.
 */
export function inOrder<Work>(options: {
  act: (work: Work) => Promise<void>;
  failed: (error: unknown) => void;
  retryAfterMs: number;
  clock: Clock;
}): InOrder<Work> {
  const { act, failed, retryAfterMs, clock } = options;
  const todo: Work[] = [];
  let working: Promise<void> | undefined;
  let failedAtMs: number | undefined;
  let disposed = false;

  const work = async (): Promise<void> => {
    for (let next = todo[0]; next !== undefined && !disposed; next = todo[0]) {
      await act(next);
      todo.shift();
    }
  };
  /** A clock that was set back does not make the pause longer. */
  const isPausing = (): boolean => {
    if (failedAtMs === undefined) return false;
    const sinceMs = clock.nowMs() - failedAtMs;
    return sinceMs >= 0 && sinceMs < retryAfterMs;
  };
  const start = (): void => {
    if (todo.length === 0 || working !== undefined || disposed || isPausing()) return;
    failedAtMs = undefined;
    working = work()
      .catch((error: unknown) => {
        failedAtMs = clock.nowMs();
        failed(error);
      })
      .finally(() => {
        working = undefined;
        // What came after the last piece was done, and before this was.
        start();
      });
  };
  return {
    add: (work) => {
      todo.push(...work);
    },
    start,
    waiting: () => todo,
    [Symbol.asyncDispose]: async () => {
      disposed = true;
      await working;
    },
  };
}
