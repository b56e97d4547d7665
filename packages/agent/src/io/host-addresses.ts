import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock } from '@copain/core';

/** Names that are looked up and kept; the one that was asked for longest ago goes first. */
export const hostsKeptMax = 256;

/** How long an answer is used, also one that there is none: what moves is seen in the zones that friends hold. */
const keptForMs = 600_000;

/** Addresses of hosts outside the zones that this box has, by the resolver of its machine. */
export interface HostAddresses {
  /** What is known now; asks in the background where that is nothing, or old. */
  of(host: string): readonly string[];
}

export function hostAddresses(options: {
  clock: Clock;
  stopping: AbortSignal;
  resolve?: (host: string) => Promise<string[]>;
}): HostAddresses {
  const { clock, stopping } = options;
  const known = new Map<string, { addresses: readonly string[]; askedAtMs: number }>();
  const resolver = new Resolver({ timeout: 3000, tries: 2 });
  stopping.addEventListener('abort', () => resolver.cancel(), { once: true });
  const bySystem = async (host: string): Promise<string[]> => {
    const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    return found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  };
  const resolve = options.resolve ?? bySystem;
  return {
    of: (host) => {
      if (isIP(host) !== 0) return [host];
      const before = known.get(host);
      if (before === undefined || clock.nowMs() - before.askedAtMs >= keptForMs) {
        const addresses = before?.addresses ?? [];
        known.delete(host);
        known.set(host, { addresses, askedAtMs: clock.nowMs() });
        const [oldest] = known.keys();
        if (known.size > hostsKeptMax && oldest !== undefined) known.delete(oldest);
        resolve(host)
          .then((found) => {
            const entry = known.get(host);
            // Where a resolver fails, what it said before is still the best guess.
            if (entry !== undefined && found.length > 0) known.set(host, { ...entry, addresses: found });
          })
          .catch(() => undefined);
      }
      return known.get(host)?.addresses ?? [];
    },
  };
}
