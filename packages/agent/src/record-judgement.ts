import { equalBytes, toHex } from '@copain/core';
import { decodeZoneVersion } from '@copain/dns';
import {
  boxMay,
  decodeAddressRecord,
  decodeGrantsRecord,
  decodeHoldsRecord,
  decodeInviteRecord,
  decodeMemberRecord,
  decodeOffersRecord,
  decodeOwnerRecord,
  decodeProbesRecord,
  decodeReceiptRecord,
  decodeRemovalRecord,
  decodeRevocationRecord,
  decodeServicesRecord,
  decodeSwapRecord,
  decodeTakeoverRecord,
  decodeVoteRecord,
  inviteIdOf,
  maxMembers,
  maxZonesPerOwner,
  type OwnerRecord,
  ownerKeyOf,
  ownerRecordFault,
  ownerRecordRank,
  type RecordKind,
  type Sha256,
  type Signed,
  type SwapRecord,
  signatureStands,
  takeoverRank,
} from '@copain/trust';
import {
  inviteStands,
  isReceiptFor,
  type Knowledge,
  type KnownRecord,
  maySignZone,
  originText,
  ownerRecordKey,
  ownerStateOf,
  receiptKey,
  serviceKey,
  takeoverStands,
  zoneRecordKey,
} from './known-records.ts';

/*
 * Steps `signer` to `version` of a record's way in, each a function, in the order in which a record meets them:
 * `judgeSigner` by the envelope alone, `readBody`, `judgeCircle`, `judgeRecord`. The envelope was checked before, and
 * said only that somebody signed; here that somebody is compared with who may.
 */

/** An opened envelope of some kind: `hash` is the SHA-256 of the payload. */
export interface SealedRecord {
  kind: RecordKind;
  signer: string;
  hash: Uint8Array;
  payload: Uint8Array;
}

/** What a payload of each kind says. */
export type RecordBody = {
  [K in KnownRecord['kind']]: {
    kind: K;
    record: Extract<KnownRecord, { kind: K }>['signed']['record'];
  };
}[KnownRecord['kind']];

/**
 * What was found of the signatures inside a record. `ownerRecord`: of a member record, the owner record in it, where its
 * envelope opens. `hold`: the invite's own key signed this admission, or every key proof of an owner record is by its key.
 */
export interface InnerProofs {
  ownerRecord: Signed<OwnerRecord> | undefined;
  hold: boolean;
  /** Of a takeover record, the votes in it whose envelopes open. */
  votes: Signed<SwapRecord>[];
}

export type RefusalReason =
  | 'malformed'
  | 'wrong-signer'
  | 'wrong-circle'
  | 'bad-proof'
  | 'superseded'
  | 'too-many';

/** May this record count here? `key`, `epoch` and `sequence` say what it replaces. */
export type RecordJudgement =
  | { kind: 'ok'; key: string; epoch: number; sequence: number; record: KnownRecord }
  | { kind: 'refused'; why: RefusalReason };

const refused = (why: RefusalReason): RecordJudgement => ({ kind: 'refused', why });

/** Member records that one member's boxes signed, and those by signers who are nobody (yet): a chain may arrive from its end. */
const maxMemberRecords = 4 * maxMembers;

/**
 * Records that one box may have signed beside its zones: its numbered ones, a vote about each friend, the invites and
 * members of years. Nobody fills what the whole circle shares.
 */
const maxRecordsPerSigner = 600;

/**
 * May this key sign anything of this kind here, now? By the envelope alone: of whoever may not, not a byte of what he
 * says is read. Only for `member` this cannot be known yet, since whoever admits may become known later; a member record
 * is judged by the proofs in it.
 */
export function judgeSigner(knowledge: Knowledge, sealed: SealedRecord): RefusalReason | undefined {
  const { roster } = knowledge;
  const { kind, signer, hash } = sealed;
  const owner = roster.members.get(roster.ownerOf.get(signer) ?? '');
  const mayIf = (may: boolean): RefusalReason | undefined => (may ? undefined : 'wrong-signer');
  switch (kind) {
    case 'member':
      return undefined;
    case 'owner':
      return mayIf(isOwnersKey(knowledge, signer));
    // Who was removed may have signed before; whether that counts is for the roster to say.
    case 'removal':
    case 'invite':
      return mayIf(roster.everOwnerOf.has(signer));
    case 'revocation':
      return mayIf(signatureStands(roster, signer, toHex(hash)));
    case 'offers':
    case 'address':
    case 'holds':
    case 'vote':
    case 'receipt':
    case 'probes':
    case 'swap':
    case 'takeover':
      return mayIf(owner !== undefined);
    case 'grants':
      return mayIf(owner !== undefined && boxMay(owner, signer, 'sign-grant'));
    case 'zone':
    case 'services':
      return mayIf(owner !== undefined && boxMay(owner, signer, 'sign-zone'));
  }
}

