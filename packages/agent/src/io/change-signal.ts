/** Tells whoever waits that something the status shows has changed. */
export interface ChangeSignal {
  note: () => void;
  /** Resolves after the next change, after `withinMs`, or when `signal` is aborted. */
  next: (withinMs: number, signal: AbortSignal) => Promise<void>;
}

export function changeSignal(): ChangeSignal {
  const waiters = new Set<() => void>();
  return {
    note: () => {
      for (const wake of waiters) wake();
    },
    next: async (withinMs, signal) => {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          waiters.delete(done);
          signal.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, withinMs);
        waiters.add(done);
        signal.addEventListener('abort', done, { once: true });
      });
    },
  };
}
