import { isPrivate } from '@copain/core';

/**
 * The network a friend's box votes from: the /16 of its IPv4 address, the /32 of its IPv6 address. Empty for what the
 * internet does not route: such a box is a network of its own.
 */
export function networkOf(host: string): string {
  if (isPrivate(host)) return '';
  return host.includes(':') ? host.split(':').slice(0, 2).join(':') : host.split('.').slice(0, 2).join('.');
}
