import type { HostPort } from '@copain/core';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';

/** An IP address and port as a multiaddr. */
export function toMultiaddr(address: HostPort, peer?: string): Multiaddr {
  const protocol = address.host.includes(':') ? 'ip6' : /^[\d.]+$/.test(address.host) ? 'ip4' : 'dns';
  const base = `/${protocol}/${address.host}/tcp/${address.port}`;
  return multiaddr(peer === undefined ? base : `${base}/p2p/${peer}`);
}

/** The TCP end of a multiaddr, or undefined where it has none (relayed, other transports). */
export function fromMultiaddr(address: Multiaddr): HostPort | undefined {
  const parts = address.getComponents();
  const host = parts.find((part) => part.name === 'ip4' || part.name === 'ip6')?.value;
  const port = parts.find((part) => part.name === 'tcp')?.value;
  if (host === undefined || port === undefined || parts.some((part) => part.name === 'p2p-circuit'))
    return undefined;
  return { host, port: Number(port) };
}
