import { toHex } from '@copain/core';
import { otherPullBytesPerSecond, otherPullMs } from '../limits.ts';
import { pause } from './deadline.ts';

/** A message that comes in from some friend right now. */
interface Pull {
  sinceMs: number;
  done: Promise<void>;
}

const keyOf = (tags: readonly Uint8Array[]): string => tags.map(toHex).join();

/** What comes in from any friend right now, so that a message which two friends hold crosses the line once. */
export class PullsUnderWay {
  readonly #pulls = new Map<string, Pull>();

  has(tags: readonly Uint8Array[]): boolean {
    return this.#pulls.has(keyOf(tags));
  }

  /**
   * Waits, for `otherPullMs` at most, until the message has come from the other friend. False where it has not, and is on
   * its way for longer than a narrow line needs: then it is not waited for, whatever that friend is doing.
   */
  async waitedFor({ tags, sizeBytes }: { tags: readonly Uint8Array[]; sizeBytes: number }): Promise<boolean> {
    const other = this.#pulls.get(keyOf(tags));
    if (other === undefined) return true;
    const waiting = new AbortController();
    await Promise.race([other.done, pause(otherPullMs, waiting.signal)]);
    waiting.abort();
    if (this.#pulls.get(keyOf(tags)) !== other) return true;
    return performance.now() - other.sinceMs < otherPullMs + (sizeBytes / otherPullBytesPerSecond) * 1000;
  }

  /** Does the work as the one that brings this message. */
  async during<T>(tags: readonly Uint8Array[], work: () => Promise<T>): Promise<T> {
    const key = keyOf(tags);
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const mine = { sinceMs: performance.now(), done };
    this.#pulls.set(key, mine);
    try {
      return await work();
    } finally {
      if (this.#pulls.get(key) === mine) this.#pulls.delete(key);
      resolve();
    }
  }
}
