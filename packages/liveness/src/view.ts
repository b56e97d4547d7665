import { friendsMax, watchersMax } from './limits.ts';
import { noSlowness, type Slowness } from './slowness.ts';
import { type Candidate, watchersOf } from './watchers.ts';

/**
 * What a box says about a friend. `slow` is shown of one who is heard (`up` in a `Friend`) and answers late; `away` is
 * what its owner said, and is decided by whoever knows that.
 */
export type FriendState = 'up' | 'slow' | 'suspect' | 'partial' | 'down' | 'away' | 'unknown';

/** My own line to the circle: `cut` is me and not them. */
export type LineState = 'ok' | 'cut' | 'unknown';

/** The latest statement of one voter about one friend; `silent` false takes the statement back. */
export interface Vote {
  readonly silent: boolean;
  readonly sequence: number;
  /** When the voter last heard him, on the voter's clock, 0 for never: for display only. */
  readonly heardAtMs: number;
  readonly receivedAtMs: number;
}

/** What this box knows about one friend. */
export interface Friend {
  readonly peer: string;
  /** Votes of one network count once; never empty. */
  readonly network: string;
  readonly state: FriendState;
  readonly confirmed: boolean;
  readonly sinceAtMs: number;
  readonly lastHeardAtMs: number | undefined;
  /** Silence is counted from here: last heard, or when this box began or resumed to listen. */
  readonly clockAtMs: number;
  /** His side ended the last connection, and nothing was heard since. */
  readonly closed: boolean;
  /** How late he answers; begins anew whenever he was not heard. */
  readonly slowness: Slowness;
  /** Whose votes about him count, where not everybody's do; the same for all who know the same circle. */
  readonly watchers: ReadonlySet<string> | undefined;
  readonly secondDialled: boolean;
  /** Whom he said, in his last beat, to have heard; and when that beat came. */
  readonly heardByHim: ReadonlySet<string>;
  readonly heardByHimAtMs: number;
  /** When anybody last claimed to hear this friend while I did not. */
  readonly claimedAtMs: number | undefined;
  /** The votes about him by voter, my own included. */
  readonly votes: ReadonlyMap<string, Vote>;
}

/** Everything that one box knows about the liveness of its friends. */
export interface LivenessState {
  readonly self: string;
  readonly selfNetwork: string;
  readonly friends: ReadonlyMap<string, Friend>;
  readonly line: LineState;
  /** I hear too few to judge: my votes do not go out and I confirm nothing. */
  readonly frozen: boolean;
  readonly lineAskedAtMs: number | undefined;
  readonly lineCheck: { readonly answered: boolean; readonly atMs: number } | undefined;
  readonly tickedAtMs: number | undefined;
}

/** A box that knows nobody yet; the first input is its roster. */
export function emptyView(): LivenessState {
  return {
    self: '',
    selfNetwork: '',
    friends: new Map(),
    line: 'unknown',
    frozen: true,
    lineAskedAtMs: undefined,
    lineCheck: undefined,
    tickedAtMs: undefined,
  };
}

/** An address that the internet does not route tells nothing about shared fate: such a box is its own network. */
function networkOf(peer: string, network: string): string {
  return network === '' ? `only ${peer}` : network;
}

/**
 * Who is in the circle. `network` is where votes are counted from, as this box sees it, '' where that is not known or
 * private; `place` is the network that the box itself signed, for choosing watchers alike everywhere.
 */
export interface RosterInput {
  self: string;
  selfNetwork: string;
  selfPlace?: string;
  friends: readonly { peer: string; network: string; place?: string }[];
}

/**
 * Who watches each box: everybody in a small circle (undefined); in a larger one `watchersMax` of them, so that what is
 * signed about one outage does not grow with the circle.
 */
function watchersIn(
  roster: RosterInput,
  listed: RosterInput['friends'],
): (peer: string) => ReadonlySet<string> | undefined {
  if (listed.length <= watchersMax) return () => undefined;
  const candidates: Candidate[] = [
    { peer: roster.self, network: roster.selfPlace ?? '' },
    ...listed.map(({ peer, place }) => ({ peer, network: place ?? '' })),
  ];
  return (peer) => new Set(watchersOf(peer, candidates, watchersMax));
}

