import {
  type Clock,
  type FrameStream,
  formatHostPort,
  type HostPort,
  type Random,
  type Segments,
  type Table,
} from '@copain/core';
import type { CopyFriend } from '../copies.ts';
import { doorsMax } from '../limits.ts';
import type { MailDomain, MailFacts, MessageInfo } from '../mail-domain.ts';
import { messageId } from '../message-id.ts';
import type { MailDoor } from '../question-frames.ts';
import { recipientForm } from '../recipient-form.ts';
import { judgeRecipient } from '../recipient-policy.ts';
import type { Tally } from '../tally.ts';
import { ArrivingRoom } from './arriving-message.ts';
import { Canaries } from './canaries.ts';
import { canaryArrival, type OwnBoxes } from './canary-arrival.ts';
import { Certificates, type TlsFiles } from './certificates.ts';
import { Copies, type CopyCount } from './copies.ts';
import { type CopySender, handleCopy } from './copy-holder.ts';
import { asError } from './deadline.ts';
import { Deliveries } from './deliver.ts';
import { Drains } from './drain-friend.ts';
import { handleDrain, PartialPulls } from './drain-owner.ts';
import type { MailEvents } from './events.ts';
import { framePair } from './frame-pair.ts';
import { FriendPolicies } from './friend-policies.ts';
import { HeldStore } from './held-store.ts';
import { importedRecord } from './imported-mail.ts';
import { Inbox } from './inbox.ts';
import { keepingViews } from './keeping-views.ts';
import { handleLive } from './live-owner.ts';
import { endedDomains, fact, listMessages, queuedUnder, Totals } from './mail-facts.ts';
import { answerMailQuestions } from './mail-questions.ts';
import { OwnerNotes } from './owner-notes.ts';
import { type BackupBox, PolicyPush } from './policy-push.ts';
import { PullsUnderWay } from './pulls-under-way.ts';
import { type RawOptions, type RawRoom, startRawRoom } from './raw-room.ts';
import { ReceiptChecks } from './receipt-checks.ts';
import type { ReceptionOptions } from './reception.ts';
import { RecipientBook } from './recipient-book.ts';
import { type RecipientFacts, recipientFacts } from './recipient-facts.ts';
import { Sealing } from './sealing.ts';
import { type SetAside, setAsideRecord } from './set-aside.ts';
import { startSmtpListener } from './smtp-listener.ts';

export interface MailOptions {
  listen: readonly HostPort[];
  /** In the greeting and in the trace header. */
  hostname: string;
  /** Certificates for STARTTLS, asked anew again and again. */
  tls: () => TlsFiles;
  /** The domains as they are now; asked anew for every decision. */
  domains: () => readonly MailDomain[];
  /** A stream to the agent of an owner's box; rejects where none can be reached. */
  openLive: (ownerId: string, signal: AbortSignal) => Promise<FrameStream>;
  openDrain: (ownerId: string, signal: AbortSignal) => Promise<FrameStream>;
  /** A stream for copies to the box of a friend who keeps mail for the same owner, or for notes to a box of an owner. */
  openCopy: (to: { peer: string } | { ownerId: string }, signal: AbortSignal) => Promise<FrameStream>;
  /** Boxes of friends, heard now, that keep mail for this owner and domain as we do. */
  copyFriends: (domain: { ownerId: string; domain: string }) => readonly CopyFriend[];
  /** Does that friend keep mail for this owner and domain, by grant and offer? */
  isBackup: (friendId: string, domain: { ownerId: string; domain: string }) => boolean;
  /** A stream to a friend's box that takes our mail. */
  openPolicy: (peer: string, signal: AbortSignal) => Promise<FrameStream>;
  /** Friends' boxes that are heard now and take mail of a domain of ours. */
  backups: () => readonly BackupBox[];
  raw: RawOptions;
  ownBoxes: OwnBoxes;
  /** What is held for friends. */
  segments: Segments;
  /** What is queued for our own MTA. */
  inbox: Segments;
  /** Rows under `mail/`, `note/`, `policy/`, `tally/`, `accepted/`, `receipt/` and `canary/`. */
  table: Table;
  /** Where messages wait while they come in; on the disk that `segments` are on. */
  arrivingDir: string;
  /** What that disk has left, in bytes. */
  freeBytes: () => Promise<number>;
  /** Our age identities (`AGE-SECRET-KEY-1…`), newest first. */
  identities: () => readonly string[];
  clock: Clock;
  random: Random;
  events: MailEvents;
  /** How often sessions are judged by their pace; default: `sweepEveryMs`. */
  sweepMs?: number;
}

