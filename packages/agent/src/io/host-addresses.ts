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
  /** The same for the mail servers of a domain, the preferred ones first. */
  mailServersOf(domain: string): readonly { host: string; preference: number }[];
}

/** A resolver with what it is asked for, and what it says. */
interface Lookups {
  addresses(host: string): Promise<string[]>;
  mailServers(domain: string): Promise<{ host: string; preference: number }[]>;
}

export function hostAddresses(options: {
  clock: Clock;
  stopping: AbortSignal;
  lookups?: Lookups;
}): HostAddresses {
  const { clock, stopping, lookups = systemLookups(stopping) } = options;
  const addresses = remembering(clock, (host) => lookups.addresses(host));
  const mailServers = remembering(clock, (domain) => lookups.mailServers(domain));
  return { of: (host) => (isIP(host) === 0 ? addresses(host) : [host]), mailServersOf: mailServers };
}

function systemLookups(stopping: AbortSignal): Lookups {
  const resolver = new Resolver({ timeout: 3000, tries: 2 });
  stopping.addEventListener('abort', () => resolver.cancel(), { once: true });
  return {
    addresses: async (host) => {
      const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
      return found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    },
    mailServers: async (domain) =>
      (await resolver.resolveMx(domain))
        .map(({ exchange, priority }) => ({ host: exchange.toLowerCase(), preference: priority }))
        .filter(({ host }) => host !== '')
        .toSorted((a, b) => a.preference - b.preference),
  };
}

/** Gives what is known of a name at once, and looks it up in the background where that is nothing, or old. */
function remembering<T>(clock: Clock, ask: (name: string) => Promise<T[]>): (name: string) => readonly T[] {
  const known = new Map<string, { found: readonly T[]; askedAtMs: number }>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined && clock.nowMs() - before.askedAtMs < keptForMs) return before.found;
    known.delete(name);
    known.set(name, { found: before?.found ?? [], askedAtMs: clock.nowMs() });
    const [oldest] = known.keys();
    if (known.size > hostsKeptMax && oldest !== undefined) known.delete(oldest);
    ask(name)
      .then((found) => {
        const entry = known.get(name);
        // Where a resolver fails, what it said before is still the best guess.
        if (entry !== undefined && found.length > 0) known.set(name, { ...entry, found });
      })
      .catch(() => undefined);
    return before?.found ?? [];
  };
}
