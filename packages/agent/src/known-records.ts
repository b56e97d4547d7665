import { equalBytes, toHex } from '@copain/core';
import { type DomainName, decodeZoneVersion, nameToText, type ZoneVersion } from '@copain/dns';
import {
  type AddressRecord,
  type Agreements,
  boxMay,
  computeRoster,
  decodeAddressRecord,
  decodeGrantsRecord,
  decodeHoldsRecord,
  decodeInviteRecord,
  decodeMemberRecord,
  decodeOffersRecord,
  decodeOwnerRecord,
  decodeReceiptRecord,
  decodeRemovalRecord,
  decodeRevocationRecord,
  decodeVoteRecord,
  type GrantsRecord,
  type HoldsRecord,
  type InviteRecord,
  inviteIdOf,
  maxMembers,
  mergeGrants,
  type OffersRecord,
  type OwnerRecord,
  type OwnerState,
  ownerKeyOf,
  ownerRecordFault,
  ownerRecordRank,
  type ReceiptRecord,
  type RecordKind,
  type RemovalRecord,
  type RevocationRecord,
  type Roster,
  resolveOwner,
  type Sha256,
  type Signed,
  type SignedMember,
  signatureStands,
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
  | { kind: 'zone'; signed: Signed<ZoneVersion> };

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

/**
 * An opened envelope of some kind. Of a member record also the opened owner record inside it; `proofsHold`: whether the
 * invite's own key signed this admission, or whether every key proof of an owner record is by its key.
 */
export interface OpenedRecord {
  kind: RecordKind;
  signer: string;
  hash: Uint8Array;
  payload: Uint8Array;
  ownerRecord: Signed<OwnerRecord> | undefined;
  proofsHold: boolean;
}

type RefusalReason = 'malformed' | 'wrong-signer' | 'wrong-circle' | 'bad-proof' | 'superseded' | 'too-many';

/** May this record count here? `key`, `epoch` and `sequence` say what it replaces. */
export type RecordJudgement =
  | { kind: 'ok'; key: string; epoch: number; sequence: number; record: KnownRecord }
  | { kind: 'refused'; why: RefusalReason };

const refused = (why: RefusalReason): RecordJudgement => ({
  kind: 'refused',
  why,
});

/** Member records that lead to nobody are kept until they do, up to this many: a chain may arrive from its end. */
const maxMemberRecords = 4 * maxMembers;

/**
 * Records that one box may have signed: its numbered ones, a vote about each friend, its zones, the invites and members
 * of years. Nobody fills what the whole circle shares.
 */
const maxRecordsPerSigner = 600;

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

/**
 * Steps 6 to 8 of a record's way in: the signer is who may sign this, the form is exact, and what it replaces. The
 * envelope said only that somebody signed; here that somebody is compared with the roster.
 */
export function judgeRecord(knowledge: Knowledge, opened: OpenedRecord, sha256: Sha256): RecordJudgement {
  const judgement = judgeForm(knowledge, opened, sha256);
  if (judgement.kind === 'refused' || knowledge.records.has(judgement.key)) return judgement;
  let signed = 0;
  for (const record of knowledge.records.values()) if (record.signed.signer === opened.signer) signed += 1;
  return signed < maxRecordsPerSigner ? judgement : refused('too-many');
}

function judgeForm(knowledge: Knowledge, opened: OpenedRecord, sha256: Sha256): RecordJudgement {
  const { roster } = knowledge;
  const { signer, hash, payload } = opened;
  const owner = roster.members.get(roster.ownerOf.get(signer) ?? '');
  const numbered = (key: string, sequence: number, record: KnownRecord): RecordJudgement => ({
    kind: 'ok',
    key,
    epoch: 0,
    sequence,
    record,
  });
  const mayGrant = owner !== undefined && boxMay(owner, signer, 'sign-grant');
  // Whoever was never a member's box is turned away before a byte of what he says is read. Of what brings somebody into
  // the circle only its content tells who may sign it.
  const introduces = opened.kind === 'owner' || opened.kind === 'member' || opened.kind === 'invite';
  if (!introduces && !roster.everOwnerOf.has(signer)) return refused('wrong-signer');
  switch (opened.kind) {
    case 'owner': {
      const record = decodeOwnerRecord(payload);
      if (record?.ownerId === undefined) return refused('malformed');
      if (!opened.proofsHold) return refused('bad-proof');
      const signed = { signer, hash, record };
      const state = ownerStateOf(knowledge, record.ownerId, [signed]);
      if (state === undefined) return refused('wrong-signer');
      const at = state.path.indexOf(signed);
      const before = state.path[at - 1];
      const isKnown = state.path.some((one) => equalBytes(one.hash, hash));
      if (before === undefined && !isKnown) return refused('superseded');
      const paper = before !== undefined && ownerKeyOf(before.record, 'paper').peer === signer;
      return {
        kind: 'ok',
        key: ownerRecordKey(record.ownerId, record.epoch),
        epoch: record.epoch,
        sequence: ownerRecordRank(paper ? 'paper' : 'owner', hash),
        record: { kind: 'owner', signed },
      };
    }
    case 'member': {
      const record = decodeMemberRecord(payload);
      if (record === undefined || opened.ownerRecord === undefined) return refused('malformed');
      if (record.circle !== knowledge.circle) return refused('wrong-circle');
      const { redeemed } = record;
      if (redeemed !== undefined) {
        // Whoever admits cannot make up that somebody redeemed an invite: the invite's own key says so, to him.
        const isHis = opened.ownerRecord.record.boxes.some((box) => box.peer === redeemed.joiner);
        if (!opened.proofsHold || !isHis || inviteIdOf(redeemed.key, sha256) !== record.inviteId) {
          return refused('bad-proof');
        }
      }
      const key = `member/${toHex(hash)}`;
      if (!knowledge.records.has(key) && countKind(knowledge, 'member') >= maxMemberRecords)
        return refused('too-many');
      return numbered(key, 0, {
        kind: 'member',
        signed: { signer, hash, record, ownerRecord: opened.ownerRecord },
      });
    }
    case 'removal': {
      const record = decodeRemovalRecord(payload);
      if (record === undefined) return refused('malformed');
      if (record.circle !== knowledge.circle) return refused('wrong-circle');
      // Who was removed may have signed removals before; whether they count is for the roster to say.
      if (!roster.everOwnerOf.has(signer)) return refused('wrong-signer');
      return numbered(`removal/${record.ownerId}/${signer}`, 0, {
        kind: 'removal',
        signed: { signer, hash, record },
      });
    }
    case 'invite': {
      const record = decodeInviteRecord(payload);
      if (record === undefined) return refused('malformed');
      if (record.circle !== knowledge.circle) return refused('wrong-circle');
      if (!inviteStands(roster, signer, record.id, hash)) return refused('wrong-signer');
      if (inviteIdOf(record.key, sha256) !== record.id) return refused('malformed');
      return numbered(`invite/${record.id}`, 0, { kind: 'invite', signed: { signer, hash, record } });
    }
    case 'revocation': {
      const record = decodeRevocationRecord(payload);
      if (record === undefined) return refused('malformed');
      if (record.circle !== knowledge.circle) return refused('wrong-circle');
      if (!signatureStands(roster, signer, toHex(hash))) return refused('wrong-signer');
      const key = `revocation/${record.inviteId}/${signer}`;
      return numbered(key, 0, { kind: 'revocation', signed: { signer, hash, record } });
    }
    case 'offers': {
      const record = decodeOffersRecord(payload);
      if (record === undefined) return refused('malformed');
      if (owner === undefined) return refused('wrong-signer');
      return numbered(`offers/${signer}`, record.sequence, {
        kind: 'offers',
        signed: { signer, hash, record },
      });
    }
    case 'grants': {
      const record = decodeGrantsRecord(payload);
      if (record === undefined) return refused('malformed');
      if (!mayGrant) return refused('wrong-signer');
      return numbered(`grants/${signer}`, record.sequence, {
        kind: 'grants',
        signed: { signer, hash, record },
      });
    }
    case 'address': {
      const record = decodeAddressRecord(payload);
      if (record === undefined) return refused('malformed');
      if (owner === undefined) return refused('wrong-signer');
      return numbered(`address/${signer}`, record.sequence, {
        kind: 'address',
        signed: { signer, hash, record },
      });
    }
    case 'holds': {
      const record = decodeHoldsRecord(payload);
      if (record === undefined) return refused('malformed');
      if (owner === undefined) return refused('wrong-signer');
      return numbered(`holds/${signer}`, record.sequence, {
        kind: 'holds',
        signed: { signer, hash, record },
      });
    }
    case 'vote': {
      const record = decodeVoteRecord(payload);
      if (record === undefined) return refused('malformed');
      if (owner === undefined || record.about === signer) return refused('wrong-signer');
      const key = `vote/${signer}/${record.about}`;
      return numbered(key, record.sequence, { kind: 'vote', signed: { signer, hash, record } });
    }
    case 'receipt': {
      const record = decodeReceiptRecord(payload);
      if (record === undefined) return refused('malformed');
      if (owner === undefined || !isReceiptFor(roster, signer, record.owner)) return refused('wrong-signer');
      const key = receiptKey(signer, record.owner);
      return numbered(key, record.sequence, { kind: 'receipt', signed: { signer, hash, record } });
    }
    case 'zone': {
      const record = decodeZoneVersion(payload);
      if (record === undefined) return refused('malformed');
      if (!maySignZone(roster, signer, record)) return refused('wrong-signer');
      return {
        kind: 'ok',
        key: zoneRecordKey(record.owner, originText(record.origin)),
        epoch: record.epoch,
        sequence: record.sequence,
        record: { kind: 'zone', signed: { signer, hash, record } },
      };
    }
  }
}

/** By a box that may sign zones of this owner now, and under no later epoch than his own. */
function maySignZone(roster: Roster, signer: string, version: ZoneVersion): boolean {
  const owner = roster.members.get(roster.ownerOf.get(signer) ?? '');
  return (
    owner?.ownerId === version.owner &&
    boxMay(owner, signer, 'sign-zone') &&
    version.epoch <= owner.owner.record.epoch
  );
}

/** An invite that admitted somebody is part of how he came in, whoever signed it and whatever became of him. */
const inviteStands = (roster: Roster, signer: string, inviteId: string, hash: Uint8Array): boolean =>
  roster.invitesUsed.has(inviteId) || signatureStands(roster, signer, toHex(hash));

/** The key of an owner's record of one epoch; sorts by epoch. */
function ownerRecordKey(ownerId: string, epoch: number): string {
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
        return roster.ownerOf.has(signer);
      case 'receipt':
        return isReceiptFor(roster, signer, record.signed.record.owner);
    }
  };
  return [...knowledge.records].flatMap(([key, record]) => {
    const own = record.signed.signer === self && !roster.revoked.has(self);
    return own || stands(record) ? [] : [key];
  });
}

/** By a member's box, for another member. */
const isReceiptFor = (roster: Roster, signer: string, ownerId: string): boolean => {
  const by = roster.ownerOf.get(signer);
  return by !== undefined && by !== ownerId && roster.members.has(ownerId);
};

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

function countKind(knowledge: Knowledge, kind: KnownRecord['kind']): number {
  let count = 0;
  for (const record of knowledge.records.values()) if (record.kind === kind) count += 1;
  return count;
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
        record.kind !== 'receipt',
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
