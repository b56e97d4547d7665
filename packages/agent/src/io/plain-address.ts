import { isIPv6, SocketAddress } from 'node:net';

/**
 * An IP address as sockets write it, so that `0:0:0:0:0:0:0:1` is `::1`. What is none, like a name, stays as it is, and so
 * does an address with a zone index.
 */
export function plainAddress(host: string): string {
  const isPlain = !isIPv6(host) || host.includes('%');
  return isPlain ? host : new SocketAddress({ address: host, family: 'ipv6' }).address;
}
