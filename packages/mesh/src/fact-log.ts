import { compareBytes } from '@copain/core';
import type { RecordKind } from '@copain/trust';
import { maxFacts, maxHashesPerFrame } from './limits.ts';

/** One signed record as the mesh carries it. Who may sign it and what it means was judged before it gets here. */
export interface Fact {
  kind: RecordKind;
  /** What it replaces: two facts of one key are two versions of one thing. */
  key: string;
  epoch: number;
  sequence: number;
  /** First 8 bytes of the SHA-256 of the envelope. */
  hash: Uint8Array;
  /** The signed envelope. */
  envelope: Uint8Array;
}

/** Everything a box knows, one fact a key. */
export interface FactLog {
  facts: ReadonlyMap<string, Fact>;
  /** Exclusive or of all hashes (8 bytes): equal logs have equal digests, in whatever order they grew. */
  digest: Uint8Array;
}

/** A log that knows nothing. */
export function emptyFactLog(): FactLog {
  return { facts: new Map(), digest: new Uint8Array(8) };
}

export type FactOutcome = 'new' | 'known' | 'older' | 'equivocation' | 'full';

/** Is this fact news? Newer is a higher (epoch, sequence); the same number with other bytes is equivocation and refused. */
export function judgeFact(log: FactLog, fact: Fact): FactOutcome {
  const known = log.facts.get(fact.key);
  if (known === undefined) return log.facts.size >= maxFacts ? 'full' : 'new';
  if (compareBytes(known.hash, fact.hash) === 0) return 'known';
  const order = fact.epoch - known.epoch || fact.sequence - known.sequence;
  if (order === 0) return 'equivocation';
  return order > 0 ? 'new' : 'older';
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, i) => byte ^ (b[i] ?? 0));
}

/** The log with the fact in it, in place of what it replaces. Call only for a fact that was judged `new`. */
export function addFact(log: FactLog, fact: Fact): FactLog {
  const facts = new Map(log.facts);
  const replaced = facts.get(fact.key);
  facts.set(fact.key, fact);
  const digest = xor(log.digest, fact.hash);
  return { facts, digest: replaced === undefined ? digest : xor(digest, replaced.hash) };
}

/** The log without the facts of these keys. */
export function withoutFacts(log: FactLog, keys: readonly string[]): FactLog {
  const facts = new Map(log.facts);
  let { digest } = log;
  for (const key of keys) {
    const fact = facts.get(key);
    if (fact === undefined || !facts.delete(key)) continue;
    digest = xor(digest, fact.hash);
  }
  return { facts, digest };
}

/**
 * Order in which records are sent in an exchange, so that a record comes after what it needs: members before what
 * members sign, each owner's records by epoch right after them, offers and grants before zones.
 */
const rank: Record<RecordKind, number> = {
  member: 0,
  owner: 1,
  removal: 2,
  invite: 3,
  revocation: 4,
  address: 5,
  offers: 6,
  grants: 7,
  zone: 8,
  holds: 9,
  vote: 10,
  receipt: 11,
  probes: 12,
  services: 13,
  swap: 14,
  takeover: 15,
};

/**
 * The version of the sync protocol that brought each kind. `owner` had its name in version 1, and was no record of its
 * own there: it stood inside member records.
 */
const kindSinceVersion: Record<RecordKind, number> = {
  member: 1,
  owner: 2,
  removal: 1,
  invite: 1,
  revocation: 1,
  address: 1,
  offers: 1,
  grants: 1,
  zone: 1,
  holds: 1,
  vote: 1,
  receipt: 2,
  probes: 3,
  services: 3,
  swap: 3,
  takeover: 3,
};

const newestVersion = Math.max(...Object.values(kindSinceVersion));

/** Does a friend who speaks this version take records of this kind? */
export function isKindOf(version: number, kind: RecordKind): boolean {
  return kindSinceVersion[kind] <= version;
}

/**
 * The part of a log that a friend who speaks this version can know. On his stream digests and lists are of it alone:
 * else his digest could never equal ours again, and an equal digest is how he says that he told all he knows.
 */
export function logOfVersion(log: FactLog, version: number): FactLog {
  // Asked with every beat: nobody who speaks as we do costs a look at every record.
  if (version >= newestVersion) return log;
  const beyond = [...log.facts.values()].filter(({ kind }) => !isKindOf(version, kind));
  return beyond.length === 0
    ? log
    : withoutFacts(
        log,
        beyond.map(({ key }) => key),
      );
}

/** All facts in sending order. */
export function factsInOrder(facts: Iterable<Fact>): Fact[] {
  return [...facts].sort((a, b) => rank[a.kind] - rank[b.kind] || (a.key < b.key ? -1 : 1));
}

/** The hashes of everything known, for a `have` frame. */
export function haveList(log: FactLog): Uint8Array {
  return hashList([...log.facts.values()]);
}

/** The hashes of these facts, one after the other. */
export function hashList(facts: readonly Fact[]): Uint8Array {
  const list = new Uint8Array(Math.min(facts.length, maxHashesPerFrame) * 8);
  facts.slice(0, maxHashesPerFrame).forEach((fact, i) => {
    list.set(fact.hash.subarray(0, 8), i * 8);
  });
  return list;
}

/** Of these facts those whose hash is not in the list, in sending order. */
export function factsBeyond(facts: readonly Fact[], hashes: Uint8Array): Fact[] {
  const known = hashKeys(hashes);
  return factsInOrder(facts.filter((fact) => !known.has(fact.hash.subarray(0, 8).join('.'))));
}

function hashKeys(list: Uint8Array): Set<string> {
  const keys = new Set<string>();
  for (let at = 0; at + 8 <= list.length; at += 8) keys.add(list.subarray(at, at + 8).join('.'));
  return keys;
}

/** What to answer to a friend's `have`: facts he lacks, in sending order, and the hashes of those that we lack. */
export function answerHave(log: FactLog, have: Uint8Array): { push: Fact[]; want: Uint8Array } {
  const theirs = hashKeys(have);
  const push: Fact[] = [];
  const ours = new Set<string>();
  for (const fact of log.facts.values()) {
    const key = fact.hash.subarray(0, 8).join('.');
    ours.add(key);
    if (!theirs.has(key)) push.push(fact);
  }
  const missing = [...theirs].filter((key) => !ours.has(key)).slice(0, maxHashesPerFrame);
  return {
    push: factsInOrder(push),
    want: Uint8Array.from(missing.flatMap((key) => key.split('.').map(Number))),
  };
}

/** The facts named in a friend's `want`, in sending order. */
export function answerWant(log: FactLog, want: Uint8Array): Fact[] {
  const wanted = hashKeys(want);
  return factsInOrder(
    [...log.facts.values()].filter((fact) => wanted.has(fact.hash.subarray(0, 8).join('.'))),
  );
}
