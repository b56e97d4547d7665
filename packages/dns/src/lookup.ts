import { hostsPerRRsetMax } from './limits.ts';
import { type NameKey, nameKey, parentKey, wildcardOf } from './name.ts';
import { RecordType } from './record-types.ts';
import { type RRset, rrsetOf, type Zone, type ZoneNode } from './zone.ts';

/**
 * Where the search for a name ends in a zone (RFC 1034 §4.3.2, RFC 4592 §3.3.1, RFC 6672 §3.2). `encloser` is the
 * longest existing ancestor.
 */
export type Lookup =
  | { kind: 'found'; node: ZoneNode }
  | { kind: 'wildcard'; node: ZoneNode; encloser: NameKey }
  | { kind: 'delegated'; cut: ZoneNode; servers: RRset }
  | { kind: 'renamed'; node: ZoneNode; dname: RRset }
  | { kind: 'none'; encloser: NameKey };

/**
 * Finds a name at or below the zone's apex. A query for DS stops above the cut it asks about (RFC 3658, RFC 4035 §3.1.4.1);
 * below a cut or a DNAME nothing of the zone is used (RFC 6672 §2.4).
 */
export function lookup(zone: Zone, key: NameKey, type: number): Lookup {
  const path: NameKey[] = [];
  for (let above = key; above !== zone.originKey; above = parentKey(above)) path.push(above);
  let node = zone.apex;
  for (let i = path.length - 1; i >= 0; i--) {
    const dname = rrsetOf(node, RecordType.DNAME);
    if (dname) return { kind: 'renamed', node, dname };
    const next = zone.nodes.get(path[i] as NameKey);
    if (!next) return belowEncloser(zone, node.key);
    const servers = rrsetOf(next, RecordType.NS);
    if (servers && !(i === 0 && type === RecordType.DS)) return { kind: 'delegated', cut: next, servers };
    node = next;
  }
  return { kind: 'found', node };
}

function belowEncloser(zone: Zone, encloser: NameKey): Lookup {
  const node = zone.nodes.get(wildcardOf(encloser));
  return node ? { kind: 'wildcard', node, encloser } : { kind: 'none', encloser };
}

/**
 * What goes into the additional section for a host that a record of `type` names: its addresses as they stand at
 * exactly this name, glue included, nothing synthesized; for service bindings also the host's own (RFC 9460 §4.1).
 */
export function rrsetsForHost(node: ZoneNode, type: number): RRset[] {
  const service = type === RecordType.SVCB || type === RecordType.HTTPS;
  return node.rrsets.filter(
    (rrset) =>
      rrset.type === RecordType.A || rrset.type === RecordType.AAAA || (service && rrset.type === type),
  );
}

/** The keys of the hosts that records of a type name, for which addresses are worth adding (RFC 1034 §4.3.2 step 6). */
export function hostsNamedBy(rrset: RRset): NameKey[] {
  const skip = hostAt.get(rrset.type);
  return skip === undefined
    ? []
    : rrset.rdatas.slice(0, hostsPerRRsetMax).map((rdata) => nameKey(rdata.subarray(skip)));
}

/** Octets before the host's name in the rdata. RFC 1035 §3.3.9 and §3.3.11, RFC 2782, RFC 9460 §2.2. */
const hostAt: ReadonlyMap<number, number> = new Map([
  [RecordType.NS, 0],
  [RecordType.MX, 2],
  [RecordType.SRV, 6],
  [RecordType.SVCB, 2],
  [RecordType.HTTPS, 2],
]);

/** Is the key that of `above` or of a name below it? */
export function keyIsAtOrBelow(key: NameKey, above: NameKey): boolean {
  let rest = key;
  while (rest.length > above.length) rest = parentKey(rest);
  return rest === above;
}
