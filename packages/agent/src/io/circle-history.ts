import { type HistoryState, serviceKey } from '@copain/liveness';
import { awayOf } from '../away.ts';
import { bestBox, rememberedState } from '../friend-state.ts';
import type { ServiceFact } from '../service-facts.ts';
import type { Box } from './box.ts';
import type { Services } from './services.ts';
import type { Watch } from './watch.ts';

/** Under what a friend's history is kept: it goes on whatever box he has, and whatever he is called. */
export const friendHistoryKey = (ownerId: string): string => `friend/${ownerId}`;

/** Under what a service's history is kept. */
export const serviceHistoryKey = ({ ownerId, service, target }: ServiceFact): string =>
  `service/${serviceKey({ owner: ownerId, service, target })}`;

/** How every friend and service is now; nothing is known while this box hears nobody. */
export function circleStates(
  { identity, knowledge, clock }: Box,
  { watch, services }: { watch: Watch; services: Services },
): ReadonlyMap<string, HistoryState | undefined> {
  const isBlind = watch.line() === 'cut' || !watch.mayJudge();
  const liveness = new Map(watch.facts().map((facts) => [facts.peer, facts]));
  const states = new Map<string, HistoryState | undefined>();
  for (const member of knowledge().roster.members.values()) {
    const best = member.ownerId === identity.ownerId ? undefined : bestBox(member, liveness);
    if (best === undefined) continue;
    const away = awayOf(knowledge(), best.box.peer, clock.nowMs());
    const state = rememberedState(best.alive?.state ?? 'unknown', away);
    // Whom a box hears is up, also while it may not judge others.
    const isHeard = state === 'up' || state === 'slow';
    states.set(friendHistoryKey(member.ownerId), isBlind && !isHeard ? undefined : state);
  }
  for (const fact of services.facts()) {
    const { state } = fact.verdict;
    states.set(serviceHistoryKey(fact), isBlind || state === 'unknown' ? undefined : state);
  }
  return states;
}
