/** Work that is done a few pieces at a time for each of many keys; the rest waits in the order in which it came. */
export interface Turns {
  /** Runs `work` when it is its turn, and gives what it gives. */
  run<Result>(key: string, work: () => Promise<Result>): Promise<Result>;
}

export function inTurns(atOnce: number): Turns {
  const running = new Map<string, { count: number; waiting: (() => void)[] }>();
  return {
    run: async (key, work) => {
      const turns = running.get(key) ?? { count: 0, waiting: [] };
      running.set(key, turns);
      if (turns.count >= atOnce) await new Promise<void>((resolve) => turns.waiting.push(resolve));
      else turns.count++;
      try {
        return await work();
      } finally {
        // The place goes over to the next without becoming free.
        const next = turns.waiting.shift();
        if (next) next();
        else if (--turns.count === 0) running.delete(key);
      }
    },
  };
}
