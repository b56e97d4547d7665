import { formatBase32Hex } from './base-text.ts';
import type { Sha1 } from './denial.ts';
import { type NameKey, nameKey, nameToText, parentKey, readName } from './name.ts';
import { bitmapTypes } from './rdata-wire.ts';
import { RecordType, typeToText } from './record-types.ts';
import { type HashedChain, nsec3Label, rrsetOf, type Zone, type ZoneNode } from './zone.ts';
import { cutAbove } from './zone-cuts.ts';

type Note = (key: NameKey, type: number, text: string) => void;

/** What is missing or wrong in the records by which a signed zone denies names and types. */
export function checkDenial(zone: Zone, sha1: Sha1, note: Note): void {
  const parameters = rrsetOf(zone.apex, RecordType.NSEC3PARAM);
  if (parameters === undefined) checkNsec(zone, note);
  else if (zone.nsec3) checkNsec3(zone, zone.nsec3, sha1, note);
  else {
    const text =
      'NSEC3PARAM names a chain of NSEC3 records that the zone does not have, or that nobody may use';
    note(zone.originKey, RecordType.NSEC3PARAM, text);
  }
}

/** RFC 4035 §2.3: one NSEC at each name that has records of the zone's own, each naming the next. */
function checkNsec(zone: Zone, note: Note): void {
  const nodes = [...zone.nodes.values()].filter(
    (node) => node.rrsets.length > 0 && !cutAbove(zone, node.key),
  );
  if (!zone.nsec) {
    note(zone.originKey, RecordType.SOA, 'the zone is signed, and has neither NSEC nor NSEC3 records');
    return;
  }
  const missing = nodes.filter((node) => !rrsetOf(node, RecordType.NSEC));
  for (const node of missing)
    note(node.key, node.rrsets[0]?.type ?? RecordType.SOA, `${nameToText(node.name)} has no NSEC record`);
  const chain = zone.nsec.nodes.filter((node) => !cutAbove(zone, node.key));
  chain.forEach((node, index) => {
    const rrset = rrsetOf(node, RecordType.NSEC);
    const rdata = rrset?.rdatas[0];
    const next = rdata && readName(rdata, 0);
    const name = nameToText(node.name);
    if (!rrset || !rdata || !next) return;
    if (rrset.rdatas.length > 1) note(node.key, RecordType.NSEC, `${name} has more than one NSEC record`);
    const follower = chain[index + 1] ?? chain[0];
    if (follower && nameKey(next.name) !== follower.key)
      note(
        node.key,
        RecordType.NSEC,
        `NSEC of ${name} says that ${nameToText(next.name)} is next, and it is ${nameToText(follower.name)}`,
      );
    const types = typesAt(node, true);
    compareTypes(node, { types, told: bitmapTypes(rdata.subarray(next.next)), by: RecordType.NSEC, note });
  });
}

/** RFC 5155 §7.1: an NSEC3 for each name, empty non-terminals too; under opt-out not for delegations without DS. */
function checkNsec3(zone: Zone, chain: HashedChain, sha1: Sha1, note: Note): void {
  const parameters = rrsetOf(zone.apex, RecordType.NSEC3PARAM)?.rdatas[0];
  if ((parameters?.[1] ?? 0) !== 0)
    note(zone.originKey, RecordType.NSEC3PARAM, 'NSEC3PARAM has flags other than 0');
  const byHash = new Map(chain.sortKeys.map((hash, index) => [hash, index]));
  const nodes = [...zone.nodes.values()].filter((node) => !cutAbove(zone, node.key));
  const hashes = new Map(nodes.map((node) => [node.key, nsec3Label(chain, node.key, sha1)]));
  const leftOut = namesLeftOut(zone, nodes, (key) => byHash.has(hashes.get(key) ?? ''));
  const seen = new Set<string>();
  for (const node of nodes) {
    const hash = hashes.get(node.key) ?? '';
    const index = byHash.get(hash);
    const name = nameToText(node.name);
    if (index === undefined) {
      const covering = coveringIndex(chain, hash);
      const optOut = nsec3At(chain, covering)?.[1] === 1;
      if (leftOut.has(node.key) && optOut) continue;
      const told = leftOut.has(node.key)
        ? `${name} has no NSEC3 record, and the one before it is not opt-out`
        : `${name} has no NSEC3 record`;
      note(node.key, node.rrsets[0]?.type ?? RecordType.NS, told);
      continue;
    }
    seen.add(hash);
    const rdata = nsec3At(chain, index);
    if (rdata === undefined) continue;
    const types = typesAt(node, false);
    compareTypes(node, {
      types,
      told: bitmapTypes(rdata.subarray(hashEnd(rdata))),
      by: RecordType.NSEC3,
      note,
    });
  }
  chain.nodes.forEach((node, index) => {
    const rrset = rrsetOf(node, RecordType.NSEC3);
    const rdata = nsec3At(chain, index);
    const name = nameToText(node.name);
    const hash = chain.sortKeys[index] ?? '';
    if (!rrset || !rdata) return;
    if (!seen.has(hash))
      note(node.key, RecordType.NSEC3, `${name} is an NSEC3 record of no name in the zone`);
    if (nextHash(rdata) !== (chain.sortKeys[index + 1] ?? chain.sortKeys[0]))
      note(node.key, RecordType.NSEC3, `NSEC3 ${name} does not name the one that is next`);
  });
}

