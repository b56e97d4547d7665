import { ipv6Groups } from '@copain/core';
import { arrivalLimits } from './limits.ts';
import { type BucketLimit, fullBucket, refilled, type TokenBucket } from './token-bucket.ts';

/**
 * Where a connection waits to come through: `waiting` ones have no share left and may still prove to be a friend's;
 * `friends` have proved it.
 */
type Room = 'strangers' | 'known' | 'waiting' | 'friends';

/** A TCP connection that has not come through Noise. */
interface Pending {
  source: string;
  room: Room;
  /** What was used up, where it waits. */
  why: RefusedWhy;
}

/** What was used up: the share of its network or host, that of all strangers, or that of all hosts of friends. */
type RefusedWhy = 'source' | 'strangers' | 'known';

/** Connections that arrived and have not come through Noise; all of it bounded, whatever arrives. */
export interface ArrivalState {
  /** By source, least recently seen first. */
  buckets: ReadonlyMap<string, TokenBucket>;
  strangers: TokenBucket;
  known: TokenBucket;
  /** By connection, oldest first. */
  pending: ReadonlyMap<string, Pending>;
}

export type ArrivalInput =
  /** `known`: a friend's box was met at this host, or announced it. */
  | { kind: 'arrived'; connection: string; host: string; known: boolean }
  /** Its first bytes came: the friend's box that they prove it is, or undefined where they prove nothing. */
  | { kind: 'spoke'; connection: string; friend: string | undefined }
  /** It came through Noise, was refused, or went away. */
  | { kind: 'settled'; connection: string };

/**
 * `admit`: let it begin its handshake. `wait`: compute nothing for it until it `spoke`. `refuse`: close it now. `evict`:
 * close this older one to make room.
 */
export type ArrivalEffect =
  | { kind: 'admit' }
  | { kind: 'wait' }
  | { kind: 'refuse'; why: RefusedWhy }
  | { kind: 'evict'; connection: string };

/** Nobody arrived yet. */
export function noArrivals(nowMs: number): ArrivalState {
  return {
    buckets: new Map(),
    strangers: fullBucket(arrivalLimits.strangers, nowMs),
    known: fullBucket(arrivalLimits.allKnown, nowMs),
    pending: new Map(),
  };
}

/** What strangers share: an IPv4 /24 or an IPv6 /48, since one of them may have whole nets. */
export function arrivalNetwork(host: string): string {
  return arrivalSource(host, false);
}

/**
 * What shares one bucket: a network for strangers; for a host at which a friend was met the address itself (the /64 of
 * IPv6, where hosts change the rest), so that his neighbours do not count against him.
 */
export function arrivalSource(host: string, known: boolean): string {
  const kind = known ? 'known' : 'net';
  const groups = ipv6Groups(host);
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1];
  if (groups === undefined || mapped !== undefined) {
    const address = mapped ?? host;
    return `${kind} ${known ? address : address.split('.').slice(0, 3).join('.')}`;
  }
  const network = groups.slice(0, known ? 4 : 3).map((group) => group.toString(16));
  return `${kind} ${network.join(':')}::`;
}

/**
 * The first of all refusals, before a byte of Noise is computed (5 to 7 ms each). Arrivals are counted per source, and
 * all of a kind together. Whoever has no share left is not computed for, but may say a word: a friend's first bytes carry
 * a proof that costs some microseconds to check, and with it he has a share of his own, from whatever address he comes
 * and whoever else comes from there. Full waiting rooms push out whoever waits longest: a friend speaks at once, while
 * those who say nothing make room for him.
 */
export function stepArrivals(
  state: ArrivalState,
  input: ArrivalInput,
  nowMs: number,
): [ArrivalState, ArrivalEffect[]] {
  switch (input.kind) {
    case 'settled':
      return [without(state, input.connection), []];
    case 'spoke':
      return stepSpoke(state, input, nowMs);
    case 'arrived':
      return stepArrived(state, input, nowMs);
  }
}

