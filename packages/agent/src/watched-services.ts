import { type FriendFacts, flapsWithinMs, type KnownSwapVote, type WatchedService } from '@copain/liveness';
import { isSwapQuorum, maxSwapVotes } from '@copain/trust';
import { type Knowledge, recordsOf, serviceKey } from './known-records.ts';
import type { ServiceNow } from './known-services.ts';

/** What boxes say about each service, by its key; of whoever is no member nothing. */
export function swapVotes(knowledge: Knowledge): Map<string, KnownSwapVote[]> {
  const votes = new Map<string, KnownSwapVote[]>();
  for (const { signed } of recordsOf(knowledge, 'swap')) {
    const { signer: voter, record } = signed;
    const owner = knowledge.roster.ownerOf.get(voter);
    if (owner === undefined) continue;
    const { about, service, network, number, stands, atMs } = record;
    const key = serviceKey(about, service);
    votes.set(key, [...(votes.get(key) ?? []), { voter, owner, network, number, stands, atMs }]);
  }
  return votes;
}

/**
 * The services that this box has a say in, as they look to it now: its own, and those of friends' boxes whose zones it answers,
 * since nobody else knows where the service is. Another box of the same owner has no vote.
 */
export function watchedServices(
  services: readonly ServiceNow[],
  {
    self,
    ownerId,
    facts,
    votes,
    hasZone,
    nowMs,
  }: {
    self: string;
    ownerId: string;
    facts: readonly FriendFacts[];
    votes: ReadonlyMap<string, readonly KnownSwapVote[]>;
    /** Does this box answer that zone of that owner? */
    hasZone: (ownerId: string, zone: string) => boolean;
    nowMs: number;
  },
): WatchedService[] {
  const boxes = new Map(facts.map((one) => [one.peer, one]));
  return services.flatMap((service): WatchedService[] => {
    const { key, about, entry, standing, certified } = service;
    const isMine = about === self;
    const box = boxes.get(about);
    if (!isMine && (service.ownerId === ownerId || box === undefined)) return [];
    if (!isMine && !hasZone(service.ownerId, entry.zone)) return [];
    const isRehearsed = entry.drill !== undefined && (isMine || nowMs < entry.drill.untilMs);
    return [
      {
        key,
        isMine,
        afterMs: entry.afterMs,
        holdMs: entry.holdMs,
        number: standing.number,
        sinceMs: service.sinceMs,
        isCertified: standing.number <= Math.max(entry.number, certified?.number ?? 0),
        orderNumber: entry.number,
        isFixed: entry.pin !== 'obey' || isRehearsed,
        swapsInDay: service.swapsAtMs.filter((atMs) => nowMs - atMs < flapsWithinMs).length,
        box: {
          state: box?.state ?? 'up',
          confirmed: box?.confirmed ?? true,
          sinceMs: box?.sinceAtMs ?? 0,
          silentSinceMs: box?.silentSinceMs,
        },
        votes: votes.get(key) ?? [],
      },
    ];
  });
}

/** Do these votes make transition `number` of this service, by who is in the circle now? */
export function isQuorumFor(
  { roster }: Knowledge,
  key: string,
  number: number,
  votes: readonly KnownSwapVote[],
): boolean {
  const [about = ''] = key.split('/');
  const aboutOwner = roster.ownerOf.get(about);
  if (aboutOwner === undefined || votes.length > maxSwapVotes) return false;
  return isSwapQuorum(votes, { number, about, aboutOwner, members: roster.members.size });
}
