import { formatIpv4, formatIpv6 } from './address-text.ts';
import { type DomainName, nameKey, nameToText, parseName } from './name.ts';
import { RecordType } from './record-types.ts';
import { rrsetOf, type Zone, type ZoneNode } from './zone.ts';

const hostText = (name: DomainName): string => nameToText(name).replace(/\.$/, '').toLowerCase();

const rdatas = (node: ZoneNode | undefined, type: number): readonly Uint8Array[] =>
  (node && rrsetOf(node, type)?.rdatas) ?? [];

/** The name servers at the apex of a zone, lower case, without the final dot. */
export function nameServersOf(zone: Zone): string[] {
  return rdatas(zone.apex, RecordType.NS).map((rdata) => hostText(rdata));
}

/**
 * The mail servers of a domain in this zone, the preferred ones first; a null MX (RFC 7505) is none, and so is a name without
 * MX, though mail may go to its address (RFC 5321 §5.1).
 */
export function mailServersOf(zone: Zone, domain: string): { host: string; preference: number }[] {
  const parsed = parseName(domain);
  if (parsed.kind !== 'name') return [];
  return rdatas(zone.nodes.get(nameKey(parsed.name)), RecordType.MX)
    .map((rdata) => ({
      host: hostText(rdata.subarray(2)),
      preference: ((rdata[0] ?? 0) << 8) | (rdata[1] ?? 0),
    }))
    .filter(({ host }) => host !== '')
    .toSorted((a, b) => a.preference - b.preference || (a.host < b.host ? -1 : 1));
}

/** The addresses that a zone has for a host, as texts; none where it says nothing, or something else. */
export function addressesIn(zone: Zone, host: string): string[] {
  const parsed = parseName(host);
  if (parsed.kind !== 'name') return [];
  const node = zone.nodes.get(nameKey(parsed.name));
  return [
    ...rdatas(node, RecordType.A).map((rdata) => formatIpv4(rdata)),
    ...rdatas(node, RecordType.AAAA).map((rdata) => formatIpv6(rdata)),
  ];
}
