/**
 * The forms in which copain tells scripts and people how it is. `peer.status/1` is a promise to other people's
 * programs: fields are added, never renamed or removed. Times are RFC 3339 in UTC, durations end in `Ms`, sizes in
 * `Bytes`, serials are numbers, and null says "not known" or "there is none".
 */

/** How worried to be: nothing to do; something to look at; something is, or at the next failure would be, broken. */
export type VerdictLevel = 'ok' | 'attention' | 'danger';

/** One thing to do: why, and the command to type. A hint is a proposal and makes no verdict worse. */
export interface Todo {
  weight: 'danger' | 'attention' | 'hint';
  text: string;
  command: string;
}

/** What happens if this box dies now, and what to do about it. */
export interface Verdict {
  level: VerdictLevel;
  text: string;
  todo: Todo[];
}

/** What is known of a friend's box. `partial`: some friends hear it, others do not. `away`: planned. */
export type FriendState = 'up' | 'slow' | 'suspect' | 'partial' | 'down' | 'away' | 'unknown';

/** One of a friend's boxes. */
export interface FriendBox {
  name: string;
  id: string;
  state: FriendState;
}

/**
 * What the past was like: the part of the known time in which it was up, from 0 to 1, null where nothing is known. Planned
 * absence counts as neither, and so does time in which this box was off or heard nobody.
 */
export interface HistoryStatus {
  up24h: number | null;
  up7d: number | null;
  up30d: number | null;
  up365d: number | null;
  /** The last 90 days (UTC), the oldest first; the last one is today. */
  days: (number | null)[];
}

/** One friend, as `peer friends --json` and the status document show him. */
export interface FriendStatus {
  name: string;
  /** The PeerId of his box. */
  id: string;
  /** All his boxes; `id`, `state` and what follows are of the one that is best off. */
  boxes: FriendBox[];
  state: FriendState;
  /** Did a second observer agree with the state? In a circle of two nobody can. */
  confirmed: boolean;
  /** Since when the state holds. */
  sinceAt: string | null;
  lastHeardAt: string | null;
  rttMs: number | null;
  /** How his bytes reach this box; null while they do not. */
  path: 'direct' | 'relayed' | null;
  /** The friend who relays. */
  via: string | null;
  /** Names of those who say that they do not hear him. */
  seenDownBy: string[];
  /** What this box does for him. */
  may: string[];
  /** What his box offers to do for this one. */
  offers: string[];
  version: string | null;
  /** What he signed to have taken of this box's mail in all, ever; null where he never did. */
  tookForMe: { messages: number; bytes: number } | null;
  /** What he said about a planned absence, while that stands. */
  away: AwayStatus | null;
  /** null where nothing was seen yet. */
  history: HistoryStatus | null;
  /** Why his box and this one cannot talk, where they share no protocol version; else null. */
  incompatible: string | null;
  /** What went to him and came from him since the agent started, by class of traffic; before Noise, yamux and TCP. */
  line?: FriendLineStatus[];
}

/** Bytes exchanged with one friend in one class of traffic. */
export interface FriendLineStatus {
  class: 'control' | 'dns' | 'live-mail' | 'relayed' | 'held-mail' | 'bulk';
  sentBytes: number;
  receivedBytes: number;
}

/** One finding about a master file; `line` and `column` count from 1. */
export interface ZoneProblem {
  severity: 'error' | 'warning';
  file: string;
  line: number;
  column: number;
  text: string;
}

/** What a friend said last about his copy of a zone. `serial` null: he holds none yet. */
export interface ZoneFriendStatus {
  name: string;
  serial: number | null;
  heardAt: string | null;
  /** Of a zone of this box: until when he surely answers it without a further word of its owner; null: not known. */
  expiresAt: string | null;
  /** How much of that time is gone, at least: 0, 25, 50, 75, or 100: he does not answer it any more. */
  agedPercent: number;
}

