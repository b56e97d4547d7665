import { guestDeadlineMs, maxGuestsPerNetwork } from './limits.ts';
import type { TrafficClass } from './line-scheduler.ts';

/**
 * Who a connection is from: a friend by the roster; a guest who may use the join protocol and nothing else; a former
 * friend who is told that he was removed, and may open nothing; or nobody.
 */
export type Admission = 'friend' | 'guest' | 'former' | 'nobody';

/**
 * Protocol names carry the major version. Of each protocol the versions that this box speaks, newest first: a stream is
 * opened in the newest that both sides know, and those before are kept for friends who have not updated yet.
 */
export const protocols = {
  sync: ['/copain/sync/3', '/copain/sync/2', '/copain/sync/1'],
  join: ['/copain/join/1'],
  zone: ['/copain/zone/1'],
  live: ['/copain/live/1'],
  raw: ['/copain/raw/1'],
  drain: ['/copain/drain/1'],
  copy: ['/copain/copy/1'],
  policy: ['/copain/policy/1'],
  bulk: ['/copain/bulk/1'],
  dialback: ['/copain/dialback/1'],
  mail: ['/copain/mail/1'],
  removed: ['/copain/removed/1'],
} as const;
export type ProtocolName = keyof typeof protocols;

/** The number at the end of a protocol name of ours, or undefined where it is none. */
export function protocolVersion(id: string): number | undefined {
  const digits = /^\/copain\/[a-z]+\/(\d{1,6})$/.exec(id)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Which versions of a protocol two boxes speak that have none in common. */
export interface VersionGap {
  protocol: ProtocolName;
  ours: number[];
  theirs: number[];
}

/**
 * Do both sides know a version of `protocol`? `theirs` is everything the other side announced. Undefined where they do,
 * and where it announced none at all, as somebody does who is no box of ours.
 */
export function versionGap(
  protocol: ProtocolName,
  { ours, theirs }: { ours: readonly string[]; theirs: readonly string[] },
): VersionGap | undefined {
  const same = theirs.filter((id) => id.startsWith(`/copain/${protocol}/`));
  if (same.length === 0 || same.some((id) => ours.includes(id))) return undefined;
  const numbers = (ids: readonly string[]): number[] =>
    ids.flatMap((id) => protocolVersion(id) ?? []).toSorted((a, b) => b - a);
  return { protocol, ours: numbers(ours), theirs: numbers(same) };
}

/** Which side has the older copain: the one whose newest version is the lower. */
export function isOurCopainOlder({ ours, theirs }: VersionGap): boolean {
  return Math.max(...ours) < Math.max(...theirs);
}

/** Which class of the line each protocol's bytes are. */
export const protocolClass: Readonly<Record<ProtocolName, TrafficClass>> = {
  sync: 'control',
  join: 'control',
  zone: 'dns',
  live: 'live-mail',
  raw: 'live-mail',
  drain: 'held-mail',
  copy: 'held-mail',
  policy: 'held-mail',
  bulk: 'bulk',
  dialback: 'control',
  mail: 'held-mail',
  removed: 'control',
};

/**
 * Streams of each protocol that one box may have open with us over all its connections, and how long one may last. Two
 * sync streams overlap while one replaces the other; a friend's mail server has many conversations at once; a zone of
 * 1 MiB takes over a minute at 128 kbit/s; held mail goes on where a stream that ended had stopped.
 */
export function protocolLimits(name: ProtocolName): { streams: number; lastsMs: number | undefined } {
  return limitsOf[name] ?? { streams: 4, lastsMs: 120_000 };
}

const limitsOf: Readonly<Partial<Record<ProtocolName, { streams: number; lastsMs: number | undefined }>>> = {
  sync: { streams: 8, lastsMs: undefined },
  join: { streams: 2, lastsMs: 120_000 },
  zone: { streams: 16, lastsMs: 900_000 },
  live: { streams: 32, lastsMs: 7_200_000 },
  raw: { streams: 32, lastsMs: 7_200_000 },
  drain: { streams: 4, lastsMs: 21_600_000 },
  copy: { streams: 4, lastsMs: 21_600_000 },
  // A person reads a mail of 50 MB over the friend's uplink.
  mail: { streams: 4, lastsMs: 3_600_000 },
  policy: { streams: 2, lastsMs: 3_600_000 },
  // A backup may take days; what moves nothing ends by the transfer's own limits.
  bulk: { streams: 8, lastsMs: undefined },
  removed: { streams: 1, lastsMs: guestDeadlineMs },
};

/** What the gate knows when it decides. */
export interface GateView {
  friends: ReadonlySet<string>;
  /** Is some invite open, or closed so recently that its bearer should be told why? */
  invitesAnswered: boolean;
  guests: number;
  maxGuests: number;
  /** Is it the box of a former friend that is to be told so now? */
  isToBeTold: (peer: string) => boolean;
}

/** Step 2 of every refusal, right after Noise: who is this, and may he stay? */
export function admitConnection(peer: string, view: GateView): Admission {
  if (view.friends.has(peer)) return 'friend';
  if (view.invitesAnswered && view.guests < view.maxGuests) return 'guest';
  return view.isToBeTold(peer) ? 'former' : 'nobody';
}

/** May one more guest come from this network? `networks`: those of the guests that are here, one entry a connection. */
export function hasRoomForGuest(network: string, networks: Iterable<string>): boolean {
  let same = 0;
  for (const one of networks) if (one === network) same += 1;
  return same < maxGuestsPerNetwork;
}

/** Step 3: may he use this protocol? */
export function admitProtocol(admission: Admission, protocol: ProtocolName): boolean {
  return admission === 'friend' ? true : admission === 'guest' && protocol === 'join';
}