export interface Mail extends AsyncDisposable {
  /** Where it listens, in the order of `listen`, with the real ports. */
  readonly addresses: readonly HostPort[];
  /** Serves one `/copain/live/1` stream. The agent has checked that this friend may pass us mail. Never rejects. */
  handleLive(stream: FrameStream, fromPeer: string, fromName: string): Promise<void>;
  /** Serves one `/copain/drain/1` stream. The agent has checked that this friend may hold our mail. Never rejects. */
  handleDrain(stream: FrameStream, fromPeer: string, fromName: string): Promise<void>;
  /** Serves one `/copain/copy/1` stream of a member's box. Never rejects. */
  handleCopy(stream: FrameStream, from: CopySender): Promise<void>;
  /** A friend's box is connected: it may keep copies now. */
  friendHeard(friend: CopyFriend): void;
  friendSilent(friend: CopyFriend): void;
  /** Serves one `/copain/policy/1` stream of a box of this owner. Never rejects. */
  handlePolicy(stream: FrameStream, ownerId: string): Promise<void>;
  /** What is known of the recipients of a domain; undefined where it is none of this box. */
  recipients(domain: string): RecipientFacts | undefined;
  /** Adds or forgets an address of a domain of ours by hand; false where nothing changed. */
  changeRecipient(address: string, change: 'add' | 'remove'): Promise<boolean>;
  /** When our own mail server refused this address of a domain of ours last; undefined where it did not. */
  refusedAtMs(address: string): number | undefined;
  /** Where it listens for one owner each, in the order of `raw.doors`. */
  readonly rawAddresses: readonly HostPort[];
  /**
   * Serves one `/copain/raw/1` stream; `granted`: domains of ours that this friend takes mail for, as the agent knows.
   * Never rejects.
   */
  handleRaw(stream: FrameStream, fromName: string, granted: readonly string[]): Promise<void>;
  /** Until it is disposed of friends have all conversations themselves, also at addresses that are ours alone. */
  declineRaw(): Disposable;
  /** When a friend's raw connection was last given to our own mail server, 0 where none was. */
  rawPassedAtMs(): number;
  /** A box of this owner is connected: what is held for him goes out at once. */
  ownerReachable(ownerId: string): void;
  ownerGone(ownerId: string): void;
  /** Tries everything (of one domain) now; how many messages that is. */
  flush(domain?: string): Promise<number>;
  /** What is on this box; of what is held for friends no more than the newest `heldMax`. */
  list(heldMax?: number): Promise<MessageInfo[]>;
  /** How many messages are held for friends. */
  heldCount(): number;
  /** The sealed record of a message that `list` showed, and undefined once it is gone. */
  record(message: { id: string; state: string }): Promise<Uint8Array | undefined>;
  /**
   * Takes in a sealed message that came as a file; `duplicate`: this box had it before. `refused` says why it cannot be
   * taken, now or at all.
   */
  takeFile(sealed: Uint8Array): Promise<{ kind: 'stored' | 'duplicate' } | { kind: 'refused'; why: string }>;
  /** Takes a record that cannot be read out of what waits here, once `keep` has its bytes; see `setAsideRecord`. */
  setAside(
    record: { store: 'held' | 'queued'; id: string },
    keep: (bytes: Uint8Array) => Promise<void>,
  ): Promise<SetAside>;
  /** What the owner decides about a quarantined message; false where nothing of it is. Rejects on disk trouble. */
  decide(id: string, what: 'release' | 'discard'): Promise<boolean>;
  /** Serves one `/copain/mail/1` stream of a box of this owner; `own`: of our own owner. Never rejects. */
  answerQuestions(stream: FrameStream, asker: { ownerId: string; own: boolean }): Promise<void>;
  facts(): MailFacts;
  /** What was ever accepted here for each owner, by his id. */
  tallies(): ReadonlyMap<string, Tally>;
  /** Has the count for this owner go on from what was signed for him, where it does not; true where it had to. */
  countFrom(ownerId: string, signed: Omit<Tally, 'last'>): Promise<boolean>;
  /** What friends signed for, held against what arrived here. */
  readonly receipts: ReceiptChecks;
  readonly canaries: Canaries;
}

/** How often policies are looked through for owners whose grant has ended. */
const forgetEveryMs = 5000;