/** One zone that this box owns (`primary`) or answers for a friend (`secondary`). */
export interface ZoneStatus {
  origin: string;
  /** Name of the owner: this box's own name, or a friend's. */
  owner: string;
  role: 'primary' | 'secondary';
  /** What this box serves; null while it has no good version. */
  serial: number | null;
  /** What the master file says, which is behind `serial` where the owner did not raise it; null where there is none. */
  fileSerial: number | null;
  /** When answers stop if the owner stays silent from now on. */
  expiresAt: string | null;
  /** Of a friend's zone: how much of the time it may be answered without him is gone, at least: 0, 25, 50, 75 or 100. */
  agedPercent: number;
  /** Who else was granted the zone, and which serial each one last reported. */
  friends: ZoneFriendStatus[];
  /** The hidden primary that feeds a zone of one's own; null for all others. */
  primary: PrimaryStatus | null;
  /** The master file, as an absolute path; null for zones of others and zones fed by a primary. */
  file: string | null;
  /** Mistakes in the master file that keep the newest content from being published. */
  problems: ZoneProblem[];
  /** Why the file is not published: `waiting` for the first signature, `behind` the newest version; null: it is. */
  held: 'waiting' | 'behind' | null;
}

/** How it stands with the hidden primary of a zone. */
export interface PrimaryStatus {
  address: string;
  /** The primary's own serial of what was received last; the served one may be higher. */
  serial: number | null;
  /** When the primary last said what its newest version is, and it was here. */
  checkedAt: string | null;
  nextCheckAt: string;
  /** When EXPIRE of its SOA is over, if it stays silent; from then on friends are not told any more that the zone is current. */
  expiresAt: string | null;
  expired: boolean;
  /** Why the primary cannot be asked, and since when; null: it can. */
  failing: { sinceAt: string; text: string } | null;
  /** The last transfer since the start. `bytes` as they came, `why` it had to be everything. */
  lastTransfer: {
    how: 'axfr' | 'ixfr';
    at: string;
    bytes: number;
    tookMs: number;
    fromSerial: number | null;
    serial: number;
    why: string | null;
  } | null;
}

/** One mail domain: owned here (`primary`), or kept for a friend while his server is away (`backup`). */
export interface MailStatus {
  domain: string;
  owner: string;
  role: 'primary' | 'backup';
  /** `live`: passed straight to the owner; `holding`: the owner is away; `draining`: on the way to him. */
  state: 'live' | 'holding' | 'draining';
  /** Messages on this box's disk for the domain. */
  messages: number;
  bytes: number;
  oldestAt: string | null;
  /** Friends who hold messages for this domain too. */
  alsoHeldBy: string[];
  /** Friends who take mail for the domain while its owner is away. */
  backups: string[];
  /** Of a domain of this box: what came of asking each of their boxes as a stranger would. */
  probes: MailProbeStatus[];
}

/** What came of asking a backup whether it takes mail, and of the canary through it. */
export interface MailProbeStatus {
  friend: string;
  /** Does it take mail? Null: nobody could say. */
  ok: boolean | null;
  /** Its last answer, or what went wrong. */
  text: string | null;
  /** `host:port` that was asked. */
  address: string | null;
  at: string | null;
  /** When it took mail last. */
  okAt: string | null;
  canary: {
    state: 'sent' | 'arrived' | 'failed';
    at: string;
    /** From the backup to this box, once it arrived. */
    tookMs: number | null;
    text: string | null;
  } | null;
}

/** `partial`: some reach it, others do not; `unknown`: nobody can say. */
export type ServiceState = 'up' | 'partial' | 'down' | 'unknown';

/** A mail server, a name server, or what its owner calls it, as friends see it from outside. */
export interface ServiceStatus {
  owner: string;
  /** `smtp`, `backup-mx`, `dns`, or a name that the owner gave. */
  service: string;
  /** What is tried: a host and port, a zone at a name server, a URL. */
  target: string;
  state: ServiceState;
  /** down: observers in two networks agree; up: somebody reached it. */
  confirmed: boolean;
  sinceAt: string | null;
  upBy: string[];
  downBy: string[];
  /** How it looks on its owner's own box; null where that does not say. */
  inside: 'up' | 'down' | null;
  /** `service`: it does not answer on its own box either; `way`: there it does, and friends do not reach it. */
  fault: 'none' | 'service' | 'way' | 'unknown';
  text: string;
  history: HistoryStatus | null;
}

/** One service that a friend has taken over by agreement. */
export interface TakeoverStatus {
  owner: string;
  service: string;
  name: string;
  by: string;
  sinceAt: string;
  votes: string[];
}

/** What copain used of this box's own line. */
export interface LineStatus {
  state: 'ok' | 'cut' | 'unknown';
  sentBytes: number;
  receivedBytes: number;
  sentBytesPerSecond: number;
  receivedBytesPerSecond: number;
  /** null: no limit is set. */
  limitBytesPerSecond: number | null;
}

/** Something that happened, e.g. `zone.updated`. */
export interface EventStatus {
  at: string;
  kind: string;
  text: string;
}

