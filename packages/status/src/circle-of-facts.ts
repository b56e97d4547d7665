import type { FriendFacts, MailFacts, StatusFacts, ZoneFacts } from './facts.ts';
import { statusLimits } from './limits.ts';

/** What the judgement of one zone or domain needs to know about the circle. */
export interface Circle {
  facts: StatusFacts;
  nowMs: number;
  friends: ReadonlyMap<string, FriendFacts>;
  isOld: boolean;
}

/** The facts, ready for being judged. */
export function openCircle(facts: StatusFacts, nowMs: number): Circle {
  const friends = new Map(facts.friends.map((friend) => [friend.name, friend]));
  return { facts, nowMs, friends, isOld: nowMs - facts.startedAtMs >= statusLimits.startGraceMs };
}

/** Can strangers count on this friend's box now? */
export function isThere({ friends, isOld }: Circle, name: string): boolean {
  const state = friends.get(name)?.state;
  if (state === 'unknown') return !isOld;
  return state === 'up' || state === 'slow' || state === 'suspect' || state === 'partial';
}

/** Friends who can be reached and have a copy. */
export const holdersOf = (circle: Circle, zone: ZoneFacts): string[] =>
  zone.friends
    .filter(({ name, serial }) => serial !== undefined && isThere(circle, name))
    .map(({ name }) => name);

/** Friends who can be reached and keep mail for it. */
export const backupsOf = (circle: Circle, mail: MailFacts): string[] =>
  mail.backups.filter((name) => isThere(circle, name));
