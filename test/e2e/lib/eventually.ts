import { setTimeout as pause } from 'node:timers/promises';

/**
 * The way in which these tests wait for something: tries `check` every 30 ms until it neither throws nor gives undefined or
 * false, and gives its answer. After `withinMs` the last failure is thrown, with how long was waited for what.
 */
export async function eventually<Answer>(
  what: string,
  check: () => Promise<Answer | undefined | false> | Answer | undefined | false,
  withinMs = 10_000,
): Promise<Answer> {
  const startMs = performance.now();
  let failure: unknown;
  for (;;) {
    try {
      const answer = await check();
      if (answer !== undefined && answer !== false) return answer;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    if (performance.now() - startMs >= withinMs) {
      throw new Error(`waited ${withinMs} ms in vain: ${what}`, { cause: failure });
    }
    await pause(30);
  }
}

/** Looks every quarter of a second for `forMs`, and throws as soon as `check` does: for what must not happen. */
export async function steadily(check: () => Promise<void>, forMs: number): Promise<void> {
  const startMs = performance.now();
  while (performance.now() - startMs < forMs) {
    await check();
    await pause(250);
  }
}
