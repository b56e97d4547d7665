import { networkInterfaces } from 'node:os';
import { type Clock, isLoopback } from '@copain/core';

/** An address that vanished and one that comes within this time are one move: a lease ran out, a line was set up anew. */
const moveMs = 600_000;

/** The addresses of this machine's network interfaces, loopback among them. */
export function interfaceHosts(): string[] {
  return Object.values(networkInterfaces()).flatMap((card) => (card ?? []).map(({ address }) => address));
}

/** Those that lead out of this machine. Link-local ones lead nowhere a friend is. */
const addressesNow = (): Set<string> =>
  new Set(interfaceHosts().filter((host) => !isLoopback(host) && !/^(fe[89ab]|169\.254\.)/i.test(host)));

/**
 * Tells by being asked, once a second, whether this machine has moved: an address it had is gone, or a new one came soon
 * after one went. A further address beside those that stay is no move.
 */
export function watchInterfaces(clock: Clock, addresses: () => Set<string> = addressesNow): () => boolean {
  let before = addresses();
  let lostAtMs: number | undefined;
  return () => {
    const now = addresses();
    const isLost = [...before].some((address) => !now.has(address));
    const isGained = [...now].some((address) => !before.has(address));
    before = now;
    const nowMs = clock.nowMs();
    const isLate = isGained && lostAtMs !== undefined && nowMs - lostAtMs < moveMs;
    if (isLost) lostAtMs = nowMs;
    return isLost || isLate;
  };
}
