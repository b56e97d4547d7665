import { type Knowledge, recordsOf } from './known-records.ts';
import { lostItsInvite } from './lost-invite.ts';

/**
 * Whether this box is in its circle, and if not, what took it out. `by`: owner ids of those who removed its owner; of a
 * member, those who removed him for themselves alone.
 */
export interface Membership {
  state: 'member' | 'revoked' | 'removed' | 'invite-taken';
  by: string[];
  /** When the last of them did, by his own clock; undefined where none of his records says. */
  atMs: number | undefined;
}

/** What the records say of this box now. `peer`: its PeerId. */
export function membershipOf(knowledge: Knowledge, peer: string): Membership {
  const { roster, self } = knowledge;
  if (roster.revoked.has(peer)) return { state: 'revoked', by: [], atMs: undefined };
  const removals = recordsOf(knowledge, 'removal').filter(({ signed }) => signed.record.ownerId === self);
  const by = [...new Set(removals.flatMap(({ signed }) => roster.everOwnerOf.get(signed.signer) ?? []))];
  const dates = removals.flatMap(({ signed }) => signed.record.atMs ?? []);
  const atMs = dates.length === 0 ? undefined : Math.max(...dates);
  if (roster.members.has(self)) return { state: 'member', by, atMs };
  // Before it founded its circle a box is no member either; nothing was taken from it.
  if (by.length === 0) {
    return { state: lostItsInvite(knowledge, roster.members.size > 0) ? 'invite-taken' : 'member', by, atMs };
  }
  return { state: 'removed', by, atMs };
}