/**
 * Names that opt-out may leave without an NSEC3: delegations without DS, and empty non-terminals that are there for such
 * alone (RFC 5155 §7.1). What is above a name that has one is needed to deny what is beside it.
 */
function namesLeftOut(
  zone: Zone,
  nodes: readonly ZoneNode[],
  hasNsec3: (key: NameKey) => boolean,
): Set<NameKey> {
  const needed = new Set<NameKey>([zone.originKey]);
  for (const node of nodes) {
    const isInsecure = rrsetOf(node, RecordType.NS) !== undefined && !rrsetOf(node, RecordType.DS);
    const mayLack = node !== zone.apex && (node.rrsets.length === 0 || isInsecure);
    if (mayLack && (node.rrsets.length === 0 || !hasNsec3(node.key))) continue;
    for (let key = node.key; !needed.has(key); key = parentKey(key)) needed.add(key);
  }
  return new Set(nodes.map(({ key }) => key).filter((key) => !needed.has(key)));
}

function nsec3At(chain: HashedChain, index: number): Uint8Array | undefined {
  const rdatas = chain.nodes[index]?.rrsets.find(({ type }) => type === RecordType.NSEC3)?.rdatas ?? [];
  return rdatas.find((rdata) => rdata[4] === chain.salt.length);
}

/** The NSEC3 in whose span a hash lies that has none: the last one before it, round the end. */
function coveringIndex({ sortKeys }: HashedChain, hash: string): number {
  const after = sortKeys.findIndex((one) => one > hash);
  return after <= 0 ? sortKeys.length - 1 : after - 1;
}

const hashEnd = (rdata: Uint8Array): number => {
  const at = 5 + (rdata[4] ?? 0);
  return at + 1 + (rdata[at] ?? 0);
};

function nextHash(rdata: Uint8Array): string {
  return formatBase32Hex(rdata.subarray(6 + (rdata[4] ?? 0), hashEnd(rdata)));
}

/** The types that the record about this name must list. */
function typesAt(node: ZoneNode, isNsec: boolean): Set<number> {
  const types = new Set(node.rrsets.map(({ type }) => type));
  const isCut = types.has(RecordType.NS) && !types.has(RecordType.SOA);
  if (isCut)
    for (const type of types)
      if (type !== RecordType.NS && type !== RecordType.DS && type !== RecordType.NSEC) types.delete(type);
  const isSigned = isCut ? isNsec || types.has(RecordType.DS) : types.size > 0;
  if (isSigned) types.add(RecordType.RRSIG);
  return types;
}

function compareTypes(
  node: ZoneNode,
  { types, told, by, note }: { types: Set<number>; told: readonly number[]; by: number; note: Note },
): void {
  const listed = new Set(told);
  const names = (some: number[]): string => some.map(typeToText).join(', ');
  const lacking = [...types].filter((type) => !listed.has(type));
  const invented = told.filter((type) => !types.has(type));
  const what = `${typeToText(by)} of ${nameToText(node.name)}`;
  const at = by === RecordType.NSEC ? RecordType.NSEC : (node.rrsets[0]?.type ?? RecordType.NS);
  if (lacking.length > 0) note(node.key, at, `${what} denies what is there: ${names(lacking)}`);
  if (invented.length > 0) note(node.key, at, `${what} lists what is not there: ${names(invented)}`);
}
