import { isLoopback, isPrivate } from '@copain/core';
import { nameServersOf, type Zone } from '@copain/dns';
import { parseCheck, type ServiceTarget, serviceKey, type TargetCheck } from '@copain/liveness';
import { originText } from './known-records.ts';

/** Name servers are asked over TCP in one round of five: what is blocked there is blocked for hours. */
const tcpEveryRounds = 5;

/** Zones of one owner of which each name server is asked; the first in the order of their names. */
const zonesTriedPerOwner = 4;

/** Mail domains of one owner whose servers are tried. */
const domainsTriedPerOwner = 8;

/** Servers that are tried of one zone, in the order in which its owner prefers them. */
const serversTriedPerZone = 8;

/** Of what, and how, this box looks at services from outside. */
export interface ServiceSources {
  /** Zones that this box has, its own among them. */
  zones: readonly { ownerId: string; zone: Zone }[];
  /** Domains whose mail is entrusted to friends, by owner id. */
  mailDomains: ReadonlyMap<string, readonly string[]>;
  /** The mail servers of a domain, the preferred ones first: from zones here, or looked up. */
  mailServersOf(domain: string): readonly { host: string; preference: number }[];
  /** Is this box one of those who look at this owner's services? */
  observes(ownerId: string): boolean;
  /** Where a host is, as far as it is known: from zones here, or looked up. */
  addressesOf(host: string): readonly string[];
  /** Is this an address of this box itself, which it cannot see from outside? */
  isOwn(address: string): boolean;
  allowPrivate: boolean;
}

/**
 * The mail servers and name servers of friends that this box is to try from outside, by the zones that it has: their
 * owners published them there for everybody. Loopback addresses are nobody's public service and are left out, private
 * ones unless those are allowed, and this box's own.
 */
export function publicTargets(sources: ServiceSources): ServiceTarget[] {
  const zones = sources.zones.filter(({ ownerId }) => sources.observes(ownerId));
  const byOwner = new Map<string, Zone[]>();
  for (const { ownerId, zone } of zones) byOwner.set(ownerId, [...(byOwner.get(ownerId) ?? []), zone]);
  const mail = [...sources.mailDomains].flatMap(([ownerId, domains]) =>
    sources.observes(ownerId)
      ? domains.slice(0, domainsTriedPerOwner).flatMap((domain) => mailTargets(ownerId, domain, sources))
      : [],
  );
  const dns = [...byOwner].flatMap(([ownerId, all]) =>
    all
      .toSorted((a, b) => (a.originKey < b.originKey ? -1 : 1))
      .slice(0, zonesTriedPerOwner)
      .flatMap((zone) => dnsTargets(ownerId, zone, sources)),
  );
  // Domains of one owner often share their servers, which are tried once.
  return [...new Map([...mail, ...dns].map((one) => [serviceKey(one), one])).values()];
}

/** The first address at which a host may be tried from here; IPv4 before IPv6, since not every line has the latter. */
function addressToTry(host: string, sources: ServiceSources): string | undefined {
  return sources
    .addressesOf(host)
    .toSorted((a, b) => Number(a.includes(':')) - Number(b.includes(':')))
    .find(
      (address) =>
        !isLoopback(address) && !sources.isOwn(address) && (sources.allowPrivate || !isPrivate(address)),
    );
}

/**
 * What owners signed to have tried (`peer service add --check`), at the address that their own zone says, whoever stands in
 * for it now. Here loopback counts as a private address: the owner named it himself.
 */
export function signedTargets(
  services: readonly { ownerId: string; name: string; check: string }[],
  sources: Pick<ServiceSources, 'observes' | 'addressesOf' | 'isOwn' | 'allowPrivate'>,
): ServiceTarget[] {
  return services.flatMap(({ ownerId, name, check: text }): ServiceTarget[] => {
    const check = parseCheck(text);
    if (check === undefined || !sources.observes(ownerId)) return [];
    const address = sources
      .addressesOf(check.host)
      .toSorted((a, b) => Number(a.includes(':')) - Number(b.includes(':')))
      .find((one) => !sources.isOwn(one) && (sources.allowPrivate || !(isPrivate(one) || isLoopback(one))));
    if (address === undefined) return [];
    const checks = [{ check, address, everyRounds: 1 }];
    return [{ owner: ownerId, service: name, target: text, protocol: check.kind, checks, inside: false }];
  });
}

function mailTargets(ownerId: string, domain: string, sources: ServiceSources): ServiceTarget[] {
  const servers = sources.mailServersOf(domain).slice(0, serversTriedPerZone);
  const best = servers[0]?.preference;
  return servers.flatMap(({ host, preference }): ServiceTarget[] => {
    const address = addressToTry(host, sources);
    if (address === undefined) return [];
    const above = host.split('.').slice(1);
    // Servers call themselves by their own name, by the domain above it, or by the domain of the mail.
    const greets = [host, domain, ...(above.length > 1 ? [above.join('.')] : [])];
    const check: TargetCheck['check'] = { kind: 'smtp', host, port: 25, greets };
    const service = preference === best ? 'smtp' : 'backup-mx';
    const checks = [{ check, address, everyRounds: 1 }];
    return [{ owner: ownerId, service, target: `${host}:25`, protocol: 'smtp', checks, inside: false }];
  });
}

function dnsTargets(ownerId: string, zone: Zone, sources: ServiceSources): ServiceTarget[] {
  const origin = originText(zone.origin);
  const { serial } = zone;
  return nameServersOf(zone)
    .slice(0, serversTriedPerZone)
    .flatMap((host): ServiceTarget[] => {
      const address = addressToTry(host, sources);
      if (address === undefined) return [];
      const over = (transport: 'udp' | 'tcp', everyRounds: number): TargetCheck => ({
        check: { kind: 'dns', host, port: 53, origin, serial, over: transport },
        address,
        everyRounds,
      });
      const checks = [over('udp', 1), over('tcp', tcpEveryRounds)];
      const target = `${origin} at ${host}`;
      return [{ owner: ownerId, service: 'dns', target, protocol: 'dns', checks, inside: false }];
    });
}
