import { type Knowledge, recordsOf } from './known-records.ts';
import { lostItsInvite } from './lost-invite.ts';

/**
 * Whether this box is in its circle, and if not, what took it out. `by`: owner ids of those who removed its owner; of a
 * member, those who removed him for themselves alone.
 */
export interface Membership {
  state: 'member' | 'revoked' | 'removed' | 'invite-taken';
  by: string[];
}

/** What the records say of this box now. `peer`: its PeerId. */
export function membershipOf(knowledge: Knowledge, peer: string): Membership {
  const { roster, self } = knowledge;
  if (roster.revoked.has(peer)) return { state: 'revoked', by: [] };
  const removals = recordsOf(knowledge, 'removal').filter(({ signed }) => signed.record.ownerId === self);
  const by = [...new Set(removals.flatMap(({ signed }) => roster.everOwnerOf.get(signed.signer) ?? []))];
  if (roster.members.has(self)) return { state: 'member', by };
  // Before it founded its circle a box is no member either; nothing was taken from it.
  if (by.length === 0) {
    return { state: lostItsInvite(knowledge, roster.members.size > 0) ? 'invite-taken' : 'member', by };
  }
  return { state: 'removed', by };
}
