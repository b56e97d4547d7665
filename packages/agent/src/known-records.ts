import { toHex } from '@copain/core';
import { type DomainName, nameToText, type ZoneVersion } from '@copain/dns';
import {
  type AddressRecord,
  type Agreements,
  boxMay,
  computeRoster,
  type GrantsRecord,
  type HoldsRecord,
  type InviteRecord,
  isCertificate,
  mergeGrants,
  type OffersRecord,
  type OwnerRecord,
  type OwnerState,
  ownerRecordFault,
  type ProbesRecord,
  type ReceiptRecord,
  type RemovalRecord,
  type RevocationRecord,
  type Roster,
  resolveOwner,
  type ServicesRecord,
  type Signed,
  type SignedMember,
  type SwapRecord,
  signatureStands,
  type TakeoverRecord,
  type VoteRecord,
} from '@copain/trust';

/** A record that was read, with what it says. */
export type KnownRecord =
  | { kind: 'member'; signed: SignedMember }
  | { kind: 'owner'; signed: Signed<OwnerRecord> }
  | { kind: 'removal'; signed: Signed<RemovalRecord> }
  | { kind: 'invite'; signed: Signed<InviteRecord> }
  | { kind: 'revocation'; signed: Signed<RevocationRecord> }
  | { kind: 'offers'; signed: Signed<OffersRecord> }
  | { kind: 'grants'; signed: Signed<GrantsRecord> }
  | { kind: 'address'; signed: Signed<AddressRecord> }
  | { kind: 'holds'; signed: Signed<HoldsRecord> }
  | { kind: 'vote'; signed: Signed<VoteRecord> }
  | { kind: 'receipt'; signed: Signed<ReceiptRecord> }
  | { kind: 'probes'; signed: Signed<ProbesRecord> }
  | { kind: 'services'; signed: Signed<ServicesRecord> }
  | { kind: 'swap'; signed: Signed<SwapRecord> }
  | { kind: 'takeover'; signed: SignedTakeover }
  | { kind: 'zone'; signed: Signed<ZoneVersion> };

/** A certificate with its votes, opened; those that did not open are left out. */
export type SignedTakeover = Signed<TakeoverRecord> & { votes: Signed<SwapRecord>[] };

/** What this box knows of its circle: the records by key, and what they add up to. */
export interface Knowledge {
  /** The owner id of whose box this is: his own removals count here at once. */
  self: string;
  /** By owner id: what this box calls whom, for good. */
  names: ReadonlyMap<string, string>;
  circle: string;
  records: ReadonlyMap<string, KnownRecord>;
  roster: Roster;
  agreements: Agreements;
}

/** Nothing known yet by `self`, in the circle with this id, but whom it calls what. */
export function emptyKnowledge(
  self: string,
  circle: string,
  names: ReadonlyMap<string, string> = new Map(),
): Knowledge {
  return {
    self,
    names,
    circle,
    records: new Map(),
    roster: computeRoster(circle, { members: [], removals: [], owners: [] }, { self, names, toId: toHex }),
    agreements: { offers: new Map(), grants: new Map() },
  };
}

/** By a box that may sign zones of this owner now, and under no later epoch than his own. */
export function maySignZone(roster: Roster, signer: string, version: ZoneVersion): boolean {
  const owner = roster.members.get(roster.ownerOf.get(signer) ?? '');
  return (
    owner?.ownerId === version.owner &&
    boxMay(owner, signer, 'sign-zone') &&
    version.epoch <= owner.owner.record.epoch
  );
}

/** By a box that is or was a member's. One that admitted somebody is part of how he came in, whatever became of its signer. */
export function inviteStands(roster: Roster, signer: string, inviteId: string, hash: Uint8Array): boolean {
  const used = roster.invitesUsed.has(inviteId) && roster.everOwnerOf.has(signer);
  return used || signatureStands(roster, signer, toHex(hash));
}

/** The key of an owner's record of one epoch; sorts by epoch. */
export function ownerRecordKey(ownerId: string, epoch: number): string {
  return `owner/${ownerId}/${String(epoch).padStart(7, '0')}`;
}

