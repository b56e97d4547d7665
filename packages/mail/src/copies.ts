import { smallAndOldFirst } from './drain.ts';
import { recordMaxBytes } from './limits.ts';
import type { HeldMessage } from './spool.ts';

/** What a friend knows of one domain whose mail lies with him. */
export interface KeepingView {
  /** Does this box keep mail for it: offered by it, granted to it? */
  isBackup: boolean;
  /** On how many friends' disks its owner wants each message. */
  copies: number;
  /** What may lie here for it; above that, mail goes to another friend. */
  maxBytes: number;
}

/** `copy`: another friend is to have it too. `give`: another friend is to answer for it, and then it goes from here. */
export interface CopyTask {
  id: string;
  what: 'copy' | 'give';
}

/**
 * What is to be brought to other friends, in order: everything of a domain that this box keeps no mail for any more, the
 * newest of what is above the quota, and what lies here alone while its owner wants two copies.
 */
export function planCopies(
  messages: Iterable<HeldMessage>,
  viewOf: (message: HeldMessage) => KeepingView,
): CopyTask[] {
  const byDomain = Map.groupBy(messages, ({ ownerId, domain }) => `${ownerId} ${domain}`);
  const tasks: { task: CopyTask; message: HeldMessage }[] = [];
  for (const group of byDomain.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const { isBackup, copies, maxBytes } = viewOf(first);
    const leaving = isBackup ? aboveQuota(group, maxBytes) : new Set(group);
    for (const message of group) {
      if (message.asking !== undefined) continue;
      const { id } = message;
      if (leaving.has(message)) tasks.push({ task: { id, what: 'give' }, message });
      else if (copies > 1 && message.copyAt === undefined)
        tasks.push({ task: { id, what: 'copy' }, message });
    }
  }
  return tasks.sort((a, b) => smallAndOldFirst(a.message, b.message)).map(({ task }) => task);
}

/** The newest messages, as many as have to go until the rest is within the quota. */
function aboveQuota(messages: readonly HeldMessage[], maxBytes: number): Set<HeldMessage> {
  let total = messages.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const leaving = new Set<HeldMessage>();
  if (total <= maxBytes) return leaving;
  for (const message of messages.toSorted(
    (a, b) => b.receivedAtMs - a.receivedAtMs || (a.id < b.id ? 1 : -1),
  )) {
    if (total <= maxBytes) break;
    leaving.add(message);
    total -= message.sizeBytes;
  }
  return leaving;
}

/** A friend's box that can be talked to and keeps mail of the same domain. */
export interface CopyFriend {
  peer: string;
  ownerId: string;
}

/**
 * The friends in the order in which they are asked to take a message: by its tag, so that the copies of one owner's mail
 * spread over all friends, and the same friend is asked again after a restart. Whoever has it already comes first where
 * the message is to leave: nothing has to travel then.
 */
export function friendsInTurn<T extends CopyFriend>(
  friends: readonly T[],
  { tags, copyAt }: Pick<HeldMessage, 'tags' | 'copyAt'>,
): T[] {
  const sorted = friends.toSorted((a, b) => (a.peer < b.peer ? -1 : 1));
  const start = Number.parseInt((tags[0] ?? '0').slice(0, 8), 16) % Math.max(1, sorted.length);
  const turned = [...sorted.slice(start), ...sorted.slice(0, start)];
  const has = ({ ownerId }: CopyFriend): boolean => ownerId === copyAt;
  return [...turned.filter(has), ...turned.filter((friend) => !has(friend))];
}

/** Why a friend does not take a copy. */
export type CopyRefusal =
  | 'no backup'
  | 'no room'
  | 'leaving'
  | 'too large'
  | 'disk trouble'
  | 'busy'
  | 'damaged';

/** What the friend who is asked knows. */
export interface OfferView {
  /** Does this box keep mail for that owner and domain? */
  isBackup: boolean;
  /** And does whoever asks? */
  senderIsBackup: boolean;
  /** Those of the messages here that have the offered tags; undefined where some tag is not here. */
  same: readonly Pick<HeldMessage, 'asking'>[] | undefined;
  heldBytes: number;
  maxBytes: number;
  isDiskLow: boolean;
}

/**
 * The answer to an offered copy. A message that this box is giving away itself is none that anybody may rely on: two
 * friends who give each other the same message would both drop it. And while a third one is asked whether he has it too, it
 * is not taken over: his answer could be about the very copy that came here. Whoever keeps no mail for the owner any more
 * may give what he has, up to half of the room, so that no member can fill it.
 */
export function judgeOffer(
  { give, sizeBytes }: { give: boolean; sizeBytes: number },
  view: OfferView,
): { kind: 'have' } | { kind: 'want' } | { kind: 'not'; why: CopyRefusal } {
  const { isBackup, senderIsBackup, same, heldBytes, maxBytes, isDiskLow } = view;
  if (!isBackup || (!senderIsBackup && !give)) return { kind: 'not', why: 'no backup' };
  if (same !== undefined) {
    if (same.some(({ asking }) => asking?.give)) return { kind: 'not', why: 'leaving' };
    if (give && same.some(({ asking }) => asking)) return { kind: 'not', why: 'busy' };
    return { kind: 'have' };
  }
  if (sizeBytes > recordMaxBytes) return { kind: 'not', why: 'too large' };
  if (isDiskLow) return { kind: 'not', why: 'disk trouble' };
  const mostBytes = senderIsBackup ? maxBytes : maxBytes / 2;
  return heldBytes + sizeBytes > mostBytes ? { kind: 'not', why: 'no room' } : { kind: 'want' };
}
