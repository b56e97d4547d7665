import { formatBase32Hex } from './base-text.ts';
import { type DomainName, keyToName, type NameKey } from './name.ts';

/**
 * All records of one name and type, with the signatures over them (RFC 4034 §3). TTLs are in seconds; without
 * signatures `signatureTtl` is `ttl`, so that equal RRsets are equal values in whichever order their records came.
 */
export interface RRset {
  type: number;
  ttl: number;
  rdatas: Uint8Array[];
  signatures: Uint8Array[];
  signatureTtl: number;
}

/** A name of the zone. Without RRsets it is an empty non-terminal (RFC 8020): it exists, but has no data. */
export interface ZoneNode {
  key: NameKey;
  name: DomainName;
  rrsets: RRset[];
}

/** Names in the order in which denial of existence needs them: `sortKeys[i]` belongs to `nodes[i]`. */
export interface DenialChain {
  sortKeys: string[];
  nodes: ZoneNode[];
}

/** The NSEC3 records of a zone (RFC 5155); `sortKeys` are the hashes as base32hex in lower case. */
export interface HashedChain extends DenialChain {
  iterations: number;
  salt: Uint8Array;
}

/** A zone for answering. Made by `buildZone` or `decodeZone`, never changed afterwards. */
export interface Zone {
  origin: DomainName;
  originKey: NameKey;
  serial: number;
  nodes: ReadonlyMap<NameKey, ZoneNode>;
  /** NSEC3 records under their hashed names, apart from `nodes` because nobody can ask for them (RFC 5155 §7.2.8). */
  hashed: ReadonlyMap<NameKey, ZoneNode>;
  apex: ZoneNode;
  soa: RRset;
  /** TTL of negative answers: the lesser of the SOA's TTL and its MINIMUM (RFC 2308 §3). */
  negativeTtl: number;
  /** The SOA's EXPIRE in seconds: how long secondaries may answer without having heard from the primary. */
  expireS: number;
  /** Does the zone carry DNSSEC keys or signatures at its apex? Then its SOA cannot be rewritten. */
  signed: boolean;
  nsec: DenialChain | undefined;
  nsec3: HashedChain | undefined;
}

/** The RRset of a type at a node, or undefined. */
export function rrsetOf(node: ZoneNode, type: number): RRset | undefined {
  for (const rrset of node.rrsets) if (rrset.type === type) return rrset;
  return undefined;
}

/** The hash label of a name in a chain (RFC 5155 §5), with SHA-1 as a port. */
export function nsec3Label(
  chain: HashedChain,
  key: NameKey,
  sha1: (bytes: Uint8Array) => Uint8Array,
): string {
  let bytes: Uint8Array = keyToName(key);
  for (let round = 0; round <= chain.iterations; round++) {
    const salted = new Uint8Array(bytes.length + chain.salt.length);
    salted.set(bytes);
    salted.set(chain.salt, bytes.length);
    bytes = sha1(salted);
  }
  return formatBase32Hex(bytes);
}
