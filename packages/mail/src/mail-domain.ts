import type { HostPort } from '@copain/core';
import type { RecipientWish } from './recipient-policy.ts';

/** How the owner's MTA learns who the true client is. */
export type ClientForm = 'none' | 'proxy-v1' | 'proxy-v2' | 'xclient';

/** One domain that this box takes mail for: its own, or a friend's by a grant. The agent keeps the list current. */
export interface MailDomain {
  /** Lower case, A-labels. */
  domain: string;
  ownerId: string;
  ownerName: string;
  role: 'own' | 'backup';
  /** age recipients (`age1…`) of the owner; mail that has to wait is sealed to all of them. */
  sealTo: readonly string[];
  /** What may be held for this domain, in bytes on disk. */
  maxBytes: number;
  /** The owner's MTA; role `own` only. */
  deliver?: HostPort;
  /** Role `own` only; `none` where it is missing. */
  client?: ClientForm;
  /** This box keeps no mail for it any more; what lies here waits for its owner, or for another friend to take it. */
  ended?: true;
  /** Role `own` only: how friends are to treat its mail; all accepted, one copy, where it is missing. */
  wish?: RecipientWish;
}

/**
 * One message on this box. `id` is the same wherever the message is; two copies on one box share it. `from` and
 * `recipients` are unknown (undefined, none) where they are sealed to a friend; `recipients` leaves out those who have it.
 */
export interface MessageInfo {
  id: string;
  domain: string;
  ownerId: string;
  from: string | undefined;
  recipients: string[];
  sizeBytes: number;
  receivedAtMs: number;
  state: 'held' | 'queued' | 'quarantined';
  /** What the MTA said last, for people. */
  reply: string | undefined;
  /** When it is tried again, undefined where it waits for a friend or for a decision. */
  nextTryAtMs: number | undefined;
  /** Owner id of another friend who has it as well, as far as this box knows. */
  copyAt: string | undefined;
}

/** What the status page says of one domain. Totals count from the start of this process. */
export interface MailFact {
  domain: string;
  ownerId: string;
  ownerName: string;
  role: 'own' | 'backup';
  state: 'live' | 'holding' | 'draining';
  messages: number;
  bytes: number;
  quarantined: number;
  oldestAtMs: number | undefined;
  acceptedTotal: number;
  deliveredTotal: number;
  /** Owner ids of friends who have something of it as well, as far as this box knows. */
  alsoAt: string[];
  /** This box keeps no mail for it any more, and has some all the same. */
  ended: boolean;
}

export interface MailFacts {
  domains: MailFact[];
}
