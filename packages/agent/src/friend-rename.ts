import { isName, visible } from '@copain/core';
import type { Knowledge } from './known-records.ts';

/** Who is to be called what from now on, or why not. */
export type FriendRename = { kind: 'ok'; ownerId: string } | { kind: 'refused'; why: string };

/**
 * May this box call the friend `name` by another name? Names are this box's own: nobody else hears of it. The name of
 * somebody who is gone may be given again, as to a friend who came back with new keys.
 */
export function judgeRename(
  { roster, self }: Pick<Knowledge, 'roster' | 'self'>,
  { name, to, ownName }: { name: string; to: string; ownName: string },
): FriendRename {
  const refused = (why: string): FriendRename => ({ kind: 'refused', why });
  const members = [...roster.members.values()];
  const friend = members.find((one) => one.name === name && one.ownerId !== self);
  if (friend === undefined) return refused(`there is no friend called ${visible(name)}`);
  if (!isName(to)) {
    return refused(`"${visible(to)}" is no name: a-z, 0-9 and -, 1 to 32 characters, no - at either end`);
  }
  if (to === ownName || roster.members.get(self)?.name === to) return refused(`${to} is this box itself`);
  if (members.some((one) => one.name === to && one !== friend)) return refused(`${to} is another friend`);
  return { kind: 'ok', ownerId: friend.ownerId };
}
