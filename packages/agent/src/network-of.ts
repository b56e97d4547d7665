import { isPrivate, parseHostPort } from '@copain/core';
import type { Knowledge } from './known-records.ts';

/**
 * The network a friend's box votes from: the /16 of its IPv4 address, the /32 of its IPv6 address. Empty for what the
 * internet does not route: such a box is a network of its own.
 */
export function networkOf(host: string): string {
  if (isPrivate(host)) return '';
  return host.includes(':') ? host.split(':').slice(0, 2).join(':') : host.split('.').slice(0, 2).join('.');
}

/**
 * The network that a box itself says it is in, by the first address of its signed address record: the same for everybody
 * who knows that record. Empty where it says none, or a name, or a private address.
 */
export function saidNetwork(knowledge: Knowledge, peer: string): string {
  const known = knowledge.records.get(`address/${peer}`);
  const [address = ''] = known?.kind === 'address' ? known.signed.record.addresses : [];
  const host = parseHostPort(address)?.host ?? '';
  return /^[\d.]+$|:/.test(host) ? networkOf(host) : '';
}
