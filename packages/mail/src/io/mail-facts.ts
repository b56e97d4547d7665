import type { MailDomain, MailFact, MessageInfo } from '../mail-domain.ts';
import { messageId } from '../message-id.ts';
import { type HeldMessage, isWaiting, type QueuedMessage } from '../spool.ts';
import type { Deliveries } from './deliver.ts';
import type { Drains } from './drain-friend.ts';
import type { HeldStore } from './held-store.ts';
import type { Inbox } from './inbox.ts';

/** What was accepted and delivered for each domain since this process started. */
export class Totals {
  readonly #counts = new Map<string, number>();

  add(what: 'accepted' | 'delivered', domain: string): void {
    this.#counts.set(`${what} ${domain}`, this.get(what, domain) + 1);
  }

  get(what: 'accepted' | 'delivered', domain: string): number {
    return this.#counts.get(`${what} ${domain}`) ?? 0;
  }
}

/** Queued messages that people call by this id; more than one only where recipients came in different transactions. */
export function queuedUnder(inbox: Inbox, id: string): QueuedMessage[] {
  return [...inbox.queue.values()].filter(
    ({ recipients }) => messageId(recipients.map(({ tag }) => tag)) === id,
  );
}

/** Every message that is on this box, oldest first; of those held for friends no more than the newest `heldMax`. */
export function listMessages(
  held: HeldStore,
  inbox: Inbox,
  deliveries: Deliveries,
  domains: readonly MailDomain[],
  heldMax: number = Number.POSITIVE_INFINITY,
): MessageInfo[] {
  const ownerOf = (domain: string): string => domains.find((one) => one.domain === domain)?.ownerId ?? '';
  const kept = [...held.messages.values()];
  const heldHere = kept.slice(Math.max(0, kept.length - heldMax)).map(
    (message): MessageInfo => ({
      id: messageId(message.tags),
      domain: message.domain,
      ownerId: message.ownerId,
      from: undefined,
      recipients: [],
      sizeBytes: message.sizeBytes,
      receivedAtMs: message.receivedAtMs,
      state: 'held',
      reply: undefined,
      nextTryAtMs: undefined,
      copyAt: message.copyAt,
    }),
  );
  const queued = [...inbox.queue.values()].map(
    (message): MessageInfo => ({
      id: messageId(message.recipients.map(({ tag }) => tag)),
      domain: message.domain,
      ownerId: ownerOf(message.domain),
      from: message.from,
      recipients: message.recipients
        .filter(({ state }) => state !== 'delivered')
        .map(({ address }) => address),
      sizeBytes: message.sizeBytes,
      receivedAtMs: message.receivedAtMs,
      state: isWaiting(message) ? 'queued' : 'quarantined',
      reply: message.reply === '' ? undefined : message.reply,
      nextTryAtMs: deliveries.nextTryAtMs(message),
      copyAt: undefined,
    }),
  );
  return [...heldHere, ...queued].sort((a, b) => a.receivedAtMs - b.receivedAtMs);
}

/** Domains whose mail still lies here though this box keeps none for them any more. */
export function endedDomains(held: HeldStore, domains: readonly MailDomain[]): MailDomain[] {
  const known = new Set(domains.map(({ ownerId, domain }) => `${ownerId} ${domain}`));
  const ended = new Map<string, MailDomain>();
  let last: HeldMessage | undefined;
  for (const message of held.messages.values()) {
    const { ownerId, domain } = message;
    // Neighbours are mostly of one domain, and there may be a hundred thousand.
    if (last?.domain === domain && last.ownerId === ownerId) continue;
    last = message;
    const key = `${ownerId} ${domain}`;
    if (known.has(key) || ended.has(key)) continue;
    ended.set(key, { domain, ownerId, ownerName: '', role: 'backup', sealTo: [], maxBytes: 0, ended: true });
  }
  return [...ended.values()];
}

/** What the status page says of one domain. */
export function fact({
  domain,
  held,
  inbox,
  deliveries,
  drains,
  totals,
}: {
  domain: MailDomain;
  held: HeldStore;
  inbox: Inbox;
  deliveries: Deliveries;
  drains: Drains;
  totals: Totals;
}): MailFact {
  const own = domain.role === 'own';
  const heldHere = own
    ? []
    : [...held.messages.values()].filter(
        (one) => one.domain === domain.domain && one.ownerId === domain.ownerId,
      );
  const here = own
    ? [...inbox.queue.values()].filter((message) => message.domain === domain.domain)
    : heldHere;
  const quarantined = own
    ? [...inbox.queue.values()].filter((one) => one.domain === domain.domain && !isWaiting(one)).length
    : 0;
  const messages = here.length - quarantined;
  const moving = own ? deliveries.isDelivering(domain.domain) : drains.isDraining(domain.ownerId);
  const present = own || drains.isReachable(domain.ownerId);
  const oldest = here.reduce(
    (min, { receivedAtMs }) => Math.min(min, receivedAtMs),
    Number.POSITIVE_INFINITY,
  );
  return {
    domain: domain.domain,
    ownerId: domain.ownerId,
    ownerName: domain.ownerName,
    role: domain.role,
    state: messages > 0 ? (moving ? 'draining' : 'holding') : present ? 'live' : 'holding',
    messages,
    bytes: here.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    quarantined,
    oldestAtMs: here.length > 0 ? oldest : undefined,
    acceptedTotal: totals.get('accepted', domain.domain),
    deliveredTotal: totals.get('delivered', domain.domain),
    alsoAt: [...new Set(heldHere.flatMap(({ copyAt }) => copyAt ?? []))],
    ended: domain.ended === true,
  };
}