function stepArrived(
  state: ArrivalState,
  { connection, host, known }: Extract<ArrivalInput, { kind: 'arrived' }>,
  nowMs: number,
): [ArrivalState, ArrivalEffect[]] {
  const source = arrivalSource(host, known);
  const room = known ? 'known' : 'strangers';
  const inAll = refilled(state[room], known ? arrivalLimits.allKnown : arrivalLimits.strangers, nowMs);
  const limit = known ? arrivalLimits.knownHost : arrivalLimits.network;
  const own = take(state.buckets, source, { limit, only: inAll.tokens >= 1, nowMs });
  const next: ArrivalState = { ...state, buckets: own.buckets, [room]: inAll };
  if (own.taken) {
    const used: ArrivalState = { ...next, [room]: { ...inAll, tokens: inAll.tokens - 1 } };
    const [placed, evicted] = place(used, connection, { source, room, why: 'source' });
    return [placed, [{ kind: 'admit' }, ...evicted]];
  }
  const [placed, evicted] = place(next, connection, {
    source,
    room: 'waiting',
    why: inAll.tokens < 1 ? room : 'source',
  });
  return [placed, [{ kind: 'wait' }, ...evicted]];
}

function stepSpoke(
  state: ArrivalState,
  { connection, friend }: Extract<ArrivalInput, { kind: 'spoke' }>,
  nowMs: number,
): [ArrivalState, ArrivalEffect[]] {
  const one = state.pending.get(connection);
  if (one === undefined) return [state, []];
  const isWaiting = one.room === 'waiting';
  const source = `friend ${friend}`;
  const own =
    friend === undefined
      ? { buckets: state.buckets, taken: false }
      : take(state.buckets, source, { limit: arrivalLimits.friend, only: true, nowMs });
  const next = { ...state, buckets: own.buckets };
  if (own.taken) {
    const moved = without(next, connection);
    const [placed, evicted] = place(moved, connection, { source, room: 'friends', why: one.why });
    return [placed, [...(isWaiting ? [{ kind: 'admit' } as const] : []), ...evicted]];
  }
  if (!isWaiting) return [next, []];
  return [without(next, connection), [{ kind: 'refuse', why: one.why }]];
}

function without(state: ArrivalState, connection: string): ArrivalState {
  if (!state.pending.has(connection)) return state;
  const pending = new Map(state.pending);
  pending.delete(connection);
  return { ...state, pending };
}

/** Takes a token of this source where it has one and `only` holds; the least recently seen source is the one forgotten. */
function take(
  before: ArrivalState['buckets'],
  source: string,
  { limit, only, nowMs }: { limit: BucketLimit; only: boolean; nowMs: number },
): { buckets: ArrivalState['buckets']; taken: boolean } {
  const buckets = new Map(before);
  const bucket = refilled(buckets.get(source) ?? fullBucket(limit, nowMs), limit, nowMs);
  const taken = only && bucket.tokens >= 1;
  buckets.delete(source);
  if (buckets.size >= arrivalLimits.maxSources) buckets.delete(buckets.keys().next().value ?? '');
  buckets.set(source, taken ? { ...bucket, tokens: bucket.tokens - 1 } : bucket);
  return { buckets, taken };
}

const rooms: Readonly<Record<Room, { perSource: number; inAll: number }>> = {
  strangers: { perSource: arrivalLimits.network.pending, inAll: arrivalLimits.strangers.pending },
  known: { perSource: arrivalLimits.knownHost.pending, inAll: arrivalLimits.allKnown.pending },
  waiting: { perSource: arrivalLimits.waiting.perSource, inAll: arrivalLimits.waiting.inAll },
  friends: { perSource: arrivalLimits.friend.pending, inAll: arrivalLimits.maxFriendsPending },
};

/** Puts a connection into a room; where it is full, the longest waiting of its source has to go, or else of the room. */
function place(state: ArrivalState, connection: string, one: Pending): [ArrivalState, ArrivalEffect[]] {
  const sameSource: string[] = [];
  const sameRoom: string[] = [];
  for (const [id, other] of state.pending) {
    if (other.room !== one.room) continue;
    sameRoom.push(id);
    if (other.source === one.source) sameSource.push(id);
  }
  const { perSource, inAll } = rooms[one.room];
  const crowded = sameSource.length >= perSource ? sameSource : sameRoom.length >= inAll ? sameRoom : [];
  const pending = new Map(state.pending);
  const effects: ArrivalEffect[] = [];
  for (const oldest of crowded.slice(0, 1)) {
    pending.delete(oldest);
    effects.push({ kind: 'evict', connection: oldest });
  }
  pending.set(connection, one);
  return [{ ...state, pending }, effects];
}
