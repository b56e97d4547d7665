import { ipv6Groups } from '@copain/core';
import { arrivalLimits } from './limits.ts';
import { fullBucket, refilled, type TokenBucket } from './token-bucket.ts';

/** A TCP connection that has not shown yet who it is. */
interface Pending {
  source: string;
  /** It comes from where a friend was met before. */
  known: boolean;
}

/** Connections that arrived and have not come through Noise; all of it bounded, whatever arrives. */
export interface ArrivalState {
  /** By source, least recently seen first. */
  buckets: ReadonlyMap<string, TokenBucket>;
  strangers: TokenBucket;
  /** By connection, oldest first. */
  pending: ReadonlyMap<string, Pending>;
}

export type ArrivalInput =
  /** `known`: a friend's box was met at this host, or announced it. */
  | { kind: 'arrived'; connection: string; host: string; known: boolean }
  /** It came through Noise, was refused, or went away. */
  | { kind: 'settled'; connection: string };

/** `admit`: let it begin its handshake. `refuse`: close it now. `evict`: close this older one to make room. */
export type ArrivalEffect =
  | { kind: 'admit' }
  | { kind: 'refuse'; why: 'source' | 'strangers' }
  | { kind: 'evict'; connection: string };

/** Nobody arrived yet. */
export function noArrivals(nowMs: number): ArrivalState {
  const strangers = fullBucket(arrivalLimits.strangers, nowMs);
  return { buckets: new Map(), strangers, pending: new Map() };
}

/**
 * What shares one bucket: an IPv4 /24 or an IPv6 /48 for strangers, who may have whole nets; for a host at which a
 * friend was met the address itself (the /64 of IPv6, where hosts change the rest), so that his neighbours do not count
 * against him.
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
 * The first of all refusals, before a byte of Noise is computed (5 to 7 ms each). Arrivals are counted per source,
 * and strangers also in all; a host at which friends are met has a bucket and a waiting room of its own, so that no crowd
 * of strangers keeps a friend out. Full waiting rooms push out whoever waits longest: a friend is through in a few
 * round trips, while those who say nothing make room for him.
 */
export function stepArrivals(
  state: ArrivalState,
  input: ArrivalInput,
  nowMs: number,
): [ArrivalState, ArrivalEffect[]] {
  if (input.kind === 'settled') {
    if (!state.pending.has(input.connection)) return [state, []];
    const pending = new Map(state.pending);
    pending.delete(input.connection);
    return [{ ...state, pending }, []];
  }
  const { known } = input;
  const source = arrivalSource(input.host, known);
  const limit = known ? arrivalLimits.knownHost : arrivalLimits.network;
  const buckets = new Map(state.buckets);
  const bucket = refilled(buckets.get(source) ?? fullBucket(limit, nowMs), limit, nowMs);
  // Put at the end: the least recently seen source is the one forgotten.
  buckets.delete(source);
  if (buckets.size >= arrivalLimits.maxSources) buckets.delete(buckets.keys().next().value ?? '');
  if (bucket.tokens < 1) {
    buckets.set(source, bucket);
    return [{ ...state, buckets }, [{ kind: 'refuse', why: 'source' }]];
  }
  const strangers = refilled(state.strangers, arrivalLimits.strangers, nowMs);
  if (!known && strangers.tokens < 1) {
    buckets.set(source, bucket);
    return [{ ...state, buckets, strangers }, [{ kind: 'refuse', why: 'strangers' }]];
  }
  buckets.set(source, { ...bucket, tokens: bucket.tokens - 1 });
  const pending = new Map(state.pending);
  const effects: ArrivalEffect[] = [{ kind: 'admit' }];
  for (const connection of crowdedOut(pending, source, known)) {
    pending.delete(connection);
    effects.push({ kind: 'evict', connection });
  }
  pending.set(input.connection, { source, known });
  const left = known ? strangers : { ...strangers, tokens: strangers.tokens - 1 };
  return [{ buckets, strangers: left, pending }, effects];
}

/** Who has to go so that one more from this source may wait: the longest waiting of his source, then of all strangers. */
function crowdedOut(pending: ReadonlyMap<string, Pending>, source: string, known: boolean): string[] {
  const sameSource: string[] = [];
  const sameRoom: string[] = [];
  for (const [connection, one] of pending) {
    if (one.source === source) sameSource.push(connection);
    if (one.known === known) sameRoom.push(connection);
  }
  const perSource = known ? arrivalLimits.knownHost.pending : arrivalLimits.network.pending;
  const inAll = known ? arrivalLimits.maxKnownPending : arrivalLimits.strangers.pending;
  if (sameSource.length >= perSource) return sameSource.slice(0, 1);
  return sameRoom.length >= inAll ? sameRoom.slice(0, 1) : [];
}
