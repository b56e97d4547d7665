import { lineCheckEveryMs, secondDialAfterMs, stallMs, suspectAfterMs, voteAfterMs } from './limits.ts';
import { noSlowness, withRoundTrip } from './slowness.ts';
import { hearsEnough, isClaimed, judge, lineState, mayJudge } from './verdict.ts';
import {
  type Friend,
  type FriendState,
  heardNow,
  type LineState,
  type LivenessState,
  type RosterInput,
  shownAs,
  type Vote,
  votersAgainst,
  withRoster,
} from './view.ts';

/** What happens to a box. Peers are PeerId texts; whoever is not on the roster is ignored. */
export type LivenessInput =
  /** First of all, and whenever the roster or a network changes. */
  | ({ kind: 'roster' } & RosterInput)
  /** An authenticated connection stands: his key answered just now, which counts as hearing him. */
  | { kind: 'connected'; peer: string }
  /** Any byte from him. */
  | { kind: 'heard'; peer: string }
  /** How long he took to answer a beat, in ms. */
  | { kind: 'round-trip'; peer: string; rttMs: number }
  /** The last connection with him is gone (FIN, RST, or closed on this side). */
  | { kind: 'disconnected'; peer: string }
  /**
   * A vote whose signature was verified, newest (highest sequence) last; `silent` false withdraws. After a restart this
   * box's own standing votes are given too, so that it can take them back.
   */
  | { kind: 'vote'; from: string; about: string; heardAtMs: number; silent: boolean; sequence: number }
  /** From a friend's beat: whom he heard in the last 30 s. */
  | { kind: 'heard-bits'; from: string; peers: readonly string[] }
  /** Did something outside the circle accept a connection? Comes after `check-line`, where a check is configured. */
  | { kind: 'line-check'; answered: boolean }
  /** Every second. */
  | { kind: 'tick' };

/** What is to be done, in this order. */
export type LivenessEffect =
  /** Dial him again beside the old connection. */
  | { kind: 'dial-second'; peer: string }
  /** Number, sign, keep and gossip this vote; `heardAtMs` is 0 for never. */
  | { kind: 'vote'; about: string; heardAtMs: number; silent: boolean }
  /** Try the line check, where one is configured, and answer with `line-check`. */
  | { kind: 'check-line' }
  | { kind: 'line'; state: LineState }
  /** `from` and `to` are equal when only `confirmed` changed. */
  | {
      kind: 'changed';
      peer: string;
      from: FriendState;
      to: FriendState;
      confirmed: boolean;
      seenDownBy: string[];
    };

/**
 * One box's view after an input, and what is to be done. `nowMs` must come from one clock throughout; a jump of it, or
 * a pause of this process, is noticed with whatever input comes first and does not count as anybody's silence.
 */
export function step(
  before: LivenessState,
  input: LivenessInput,
  nowMs: number,
): [LivenessState, LivenessEffect[]] {
  const view = resumed(before, nowMs);
  switch (input.kind) {
    case 'roster':
      return settle(view, withRoster(view, input, nowMs), nowMs);
    case 'connected':
    case 'heard':
      return heard(view, input.peer, nowMs);
    case 'round-trip':
      return answeredIn(view, input, nowMs);
    case 'disconnected':
      return settle(view, disconnected(view, input.peer, nowMs), nowMs);
    case 'vote':
      return settle(view, withVote(view, input, nowMs), nowMs);
    case 'heard-bits':
      // What follows from a claim can wait for the next tick; nearly all beats change nothing.
      return [withHeardBits(view, input, nowMs), []];
    case 'line-check':
      return settle(view, { ...view, lineCheck: { answered: input.answered, atMs: nowMs } }, nowMs);
    case 'tick':
      return settle(view, { ...view, tickedAtMs: nowMs }, nowMs);
  }
}

function withFriend(view: LivenessState, friend: Friend): LivenessState {
  return { ...view, friends: new Map(view.friends).set(friend.peer, friend) };
}

/** Heard again is up at once, whatever anybody votes; a standing vote of mine is taken back. */
function heard(view: LivenessState, peer: string, nowMs: number): [LivenessState, LivenessEffect[]] {
  const friend = view.friends.get(peer);
  if (!friend) return [view, []];
  const now: Friend = {
    ...friend,
    state: 'up',
    confirmed: true,
    lastHeardAtMs: nowMs,
    clockAtMs: nowMs,
    closed: false,
    secondDialled: false,
    claimedAtMs: undefined,
  };
  const mine = friend.votes.get(view.self);
  if (friend.state === 'up' && !mine?.silent) return [withFriend(view, now), []];
  return settle(view, withFriend(view, now), nowMs);
}

