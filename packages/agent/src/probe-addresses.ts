import { type HostPort, isPrivate, parseHostPort } from '@copain/core';
import type { MailDoor } from '@copain/mail';

/** An MX record, and the addresses of its host. */
export interface MxHost {
  /** Lower case, without the dot at the end. */
  exchange: string;
  preference: number;
  /** Undefined where nobody could be asked. */
  addresses: readonly string[] | undefined;
}

/** Where a backup is asked. */
export interface ProbeAddress {
  address: HostPort;
  /** The name by which senders know it; undefined where no MX record leads there. */
  serverName: string | undefined;
  /** Do connections there go to our own mail server as they are? */
  raw: boolean;
}

const smtpPort = 25;

const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::';

/**
 * Is this MX a friend's: by its name, which is what he calls himself, or by an address of his? `hosts`: addresses at which
 * his box can be dialled.
 */
export function isHisMx(
  { exchange, addresses = [] }: Pick<MxHost, 'exchange' | 'addresses'>,
  { hostname, shared, raw }: MailDoor,
  hosts: readonly string[],
): boolean {
  const listening = [...shared, ...raw].flatMap((text) => parseHostPort(text)?.host ?? []);
  return (
    exchange === hostname.toLowerCase() || addresses.some((one) => [...hosts, ...listening].includes(one))
  );
}

/**
 * Where to ask a friend's box whether it takes our mail, best first: the addresses of those MX records that are his, as any
 * sender would find them; where there is none, where he says that he listens, for all first. An MX is his by its name (what he calls
 * himself) or by its address. Addresses inside, and other ports than 25, only where private ones are allowed: friend and
 * zone could lead us anywhere else.
 */
export function probeAddresses(options: {
  mx: readonly MxHost[];
  door: MailDoor;
  /** Public addresses of his box. */
  hosts: readonly string[];
  allowPrivate: boolean;
}): ProbeAddress[] {
  const { mx, door, hosts, allowPrivate } = options;
  const shared = door.shared.flatMap((text) => parseHostPort(text) ?? []);
  const raw = door.raw.flatMap((text) => parseHostPort(text) ?? []);
  // Behind a router nobody here can tell which of its addresses leads where.
  const isRaw = (host: string): boolean =>
    raw.some((one) => one.host === host || isWildcard(one.host) || (isPrivate(one.host) && !isPrivate(host)));
  const allowed = ({ host, port }: HostPort): boolean =>
    !isWildcard(host) && (allowPrivate || (!isPrivate(host) && port === smtpPort));
  const byMx = mx
    .filter((host) => isHisMx(host, door, hosts))
    .flatMap(({ exchange, addresses = [] }) =>
      addresses.map((host): ProbeAddress => {
        const address = { host, port: smtpPort };
        return { address, serverName: exchange, raw: isRaw(host) };
      }),
    )
    .filter(({ address }) => allowed(address));
  if (byMx.length > 0) return byMx;
  const listening = (at: readonly HostPort[]): HostPort[] =>
    at
      .flatMap(({ host, port }) =>
        isWildcard(host) ? hosts.map((one) => ({ host: one, port })) : [{ host, port }],
      )
      .filter(allowed);
  const isSame = (a: HostPort, b: HostPort): boolean => a.host === b.host && a.port === b.port;
  return [
    ...listening(shared).map((address) => ({
      address,
      serverName: undefined,
      raw: isRaw(address.host) && !shared.some((one) => isSame(one, address)),
    })),
    ...listening(raw).map((address) => ({ address, serverName: undefined, raw: true })),
  ];
}
