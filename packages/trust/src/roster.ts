import { compareBytes } from '@copain/core';
import { maxMembers } from './limits.ts';
import type { InviteRecord, MemberRecord, RemovalRecord, RevocationRecord } from './membership-records.ts';
import { type OwnerState, resolveOwner } from './owner-chain.ts';
import type { BoxEntry, OwnerRecord } from './owner-record.ts';
import type { Role } from './record-kinds.ts';
import type { Signed } from './signed.ts';

/** A member record together with the owner record inside it, opened as well. */
export interface SignedMember extends Signed<MemberRecord> {
  ownerRecord: Signed<OwnerRecord>;
}

/** One person of the circle. `ownerId` is 64 hexadecimal characters. */
export interface Member {
  ownerId: string;
  /** Unique in this roster: a clash gets `-2`, `-3` …; see RosterView. */
  name: string;
  /** The owner record that counts now; `boxes` are its boxes, as far as no other owner had them first. */
  owner: Signed<OwnerRecord>;
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
  /** The same with those who were removed, and with revoked boxes: whose signature of before may count. */
  everOwnerOf: ReadonlyMap<string, string>;
  /** Boxes that their owner revoked: by PeerId the ids of what they had signed that stands. */
  revoked: ReadonlyMap<string, ReadonlySet<string>>;
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

/** What a set of signed records says about who is in: adds, removals, and owner records of later epochs than the first. */
export interface RosterRecords {
  members: readonly SignedMember[];
  removals: readonly Signed<RemovalRecord>[];
  owners: readonly Signed<OwnerRecord>[];
}

/**
 * The roster that a set of records describes, whatever order they came in: the founder, whose owner id is the
 * circle's id, and whoever a member's box admitted, without those who were removed. Two records that name one invite:
 * the lower hash wins. Two records of one owner are one member (the lower hash wins). Records that lead to nobody are
 * left out until they do.
 *
 * What a revoked box signed counts where the revocation says that it was seen; see `resolveOwner`.
 *
 * A removal is final. It counts for the circle when it is signed by the member himself, by who admitted him, or by two
 * members; for `self` and his boxes it counts as soon as he signed it. Whom the removed one admitted stays if the
 * signer of a removal that counts had seen it; his other adds are void, and so are his removals of others, but for
 * those of who removed him.
 */
export function computeRoster(circle: string, records: RosterRecords, view: RosterView): Roster {
  const everybody = admitted(circle, records, view, new Map());
  const standing = records.removals.filter(
    (one) => everybody.revoked.get(one.signer)?.has(view.toId(one.hash)) ?? true,
  );
  const first = countedRemovals(everybody, standing, view);
  if (first.size === 0) return everybody;
  // What somebody signed who is removed himself counts where that was seen when he was removed: he cannot take others
  // out afterwards, and those whom he took out before do not come back. Two who remove each other at once are both out:
  // else whoever is removed could undo it by removing, with a helper, those who did it.
  const counting = standing.filter((one) => {
    const by = everybody.everOwnerOf.get(one.signer) ?? '';
    const gone = first.get(by);
    if (gone === undefined || by === one.record.ownerId) return true;
    return gone.seen.has(view.toId(one.hash)) || gone.by.has(one.record.ownerId);
  });
  const removed = countedRemovals(everybody, counting, view);
  const { everOwnerOf } = everybody;
  return { ...admitted(circle, records, view, removed), everOwnerOf };
}

/** By owner id of who is removed: by whom, and those of his adds and removals that still count. */
type Removed = ReadonlyMap<string, { by: ReadonlySet<string>; seen: ReadonlySet<string> }>;

function countedRemovals(
  everybody: Roster,
  removals: readonly Signed<RemovalRecord>[],
  view: RosterView,
): Removed {
  const counted = new Map<string, { by: Set<string>; seen: Set<string> }>();
  for (const target of new Set(removals.map((one) => one.record.ownerId))) {
    const member = everybody.members.get(target);
    if (member === undefined) continue;
    const against = removals.flatMap((one) => {
      const by = one.record.ownerId === target ? everybody.everOwnerOf.get(one.signer) : undefined;
      return by === undefined ? [] : [{ by, seen: one.record.seen }];
    });
    const signers = new Set(against.map(({ by }) => by));
    const enough =
      signers.has(target) ||
      signers.has(view.self) ||
      (member.admittedBy !== undefined && signers.has(member.admittedBy)) ||
      signers.size >= 2;
    const seen = new Set(against.flatMap((one) => one.seen.map(view.toId)));
    if (enough) counted.set(target, { by: signers, seen });
  }
  return counted;
}

/** Adds members until no record leads to another one. Who is removed is followed, for those he admitted, and left out. */
function admitted(
  circle: string,
  records: RosterRecords,
  { toId, names: given }: RosterView,
  removed: Removed,
): Roster {
  const members = new Map<string, Member>();
  const ownerOf = new Map<string, string>();
  const revokedOf = new Map<string, string>();
  const revoked = new Map<string, ReadonlySet<string>>();
  const invitesUsed = new Set<string>();
  const names = new Set<string>(given.values());
  const states = new Map<string, OwnerState>();
  const stateOf = (first: Signed<OwnerRecord>): OwnerState => {
    const ownerId = toId(first.hash);
    const state = states.get(ownerId) ?? resolveOwner(first, records.owners, toId);
    states.set(ownerId, state);
    return state;
  };
  const waiting = records.members
    .filter((signed) => signed.record.circle === circle && ownerRecordFault(signed.ownerRecord) === undefined)
    .sort((a, b) => compareBytes(a.hash, b.hash));
  /** Whose add is this, if it counts? A removed one's, or a revoked box's, only where that was seen. */
  const admittedBy = (signed: SignedMember): string | undefined => {
    const id = toId(signed.hash);
    const by = ownerOf.get(signed.signer) ?? revokedOf.get(signed.signer);
    if (by === undefined || removed.get(by)?.seen.has(id) === false) return undefined;
    return revoked.get(signed.signer)?.has(id) === false ? undefined : by;
  };
  for (let grew = true; grew; ) {
    grew = false;
    for (const signed of waiting) {
      if (members.size >= maxMembers) break;
      const { record, signer, ownerRecord } = signed;
      const ownerId = toId(ownerRecord.hash);
      if (members.has(ownerId)) continue;
      const first = ownerRecord.record;
      const founds =
        ownerId === circle && record.inviteId === undefined && first.boxes.some((box) => box.peer === signer);
      const by = record.inviteId === undefined ? undefined : admittedBy(signed);
      const joins = by !== undefined && !invitesUsed.has(record.inviteId ?? '');
      if (!founds && !joins) continue;
      if (first.boxes.some((box) => ownerOf.has(box.peer) || revokedOf.has(box.peer))) continue;
      let name = given.get(ownerId) ?? record.name;
      for (let suffix = 2; !given.has(ownerId) && names.has(name); suffix++) {
        name = `${record.name.slice(0, 29)}-${suffix}`;
      }
      names.add(name);
      const state = stateOf(ownerRecord);
      const { keys } = state.current.record;
      const boxes = state.current.record.boxes.filter((box) => !ownerOf.has(box.peer));
      if (record.inviteId !== undefined) invitesUsed.add(record.inviteId);
      for (const one of state.path) {
        for (const { inviteId } of one.record.boxes) if (inviteId !== undefined) invitesUsed.add(inviteId);
      }
      members.set(ownerId, {
        ownerId,
        name,
        owner: state.current,
        boxes,
        sealTo: [
          ...boxes.filter((box) => box.roles.includes('mail')).map((box) => box.sealTo),
          ...keys.map((key) => key.sealTo),
        ],
        admittedBy: founds ? undefined : by,
        inviteId: record.inviteId,
      });
      for (const box of boxes) ownerOf.set(box.peer, ownerId);
      for (const [peer, seen] of state.revoked) {
        if (ownerOf.has(peer) || revokedOf.has(peer)) continue;
        revokedOf.set(peer, ownerId);
        revoked.set(peer, seen);
      }
      grew = true;
      // From the lowest hash again: who could not follow before him may do so now, and comes before who is higher.
      break;
    }
  }
  const everOwnerOf = new Map([...revokedOf, ...ownerOf]);
  for (const ownerId of removed.keys()) {
    for (const box of members.get(ownerId)?.boxes ?? []) ownerOf.delete(box.peer);
    members.delete(ownerId);
  }
  return { circle, members, ownerOf, everOwnerOf, revoked, invitesUsed };
}

export type InviteState = 'open' | 'used' | 'expired' | 'revoked';

/**
 * Does what this signer signed once, and need not sign again, stand: an invite, its revocation? A box that was revoked
 * since: where the revocation says that it was seen.
 */
export function signatureStands(roster: Roster, signer: string, recordId: string): boolean {
  return roster.ownerOf.has(signer) || roster.revoked.get(signer)?.has(recordId) === true;
}

/** What may be done with an invite now. A revocation counts when it comes from the inviter's own boxes. */
export function inviteState(
  invite: Signed<InviteRecord>,
  known: { roster: Roster; revocations: readonly Signed<RevocationRecord>[] },
  nowMs: number,
): InviteState {
  const { roster, revocations } = known;
  if (roster.invitesUsed.has(invite.record.id)) return 'used';
  const inviter = roster.everOwnerOf.get(invite.signer);
  const revoked = revocations.some(
    (one) => one.record.inviteId === invite.record.id && roster.everOwnerOf.get(one.signer) === inviter,
  );
  if (revoked) return 'revoked';
  return nowMs >= invite.record.expiresAtMs ? 'expired' : 'open';
}
