import type { FrameStream } from '@copain/core';
import { copyIdleMs, liveOpenMs } from '../limits.ts';
import { CopyLink } from './copy-link.ts';
import { asError, withDeadline } from './deadline.ts';

/** One link to each friend's box that copies go to, opened when the first does and closed when none has for a while. */
export class CopyLinks implements Disposable {
  readonly #links = new Map<string, { link: Promise<CopyLink>; usedAtMs: number }>();
  readonly #open: (peer: string, signal: AbortSignal) => Promise<FrameStream>;
  readonly #stop = new AbortController();

  constructor(open: (peer: string, signal: AbortSignal) => Promise<FrameStream>) {
    this.#open = open;
  }

  /** The link to this box, opened where there is none. Rejects where it does not open within `liveOpenMs`. */
  async to(peer: string): Promise<CopyLink> {
    const known = this.#links.get(peer);
    if (known) {
      known.usedAtMs = performance.now();
      const link = await known.link;
      if (!link.isBroken) return link;
      if (this.#links.get(peer) === known) this.#links.delete(peer);
    }
    const others = this.#links.get(peer);
    if (others) return await others.link;
    const made = this.#open(peer, this.#stop.signal).then((stream) => CopyLink.over(stream));
    const entry = { link: withDeadline(made, liveOpenMs, 'friend'), usedAtMs: performance.now() };
    this.#links.set(peer, entry);
    try {
      const link = await entry.link;
      if (this.#stop.signal.aborted) link.abort(new Error('shutting down'));
      return link;
    } catch (error) {
      if (this.#links.get(peer) === entry) this.#links.delete(peer);
      // One that opens too late is of no use any more.
      void made.then(
        (link) => link.abort(asError(error)),
        () => {},
      );
      throw error;
    }
  }

  drop(peer: string, reason: Error): void {
    const entry = this.#links.get(peer);
    this.#links.delete(peer);
    entry?.link.then(
      (link) => link.abort(reason),
      () => {},
    );
  }

  closeIdle(): void {
    for (const [peer, { link, usedAtMs }] of this.#links)
      if (performance.now() - usedAtMs > copyIdleMs)
        void link.then(
          async (one) => {
            if (!one.isIdle) return;
            if (this.#links.get(peer)?.link === link) this.#links.delete(peer);
            await one.end();
          },
          () => {},
        );
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    for (const peer of this.#links.keys()) this.drop(peer, new Error('shutting down'));
  }
}