/** A planned absence; `until` null: until its owner says that it is over. */
export interface AwayStatus {
  since: string;
  until: string | null;
  note: string | null;
}

/** `peer status --json` and `GET /status.json`. */
export interface StatusDocument {
  schema: 'peer.status/1';
  name: string;
  id: string;
  version: string;
  startedAt: string;
  /** When this document was made. */
  at: string;
  verdict: Verdict;
  address: {
    ipv4: string | null;
    ipv6: string | null;
    changedAt: string | null;
    /** Can friends dial this box? null where nobody could say. */
    reachable: boolean | null;
    /** Friends through whom it can be reached. */
    relays: string[];
  };
  /** This box's own planned absence. */
  away: AwayStatus | null;
  /** How this box stands to its own past: was it put back from an older copy, does a second one run with its key? */
  standing: {
    maySign: boolean;
    found: 'restored' | 'cloned' | null;
    by: string | null;
    foundAt: string | null;
    waiting: string[];
  };
  /**
   * Is this box in its circle, and if not, why? `by`: who removed its owner; of a member, who did so for himself alone.
   * `at`: when, by the clock of who did; null where it is not known.
   */
  membership: { state: 'member' | 'revoked' | 'removed' | 'invite-taken'; by: string[]; at: string | null };
  /** This box's clock less the median of its friends' (below zero: behind); null where no friend told the time. */
  clock: { aheadMs: number; friends: number } | null;
  friends: FriendStatus[];
  zones: ZoneStatus[];
  mail: MailStatus[];
  services: ServiceStatus[];
  takeovers: TakeoverStatus[];
  line: LineStatus;
  /** Newest first. */
  events: EventStatus[];
}

/** `peer address --json`, without its schema. */
export interface AddressInfo {
  ipv4: AgreedAddress | null;
  ipv6: AgreedAddress | null;
  /** What friends in one network alone see; it counts for nothing yet. */
  unconfirmed: string[];
  /** Names of this box's zones that follow the address. */
  followedBy: string[];
  /** Who else is told of it: a program, or a server of somebody else's zone. */
  told: AddressTold[];
  /** Oldest first. */
  history: {
    at: string;
    family: 'ipv4' | 'ipv6';
    from: string | null;
    to: string;
    by: 'friends' | 'operator';
  }[];
}

/** Somebody who is told of the address, and how that stands. */
export interface AddressTold {
  /** The program, or names and server. */
  to: string;
  /** What he took last; null where he never did. */
  ipv4: string | null;
  ipv6: string | null;
  at: string | null;
  /** He has all that counts now. */
  current: boolean;
  failing: { since: string; text: string; nextTryAt: string } | null;
}

/** A public address of this box that counts: two networks see it, or the operator set it. */
interface AgreedAddress {
  address: string;
  since: string;
  by: 'friends' | 'operator';
}

/** One message here or at friends, as `peer mail list --json` shows it. Never its subject or content. */
export interface MessageInfo {
  id: string;
  domain: string;
  /** The envelope sender; empty for bounces (RFC 5321 §4.5.5). */
  from: string;
  recipients: string[];
  sizeBytes: number;
  receivedAt: string;
  heldBy: string[];
  /** `queued`: at the owner, not yet at his mail server. */
  state: 'held' | 'queued' | 'delivered' | 'quarantined';
  /** When the owner's mail server is asked again; null where nothing is planned. */
  nextTryAt?: string | null;
  /** What the owner's mail server said last; null where it was not asked. */
  lastReply?: string | null;
}

/** `peer friends --json`. */
export interface FriendsDocument {
  schema: 'peer.friends/1';
  friends: FriendStatus[];
}

/** `peer zone list --json`. */
export interface ZoneListDocument {
  schema: 'peer.zone.list/1';
  zones: ZoneStatus[];
}

/** `peer mail list --json`. */
export interface MailListDocument {
  schema: 'peer.mail.list/1';
  messages: MessageInfo[];
}

/** `peer invite --json`. The code is a secret until it is redeemed. */
export interface InviteDocument {
  schema: 'peer.invite/1';
  id: string;
  code: string;
  expiresAt: string;
}

/** One invite that this box knows of. */
export interface InviteInfo {
  id: string;
  name: string;
  may: string[];
  expiresAt: string;
  state: 'open' | 'used' | 'expired' | 'revoked';
}

/** `peer invite --list --json`. */
export interface InviteListDocument {
  schema: 'peer.invite.list/1';
  invites: InviteInfo[];
}
