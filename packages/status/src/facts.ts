import type {
  EventStatus,
  FriendBox,
  FriendLineStatus,
  FriendState,
  LineStatus,
  MailStatus,
  ServiceState,
  ServiceStatus,
  ZoneProblem,
} from './status-document.ts';

/** What a year was like: the parts of the known time in which it was up, from 0 to 1; undefined where nothing is known. */
export interface HistoryFacts {
  day: number | undefined;
  week: number | undefined;
  month: number | undefined;
  year: number | undefined;
  /** Of the last 90 days, the oldest first. */
  days: readonly (number | undefined)[];
}

/** A friend, in the agent's terms: instants in ms since 1970, undefined where nothing is known. */
export interface FriendFacts {
  name: string;
  id: string;
  /** All his boxes; the other facts are of the one that is best off. */
  boxes?: readonly FriendBox[] | undefined;
  state: FriendState;
  confirmed: boolean;
  sinceAtMs: number | undefined;
  lastHeardAtMs: number | undefined;
  rttMs: number | undefined;
  path: 'direct' | 'relayed' | undefined;
  via: string | undefined;
  seenDownBy: readonly string[];
  /** What this box does for him. */
  may: readonly string[];
  /** What his box offers to this one. */
  offers: readonly string[];
  version: string | undefined;
  /** What he signed to have taken of our mail in all; undefined where he never did. */
  tookForMe: { messages: number; bytes: number } | undefined;
  /** What he said about a planned absence, while that stands. */
  away?: AwayFacts | undefined;
  history?: HistoryFacts | undefined;
  /** Why his box and this one cannot talk, where they share no protocol version. */
  incompatible: string | undefined;
  line?: readonly FriendLineStatus[];
}

/** A friend's copy of a zone. */
interface ZoneFriendFacts {
  name: string;
  serial: number | undefined;
  heardAtMs: number | undefined;
  /** Of a zone of our own: until when he surely answers it without a further word of ours. */
  expiresAtMs?: number | undefined;
  /** How much of that time is gone: 0, 25, 50, 75 or 100. */
  agedPercent?: number;
}

/** A zone, in the agent's terms. */
export interface ZoneFacts {
  origin: string;
  owner: string;
  role: 'primary' | 'secondary';
  serial: number | undefined;
  /** In the master file as it was read last; undefined where it has mistakes, or there is none. */
  fileSerial: number | undefined;
  /** When answers stop if the owner is silent from now on; for one's own zone: when friends' answers would. */
  expiresAtMs: number | undefined;
  /** How much of the time that a friend's zone may be answered without a word of his is gone: 0, 25, 50, 75 or 100. */
  agedPercent?: number;
  friends: readonly ZoneFriendFacts[];
  /** Absolute path of the master file, for zones of one's own that have one. */
  file: string | undefined;
  problems: readonly ZoneProblem[];
  /**
   * Why the file is not what is published. `waiting`: this box may not sign yet. `behind`: the file is based on an older
   * version than the newest.
   */
  held: 'waiting' | 'behind' | undefined;
  /** Of a zone of one's own that comes from a hidden primary by zone transfer. */
  primary?: PrimaryFacts | undefined;
}

/** How it stands with a hidden primary. */
interface PrimaryFacts {
  /** `host:port`. */
  address: string;
  /** The primary's own serial of what was received last. */
  serial: number | undefined;
  checkedAtMs: number | undefined;
  nextCheckAtMs: number;
  /** When EXPIRE of the SOA is over, if the primary stays silent. */
  expiresAtMs: number | undefined;
  isExpired: boolean;
  failing: { sinceMs: number; text: string } | undefined;
  lastTransfer:
    | {
        how: 'axfr' | 'ixfr';
        atMs: number;
        bytes: number;
        tookMs: number;
        fromSerial: number | undefined;
        serial: number;
        why: string | undefined;
      }
    | undefined;
}

/** A mail domain, in the agent's terms. */
export interface MailFacts {
  domain: string;
  owner: string;
  role: 'primary' | 'backup';
  state: MailStatus['state'];
  messages: number;
  bytes: number;
  oldestAtMs: number | undefined;
  /** Friends who have something of what lies here as well. */
  alsoHeldBy: readonly string[];
  /** This box keeps no mail for the domain any more, and still has some. */
  isEnded?: boolean;
  /** Of a domain of ours: messages that its mail server refused, which wait for a decision. */
  quarantined?: number;
  /** Of a domain of ours: on how many friends' disks a message is to be before it is accepted. */
  copies?: number;
  /** Friends who take mail for the domain while its owner is away: granted and offered. */
  backups: readonly string[];
  /** Of a domain of one's own: what came of asking each of their boxes. */
  probes?: readonly MailProbeFacts[];
}

