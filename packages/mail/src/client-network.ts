import { ipv4Bytes, ipv6Bytes } from './client-info.ts';

/**
 * The network that a client's address belongs to: the /24 of IPv4, the /48 of IPv6, which is what one customer is given.
 * Whoever has one of them has all its addresses, so limits count by it. Anything else is a network of its own.
 */
export function clientNetwork(ip: string): string {
  const four = ipv4Bytes(ip);
  if (four) return four.slice(0, 3).join('.');
  const sixteen = ipv6Bytes(ip);
  return sixteen ? sixteen.slice(0, 6).join(':') : ip;
}
