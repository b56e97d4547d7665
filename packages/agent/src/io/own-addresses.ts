import { type Clock, formatHostPort, type HostPort, isPrivate } from '@copain/core';
import { maxAddressesPerBox } from '@copain/trust';
import type { Config } from '../config-schema.ts';

/** Where this box is, as friends see it and as it tells them. */
export interface OwnAddresses {
  /** A friend saw our connection come from this address. True when that changed what we believe. */
  seen(by: string, host: string): boolean;
  view(): { ipv4: string | undefined; ipv6: string | undefined; changedAtMs: number | undefined };
  /** Where friends may dial us, best first: what the operator announced, where we listen, where friends see us. */
  dialable(listening: readonly HostPort[]): string[];
}

/** `outside`: the port of the router that leads to this port of ours; the same where nobody maps it. */
export function ownAddresses(
  clock: Clock,
  config: () => Config,
  outside: (port: number) => number = (port) => port,
): OwnAddresses {
  const views = new Map<string, string>();
  const believed = new Map<'ipv4' | 'ipv6', string>();
  let changedAtMs: number | undefined;
  return {
    seen: (by, host) => {
      if (isPrivate(host)) return false;
      const family = host.includes(':') ? 'ipv6' : 'ipv4';
      views.set(`${family} ${by}`, host);
      const all = [...views].filter(([key]) => key.startsWith(family)).map(([, address]) => address);
      // One friend alone may be mistaken; with only one friend there is nobody else to ask.
      const agreeing = all.filter((one) => one === host).length;
      if (agreeing < Math.min(2, all.length) || believed.get(family) === host) return false;
      believed.set(family, host);
      changedAtMs = clock.nowMs();
      return true;
    },
    view: () => ({ ipv4: believed.get('ipv4'), ipv6: believed.get('ipv6'), changedAtMs }),
    dialable: (listening) => {
      const { mesh } = config();
      const found = mesh.announce.map(formatHostPort);
      for (const address of listening) {
        if (!isPrivate(address.host) || mesh.allowPrivate) found.push(formatHostPort(address));
        for (const host of believed.values()) {
          // Routers translate IPv4 alone.
          const port = host.includes(':') ? address.port : outside(address.port);
          found.push(formatHostPort({ host, port }));
        }
      }
      // A wildcard listens on loopback too, which is no use to anybody else, unless loopback is all there is.
      const loopbackOnly = mesh.listen.every(({ host }) => host.startsWith('127.') || host === '::1');
      const useful = found.filter((text) => loopbackOnly || !/^(127\.|\[::1\])/.test(text));
      return [...new Set(useful)].slice(0, maxAddressesPerBox);
    },
  };
}
