import { type Denial, denialProof, type Sha1 } from './denial.ts';
import { ExtendedError } from './edns.ts';
import { aliasesPerAnswerMax } from './limits.ts';
import { hostsNamedBy, keyIsAtOrBelow, type Lookup, lookup, rrsetsForHost } from './lookup.ts';
import { type DomainName, type NameKey, nameKey, parentKey, replaceSuffix, rootKey } from './name.ts';
import { Rcode, RecordType } from './record-types.ts';
import { emptyReply, type Reply } from './reply.ts';
import { type RRset, rrsetOf, type Zone, type ZoneNode } from './zone.ts';

/** A zone as served: an expired one is known but must not be answered from (RFC 1035 §3.3.13). */
export interface ServedZone {
  zone: Zone;
  expired: boolean;
  /** When it will be expired, of zones of others (RFC 7314); undefined for those whose primary is here. */
  expiresAtMs?: number | undefined;
}

/** The served zones under the keys of their origins. */
export type ServedZones = ReadonlyMap<NameKey, ServedZone>;

/** What is asked, and of whom. `dnssec`: the DO bit. `any`: may ANY list everything, or only what is one RRset. */
export interface Resolvable {
  name: DomainName;
  type: number;
  dnssec: boolean;
  listAny: boolean;
}

/**
 * Answers a question of class IN from the served zones: RFC 1034 §4.3.2 with wildcards (4592), DNAME (6672), referrals,
 * negative answers (2308), DNSSEC (4035 §3.1, 5155 §7.2). CNAMEs and DNAMEs are followed through all served zones; the
 * rcode is that of the last name (RFC 2308 §2.1, RFC 6604 §3).
 * Undefined where ANY would list several RRsets and may not: the caller then truncates (RFC 8482 §4.4).
 */
export function resolve(
  zones: ServedZones,
  question: Resolvable,
  beside: { sha1: Sha1; awaited?: ReadonlySet<NameKey> | undefined },
): Reply | undefined {
  return new Resolution(zones, question, beside).run();
}

/** What is told of a name of no served zone (RFC 8914 §4.21, §4.15). */
function notServed(awaited: ReadonlySet<NameKey> | undefined, key: NameKey): Reply {
  for (let above = key; awaited && awaited.size > 0; above = parentKey(above)) {
    if (awaited.has(above)) return { ...emptyReply(Rcode.servFail), extendedError: ExtendedError.notReady };
    if (above === rootKey) break;
  }
  return { ...emptyReply(Rcode.refused), extendedError: ExtendedError.notAuthoritative };
}

/** RFC 8914 §4.25 names the expired zone as its example. */
function expiredReply(): Reply {
  return { ...emptyReply(Rcode.servFail), extendedError: ExtendedError.invalidData };
}

/** The zone to answer from: the closest apex at or above the name; for DS the parent's, where that is served too. */
function zoneFor(zones: ServedZones, key: NameKey, type: number): ServedZone | undefined {
  let first: ServedZone | undefined;
  for (let above = key; ; above = parentKey(above)) {
    const served = zones.get(above);
    if (served) {
      const isChildSide = type === RecordType.DS && above === key && key !== rootKey;
      if (!isChildSide) return served;
      first = served;
    }
    if (above === rootKey) return first;
  }
}

class Resolution {
  readonly #zones: ServedZones;
  readonly #question: Resolvable;
  readonly #sha1: Sha1;
  readonly #awaited: ReadonlySet<NameKey> | undefined;
  readonly #reply: Reply = emptyReply(Rcode.noError);
  readonly #proven = new Set<ZoneNode>();
  readonly #hosts: { zone: Zone; key: NameKey; type: number }[] = [];

  constructor(
    zones: ServedZones,
    question: Resolvable,
    { sha1, awaited }: { sha1: Sha1; awaited?: ReadonlySet<NameKey> | undefined },
  ) {
    this.#zones = zones;
    this.#question = question;
    this.#sha1 = sha1;
    this.#awaited = awaited;
  }