/** Is this an owner key or a paper key that some record known here names? Every next owner record is by one of them. */
function isOwnersKey(knowledge: Knowledge, signer: string): boolean {
  for (const record of knowledge.records.values()) {
    const named =
      record.kind === 'member'
        ? record.signed.ownerRecord.record.keys
        : record.kind === 'owner'
          ? record.signed.record.keys
          : [];
    if (named.some(({ peer }) => peer === signer)) return true;
  }
  return false;
}

/** Step `form`: what the payload says, or undefined where it is not exactly one of its kind. */
export function readBody({ kind, payload }: Pick<SealedRecord, 'kind' | 'payload'>): RecordBody | undefined {
  const body = <K extends RecordKind, R>(one: K, record: R | undefined) =>
    record === undefined ? undefined : { kind: one, record };
  switch (kind) {
    case 'member':
      return body(kind, decodeMemberRecord(payload));
    case 'owner': {
      const record = decodeOwnerRecord(payload);
      // The first one of an owner travels inside his member record alone.
      return record?.ownerId === undefined ? undefined : { kind, record };
    }
    case 'removal':
      return body(kind, decodeRemovalRecord(payload));
    case 'invite':
      return body(kind, decodeInviteRecord(payload));
    case 'revocation':
      return body(kind, decodeRevocationRecord(payload));
    case 'offers':
      return body(kind, decodeOffersRecord(payload));
    case 'grants':
      return body(kind, decodeGrantsRecord(payload));
    case 'address':
      return body(kind, decodeAddressRecord(payload));
    case 'holds':
      return body(kind, decodeHoldsRecord(payload));
    case 'vote':
      return body(kind, decodeVoteRecord(payload));
    case 'receipt':
      return body(kind, decodeReceiptRecord(payload));
    case 'probes':
      return body(kind, decodeProbesRecord(payload));
    case 'services':
      return body(kind, decodeServicesRecord(payload));
    case 'swap':
      return body(kind, decodeSwapRecord(payload));
    case 'takeover':
      return body(kind, decodeTakeoverRecord(payload));
    case 'zone':
      return body(kind, decodeZoneVersion(payload));
  }
}

/** Records about the membership say which circle they are for. Asked before the signatures inside are checked, which cost. */
export function judgeCircle(knowledge: Knowledge, body: RecordBody): RefusalReason | undefined {
  return 'circle' in body.record && body.record.circle !== knowledge.circle ? 'wrong-circle' : undefined;
}

/**
 * May this signer say this, of whom it is about, and what does it replace? `judgeSigner`, `readBody` and `judgeCircle`
 * found nothing before, and `proofs` is what the caller found of the signatures inside.
 */
export function judgeRecord(
  knowledge: Knowledge,
  sealed: SealedRecord & { body: RecordBody; proofs: InnerProofs },
  sha256: Sha256,
): RecordJudgement {
  const judgement = judgeContent(knowledge, sealed, sha256);
  if (judgement.kind === 'refused' || knowledge.records.has(judgement.key)) return judgement;
  const { signer } = sealed;
  if (judgement.record.kind === 'member' && isMemberQuotaFull(knowledge, signer)) return refused('too-many');
  const isZone = judgement.record.kind === 'zone';
  let signed = 0;
  for (const record of knowledge.records.values()) {
    if (record.signed.signer === signer && (record.kind === 'zone') === isZone) signed += 1;
  }
  return signed < (isZone ? maxZonesPerOwner : maxRecordsPerSigner) ? judgement : refused('too-many');
}

/**
 * Whoever is nobody shares one quota with all who are nobody, so that made-up signers cannot keep the members from
 * admitting anybody; and each member has one of his own.
 */
function isMemberQuotaFull(knowledge: Knowledge, signer: string): boolean {
  const { everOwnerOf } = knowledge.roster;
  const by = everOwnerOf.get(signer);
  let count = 0;
  for (const record of knowledge.records.values()) {
    if (record.kind === 'member' && everOwnerOf.get(record.signed.signer) === by) count += 1;
  }
  return count >= maxMemberRecords;
}

