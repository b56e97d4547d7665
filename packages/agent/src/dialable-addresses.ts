import { formatHostPort, type HostPort, isPrivate } from '@copain/core';
import { maxAddressesPerBox } from '@copain/trust';
import type { Config } from './config-schema.ts';

/**
 * Where friends may dial this box, best first, as `host:port`: what the operator announced, where it listens, where
 * friends see it (`seenAt`). `outside`: the port of the router that leads to this port; the same where nobody maps it.
 */
export function dialableAddresses(
  { announce, listen, allowPrivate }: Config['mesh'],
  listening: readonly HostPort[],
  seenAt: readonly string[],
  outside: (port: number) => number,
): string[] {
  const found = announce.map(formatHostPort);
  for (const address of listening) {
    if (!isPrivate(address.host) || allowPrivate) found.push(formatHostPort(address));
    for (const host of seenAt) {
      // Routers translate IPv4 alone.
      const port = host.includes(':') ? address.port : outside(address.port);
      found.push(formatHostPort({ host, port }));
    }
  }
  // A wildcard listens on loopback too, which is no use to anybody else, unless loopback is all there is.
  const loopbackOnly = listen.every(({ host }) => host.startsWith('127.') || host === '::1');
  const useful = found.filter((text) => loopbackOnly || !/^(127\.|\[::1\])/.test(text));
  return [...new Set(useful)].slice(0, maxAddressesPerBox);
}