/** Whoever answers is heard, so that late answers change how he is shown and nothing else. */
function answeredIn(
  view: LivenessState,
  { peer, rttMs }: LivenessInput & { kind: 'round-trip' },
  nowMs: number,
): [LivenessState, LivenessEffect[]] {
  const friend = view.friends.get(peer);
  if (friend?.state !== 'up') return [view, []];
  const now: Friend = { ...friend, slowness: withRoundTrip(friend.slowness, rttMs, nowMs) };
  const [from, to] = [shownAs(friend), shownAs(now)];
  const settled: Friend = from === to || to === 'slow' ? now : { ...now, sinceAtMs: nowMs };
  return [
    withFriend(view, settled),
    from === to ? [] : [{ kind: 'changed', peer, from, to, confirmed: true, seenDownBy: [] }],
  ];
}

/**
 * Only a good-bye counts as one: a connection that is given up after a silence was cut, and says nothing about whose
 * line it was.
 */
function disconnected(view: LivenessState, peer: string, nowMs: number): LivenessState {
  const friend = view.friends.get(peer);
  if (!friend || friend.lastHeardAtMs === undefined) return view;
  if (nowMs - friend.clockAtMs >= secondDialAfterMs) return view;
  return withFriend(view, { ...friend, closed: true });
}

function withVote(
  view: LivenessState,
  input: LivenessInput & { kind: 'vote' },
  nowMs: number,
): LivenessState {
  const friend = view.friends.get(input.about);
  const mine = input.from === view.self;
  if (!friend || input.from === input.about || !(mine || view.friends.has(input.from))) return view;
  const known = friend.votes.get(input.from);
  if (known && known.sequence >= input.sequence) return view;
  const { silent, sequence, heardAtMs } = input;
  const vote: Vote = { silent, sequence, heardAtMs, receivedAtMs: nowMs };
  return withFriend(view, { ...friend, votes: new Map(friend.votes).set(input.from, vote) });
}

function withHeardBits(
  view: LivenessState,
  input: LivenessInput & { kind: 'heard-bits' },
  nowMs: number,
): LivenessState {
  const friend = view.friends.get(input.from);
  if (!friend) return view;
  const peers = input.peers.filter((peer) => view.friends.has(peer));
  return withFriend(view, { ...friend, heardByHim: new Set(peers), heardByHimAtMs: nowMs });
}

/**
 * Time in which this process did not run, or by which its clock was set, is nobody's silence. The first input after it is
 * often no tick: whatever waited in the sockets comes before.
 */
function resumed(view: LivenessState, nowMs: number): LivenessState {
  const gapMs = nowMs - (view.tickedAtMs ?? nowMs);
  if (gapMs >= 0 && gapMs <= stallMs) return view;
  const friends = new Map<string, Friend>();
  for (const friend of view.friends.values()) {
    friends.set(friend.peer, {
      ...friend,
      clockAtMs: Math.min(nowMs, friend.clockAtMs + gapMs),
      heardByHimAtMs: Math.min(nowMs, friend.heardByHimAtMs + gapMs),
      claimedAtMs: friend.claimedAtMs === undefined ? undefined : Math.min(nowMs, friend.claimedAtMs + gapMs),
    });
  }
  return { ...view, friends, lineAskedAtMs: undefined, lineCheck: undefined, tickedAtMs: nowMs };
}

/** Draws every conclusion that follows now; `before` is the view before the input, against which changes are told. */
function settle(
  before: LivenessState,
  after: LivenessState,
  nowMs: number,
): [LivenessState, LivenessEffect[]] {
  if (isQuiet(before, after, nowMs)) return [after, []];
  const effects: LivenessEffect[] = [];
  let view = mapFriends(after, (friend) => withSilence(friend, nowMs, effects));
  view = thawed(view, nowMs);
  view = mapFriends(view, (friend) => withOwnVote(view, friend, nowMs, effects));
  view = withLine(view, nowMs, effects);
  view = mapFriends(view, (friend) =>
    friend.state === 'up'
      ? friend
      : {
          ...friend,
          ...judge(view, friend, nowMs),
          claimedAtMs: isClaimed(view, friend, nowMs) ? nowMs : friend.claimedAtMs,
        },
  );
  view = withChanges(before, view, nowMs, effects);
  return [view, effects];
}