function judgeContent(
  knowledge: Knowledge,
  sealed: SealedRecord & { body: RecordBody; proofs: InnerProofs },
  sha256: Sha256,
): RecordJudgement {
  const { roster } = knowledge;
  const { signer, hash, body, proofs } = sealed;
  const taken = (record: KnownRecord, key: string, sequence = 0, epoch = 0): RecordJudgement => ({
    kind: 'ok',
    key,
    epoch,
    sequence,
    record,
  });
  switch (body.kind) {
    case 'owner':
      return judgeOwner(knowledge, { signer, hash, record: body.record }, proofs);
    case 'member':
      return judgeMember(knowledge, { signer, hash, record: body.record }, proofs, sha256);
    case 'removal': {
      const { kind, record } = body;
      return taken({ kind, signed: { signer, hash, record } }, `removal/${record.ownerId}/${signer}`);
    }
    case 'invite': {
      const { kind, record } = body;
      if (!inviteStands(roster, signer, record.id, hash)) return refused('wrong-signer');
      if (inviteIdOf(record.key, sha256) !== record.id) return refused('malformed');
      return taken({ kind, signed: { signer, hash, record } }, `invite/${record.id}`);
    }
    case 'revocation': {
      const { kind, record } = body;
      return taken({ kind, signed: { signer, hash, record } }, `revocation/${record.inviteId}/${signer}`);
    }
    case 'offers': {
      const { kind, record } = body;
      return taken({ kind, signed: { signer, hash, record } }, `offers/${signer}`, record.sequence);
    }
    case 'grants': {
      const { kind, record } = body;
      return taken({ kind, signed: { signer, hash, record } }, `grants/${signer}`, record.sequence);
    }
    case 'address': {
      const { kind, record } = body;
      return taken({ kind, signed: { signer, hash, record } }, `address/${signer}`, record.sequence);
    }
    case 'holds': {
      const { kind, record } = body;
      return taken({ kind, signed: { signer, hash, record } }, `holds/${signer}`, record.sequence);
    }
    case 'vote': {
      const { kind, record } = body;
      if (record.about === signer) return refused('wrong-signer');
      const key = `vote/${signer}/${record.about}`;
      return taken({ kind, signed: { signer, hash, record } }, key, record.sequence);
    }
    case 'receipt': {
      const { kind, record } = body;
      if (!isReceiptFor(roster, signer, record.owner)) return refused('wrong-signer');
      const key = receiptKey(signer, record.owner);
      return taken({ kind, signed: { signer, hash, record } }, key, record.sequence);
    }
    case 'probes': {
      const { kind, record } = body;
      return taken({ kind, signed: { signer, hash, record } }, `probes/${signer}`, record.sequence);
    }
    case 'services': {
      const { kind, record } = body;
      return taken({ kind, signed: { signer, hash, record } }, `services/${signer}`, record.sequence);
    }
    case 'swap': {
      const { kind, record } = body;
      const key = `swap/${signer}/${serviceKey(record.about, record.service)}`;
      return taken({ kind, signed: { signer, hash, record } }, key, record.sequence);
    }
    case 'takeover': {
      const { kind, record } = body;
      const signed = { signer, hash, record, votes: proofs.votes };
      if (!takeoverStands(roster, signed)) return refused('bad-proof');
      const key = `takeover/${serviceKey(record.about, record.service)}`;
      return taken({ kind, signed }, key, takeoverRank(hash), record.number);
    }
    case 'zone': {
      const { kind, record } = body;
      if (!maySignZone(roster, signer, record)) return refused('wrong-signer');
      const key = zoneRecordKey(record.owner, originText(record.origin));
      return taken({ kind, signed: { signer, hash, record } }, key, record.sequence, record.epoch);
    }
  }
}

/** A record on the owner's path, by the key in force there. */
function judgeOwner(knowledge: Knowledge, signed: Signed<OwnerRecord>, proofs: InnerProofs): RecordJudgement {
  const { signer, hash, record } = signed;
  if (!proofs.hold) return refused('bad-proof');
  const ownerId = record.ownerId ?? '';
  const state = ownerStateOf(knowledge, ownerId, [signed]);
  if (state === undefined) return refused('wrong-signer');
  const at = state.path.indexOf(signed);
  const before = state.path[at - 1];
  const isKnown = state.path.some((one) => equalBytes(one.hash, hash));
  if (before === undefined && !isKnown) return refused('superseded');
  const paper = before !== undefined && ownerKeyOf(before.record, 'paper').peer === signer;
  return {
    kind: 'ok',
    key: ownerRecordKey(ownerId, record.epoch),
    epoch: record.epoch,
    sequence: ownerRecordRank(paper ? 'paper' : 'owner', hash),
    record: { kind: 'owner', signed },
  };
}

/** Whoever admits cannot make up that somebody redeemed an invite: the invite's own key says so, to him. */
function judgeMember(
  knowledge: Knowledge,
  { signer, hash, record }: Signed<Extract<RecordBody, { kind: 'member' }>['record']>,
  { ownerRecord, hold }: InnerProofs,
  sha256: Sha256,
): RecordJudgement {
  if (ownerRecord === undefined || ownerRecordFault(ownerRecord) !== undefined) return refused('malformed');
  const isHis = (peer: string): boolean => ownerRecord.record.boxes.some((box) => box.peer === peer);
  const { redeemed } = record;
  if (redeemed === undefined) {
    // Without an invite only the founder is in, by his own word.
    const founds = toHex(ownerRecord.hash) === knowledge.circle && isHis(signer);
    if (!founds) return refused('wrong-signer');
  } else if (!hold || !isHis(redeemed.joiner) || inviteIdOf(redeemed.key, sha256) !== record.inviteId) {
    return refused('bad-proof');
  }
  return {
    kind: 'ok',
    key: `member/${toHex(hash)}`,
    epoch: 0,
    sequence: 0,
    record: { kind: 'member', signed: { signer, hash, record, ownerRecord } },
  };
}
