import { formatHostPort, type HostPort, isPrivate } from '@copain/core';
import { type ClientInfo, ipv4Bytes } from './client-info.ts';
import { clientNetwork } from './client-network.ts';
import { rawPerNetworkMax, rawSessionsMax } from './limits.ts';
import type { ClientForm, MailDomain } from './mail-domain.ts';

/**
 * Should a new connection be offered to the owner's MTA? `seated`: the networks of those that are passed on at this address
 * now, or wait for the owner's word. One that is not offered is no worse off than with a friend without raw mode: it gets
 * the conversation here.
 */
export function mayGoRaw(ip: string, seated: readonly string[]): boolean {
  const network = clientNetwork(ip);
  return seated.length < rawSessionsMax && seated.filter((one) => one === network).length < rawPerNetworkMax;
}

/** What the owner's agent holds against a client that a friend names. */
export interface ClaimView {
  /** True where friends' boxes are on private networks and loopback (tests, LANs), and clients with them. */
  allowPrivate: boolean;
  /** Addresses of the owner's own box and network. */
  own: readonly string[];
}

/**
 * Why the owner's MTA is not told of this client on a friend's word, or undefined where it is. Mail servers relay for
 * whoever comes from inside (Postfix: `mynetworks`), and in raw mode nobody but the MTA sees the recipients: so a friend
 * must not be able to name an address inside. Neither two addresses of different families, which version 1 of PROXY can
 * only say as `UNKNOWN`: then the MTA takes the client for us.
 */
export function whyNotClient(
  { ip, serverIp }: ClientInfo,
  { allowPrivate, own }: ClaimView,
): string | undefined {
  if ((ipv4Bytes(ip) === undefined) !== (ipv4Bytes(serverIp) === undefined))
    return 'client and server address are of different families';
  if (isPrivate(ip) && !allowPrivate) return 'the client has a private address';
  const networks = own.filter((host) => !isPrivate(host)).map(clientNetwork);
  return networks.includes(clientNetwork(ip)) ? 'the client is in the network of this box' : undefined;
}

/**
 * The MTA that a raw connection from a friend leads to: the one of the domains that he was granted. Before the first
 * recipient nobody knows the domain, so all of them must have the same; and the MTA must learn the true client in front of
 * the conversation, else it would take every sender for its own agent.
 */
export function rawTarget(
  domains: readonly MailDomain[],
  granted: readonly string[],
): { kind: 'mta'; address: HostPort; form: ClientForm } | { kind: 'none'; why: string } {
  const [first, ...more] = domains.filter(({ role, domain }) => role === 'own' && granted.includes(domain));
  if (first?.deliver === undefined) return { kind: 'none', why: 'no domain of mine' };
  const { deliver: address, client: form = 'none' } = first;
  const same = more.every(
    (one) =>
      one.deliver !== undefined &&
      formatHostPort(one.deliver) === formatHostPort(address) &&
      (one.client ?? 'none') === form,
  );
  if (!same) return { kind: 'none', why: 'my domains have different mail servers' };
  if (form === 'none' || form === 'xclient')
    return { kind: 'none', why: `raw mode needs [[mail]] client = "proxy-v1" or "proxy-v2", not "${form}"` };
  return { kind: 'mta', address, form };
}

/**
 * What the first bytes of an MTA say (RFC 5321 §4.2, §4.3.1): it `talks` (220), or refuses this client for good, which is
 * its own word to say; or it is `away`: too busy (4xx), or no MTA at all. `more`: too few bytes to tell.
 */
export function judgeGreeting(text: string): 'talks' | 'away' | 'more' {
  if (/^(?:220|5\d\d)/.test(text)) return 'talks';
  return text.length < 3 && /^(?:2?|22|5\d?)$/.test(text) ? 'more' : 'away';
}