/** The common case, made cheap: everybody is heard, nobody's silence is long, and nothing is left to take back. */
function isQuiet(before: LivenessState, view: LivenessState, nowMs: number): boolean {
  if (view.frozen || view.line !== 'ok') return false;
  for (const friend of view.friends.values()) {
    if (friend.state !== 'up' || friend.closed || nowMs - friend.clockAtMs >= secondDialAfterMs) return false;
    if (friend.votes.get(view.self)?.silent || before.friends.get(friend.peer)?.state !== 'up') return false;
  }
  return true;
}

/** Of thirty friends mostly one is silent: nothing is copied for whoever stays as he is. */
function mapFriends(view: LivenessState, change: (friend: Friend) => Friend): LivenessState {
  let friends: Map<string, Friend> | undefined;
  for (const friend of view.friends.values()) {
    const changed = change(friend);
    if (changed === friend) continue;
    friends ??= new Map(view.friends);
    friends.set(friend.peer, changed);
  }
  return friends === undefined ? view : { ...view, friends };
}

function withSilence(friend: Friend, nowMs: number, effects: LivenessEffect[]): Friend {
  const silentMs = nowMs - friend.clockAtMs;
  const dial = (friend.closed || silentMs >= secondDialAfterMs) && !friend.secondDialled;
  if (dial) effects.push({ kind: 'dial-second', peer: friend.peer });
  const suspect = friend.state === 'up' && (friend.closed || silentMs >= suspectAfterMs);
  if (!dial && !suspect) return friend;
  return {
    ...friend,
    secondDialled: friend.secondDialled || dial,
    state: suspect ? 'suspect' : friend.state,
    slowness: suspect ? noSlowness : friend.slowness,
    confirmed: suspect ? false : friend.confirmed,
  };
}

/**
 * Whoever could not judge, because his own line was cut or half of the circle was out of reach, starts every silence
 * anew when he can: he would otherwise call all those silent whose redial comes a few seconds later.
 */
function thawed(view: LivenessState, nowMs: number): LivenessState {
  const frozen = !hearsEnough(view);
  if (!view.frozen || frozen) return { ...view, frozen };
  const restarted = mapFriends(view, (friend) =>
    friend.state === 'up' ? friend : { ...friend, clockAtMs: nowMs, secondDialled: false },
  );
  return { ...restarted, frozen };
}

function withOwnVote(view: LivenessState, friend: Friend, nowMs: number, effects: LivenessEffect[]): Friend {
  const mine = friend.votes.get(view.self);
  const silent = friend.state !== 'up';
  const isWatched = friend.watchers?.has(view.self) !== false;
  const due = !silent || (isWatched && nowMs - friend.clockAtMs >= voteAfterMs && mayJudge(view, friend));
  if (!due || (mine?.silent ?? false) === silent) return friend;
  const heardAtMs = friend.lastHeardAtMs ?? 0;
  effects.push({ kind: 'vote', about: friend.peer, heardAtMs, silent });
  // The signer numbers the vote; until it comes back as an input, the number it had stands.
  const vote: Vote = { silent, sequence: mine?.sequence ?? -1, heardAtMs, receivedAtMs: nowMs };
  return { ...friend, votes: new Map(friend.votes).set(view.self, vote) };
}

function withLine(view: LivenessState, nowMs: number, effects: LivenessEffect[]): LivenessState {
  const inDoubt = view.friends.size > 0 && (view.frozen || heardNow(view).length === 0);
  const ask = inDoubt && nowMs - (view.lineAskedAtMs ?? Number.NEGATIVE_INFINITY) >= lineCheckEveryMs;
  if (ask) effects.push({ kind: 'check-line' });
  const line = lineState(view, nowMs);
  if (line !== view.line) effects.push({ kind: 'line', state: line });
  return { ...view, line, lineAskedAtMs: ask ? nowMs : inDoubt ? view.lineAskedAtMs : undefined };
}

function withChanges(
  before: LivenessState,
  view: LivenessState,
  nowMs: number,
  effects: LivenessEffect[],
): LivenessState {
  return mapFriends(view, (friend) => {
    const was = before.friends.get(friend.peer);
    const from = was?.state ?? 'unknown';
    const sameState = from === friend.state;
    if (sameState && (was?.confirmed ?? false) === friend.confirmed) return friend;
    effects.push({
      kind: 'changed',
      peer: friend.peer,
      from: was === undefined ? from : shownAs(was),
      to: friend.state,
      confirmed: friend.confirmed,
      seenDownBy: votersAgainst(view, friend),
    });
    return sameState ? friend : { ...friend, sinceAtMs: nowMs };
  });
}