/**
 * The view after the roster changed. Who stays keeps what is known about him, who is new starts unknown with his
 * silence clock at `nowMs`, who left is forgotten together with his votes.
 */
export function withRoster(view: LivenessState, roster: RosterInput, nowMs: number): LivenessState {
  const listed = roster.friends
    .filter(({ peer }) => peer !== roster.self)
    .toSorted((a, b) => (a.peer < b.peer ? -1 : 1))
    .slice(0, friendsMax);
  const voters = new Set([roster.self, ...listed.map(({ peer }) => peer)]);
  const watchers = watchersIn(roster, listed);
  const friends = new Map<string, Friend>();
  for (const { peer, network } of listed) {
    const known = view.friends.get(peer) ?? stranger(peer, nowMs);
    friends.set(peer, {
      ...known,
      network: networkOf(peer, network),
      watchers: watchers(peer),
      votes: new Map([...known.votes].filter(([voter]) => voters.has(voter))),
    });
  }
  return {
    ...view,
    self: roster.self,
    selfNetwork: networkOf(roster.self, roster.selfNetwork),
    friends,
  };
}

function stranger(peer: string, nowMs: number): Friend {
  return {
    peer,
    network: networkOf(peer, ''),
    state: 'unknown',
    confirmed: false,
    sinceAtMs: nowMs,
    lastHeardAtMs: undefined,
    clockAtMs: nowMs,
    closed: false,
    slowness: noSlowness,
    watchers: undefined,
    secondDialled: false,
    heardByHim: new Set(),
    heardByHimAtMs: 0,
    claimedAtMs: undefined,
    votes: new Map(),
  };
}

/** Friends this box hears right now: their bits in its own beats, and whose votes and claims it counts. */
export function heardNow(view: LivenessState): Friend[] {
  return [...view.friends.values()].filter(({ state }) => state === 'up');
}

/** How one friend is shown. */
export interface FriendFacts {
  peer: string;
  state: FriendState;
  /** up and slow: always. down: two networks agree. Everything else: false. */
  confirmed: boolean;
  sinceAtMs: number;
  lastHeardAtMs: number | undefined;
  /** From when his silence counts; undefined where he was never heard. */
  silentSinceMs: number | undefined;
  /** PeerIds, sorted, of all who vote now that he is silent; this box itself where it votes so. */
  seenDownBy: string[];
}

/** Up and late is `slow`; all else is as it is. */
export function shownAs({ state, slowness }: Pick<Friend, 'state' | 'slowness'>): FriendState {
  return state === 'up' && slowness.slowSinceMs !== undefined ? 'slow' : state;
}

/** What the status page shows of each friend, in the order of their PeerIds. */
export function facts(view: LivenessState): FriendFacts[] {
  return [...view.friends.values()].map((friend) => ({
    peer: friend.peer,
    state: shownAs(friend),
    confirmed: friend.confirmed,
    sinceAtMs: friend.slowness.slowSinceMs ?? friend.sinceAtMs,
    lastHeardAtMs: friend.lastHeardAtMs,
    silentSinceMs: friend.lastHeardAtMs === undefined ? undefined : friend.clockAtMs,
    seenDownBy: votersAgainst(view, friend),
  }));
}

/**
 * Whose votes against a friend count: mine, and those of friends I hear now, as far as they are his watchers. The vote of somebody who has fallen
 * silent himself is old news that nobody would take back.
 */
export function votersAgainst(view: LivenessState, friend: Friend): string[] {
  return [...friend.votes]
    .filter(
      ([voter, { silent }]) =>
        silent &&
        friend.watchers?.has(voter) !== false &&
        (voter === view.self || view.friends.get(voter)?.state === 'up'),
    )
    .map(([voter]) => voter)
    .toSorted();
}
