import { equalBytes } from '@copain/core';
import { parseIpv4, parseIpv6 } from './address-text.ts';
import type { ResourceRecord } from './master-file.ts';
import { type DomainName, type NameKey, nameKey, nameToText } from './name.ts';
import { RecordType } from './record-types.ts';
import { rrsetOf, type Zone } from './zone.ts';
import { nodeRecords } from './zone-encoding.ts';
import { type NamePatch, patchZone } from './zone-patch.ts';

/** The addresses that names are to have; a family without one keeps what the zone says. IPv4 dotted, IPv6 as text. */
export interface FollowedAddresses {
  ipv4: string | undefined;
  ipv6: string | undefined;
}

/** The zone with the addresses in it (the same zone where nothing differs), or why that cannot be. */
export type FollowedZone = { kind: 'zone'; zone: Zone } | { kind: 'refused'; text: string };

/** TTL of an address where the name had none: a box that moves is to be found again within minutes. */
const followedTtlS = 300;

/**
 * Gives some names of a zone the public address of its owner's box. A name gets an address of each family that it has
 * records of, or of IPv4 where it has none at all; the TTL stays. Refused for a zone that is signed with DNSSEC, whose
 * addresses only its signer may change, and for a name that is an alias. Called by the owner's agent for `follow` in
 * `[[zone]]`, before the content becomes a version.
 */
export function followAddresses(
  zone: Zone,
  names: readonly DomainName[],
  { ipv4, ipv6 }: FollowedAddresses,
): FollowedZone {
  const [a, aaaa] = [parseIpv4(ipv4 ?? ''), parseIpv6(ipv6 ?? '')];
  const patches = new Map<NameKey, NamePatch>();
  for (const name of names) {
    const key = nameKey(name);
    const node = zone.nodes.get(key);
    if (node && rrsetOf(node, RecordType.CNAME))
      return refused(`${nameToText(name)} is an alias (CNAME) and has no address of its own to follow`);
    const has = (type: number): boolean => node !== undefined && rrsetOf(node, type) !== undefined;
    const isBare = !has(RecordType.A) && !has(RecordType.AAAA);
    const wanted = [
      ...(a && (has(RecordType.A) || isBare) ? [{ type: RecordType.A, rdata: a }] : []),
      ...(aaaa && has(RecordType.AAAA) ? [{ type: RecordType.AAAA, rdata: aaaa }] : []),
    ];
    const differing = wanted.filter(({ type, rdata }) => {
      const there = node && rrsetOf(node, type);
      const [only, another] = there?.rdatas ?? [];
      return only === undefined || another !== undefined || !equalBytes(only, rdata);
    });
    if (differing.length === 0) continue;
    const owner = node?.name ?? name;
    const kept = (node ? nodeRecords(node) : []).filter(
      (record) => !differing.some(({ type }) => type === record.type),
    );
    const added = differing.map(({ type, rdata }): ResourceRecord => {
      const ttl = (node && rrsetOf(node, type)?.ttl) ?? followedTtlS;
      return { owner, type, ttl, rdata };
    });
    patches.set(key, { owner, records: [...kept, ...added] });
  }
  if (patches.size === 0) return { kind: 'zone', zone };
  if (zone.signed)
    return refused(
      'the zone is signed with DNSSEC, so the addresses that it follows cannot be changed here: sign it again with the new address',
    );
  const built = patchZone(zone, patches);
  return built.kind === 'zone' ? { kind: 'zone', zone: built.zone } : refused(built.text);
}

const refused = (text: string): FollowedZone => ({ kind: 'refused', text });
