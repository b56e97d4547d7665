import type { AddressChange } from '@copain/liveness';

/** As `peer events` tells that another public address counts. */
export function addressText({ family, from, to, by }: AddressChange): string {
  const what = family === 'ipv4' ? 'IPv4' : 'IPv6';
  const before = from === undefined ? '' : ` (before: ${from})`;
  const why = by === 'operator' ? 'you set it' : 'it is seen from two networks';
  return `The public ${what} address of this box is ${to}${before}: ${why}.`;
}