  run(): Reply | undefined {
    const { type } = this.#question;
    const seen = new Set<NameKey>();
    let name: DomainName | undefined = this.#question.name;
    for (let aliases = 0; name; aliases++) {
      const key = nameKey(name);
      const served = zoneFor(this.#zones, key, type);
      if (!served || served.expired) {
        if (aliases === 0) return served ? expiredReply() : notServed(this.#awaited, key);
        break;
      }
      // A loop of CNAMEs, or a chain too long to be honest, ends with what was found so far.
      if (seen.has(key) || aliases > aliasesPerAnswerMax) break;
      seen.add(key);
      const found = lookup(served.zone, key, type);
      if (found.kind !== 'delegated' || aliases > 0) this.#reply.authoritative = true;
      if (this.#refusesAny(found)) return undefined;
      name = this.#take(served.zone, name, key, found);
    }
    this.#addHosts();
    return this.#reply;
  }

  #refusesAny(found: Lookup): boolean {
    if (this.#question.type !== RecordType.ANY || this.#question.listAny) return false;
    if (found.kind !== 'found' && found.kind !== 'wildcard') return false;
    return found.node.rrsets.length > 1 || (found.node.rrsets[0]?.signatures.length ?? 0) > 0;
  }

  /** Adds what was found for one name; gives the name to go on with, if any. */
  #take(zone: Zone, name: DomainName, key: NameKey, found: Lookup): DomainName | undefined {
    switch (found.kind) {
      case 'found':
        return this.#takeNode(zone, name, found.node, () => ({
          kind: 'no-data',
          name: key,
          node: found.node,
        }));
      case 'wildcard': {
        const { node, encloser } = found;
        const answered = this.#reply.answer.length;
        const next = this.#takeNode(zone, name, node, () => ({
          kind: 'wildcard-no-data',
          name: key,
          encloser,
          node,
        }));
        if (this.#reply.answer.length > answered)
          this.#prove(zone, { kind: 'wildcard-used', name: key, encloser });
        return next;
      }
      case 'none':
        this.#reply.rcode = Rcode.nxDomain;
        this.#addSoa(zone);
        this.#prove(zone, { kind: 'no-name', name: key, encloser: found.encloser });
        return undefined;
      case 'delegated':
        this.#refer(zone, found.cut, found.servers);
        return undefined;
      case 'renamed':
        return this.#rename(zone, name, found.node, found.dname);
    }
  }

  #takeNode(zone: Zone, name: DomainName, node: ZoneNode, denial: () => Denial): DomainName | undefined {
    const { type } = this.#question;
    const rrsets = this.#matching(node, type);
    for (const rrset of rrsets) this.#answer(zone, name, rrset);
    if (rrsets.length > 0) return undefined;
    // An NSEC stands beside a CNAME (RFC 4034 §4), so its absence is that of this name.
    const alias = type === RecordType.NSEC ? undefined : rrsetOf(node, RecordType.CNAME);
    if (alias) {
      this.#answer(zone, name, alias);
      return alias.rdatas[0];
    }
    this.#addSoa(zone);
    this.#prove(zone, denial());
    return undefined;
  }

  /** The RRsets of a node that a type asks for. Signatures are a type of their own when asked for by name. */
  #matching(node: ZoneNode, type: number): RRset[] {
    if (type === RecordType.ANY) return node.rrsets;
    if (type === RecordType.RRSIG)
      return node.rrsets.filter(({ signatures }) => signatures.length > 0).map(signaturesOnly);
    const rrset = rrsetOf(node, type);
    return rrset ? [rrset] : [];
  }

  #answer(zone: Zone, owner: DomainName, rrset: RRset): void {
    for (const key of hostsNamedBy(rrset)) this.#hosts.push({ zone, key, type: rrset.type });
    this.#reply.answer.push({ owner, rrset, signed: this.#question.dnssec });
  }

  #addSoa(zone: Zone): void {
    const rrset = { ...zone.soa, ttl: zone.negativeTtl, signatureTtl: zone.negativeTtl };
    this.#reply.authority.push({ owner: zone.origin, rrset, signed: this.#question.dnssec });
  }

  #prove(zone: Zone, denial: Denial): void {
    if (!this.#question.dnssec) return;
    for (const node of denialProof(zone, denial, this.#sha1)) {
      const rrset = rrsetOf(node, RecordType.NSEC3) ?? rrsetOf(node, RecordType.NSEC);
      if (!rrset || this.#proven.has(node)) continue;
      this.#proven.add(node);
      this.#reply.authority.push({ owner: node.name, rrset, signed: true });
    }
  }

  /** RFC 1034 §4.3.2 step 3b; the DS, or the proof that there is none, goes with it (RFC 4035 §3.1.4). */
  #refer(zone: Zone, cut: ZoneNode, servers: RRset): void {
    this.#reply.authority.push({ owner: cut.name, rrset: servers, signed: false });
    if (this.#question.dnssec) {
      const signer = rrsetOf(cut, RecordType.DS);
      if (signer) this.#reply.authority.push({ owner: cut.name, rrset: signer, signed: true });
      else this.#prove(zone, { kind: 'no-delegation-signer', name: cut.key, node: cut });
    }
    for (const host of new Set(hostsNamedBy(servers))) {
      const node = zone.nodes.get(host);
      const section = keyIsAtOrBelow(host, cut.key) ? this.#reply.glue : this.#reply.extra;
      for (const rrset of node ? rrsetsForHost(node, RecordType.NS) : []) {
        section.push({ owner: node?.name ?? cut.name, rrset, signed: this.#question.dnssec });
      }
    }
  }

  /** RFC 6672 §3.1: the DNAME and a CNAME made from it, with the DNAME's TTL; YXDOMAIN where the name gets too long. */
  #rename(zone: Zone, name: DomainName, node: ZoneNode, dname: RRset): DomainName | undefined {
    this.#answer(zone, node.name, dname);
    const target = replaceSuffix(name, node.name, dname.rdatas[0] as DomainName);
    if (!target) {
      this.#reply.rcode = Rcode.yxDomain;
      return undefined;
    }
    const alias = {
      type: RecordType.CNAME,
      ttl: dname.ttl,
      rdatas: [target],
      signatures: [],
      signatureTtl: 0,
    };
    this.#reply.answer.push({ owner: name, rrset: alias, signed: false });
    // A DNAME that points below itself would rename for ever; like NSD, go round once.
    const endless = keyIsAtOrBelow(nameKey(dname.rdatas[0] as DomainName), node.key);
    return endless || this.#question.type === RecordType.CNAME ? undefined : target;
  }

  /** What the answer's own zone knows of the hosts it names (RFC 1034 §4.3.2 step 6, RFC 9460 §4.1). */
  #addHosts(): void {
    const mark = (key: NameKey, type: number) => `${type}/${key}`;
    const present = new Set(this.#reply.answer.map(({ owner, rrset }) => mark(nameKey(owner), rrset.type)));
    for (const { zone, key, type } of this.#hosts) {
      const node = zone.nodes.get(key);
      for (const rrset of node ? rrsetsForHost(node, type) : []) {
        if (!node || present.has(mark(key, rrset.type))) continue;
        present.add(mark(key, rrset.type));
        this.#reply.extra.push({ owner: node.name, rrset, signed: this.#question.dnssec });
      }
    }
  }
}

function signaturesOnly(rrset: RRset): RRset {
  return {
    type: RecordType.RRSIG,
    ttl: rrset.signatureTtl,
    rdatas: rrset.signatures,
    signatures: [],
    signatureTtl: 0,
  };
}
