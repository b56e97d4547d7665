import { compareBytes } from '@copain/core';
import { nsec3IterationsMax } from './limits.ts';
import { type NameKey, parentKey, sortKeyOf } from './name.ts';
import { RecordType } from './record-types.ts';
import { type DenialChain, type HashedChain, rrsetOf, type Zone, type ZoneNode } from './zone.ts';

/** A zone that another one is made from: all names are as they were, but for the `changed` ones. */
export interface ZoneBefore {
  zone: Zone;
  changed: ReadonlySet<NameKey>;
}

interface Entry {
  sortKey: string;
  node: ZoneNode;
}

/** The names with NSEC records in canonical order (RFC 4034 §4); undefined without any. */
export function nsecChain(
  nodes: ReadonlyMap<NameKey, ZoneNode>,
  before?: ZoneBefore,
): DenialChain | undefined {
  const old = before?.zone.nsec;
  return chainOf(
    // Without a chain before, no other name has an NSEC record.
    entriesOf(nodes, before?.changed, (node) =>
      rrsetOf(node, RecordType.NSEC) ? sortKeyOf(node.key) : undefined,
    ),
    old && before ? { chain: old, changed: before.changed } : undefined,
  );
}

/** RFC 5155 §7.1: the chain whose parameters the apex NSEC3PARAM names; other chains are being built or removed. */
export function nsec3Chain(
  apex: ZoneNode,
  hashed: ReadonlyMap<NameKey, ZoneNode>,
  before?: ZoneBefore,
): HashedChain | undefined {
  const parameters = rrsetOf(apex, RecordType.NSEC3PARAM)?.rdatas.find(
    (rdata) => rdata[0] === 1 && rdata[1] === 0,
  );
  if (!parameters) return undefined;
  const iterations = ((parameters[2] ?? 0) << 8) | (parameters[3] ?? 0);
  if (iterations > nsec3IterationsMax) return undefined;
  const salt = parameters.slice(5);
  const old = before?.zone.nsec3;
  const isSame =
    old !== undefined && old.iterations === iterations && compareBytes(old.salt, salt) === 0
      ? old
      : undefined;
  const inChain = (rdata: Uint8Array) =>
    rdata[0] === 1 && compareBytes(rdata.subarray(2, 5 + (rdata[4] ?? 0)), parameters.subarray(2)) === 0;
  const chain = chainOf(
    entriesOf(hashed, isSame && before ? before.changed : undefined, (node) =>
      parentKey(node.key) === apex.key && node.rrsets[0]?.rdatas.some(inChain)
        ? node.key.slice(1, 1 + node.key.charCodeAt(0))
        : undefined,
    ),
    isSame && before ? { chain: isSame, changed: before.changed } : undefined,
  );
  return chain && { ...chain, iterations, salt };
}

/** What these nodes, all or only the changed ones, add to a chain, in its order. */
function entriesOf(
  nodes: ReadonlyMap<NameKey, ZoneNode>,
  changed: ReadonlySet<NameKey> | undefined,
  sortKey: (node: ZoneNode) => string | undefined,
): Entry[] {
  const entries: Entry[] = [];
  const add = (node: ZoneNode | undefined) => {
    const key = node && sortKey(node);
    if (node && key !== undefined) entries.push({ sortKey: key, node });
  };
  if (changed) for (const key of changed) add(nodes.get(key));
  else for (const node of nodes.values()) add(node);
  return entries.sort((a, b) => (a.sortKey < b.sortKey ? -1 : 1));
}

/** The entries as a chain, put in between what an older chain has of names that did not change. */
function chainOf(
  entries: readonly Entry[],
  old: { chain: DenialChain; changed: ReadonlySet<NameKey> } | undefined,
): DenialChain | undefined {
  const sortKeys: string[] = [];
  const nodes: ZoneNode[] = [];
  let next = 0;
  const addUpTo = (limit: string | undefined) => {
    for (; next < entries.length; next++) {
      const { sortKey, node } = entries[next] as Entry;
      if (limit !== undefined && sortKey >= limit) return;
      sortKeys.push(sortKey);
      nodes.push(node);
    }
  };
  old?.chain.nodes.forEach((node, index) => {
    if (old.changed.has(node.key)) return;
    const sortKey = old.chain.sortKeys[index] ?? '';
    addUpTo(sortKey);
    sortKeys.push(sortKey);
    nodes.push(node);
  });
  addUpTo(undefined);
  return nodes.length > 0 ? { sortKeys, nodes } : undefined;
}
