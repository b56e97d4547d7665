import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { formatHostPort, type HostPort, isPrivate, parseHostPort } from '@copain/core';

/**
 * The addresses that `host:port` texts lead to, in their order: names are resolved here, so that a friend's name that
 * points into our own network is found out before it is dialled. A name without an address gives none. At most 4 a name.
 */
export async function resolveAddresses(
  texts: readonly string[],
  allowPrivate: boolean,
  resolve: (name: string) => Promise<readonly string[]> = resolveName,
): Promise<HostPort[]> {
  const found = await Promise.all(
    texts.map(async (text) => {
      const address = parseHostPort(text);
      if (address === undefined) return [];
      // Whatever is no address as it stands is the resolver's to read, which takes 127.1, 0x7f.1 and 2130706433 for one.
      const hosts = isIP(address.host) === 0 ? await resolve(address.host).catch(() => []) : [address.host];
      return hosts
        .slice(0, addressesPerName)
        .filter((host) => allowPrivate || !isPrivate(host))
        .map((host) => ({ host, port: address.port }));
    }),
  );
  const seen = new Set<string>();
  return found.flat().filter((address) => {
    const text = formatHostPort(address);
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}

const addressesPerName = 4;

async function resolveName(name: string): Promise<string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

/** One way to try: how long after the start at the latest, or as soon as all ways before it have failed. */
export interface Way<T> {
  afterMs: number;
  /** Having failed, it is tried again after this time as long as another way still hangs. */
  againMs?: number;
  open(signal: AbortSignal): Promise<T>;
}

/**
 * Opens the first way that can be opened: the next is tried beside those that hang (RFC 8305 §5). Those that are slower
 * are given up once one `preferred` way stands; beside any other they go on until `signal` aborts. Rejects with the last
 * failure when all have failed.
 */
export async function openFirst<T>(
  ways: readonly Way<T>[],
  preferred: (opened: T) => boolean,
  signal: AbortSignal,
): Promise<T> {
  if (ways.length === 0) throw new Error('no address to dial');
  const startMs = performance.now();
  const giveUps = new Set<(why: unknown) => void>();
  let timer: NodeJS.Timeout | undefined;
  const again = new Set<NodeJS.Timeout>();
  const stopTimers = (): void => {
    clearTimeout(timer);
    for (const one of again) clearTimeout(one);
  };
  let next = 0;

  /** A signal of its own that never aborts once the way is open: that would take the connection with it. */
  const attempt = async (way: Way<T>): Promise<T> => {
    const mine = new AbortController();
    const giveUp = (why: unknown): void => mine.abort(why);
    const onAbort = (): void => giveUp(signal.reason);
    giveUps.add(giveUp);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await way.open(mine.signal);
    } finally {
      giveUps.delete(giveUp);
      signal.removeEventListener('abort', onAbort);
    }
  };

  let isOpen = false;
  return await new Promise<T>((resolve, reject) => {
    const start = (way: Way<T>): void => {
      attempt(way).then(
        (opened) => {
          stopTimers();
          next = ways.length;
          isOpen = true;
          if (preferred(opened)) for (const giveUp of giveUps) giveUp(new Error('another way was quicker'));
          resolve(opened);
        },
        (error: unknown) => {
          if (isOpen) return;
          if (giveUps.size > 0) {
            if (way.againMs !== undefined && !signal.aborted) again.add(setTimeout(start, way.againMs, way));
          } else if (next < ways.length && !signal.aborted) startNext();
          else {
            stopTimers();
            reject(error instanceof Error ? error : new Error('connection closed'));
          }
        },
      );
    };
    const startNext = (): void => {
      clearTimeout(timer);
      const way = ways[next];
      if (way === undefined || signal.aborted) return;
      next += 1;
      start(way);
      const after = ways[next];
      if (after === undefined) return;
      timer = setTimeout(startNext, Math.max(0, after.afterMs - (performance.now() - startMs)));
    };
    signal.addEventListener('abort', stopTimers, { once: true });
    if (signal.aborted) reject(signal.reason instanceof Error ? signal.reason : new Error('given up'));
    else startNext();
  });
}