/** Starts taking and handing on mail. Resolves when it listens and has read what an earlier run left. */
export async function startMail(options: MailOptions): Promise<Mail> {
  const { domains, events, hostname, clock, random, table, identities } = options;
  const totals = new Totals();
  const held = await HeldStore.open(options, events);
  const canaries = await Canaries.open(table, clock, random);
  const arrival = canaryArrival({ canaries, ownBoxes: options.ownBoxes, clock });
  const inbox = await Inbox.open({
    segments: options.inbox,
    table,
    domains,
    identities,
    canaries: arrival,
    clock,
    events,
  });
  const receipts = await ReceiptChecks.open(table, clock, (tags) => inbox.knowsAll(tags));
  const book = await RecipientBook.open({ table, domains, clock, events });
  const policies = await FriendPolicies.open({ table, domains, clock, events });
  const push = await PolicyPush.start({ ...options, book, open: options.openPolicy });
  const learn = book.learn.bind(book);
  const delivered = (domain: string): void => totals.add('delivered', domain);
  const deliveries = new Deliveries({ inbox, domains, hostname, clock, random, events, delivered, learn });
  const drains = new Drains({
    held,
    open: options.openDrain,
    clock,
    random,
    events,
    handedOver: delivered,
  });
  const notes = await OwnerNotes.open({ table, clock });
  const arriving = new ArrivingRoom(options.arrivingDir, events, options.freeBytes);
  const keeping = keepingViews({ domains, clock, copies: (domain) => policies.policy(domain)?.copies ?? 1 });
  const copies = new Copies({
    held,
    notes,
    viewOf: keeping,
    friends: options.copyFriends,
    open: (peer, signal) => options.openCopy({ peer }, signal),
    openOwner: (ownerId, signal) => options.openCopy({ ownerId }, signal),
    isReachable: (ownerId) => drains.isReachable(ownerId),
    clock,
    random,
    events,
  });
  const copyHolder = {
    held,
    arriving,
    domains,
    isBackup: options.isBackup,
    events,
    stored: ({ ownerId }: MailDomain) => drains.kick(ownerId),
  };
  const copying = new Map<string, FrameStream>();
  const partials = new PartialPulls();
  const pulls = new PullsUnderWay();
  /** A friend hands over on one stream at a time; each pull is in memory until it is stored. */
  const handingOver = new Map<string, FrameStream>();
  const isCanary = (address: string): boolean => arrival.mayBe(address);
  const liveOwner = { inbox, domains, hostname, clock, events, delivered, isCanary, learn };
  const sealing = new Sealing((error) => events.trouble({ where: 'the thread that seals mail', error }));
  const reception: ReceptionOptions = {
    hostname,
    domains,
    openLive: async ({ role, ownerId }, signal) => {
      if (role === 'backup') return await options.openLive(ownerId, signal);
      const [here, there] = framePair();
      void handleLive(there, liveOwner);
      return here;
    },
    held,
    sealing,
    inbox,
    arriving,
    judgeRecipient: (address, domain) => {
      const form = recipientForm(address.slice(0, address.lastIndexOf('@')));
      const view =
        domain.role === 'own'
          ? { ...book.view(domain), nameOf: (same: string) => same }
          : policies.view(domain);
      return view ? judgeRecipient(view, { form, name: view.nameOf(form), nowMs: clock.nowMs() }) : 'accept';
    },
    clock,
    events,
    accepted: ({ domain, role }, how) => {
      totals.add('accepted', domain);
      // For a domain of ours the live conversation counts it itself, at its other end.
      if (how === 'live' && role === 'backup') totals.add('delivered', domain);
      events.changed();
    },
    secondCopy: async (messages) => {
      const counts = await Promise.all(messages.map((message) => copies.second(message)));
      return fewest(counts);
    },
    waiting: (domain) => {
      if (domain.role === 'own') deliveries.kick();
      else drains.kick(domain.ownerId);
    },
  };
  const arrived = (domain: string): void => {
    totals.add('accepted', domain);
    totals.add('delivered', domain);
    events.changed();
  };
  const queued = (domain: string): void => {
    totals.add('accepted', domain);
    deliveries.kick();
  };
  let certificates: Certificates | undefined;
  const listeners: AsyncDisposable[] = [];
  const addresses: HostPort[] = [];
  const stop = async (): Promise<void> => {
    // All at once: together they must be done in the ten seconds of a clean stop.
    await Promise.all(
      [...listeners, drains, copies, deliveries, push].map((part) => part[Symbol.asyncDispose]()),
    );
    clearInterval(forgetting);
    certificates?.[Symbol.dispose]();
    await book[Symbol.asyncDispose]();
  };
  const forgetting = setInterval(() => {
    policies
      .forgetEnded()
      .catch((error: unknown) =>
        events.trouble({ where: 'forgetting a mail policy', error: asError(error) }),
      );
  }, forgetEveryMs).unref();
  let raw: RawRoom;
  try {
    certificates = await Certificates.open(options.tls, { events, nowMs: () => clock.nowMs() });
    const { sweepMs } = options;
    const talking = { hostname, certificates, reception, clock, events, sweepMs };
    for (const listen of options.listen) {
      const listener = await startSmtpListener({ listen, ...talking });
      listeners.push(listener);
      addresses.push(listener.address);
    }
    const shared = { hostname, certificates, reception, domains, clock, events };
    raw = await startRawRoom(options.raw, shared);
    listeners.push(raw);
  } catch (error) {
    await stop();
    throw error;
  }
  deliveries.kick();

  return {
    addresses,
    rawAddresses: raw.addresses,
    handleRaw: (stream, fromName, granted) => raw.handle(stream, fromName, granted),
    declineRaw: () => raw.decline(),
    rawPassedAtMs: () => raw.passedAtMs(),
    handleLive: (stream) => handleLive(stream, { ...liveOwner, delivered: arrived }),
    handleDrain: async (stream, fromPeer) => {
      handingOver.get(fromPeer)?.abort(new Error('replaced by a newer stream'));
      handingOver.set(fromPeer, stream);
      await handleDrain(stream, fromPeer, { inbox, partials, pulls, events, queued });
      if (handingOver.get(fromPeer) === stream) handingOver.delete(fromPeer);
    },
    handleCopy: async (stream, from) => {
      copying.get(from.peer)?.abort(new Error('replaced by a newer stream'));
      copying.set(from.peer, stream);
      await handleCopy(stream, from, copyHolder);
      if (copying.get(from.peer) === stream) copying.delete(from.peer);
    },
    friendSilent: (friend) => copies.friendSilent(friend),
    friendHeard: (friend) => {
      copies
        .friendHeard(friend)
        .catch((error: unknown) => events.trouble({ where: 'copies at a friend', error: asError(error) }));
    },
    handlePolicy: (stream, ownerId) => policies.handle(stream, ownerId),
    recipients: (name) => {
      const domain = domains().find((one) => one.domain === name);
      return domain && recipientFacts(domain, { book, policies, push });
    },
    changeRecipient: async (address, change) => {
      const at = address.lastIndexOf('@');
      const [local, domain] = [address.slice(0, at), address.slice(at + 1)];
      const done = change === 'add' ? await book.add(domain, local) : await book.remove(domain, local);
      push.look();
      return done;
    },
    refusedAtMs: (address) => book.refusedAtMs(address),
    ownerReachable: (ownerId) => {
      drains.reachable(ownerId);
      copies.look();
    },
    ownerGone: (ownerId) => drains.gone(ownerId),
    flush: async (domain) => (await drains.flush(domain)) + deliveries.flush(domain),
    list: async (heldMax) => listMessages(held, inbox, deliveries, domains(), heldMax),
    heldCount: () => held.messages.size,
    record: async ({ id, state }) => {
      const kept = [...held.messages.values()].find((one) => messageId(one.tags) === id);
      if (state === 'held') return kept && (await held.readPart(kept.id, 0, kept.sizeBytes));
      const queued = queuedUnder(inbox, id)[0];
      return queued && (await inbox.record(queued.id));
    },
    takeFile: async (sealed) => {
      const made = await importedRecord(sealed, { domains: domains(), identities: identities() });
      if (made.kind === 'refused') return made;
      const taken = await inbox.take(made.record);
      if (taken.kind === 'later') return { kind: 'refused', why: taken.why };
      if (taken.kind === 'stored') queued(made.domain);
      return { kind: taken.kind };
    },
    setAside: (record, keep) => {
      const stores = { held: options.segments, queued: options.inbox };
      return setAsideRecord(record, { held, inbox, stores, clock, keep });
    },
    decide: async (id, what) => {
      let any = false;
      for (const message of queuedUnder(inbox, id)) any = (await deliveries.decide(message.id, what)) || any;
      return any;
    },
    answerQuestions: async (stream, { ownerId, own }) => {
      const nextTryAtMs = (id: string): number | undefined => {
        const message = inbox.queue.get(id);
        return message && deliveries.nextTryAtMs(message);
      };
      const flush = async (): Promise<number> => await drains.flush(undefined, ownerId);
      const door = (): MailDoor => ({
        hostname,
        shared: addresses.map(formatHostPort).slice(0, doorsMax),
        raw: raw.addressesOf(ownerId).map(formatHostPort).slice(0, doorsMax),
      });
      const canaryCame = own ? canaries.came.bind(canaries) : undefined;
      const asked = {
        held,
        inbox: own ? inbox : undefined,
        ownerId,
        nextTryAtMs,
        flush,
        door,
        canaryCame,
        events,
      };
      await answerMailQuestions(stream, asked);
    },
    facts: () => ({
      domains: [...domains(), ...endedDomains(held, domains())].map((domain) =>
        fact({ domain, held, inbox, deliveries, drains, totals }),
      ),
    }),
    tallies: () => held.tallies,
    countFrom: async (ownerId, signed) => {
      if (await held.goesOnFrom(ownerId, signed)) return false;
      await held.countFrom(ownerId, signed);
      return true;
    },
    receipts,
    canaries,
    [Symbol.asyncDispose]: stop,
  };
}

/** The worst that is to be said of several messages. */
function fewest(counts: readonly CopyCount[]): CopyCount {
  if (counts.includes('one of two')) return 'one of two';
  return counts.includes('two') && !counts.includes('one') ? 'two' : 'one';
}
