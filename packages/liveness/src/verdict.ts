import {
  claimProvesAfterMs,
  claimValidMs,
  downAloneAfterMs,
  lineCheckValidMs,
  networksNeeded,
  outlastsAfterMs,
  suspectAfterMs,
  voteAfterMs,
} from './limits.ts';
import {
  type Friend,
  type FriendState,
  heardNow,
  type LineState,
  type LivenessState,
  votersAgainst,
} from './view.ts';

/**
 * Do I hear enough of the circle to judge others? More than half of it, myself counted; of two equal halves the one
 * with the lowest PeerId. Whoever hears less may sit on the wrong side of a cut, where two boxes could agree that all
 * the others are down. Friends long gone count too: leaving them out was tried, and after several cuts on top of each
 * other two sides each took themselves for the rest of the circle.
 */
export function hearsEnough(view: LivenessState): boolean {
  return isEnough(view, heardNow(view));
}

/**
 * May I judge this friend? Only by those whom I heard when he had been silent for more than a beat: a box whose own line
 * was just cut misses its friends one after the other, and would else vote against the first of them.
 */
export function mayJudge(view: LivenessState, friend: Friend): boolean {
  const fromMs = friend.clockAtMs + outlastsAfterMs;
  return isEnough(
    view,
    heardNow(view).filter(({ clockAtMs }) => clockAtMs >= fromMs),
  );
}

function isEnough(view: LivenessState, heard: readonly Friend[]): boolean {
  if (heard.length === 0) return false;
  const mine = heard.length + 1;
  const all = view.friends.size + 1;
  if (2 * mine !== all) return 2 * mine > all;
  const [lowest] = [view.self, ...view.friends.keys()].toSorted();
  return lowest === view.self || heard.some(({ peer }) => peer === lowest);
}

/** The line check's answer, where one came lately. */
function freshLineCheck(view: LivenessState, nowMs: number): boolean | undefined {
  const check = view.lineCheck;
  return check && nowMs - check.atMs < lineCheckValidMs ? check.answered : undefined;
}

/**
 * Is it me? Hearing anybody means no. Hearing nobody while something outside answers also means no. All friends gone
 * without a word, two or more of them, means yes; friends who closed their connections said good-bye through a line
 * that worked, so that their absence says nothing about mine.
 */
export function lineState(view: LivenessState, nowMs: number): LineState {
  if (heardNow(view).length > 0) return 'ok';
  const answered = freshLineCheck(view, nowMs);
  if (answered !== undefined) return answered ? 'ok' : 'cut';
  const lost = [...view.friends.values()].filter(
    ({ state, confirmed, lastHeardAtMs }) => lastHeardAtMs !== undefined && !(state === 'down' && confirmed),
  );
  return lost.length >= 2 && lost.every(({ closed }) => !closed) ? 'cut' : 'unknown';
}

/** Friends I hear who said lately that they hear him, and did not vote against him since. */
function claimants(view: LivenessState, friend: Friend, nowMs: number): Friend[] {
  return heardNow(view).filter(({ peer, heardByHim, heardByHimAtMs }) => {
    if (!heardByHim.has(friend.peer) || nowMs - heardByHimAtMs >= claimValidMs) return false;
    const vote = friend.votes.get(peer);
    return !(vote?.silent && vote.receivedAtMs >= heardByHimAtMs);
  });
}

/** Does anybody I hear claim to hear this friend, who is silent to me? */
export function isClaimed(view: LivenessState, friend: Friend, nowMs: number): boolean {
  return claimants(view, friend, nowMs).length > 0;
}

/**
 * What a friend who is not heard is to be called now. Being heard is decided elsewhere, at once; a verdict never makes
 * anybody `up`.
 *
 * - `partial`: somebody I hear has heard him after I lost him. One such witness outweighs any number of votes: he
 *   lives, and the fault is between us.
 * - `down`, confirmed: votes from two networks, nobody claims to hear him, and I hear enough of the circle to judge.
 * - `down`, not confirmed: 60 s of silence, nobody claims to hear him, and my own line is known to work: I hear
 *   somebody else, or he closed the connection himself, or the line check answers. Without any of these it stays
 *   `suspect`, because a circle of two cannot tell "he is down" from "I am cut off".
 */
export function judge(
  view: LivenessState,
  friend: Friend,
  nowMs: number,
): { state: FriendState; confirmed: boolean } {
  const unchanged = { state: friend.state, confirmed: friend.confirmed };
  const silentMs = nowMs - friend.clockAtMs;
  if (friend.state === 'up' || silentMs < suspectAfterMs) return unchanged;
  const claims = claimants(view, friend, nowMs);
  if (claims.length > 0) {
    const provenFromMs = (friend.lastHeardAtMs ?? Number.NEGATIVE_INFINITY) + claimProvesAfterMs;
    const proven =
      silentMs >= voteAfterMs && claims.some(({ heardByHimAtMs }) => heardByHimAtMs >= provenFromMs);
    return proven ? { state: 'partial', confirmed: false } : unchanged;
  }
  if (friend.state === 'down' && friend.confirmed) return unchanged;
  if (networksAgainst(view, friend) >= networksNeeded && mayJudge(view, friend))
    return { state: 'down', confirmed: true };
  const lineWorks = heardNow(view).length > 0 || friend.closed || freshLineCheck(view, nowMs) === true;
  const alone =
    nowMs - Math.max(friend.clockAtMs, friend.claimedAtMs ?? friend.clockAtMs) >= downAloneAfterMs;
  return lineWorks && alone && friend.lastHeardAtMs !== undefined
    ? { state: 'down', confirmed: false }
    : unchanged;
}

function networksAgainst(view: LivenessState, friend: Friend): number {
  const networks = votersAgainst(view, friend).map((voter) =>
    voter === view.self ? view.selfNetwork : view.friends.get(voter)?.network,
  );
  return new Set(networks).size;
}
