import { Resolver } from 'node:dns/promises';
import { formatHostPort, type HostPort } from '@copain/core';
import type { TlsaRecord } from '../mail-dns.ts';
import type { MxHost } from '../probe-addresses.ts';

/** Who answered: the zone as this box serves it, or the machine's resolver, that is the internet. */
type AskedOf = 'zone' | 'resolver';

/** What was published under a name; undefined where nobody could be asked. */
interface Published<T> {
  records: T[] | undefined;
  by: AskedOf;
}

/** DNS questions about mail. None rejects. */
export interface MailLookups {
  mx(domain: string): Promise<Published<Omit<MxHost, 'addresses'>>>;
  /** A and AAAA together. */
  addresses(name: string): Promise<Published<string>>;
  txt(name: string): Promise<Published<string>>;
  tlsa(name: string): Promise<Published<TlsaRecord>>;
}

const lookupTimeoutMs = 2000;

/** How long an answer counts, and how many are remembered: a few names for each domain. */
const rememberedMs = 10_000;
const rememberedMax = 500;

/** That there is no such record is an answer; all else means that nobody could be asked. */
const nothingThere = new Set(['ENODATA', 'ENOTFOUND']);

/**
 * Asks this box's own DNS listener for names in zones that it owns, so that what was just changed counts, and the machine's
 * resolver for all others. `listening`: where this box answers; none where it does not, and then all go to the resolver.
 */
export function mailLookups(options: {
  listening: () => readonly HostPort[];
  /** Aborted when the box stops: questions end then. */
  stopping: AbortSignal;
  /** Origins of our own zones, lower case. */
  origins: () => readonly string[];
}): MailLookups {
  const remembered = new Map<string, { untilMs: number; said: Promise<Published<unknown>> }>();
  /** What the internet said of late counts for all backups that are checked one after the other. */
  const ask = <T>(
    what: string,
    name: string,
    question: (resolver: Resolver) => Promise<T[]>,
  ): Promise<Published<T>> => {
    const key = `${what} ${name}`;
    const known = remembered.get(key);
    // The key says which question it was, and so of which kind the answer is.
    if (known !== undefined && performance.now() < known.untilMs) return known.said as Promise<Published<T>>;
    const said = askNow(name, question);
    for (const [oldest] of remembered) if (remembered.size >= rememberedMax) remembered.delete(oldest);
    remembered.delete(key);
    remembered.set(key, { untilMs: performance.now() + rememberedMs, said });
    return said;
  };
  const askNow = async <T>(
    name: string,
    question: (resolver: Resolver) => Promise<T[]>,
  ): Promise<Published<T>> => {
    const [own] = options.listening();
    const isOwn = options.origins().some((origin) => name === origin || name.endsWith(`.${origin}`));
    const by: AskedOf = isOwn && own !== undefined ? 'zone' : 'resolver';
    const resolver = new Resolver({ timeout: lookupTimeoutMs, tries: 2 });
    if (by === 'zone' && own !== undefined) resolver.setServers([formatHostPort(own)]);
    const cancel = (): void => resolver.cancel();
    options.stopping.addEventListener('abort', cancel);
    try {
      return { records: await question(resolver), by };
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      return { records: nothingThere.has(code) ? [] : undefined, by };
    } finally {
      options.stopping.removeEventListener('abort', cancel);
    }
  };
  return {
    mx: async (domain) => {
      const { records, by } = await ask('MX', domain, (resolver) => resolver.resolveMx(domain));
      const read = records?.map(({ exchange, priority }) => ({
        exchange: exchange.toLowerCase().replace(/\.$/, ''),
        preference: priority,
      }));
      return { records: read?.toSorted((a, b) => a.preference - b.preference), by };
    },
    addresses: async (name) => {
      const [v4, v6] = await Promise.all([
        ask('A', name, (resolver) => resolver.resolve4(name)),
        ask('AAAA', name, (resolver) => resolver.resolve6(name)),
      ]);
      const records =
        v4.records === undefined && v6.records === undefined
          ? undefined
          : [...(v4.records ?? []), ...(v6.records ?? [])];
      return { records, by: v4.by };
    },
    txt: async (name) => {
      const { records, by } = await ask('TXT', name, (resolver) => resolver.resolveTxt(name));
      return { records: records?.map((strings) => strings.join('')), by };
    },
    tlsa: async (name) => {
      const { records, by } = await ask('TLSA', name, (resolver) => resolver.resolveTlsa(name));
      const read = records?.map(({ certUsage, selector, match, data }) => ({
        usage: certUsage,
        selector,
        match,
        data: Buffer.from(data).toString('hex'),
      }));
      return { records: read, by };
    },
  };
}
