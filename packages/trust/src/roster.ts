import { compareBytes } from '@copain/core';
import { maxMembers } from './limits.ts';
import type {
  BoxEntry,
  InviteRecord,
  MemberRecord,
  OwnerRecord,
  RemovalRecord,
  RevocationRecord,
  Role,
} from './records.ts';

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
  /** Unique in this roster: a clash gets `-2`, `-3` …; see RosterView. */
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
  /** The same with those who were removed: whose signature under a removal may count. */
  everOwnerOf: ReadonlyMap<string, string>;
  /** Ids of the invites that admitted somebody, whether he is still a member or not. */
  invitesUsed: ReadonlySet<string>;
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
 * What a box brings along: `self` is its owner, `names` whom it calls what already. A name once given stays with its
 * owner, since configuration and people mean that person by it; a newcomer of the same name gets the `-2`.
 */
export interface RosterView {
  self: string;
  names: ReadonlyMap<string, string>;
  toId: (hash: Uint8Array) => string;
}

/** What a set of signed records says about who is in: adds, and removals. */
export interface RosterRecords {
  members: readonly SignedMember[];
  removals: readonly Signed<RemovalRecord>[];
}

/**
 * The roster that a set of records describes, whatever order they came in: the founder, whose owner id is the
 * circle's id, and whoever a member's box admitted, without those who were removed. Two records that name one invite:
 * the lower hash wins. Two records of one owner are one member (the lower hash wins). Records that lead to nobody are
 * left out until they do.
 *
 * A removal is final. It counts for the circle when it is signed by the member himself, by who admitted him, or by two
 * members; for `self` and his boxes it counts as soon as he signed it. Whom the removed one admitted stays if the
 * signer of a removal that counts had seen it; his other adds are void.
 */
export function computeRoster(circle: string, records: RosterRecords, view: RosterView): Roster {
  const everybody = admitted(circle, records.members, view, new Map());
  const first = countedRemovals(everybody, records.removals, view);
  if (first.size === 0) return { ...everybody, everOwnerOf: everybody.ownerOf };
  // What somebody signed who is removed himself counts where that was seen when he was removed: he cannot take others
  // out afterwards, and those whom he took out before do not come back.
  const standing = records.removals.filter((one) => {
    const by = everybody.ownerOf.get(one.signer) ?? '';
    return by === one.record.ownerId || (first.get(by)?.has(view.toId(one.hash)) ?? true);
  });
  const removed = countedRemovals(everybody, standing, view);
  return { ...admitted(circle, records.members, view, removed), everOwnerOf: everybody.ownerOf };
}

/** By owner id of who is removed: those of his adds and removals that still count. */
type Removed = ReadonlyMap<string, ReadonlySet<string>>;

function countedRemovals(
  everybody: Omit<Roster, 'everOwnerOf'>,
  removals: readonly Signed<RemovalRecord>[],
  view: RosterView,
): Removed {
  const counted = new Map<string, Set<string>>();
  for (const target of new Set(removals.map((one) => one.record.ownerId))) {
    const member = everybody.members.get(target);
    if (member === undefined) continue;
    const against = removals.flatMap((one) => {
      const by = one.record.ownerId === target ? everybody.ownerOf.get(one.signer) : undefined;
      return by === undefined ? [] : [{ by, seen: one.record.seen }];
    });
    const signers = new Set(against.map(({ by }) => by));
    const enough =
      signers.has(target) ||
      signers.has(view.self) ||
      (member.admittedBy !== undefined && signers.has(member.admittedBy)) ||
      signers.size >= 2;
    if (enough) counted.set(target, new Set(against.flatMap(({ seen }) => seen.map(view.toId))));
  }
  return counted;
}

/** Adds members until no record leads to another one. Who is removed is followed, for those he admitted, and left out. */
function admitted(
  circle: string,
  records: readonly SignedMember[],
  { toId, names: given }: RosterView,
  removed: Removed,
): Omit<Roster, 'everOwnerOf'> {
  const members = new Map<string, Member>();
  const ownerOf = new Map<string, string>();
  const invitesUsed = new Set<string>();
  const names = new Set<string>(given.values());
  const waiting = records
    .filter((signed) => signed.record.circle === circle && ownerRecordFault(signed.ownerRecord) === undefined)
    .sort((a, b) => compareBytes(a.hash, b.hash));
  /** May this signer's record add somebody? A removed one's only where the removal says that it was seen. */
  const mayAdmit = (signed: SignedMember): boolean => {
    const by = ownerOf.get(signed.signer);
    if (by === undefined) return false;
    return removed.get(by)?.has(toId(signed.hash)) ?? true;
  };
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
      const joins = record.inviteId !== undefined && mayAdmit(signed) && !invitesUsed.has(record.inviteId);
      if (!founds && !joins) continue;
      if (owned.boxes.some((box) => ownerOf.has(box.peer))) continue;
      let name = given.get(ownerId) ?? record.name;
      for (let suffix = 2; !given.has(ownerId) && names.has(name); suffix++) {
        name = `${record.name.slice(0, 29)}-${suffix}`;
      }
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
  for (const ownerId of removed.keys()) {
    for (const box of members.get(ownerId)?.boxes ?? []) ownerOf.delete(box.peer);
    members.delete(ownerId);
  }
  return { circle, members, ownerOf, invitesUsed };
}

export type InviteState = 'open' | 'used' | 'expired' | 'revoked';

/** What may be done with an invite now. A revocation counts when it comes from the inviter's own boxes. */
export function inviteState(
  invite: Signed<InviteRecord>,
  known: { roster: Roster; revocations: readonly Signed<RevocationRecord>[] },
  nowMs: number,
): InviteState {
  const { roster, revocations } = known;
  if (roster.invitesUsed.has(invite.record.id)) return 'used';
  const inviter = roster.ownerOf.get(invite.signer);
  const revoked = revocations.some(
    (one) => one.record.inviteId === invite.record.id && roster.ownerOf.get(one.signer) === inviter,
  );
  if (revoked) return 'revoked';
  return nowMs >= invite.record.expiresAtMs ? 'expired' : 'open';
}