/** What the known owner records of one owner, and `more`, add up to; undefined where no member record names him. */
export function ownerStateOf(
  knowledge: Knowledge,
  ownerId: string,
  more: readonly Signed<OwnerRecord>[] = [],
): OwnerState | undefined {
  const first = recordsOf(knowledge, 'member').find(
    (one) =>
      toHex(one.signed.ownerRecord.hash) === ownerId &&
      ownerRecordFault(one.signed.ownerRecord) === undefined,
  )?.signed.ownerRecord;
  if (first === undefined) return undefined;
  const known = recordsOf(knowledge, 'owner').map((record) => record.signed);
  return resolveOwner(first, [...known, ...more], toHex);
}

/**
 * Keys of the records that stand no more, now that somebody was removed, a box revoked or an owner record replaced: every
 * box lets them go, so that digests agree. What this box (`self`) signed stays while it is not revoked, since its numbers
 * must never be used twice.
 */
export function voidRecords(knowledge: Knowledge, self: string): string[] {
  const { roster } = knowledge;
  const paths = new Map<string, ReadonlySet<string>>();
  const onPath = (ownerId: string, hash: Uint8Array): boolean => {
    const path =
      paths.get(ownerId) ??
      new Set(ownerStateOf(knowledge, ownerId)?.path.map((signed) => toHex(signed.hash)) ?? []);
    paths.set(ownerId, path);
    return path.has(toHex(hash));
  };
  const stands = (record: KnownRecord): boolean => {
    const { signer, hash } = record.signed;
    switch (record.kind) {
      case 'member':
      case 'removal':
        return true;
      case 'owner':
        return onPath(record.signed.record.ownerId ?? '', hash);
      case 'invite':
        return inviteStands(roster, signer, record.signed.record.id, hash);
      case 'revocation':
        return signatureStands(roster, signer, toHex(hash));
      case 'grants': {
        const owner = roster.members.get(roster.ownerOf.get(signer) ?? '');
        return owner !== undefined && boxMay(owner, signer, 'sign-grant');
      }
      case 'zone':
        return maySignZone(roster, signer, record.signed.record);
      case 'offers':
      case 'address':
      case 'holds':
      case 'vote':
      case 'probes':
      case 'swap':
        return roster.ownerOf.has(signer);
      case 'services': {
        const owner = roster.members.get(roster.ownerOf.get(signer) ?? '');
        return owner !== undefined && boxMay(owner, signer, 'sign-zone');
      }
      case 'takeover':
        return takeoverStands(roster, record.signed);
      case 'receipt':
        return isReceiptFor(roster, signer, record.signed.record.owner);
    }
  };
  return [...knowledge.records].flatMap(([key, record]) => {
    // A certificate is nobody's own word: its number is that of the votes in it.
    const own = record.signed.signer === self && record.kind !== 'takeover' && !roster.revoked.has(self);
    return own || stands(record) ? [] : [key];
  });
}

/** By a member's box, for another member. */
export function isReceiptFor(roster: Roster, signer: string, ownerId: string): boolean {
  const by = roster.ownerOf.get(signer);
  return by !== undefined && by !== ownerId && roster.members.has(ownerId);
}

/** Do the votes of a certificate make a transition, by who is in the circle now? */
export function takeoverStands(roster: Roster, signed: SignedTakeover): boolean {
  const circle = { signer: signed.signer, ownerOf: roster.ownerOf, members: roster.members.size };
  return isCertificate(signed.record, signed.votes, circle);
}

/** Which service of which box, in the keys of what is said about it. */
export function serviceKey(about: string, service: string): string {
  return `${about}/${service}`;
}

/** The key of the receipt that this box signs for this owner. */
export function receiptKey(signer: string, ownerId: string): string {
  return `receipt/${signer}/${ownerId}`;
}

/** An origin as people write it, without the final dot; the form that grants, claims and configuration use. */
export function originText(origin: DomainName): string {
  return nameToText(origin).replace(/\.$/, '');
}

/** The key of a zone's newest version: one a zone and owner, so that two owners' claims never replace one another. */
export function zoneRecordKey(ownerId: string, origin: string): string {
  return `zone/${ownerId}/${origin}`;
}