/** A backup that was asked as a stranger would ask it, and its last canary. */
export interface MailProbeFacts {
  friend: string;
  /** Undefined where nobody could say. */
  ok: boolean | undefined;
  text: string | undefined;
  /** `host:port` that was asked. */
  address: string | undefined;
  atMs: number | undefined;
  okAtMs: number | undefined;
  canary: { state: 'sent' | 'arrived' | 'failed'; atMs: number; tookMs?: number; text?: string } | undefined;
}

/** A planned absence: `untilMs` undefined is until somebody says that it is over. */
export interface AwayFacts {
  sinceMs: number;
  untilMs: number | undefined;
  note: string | undefined;
}

/** A service of somebody in the circle, as all who are heard see it. */
export interface ServiceFacts {
  owner: string;
  service: string;
  target: string;
  state: ServiceState;
  confirmed: boolean;
  sinceAtMs: number | undefined;
  upBy: readonly string[];
  downBy: readonly string[];
  inside: 'up' | 'down' | undefined;
  fault: ServiceStatus['fault'];
  /** All of it in a sentence or two. */
  text: string;
  /** Is it this box's owner's? */
  isOwn: boolean;
  /** What can be done about it, where it does not answer. */
  hint: string;
  history?: HistoryFacts | undefined;
}

/** Everything that the status document is made of. The agent collects it from the rooms at one instant. */
export interface StatusFacts {
  name: string;
  id: string;
  version: string;
  startedAtMs: number;
  /** The last fault that stopped the box since its process began; it started again by itself. */
  fault?: { atMs: number; where: string; inARow: number } | undefined;
  address: {
    ipv4: string | undefined;
    ipv6: string | undefined;
    changedAtMs: number | undefined;
    /** Can friends dial this box? Undefined where nobody could say. */
    reachable?: boolean | undefined;
    /** Friends through whom it can be reached. */
    relays?: readonly string[];
  };
  /** This box's own planned absence, as it told friends last. */
  away?: AwayFacts | undefined;
  /** How this box stands to its own past. */
  standing: {
    /** False until friends told what it signed before, and while another box runs with its key. */
    maySign: boolean;
    found: 'restored' | 'cloned' | undefined;
    /** The friend who noticed. */
    by: string | undefined;
    foundAtMs: number | undefined;
    /** What was asked for and waits until it may be signed, in words. */
    waiting: readonly string[];
  };
  /** Is this box in its circle, and if not, why? `by`: who removed its owner; of a member, who did so for himself alone. */
  membership: {
    state: 'member' | 'revoked' | 'removed' | 'invite-taken';
    by: readonly string[];
    /** When the last of them did, by his own clock; undefined where his record does not say. */
    atMs: number | undefined;
  };
  /** This box's clock against the median of its friends'; undefined where no friend told the time yet. */
  clock: { aheadMs: number; friends: number } | undefined;
  friends: readonly FriendFacts[];
  zones: readonly ZoneFacts[];
  mail: readonly MailFacts[];
  /** What is wrong with mail that friends keep for this owner, and the command that tells more. */
  mailTroubles?: readonly { id: string; text: string; command: string }[];
  /** The disk is all but full. */
  isDiskLow?: boolean;
  /** Names that a friend claims although they are another's: refused until the operator decides. */
  claims?: readonly { name: string; by: string; other: string; owner: string }[];
  /** Who could not be told of this box's address, and so leads others to where it was. */
  addressFailures?: readonly { to: string; sinceMs: number; text: string }[];
  /** Ways on which alerts do not get through. */
  alertFailures?: readonly { to: string; sinceMs: number; text: string }[];
  services?: readonly ServiceFacts[];
  takeovers: readonly {
    owner: string;
    service: string;
    name: string;
    by: string;
    sinceAtMs: number;
    votes: readonly string[];
    /** Of a service of our own: by friends' agreement, for good after too many of them, by our own pin, or as a rehearsal. */
    how?: 'agreed' | 'flapping' | 'pinned' | 'drill' | undefined;
  }[];
  /** Of our services in zones signed with DNSSEC: when the signatures over what a standby answers cease to count. */
  signedStandbys?: readonly { service: string; name: string; untilMs: number }[];
  line: Omit<LineStatus, 'limitBytesPerSecond'> & { limitBytesPerSecond: number | undefined };
  /** In any order; the document shows the newest first. */
  events: readonly (Omit<EventStatus, 'at'> & { atMs: number })[];
}
