import { type LivenessState, secondDialAfterMs } from '@copain/liveness';

type Friend = LivenessState['friends'] extends ReadonlyMap<string, infer F> ? F : never;

/** Longer than every wait that is counted from a silence or from the last claim about it. */
const settledAfterMs = 66_000;
const lineCheckEveryMs = 30_000;

/**
 * Until when (in the run's time) the ticks of a box change nothing, as long as nothing else happens to it: 0 where the
 * next one may. `localAtZeroMs` is what its clock shows at instant 0 of the run; `isCalm` says of whom beats keep coming.
 * Everybody else it hears has to be silent for 20 s first; whoever is silent must be so for long, with nobody claiming to
 * hear him.
 *
 * That this is true is what the comparison of short runs with and without it is for.
 */
export function asleepUntilMs(
  view: LivenessState,
  {
    localAtZeroMs,
    nowMs,
    isCalm,
  }: { localAtZeroMs: number; nowMs: number; isCalm: (peer: string) => boolean },
): number {
  const localMs = localAtZeroMs + nowMs;
  let untilLocalMs = Number.POSITIVE_INFINITY;
  let silent = 0;
  for (const friend of view.friends.values()) {
    if (friend.state === 'up') {
      if (friend.votes.get(view.self)?.silent) return 0;
      if (!isCalm(friend.peer)) untilLocalMs = Math.min(untilLocalMs, friend.clockAtMs + secondDialAfterMs);
      continue;
    }
    silent += 1;
    // As long as a witness keeps saying so.
    if (friend.state === 'partial' && staysPartial(view, friend, isCalm)) continue;
    if (friend.state === 'partial') return 0;
    if (localMs - Math.max(friend.clockAtMs, friend.claimedAtMs ?? 0) < settledAfterMs) return 0;
    for (const other of view.friends.values())
      if (other.state === 'up' && other.heardByHim.has(friend.peer)) return 0;
  }
  if (view.frozen || view.line !== 'ok' || silent === view.friends.size) {
    untilLocalMs = Math.min(untilLocalMs, (view.lineAskedAtMs ?? localMs) + lineCheckEveryMs);
    if (view.lineCheck !== undefined && localMs - view.lineCheck.atMs < 2 * lineCheckEveryMs + 1000)
      untilLocalMs = Math.min(untilLocalMs, view.lineCheck.atMs + 2 * lineCheckEveryMs);
  }
  return untilLocalMs - localAtZeroMs;
}

/** Does a friend go on saying, beat by beat, that he hears this one, and is all said that this box has to say of him? */
function staysPartial(view: LivenessState, friend: Friend, isCalm: (peer: string) => boolean): boolean {
  const isSaid = friend.watchers?.has(view.self) === false || friend.votes.get(view.self)?.silent === true;
  if (!isSaid || view.frozen || !friend.secondDialled) return false;
  return [...view.friends.values()].some((one) => isWitness(one, friend) && isCalm(one.peer));
}

/** By what he said last, and has not taken back by a vote. */
export function isWitness(one: Friend, about: Friend): boolean {
  if (one.state !== 'up' || !one.heardByHim.has(about.peer)) return false;
  const vote = about.votes.get(one.peer);
  return !(vote?.silent === true && vote.receivedAtMs >= one.heardByHimAtMs);
}
