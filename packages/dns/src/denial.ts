import { canonicalSortKey, keyToName, type NameKey, parentKey, wildcardOf } from './name.ts';
import { RecordType } from './record-types.ts';
import { type DenialChain, type HashedChain, nsec3Label, rrsetOf, type Zone, type ZoneNode } from './zone.ts';

/** SHA-1 as a port; only NSEC3 (RFC 5155 §11) asks for it. */
export type Sha1 = (bytes: Uint8Array) => Uint8Array;

/** What has to be proven, in terms of the lookup that found it. Keys are those of names. */
export type Denial =
  | { kind: 'no-name'; name: NameKey; encloser: NameKey }
  | { kind: 'no-data'; name: NameKey; node: ZoneNode }
  | { kind: 'wildcard-used'; name: NameKey; encloser: NameKey }
  | { kind: 'wildcard-no-data'; name: NameKey; encloser: NameKey; node: ZoneNode }
  | { kind: 'no-delegation-signer'; name: NameKey; node: ZoneNode };

/**
 * The nodes whose NSEC or NSEC3 records prove a denial (RFC 4035 §3.1.3, RFC 5155 §7.2), each once, in the order in
 * which they go into the authority section. None for an unsigned zone.
 */
export function denialProof(zone: Zone, denial: Denial, sha1: Sha1): ZoneNode[] {
  if (zone.nsec3) return unique(hashedProof(zone, zone.nsec3, denial, sha1));
  if (zone.nsec) return unique(plainProof(zone.nsec, denial));
  return [];
}

function unique(nodes: (ZoneNode | undefined)[]): ZoneNode[] {
  return [...new Set(nodes)].filter((node) => node !== undefined);
}

function plainProof(chain: DenialChain, denial: Denial): (ZoneNode | undefined)[] {
  const own = 'node' in denial && rrsetOf(denial.node, RecordType.NSEC) ? denial.node : undefined;
  const covering = (key: NameKey) => coveringNode(chain, canonicalSortKey(keyToName(key)));
  switch (denial.kind) {
    case 'no-name':
      return [covering(denial.name), covering(wildcardOf(denial.encloser))];
    case 'no-data':
    case 'no-delegation-signer':
      return [own ?? covering(denial.name)];
    case 'wildcard-used':
      return [covering(denial.name)];
    case 'wildcard-no-data':
      return [own ?? covering(wildcardOf(denial.encloser)), covering(denial.name)];
  }
}

function hashedProof(zone: Zone, chain: HashedChain, denial: Denial, sha1: Sha1): (ZoneNode | undefined)[] {
  const match = (key: NameKey) => matchingNode(chain, nsec3Label(chain, key, sha1));
  const cover = (key: NameKey) => coveringNode(chain, nsec3Label(chain, key, sha1));
  switch (denial.kind) {
    case 'no-name':
      return [
        match(denial.encloser),
        cover(childBelow(denial.encloser, denial.name)),
        cover(wildcardOf(denial.encloser)),
      ];
    case 'no-data':
    case 'no-delegation-signer': {
      const own = match(denial.name);
      if (own) return [own];
      // RFC 5155 §7.2.4: under opt-out the name may have no NSEC3 of its own; prove the closest one that has.
      let encloser = denial.name;
      while (encloser !== zone.originKey && !match(encloser)) encloser = parentKey(encloser);
      return [match(encloser), cover(childBelow(encloser, denial.name))];
    }
    case 'wildcard-used':
      return [cover(childBelow(denial.encloser, denial.name))];
    case 'wildcard-no-data':
      return [
        match(denial.encloser),
        cover(childBelow(denial.encloser, denial.name)),
        match(wildcardOf(denial.encloser)),
      ];
  }
}

/** The next closer name: one label longer than the encloser, on the way to `name` (RFC 5155 §1.3). */
function childBelow(encloser: NameKey, name: NameKey): NameKey {
  let child = name;
  while (child.length > encloser.length && parentKey(child) !== encloser) child = parentKey(child);
  return child;
}

/** Where the greatest sort key at or before `sortKey` stands, or -1 where all are greater. */
function indexAtOrBefore(chain: DenialChain, sortKey: string): number {
  let low = 0;
  let high = chain.sortKeys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((chain.sortKeys[middle] ?? '') <= sortKey) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The node whose span holds `sortKey`; before the first comes the last, since the chain is a ring. */
function coveringNode(chain: DenialChain, sortKey: string): ZoneNode | undefined {
  return chain.nodes.at(indexAtOrBefore(chain, sortKey));
}

function matchingNode(chain: DenialChain, sortKey: string): ZoneNode | undefined {
  const index = indexAtOrBefore(chain, sortKey);
  return chain.sortKeys[index] === sortKey ? chain.nodes[index] : undefined;
}
