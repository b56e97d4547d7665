import { swapVotesWithinMs } from './limits.ts';
import type { Signed } from './signed.ts';
import type { SwapRecord, TakeoverRecord } from './takeover-records.ts';

/** A vote of a box, with whose box it is. */
export interface SwapVote {
  voter: string;
  /** Owner id. */
  owner: string;
  network: string;
  atMs: number;
}

/** Members whose word is needed for a swap, where so many others are in the circle: a circle of two never swaps. */
export function swapQuorum(otherMembers: number): number {
  return Math.max(2, Math.floor(otherMembers / 2) + 1);
}

/** To the standby (odd) or home again (even)? */
export const isToStandby = (number: number): boolean => number % 2 === 1;

/**
 * Do these votes make a transition? To the standby: a majority of the other members, two at least, one vote each, from two
 * networks, none of the owner's own boxes. Home again: the service's own box and any other member's. All of them were
 * given within ten minutes, so that words of different outages never add up.
 */
export function isSwapQuorum(
  votes: readonly SwapVote[],
  {
    number,
    about,
    aboutOwner,
    members,
  }: { number: number; about: string; aboutOwner: string; members: number },
): boolean {
  const owners = new Set(votes.map(({ owner }) => owner));
  const instants = votes.map(({ atMs }) => atMs);
  if (owners.size < votes.length || votes.length === 0) return false;
  if (Math.max(...instants) - Math.min(...instants) > swapVotesWithinMs) return false;
  if (!isToStandby(number)) return owners.size >= 2 && votes.some(({ voter }) => voter === about);
  // A box that the internet does not route to is a network of its own.
  const networks = new Set(votes.map(({ voter, network }) => (network === '' ? `only ${voter}` : network)));
  return !owners.has(aboutOwner) && owners.size >= swapQuorum(members - 1) && networks.size >= 2;
}

/**
 * Does a certificate hold, by who is in the circle now? `votes`: its votes, opened; fewer where one did not open. Asked when
 * a `takeover` record comes in, and again whenever the circle changes.
 */
export function isCertificate(
  record: TakeoverRecord,
  votes: readonly Signed<SwapRecord>[],
  circle: { signer: string; ownerOf: ReadonlyMap<string, string>; members: number },
): boolean {
  const { about, service, number } = record;
  const aboutOwner = circle.ownerOf.get(about);
  if (record.by !== circle.signer || aboutOwner === undefined || !circle.ownerOf.has(circle.signer))
    return false;
  if (votes.length < record.votes.length) return false;
  const counted = votes.flatMap(({ signer, record: vote }): SwapVote[] => {
    const owner = circle.ownerOf.get(signer);
    const isForThis =
      vote.stands && vote.about === about && vote.service === service && vote.number === number;
    const { network, atMs } = vote;
    return owner === undefined || !isForThis ? [] : [{ voter: signer, owner, network, atMs }];
  });
  return counted.length === votes.length && isSwapQuorum(counted, { ...circle, number, about, aboutOwner });
}
