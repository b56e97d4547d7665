import { compareBytes } from '@copain/core';
import { maxMembers } from './limits.ts';
import type { BoxEntry, InviteRecord, MemberRecord, OwnerRecord, RevocationRecord, Role } from './records.ts';

/** A record whose envelope was opened: who signed it, what it says, and the SHA-256 of its payload. */
export interface Signed<T> {
  signer: string;
  hash: Uint8Array;
  record: T;
}

/** A member record together with the owner record inside it, opened as well. */
export interface SignedMember extends Signed<MemberRecord> {
  ownerRecord: Signed<OwnerRecord>;
}

/** One person of the circle. `ownerId` is 64 hexadecimal characters. */
export interface Member {
  ownerId: string;
  /** Unique in this roster: a clash gets `-2`, `-3` …, in the order of the record hashes. */
  name: string;
  boxes: BoxEntry[];
  /** Age recipients that mail for this owner is sealed to: his boxes with role mail, his owner key, his paper key. */
  sealTo: string[];
  admittedBy: string | undefined;
  inviteId: string | undefined;
}

/** Who is in the circle. The roster gives contact, never authority. */
export interface Roster {
  circle: string;
  members: ReadonlyMap<string, Member>;
  /** Of every box of every member: whose it is. */
  ownerOf: ReadonlyMap<string, string>;
}

/** Why an owner record may not speak for its owner, or undefined where it may: the signer must be one of its keys. */
export function ownerRecordFault(signed: Signed<OwnerRecord>): string | undefined {
  if (!signed.record.keys.some((key) => key.peer === signed.signer))
    return 'signed by a key that it does not name';
  if (signed.record.epoch !== 0) return 'an epoch whose predecessors are not known';
  return undefined;
}

/** May `peer` act for `member` in this role? */
export function boxMay(member: Member, peer: string, role: Role): boolean {
  return member.boxes.some((box) => box.peer === peer && box.roles.includes(role));
}

/**
 * The roster that a set of member records describes, whatever order they came in: the founder, whose owner id is the
 * circle's id, and whoever a member's box admitted. Two records that name one invite: the lower hash wins. Two records
 * of one owner are one member (the lower hash wins). Records that lead to nobody are left out until they do.
 * `toId` turns a hash into an id (hexadecimal).
 */
export function computeRoster(
  circle: string,
  records: readonly SignedMember[],
  toId: (hash: Uint8Array) => string,
): Roster {
  const members = new Map<string, Member>();
  const ownerOf = new Map<string, string>();
  const invitesUsed = new Set<string>();
  const names = new Set<string>();
  const waiting = records
    .filter((signed) => signed.record.circle === circle && ownerRecordFault(signed.ownerRecord) === undefined)
    .sort((a, b) => compareBytes(a.hash, b.hash));
  for (let grew = true; grew; ) {
    grew = false;
    for (const signed of waiting) {
      if (members.size >= maxMembers) break;
      const { record, signer, ownerRecord } = signed;
      const ownerId = toId(ownerRecord.hash);
      if (members.has(ownerId)) continue;
      const owned = ownerRecord.record;
      const founds =
        ownerId === circle && record.inviteId === undefined && owned.boxes.some((box) => box.peer === signer);
      const admitted =
        record.inviteId !== undefined && ownerOf.has(signer) && !invitesUsed.has(record.inviteId);
      if (!founds && !admitted) continue;
      if (owned.boxes.some((box) => ownerOf.has(box.peer))) continue;
      let name = record.name;
      for (let suffix = 2; names.has(name); suffix++) name = `${record.name.slice(0, 29)}-${suffix}`;
      names.add(name);
      if (record.inviteId !== undefined) invitesUsed.add(record.inviteId);
      members.set(ownerId, {
        ownerId,
        name,
        boxes: owned.boxes,
        sealTo: [
          ...owned.boxes.filter((box) => box.roles.includes('mail')).map((box) => box.sealTo),
          ...owned.keys.map((key) => key.sealTo),
        ],
        admittedBy: founds ? undefined : ownerOf.get(signer),
        inviteId: record.inviteId,
      });
      for (const box of owned.boxes) ownerOf.set(box.peer, ownerId);
      grew = true;
    }
  }
  return { circle, members, ownerOf };
}

export type InviteState = 'open' | 'used' | 'expired' | 'revoked';

/** What may be done with an invite now. A revocation counts when it comes from the inviter's own boxes. */
export function inviteState(
  invite: Signed<InviteRecord>,
  known: { roster: Roster; revocations: readonly Signed<RevocationRecord>[] },
  nowMs: number,
): InviteState {
  const { roster, revocations } = known;
  for (const member of roster.members.values()) if (member.inviteId === invite.record.id) return 'used';
  const inviter = roster.ownerOf.get(invite.signer);
  const revoked = revocations.some(
    (one) => one.record.inviteId === invite.record.id && roster.ownerOf.get(one.signer) === inviter,
  );
  if (revoked) return 'revoked';
  return nowMs >= invite.record.expiresAtMs ? 'expired' : 'open';
}