/** The records of one kind. */
export function recordsOf<K extends KnownRecord['kind']>(
  knowledge: Knowledge,
  kind: K,
): Extract<KnownRecord, { kind: K }>[] {
  return [...knowledge.records.values()].filter(
    (record): record is Extract<KnownRecord, { kind: K }> => record.kind === kind,
  );
}

/** What is known with this record added, in place of what had its key. The record was judged `ok` before. */
export function withRecord(knowledge: Knowledge, key: string, record: KnownRecord): Knowledge {
  return derive(knowledge.circle, new Map(knowledge.records).set(key, record), record.kind, knowledge);
}

/** What is known, with another name for one person. */
export function withName(knowledge: Knowledge, ownerId: string, name: string): Knowledge {
  const names = new Map(knowledge.names).set(ownerId, name);
  return derive(knowledge.circle, knowledge.records, 'member', { ...knowledge, names });
}

/** What is known without these records, which stand no more: nothing of the roster comes from them. */
export function withoutRecords(knowledge: Knowledge, keys: readonly string[]): Knowledge {
  const records = new Map(knowledge.records);
  for (const key of keys) records.delete(key);
  return derive(knowledge.circle, records, 'grants', knowledge);
}

/** What is known after this box moved to another circle: its own numbered records stay, those of the old circle go. */
export function withCircle(knowledge: Knowledge, circle: string, self: string): Knowledge {
  const records = new Map(
    [...knowledge.records].filter(
      ([, record]) =>
        record.signed.signer === self &&
        record.kind !== 'member' &&
        record.kind !== 'removal' &&
        record.kind !== 'owner' &&
        record.kind !== 'invite' &&
        record.kind !== 'revocation' &&
        record.kind !== 'vote' &&
        record.kind !== 'probes' &&
        record.kind !== 'receipt' &&
        record.kind !== 'swap' &&
        record.kind !== 'takeover',
    ),
  );
  return derive(circle, records, 'member', emptyKnowledge(knowledge.self, circle));
}

/** Recomputes only what the changed kind of record can change. */
function derive(
  circle: string,
  records: ReadonlyMap<string, KnownRecord>,
  changed: KnownRecord['kind'],
  before: Knowledge,
): Knowledge {
  const next: Knowledge = { ...before, circle, records };
  const membersChanged = changed === 'member' || changed === 'removal' || changed === 'owner';
  if (membersChanged) {
    const members = recordsOf(next, 'member').map((record) => record.signed);
    const removals = recordsOf(next, 'removal').map((record) => record.signed);
    const owners = recordsOf(next, 'owner').map((record) => record.signed);
    next.roster = computeRoster(circle, { members, removals, owners }, { ...next, toId: toHex });
    next.names = new Map([
      ...next.names,
      ...[...next.roster.members.values()].map((one) => [one.ownerId, one.name] as const),
    ]);
  }
  if (membersChanged || changed === 'offers' || changed === 'grants') {
    next.agreements = agreementsOf(next);
  }
  return next;
}

/** The offers of each box, and the grants of each owner, that stand. */
function agreementsOf(knowledge: Knowledge): Agreements {
  const { roster } = knowledge;
  const offers = new Map<string, OffersRecord>();
  for (const { signed } of recordsOf(knowledge, 'offers')) {
    if (roster.ownerOf.has(signed.signer)) offers.set(signed.signer, signed.record);
  }
  const byOwner = new Map<string, Signed<GrantsRecord>[]>();
  for (const { signed } of recordsOf(knowledge, 'grants')) {
    const ownerId = roster.ownerOf.get(signed.signer);
    const owner = roster.members.get(ownerId ?? '');
    if (ownerId === undefined || owner === undefined || !boxMay(owner, signed.signer, 'sign-grant')) continue;
    byOwner.set(ownerId, [...(byOwner.get(ownerId) ?? []), signed]);
  }
  const grants = new Map<string, GrantsRecord>();
  for (const [ownerId, records] of byOwner) {
    const merged = mergeGrants(records);
    if (merged !== undefined) grants.set(ownerId, merged);
  }
  return { offers, grants };
}
