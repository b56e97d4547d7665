import { mkdir } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import {
  type Clock,
  CommandError,
  ExitCode,
  type FrameStream,
  isLoopback,
  parseHostPort,
  type Random,
  toHex,
} from '@copain/core';
import { type Mail, startMail } from '@copain/mail/io';
import {
  admitConnection,
  closedInviteMemoryMs,
  type Fact,
  maxDialbackFrameBytes,
  maxGuestFrameBytes,
  maxGuests,
  maxSyncFrameBytes,
} from '@copain/mesh';
import {
  type Host,
  type HostOptions,
  isFrameTooLarge,
  type ProtocolHandler,
  type SyncStreams,
  startBulk,
  startHost,
  startLine,
  startSyncStreams,
} from '@copain/mesh/io';
import { buildStatus, metricsText, type StatusDocument } from '@copain/status';
import { openFiles, openSegments, openTable } from '@copain/store/io';
import type { HoldsRecord } from '@copain/trust';
import type { Logger } from 'pino';
import { clockOffMs } from '../clock-skew.ts';
import type { HomePaths } from '../config-paths.ts';
import type { Config } from '../config-schema.ts';
import { type NetFacts, ownHosts } from '../doctor-net.ts';
import { foundText } from '../found-text.ts';
import { friendText } from '../friend-event.ts';
import { judgeRename } from '../friend-rename.ts';
import type { KnownRecord } from '../known-records.ts';
import { inviteTakenText, lostItsInvite } from '../lost-invite.ts';
import { mailDomains } from '../mail-domains.ts';
import { networkOf } from '../network-of.ts';
import { notYet } from '../not-yet.ts';
import { ownerNews } from '../owner-news.ts';
import { restartNotes } from '../restart-notes.ts';
import { versionGapText } from '../version-gap-text.ts';
import { answersInvites, baseOffer, type Plan, plan, providers, type RoomCall } from '../wiring.ts';
import { changeSignal } from './change-signal.ts';
import { type CircleService, circleService } from './circle.ts';
import { openCommitments } from './commitments.ts';
import { type Dialback, startDialback } from './dialback.ts';
import { type Dialer, startDialer } from './dialer.ts';
import { type EventLog, openEventLog } from './event-log.ts';
import { adoptOwner, type Identity } from './identity.ts';
import { type LineMeasure, measureLine, measureService } from './line-measure.ts';
import { mailEvents } from './mail-events.ts';
import { ownAddresses } from './own-addresses.ts';
import { ownRecords } from './own-records.ts';
import { type OwnerKeys, ownerKeys } from './owner-keys.ts';
import { peerNames } from './peer-names.ts';
import { startPortMapper } from './port-mapper.ts';
import { startReceipts } from './receipts.ts';
import { openRecordStore, type RecordStore } from './record-store.ts';
import { countRefusals } from './refusals.ts';
import { startRelaying } from './relaying.ts';
import { saveBox } from './save-box.ts';
import { openSignedLater, type SignedLater } from './signed-later.ts';
import { openStanding, type Standing } from './standing.ts';
import { collectStatus, type FriendDetails } from './status-collect.ts';
import { startTraffic } from './traffic.ts';
import { startWatch } from './watch.ts';
import { startZones, type Zones } from './zones.ts';

/** A running box, for the control socket, the status page and the signals. */
export interface Agent extends AsyncDisposable {
  identity: Identity;
  version: string;
  status(): StatusDocument;
  metrics(): string;
  ready(): boolean;
  circle: CircleService;
  keys: OwnerKeys;
  isUp(peer: string): boolean;
  lastHeardAtMs(peer: string): number | undefined;
  records: RecordStore;
  zones: Zones;
  mail: Mail;
  standing: Standing;
  /** What was asked for and waits until it may be signed. */
  later: SignedLater;
  events: EventLog;
  /** Writes all that this box needs into one encrypted file. */
  save(options: Parameters<typeof saveBox>[1]): ReturnType<typeof saveBox>;
  /**
   * Applies a configuration that was checked; returns the keys that take effect at the next start only. `rename`: a
   * friend whom it calls by another name from now on, in the same instant, so that no offer or grant is planned with
   * one name in the file and another in the state.
   */
  reconfigure(config: Config, rename?: { name: string; to: string }): Promise<string[]>;
  /** Throws CommandError (65) where a friend cannot be called so. */
  mayRename(rename: { name: string; to: string }): void;
  /** Resolves after the next change of anything the status shows, or after `withinMs`. */
  changed(withinMs: number, signal: AbortSignal): Promise<void>;
  /** For `peer doctor line`: what the line to a friend carries. */
  measureLine(name: string, forMs: number, signal: AbortSignal): Promise<LineMeasure>;
  namesOfFriends(): string[];
  /** How this box looks from outside. */
  dialback: Dialback;
  netFacts(): NetFacts;
}

export interface AgentOptions {
  config: Config;
  paths: HomePaths;
  identity: Identity;
  version: string;
  log: Logger;
  clock: Clock;
  random: Random;
}

const tickEveryMs = 1000;

/**
 * Starts a box in the order in which its parts need each other: records, zones (answering from disk before any friend
 * is reached), mail, then the mesh. Disposing goes the other way. Rejects with what is disposed of again where a part
 * cannot start.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { identity, paths, version, log, clock, random } = options;
  let { config } = options;
  const self = identity.box.peer;
  const startedAtMs = clock.nowMs();
  const stopping = new AbortController();
  await using starting = new AsyncDisposableStack();
  const changes = changeSignal();
  const failed = (what: string) => (error: unknown) => {
    if (!stopping.signal.aborted) log.error({ err: error }, what);
  };

  const folder = (name: string): string => join(paths.stateDir, name);
  // The disk is rotting: what is lost comes back from friends or from other files, but somebody should look.
  const tableDamage = (name: string) => ({
    damaged: (key: string) => log.error({ table: name, key }, 'a stored row is damaged and was left out'),
  });
  await mkdir(folder('mail'), { recursive: true, mode: 0o700 });
  const table = closing(starting, await openTable(folder('db'), tableDamage('db')));
  const events = starting.use(
    await openEventLog({
      table,
      clock,
      onAdd: ({ kind, text }) => {
        log.info({ event: kind }, text);
        changes.note();
      },
      failed: failed('writing events'),
    }),
  );
  const zoneFiles = await openFiles(folder('zones'));
  const commitments = await openCommitments(table);

  const refusals = countRefusals(clock, log);
  const records = await openRecordStore({
    table,
    clock,
    key: identity.box,
    ownerId: identity.ownerId,
    onChange: (calls, record, fact) => onRecord(calls, record, fact),
    events: {
      refused: (kind, signer, why) => refusals.record(kind, signer, why),
      damaged: (key) => log.warn({ key }, 'a stored record was left out; friends will bring it again'),
    },
  });
  const knowledge = () => records.knowledge();
  const names = peerNames(identity, records, () => config.name);
  const traffic = startTraffic(clock);
  const line = startLine(clock);
  const friendOnly = (peer: string): string | undefined =>
    names.ownerOf(peer) === undefined ? undefined : peer;
  const limitLine = (): void => line.limit(config.line.upBytesPerSecond, config.line.bulkBytesPerSecond);
  limitLine();
  const portMapper = startPortMapper({
    clock,
    stopping: stopping.signal,
    changed: (mapping) => {
      if (mapping === undefined) events.add('router.closed', 'The router no longer passes our port on.');
      else events.add('router.open', `The router passes port ${mapping.externalPort} on to this box.`);
      announceAddresses();
      dialback.addressChanged();
    },
  });
  const addresses = ownAddresses(
    clock,
    () => config,
    (port) => portMapper.outside(port),
  );
  const details = new Map<string, FriendDetails>();
  const noteDetails = (peer: string, news: Partial<FriendDetails>): void => {
    const unknown = { version: undefined, rttMs: undefined, clockAtZeroMs: undefined, gap: undefined };
    details.set(peer, { ...unknown, ...details.get(peer), ...news });
  };
  const networks = new Map<string, string>();
  /** How those who are connected see us. */
  const observedBy = new Map<string, string>();
  // Whoever asks before the first plan was carried out must hear what this box did before it stopped: a domain that is
  // not in a plan is refused for good (550). What stands in the way of whom is told when the plan is carried out.
  let current: Plan = { ...plan(knowledge(), config, identity, commitments), conflicts: [] };
  /**
   * Every box of the circle but this one, our owner's others among them: for the mesh they are friends. Straight from the
   * roster, so that a friend is one from the very record that made him one. A box that knows that it was revoked has none.
   */
  const friendBoxes = (): string[] => {
    const { ownerOf, revoked } = knowledge().roster;
    return revoked.has(self) ? [] : [...ownerOf.keys()].filter((peer) => peer !== self);
  };

  const signedBy = (peer: string): Fact[] =>
    [...knowledge().records].flatMap(([key, { signed }]) => {
      const fact = signed.signer === peer ? records.log().facts.get(key) : undefined;
      return fact === undefined ? [] : [fact];
    });
  const standing = await openStanding({
    table,
    clock,
    friends: friendBoxes(),
    doubted: (friend) => sync?.askOwn(friend),
    greet: (friend) => sync?.greet(friend),
    found: ({ kind, by }) => events.add(`box.${kind}`, foundText(kind, names.ofPeer(by))),
    changed: changes.note,
    failed: failed('keeping what friends say of this box'),
  });
  const own = ownRecords(identity, records, standing);

  // The mesh comes last, and the rooms before it reach it through these.
  let host: Host | undefined;
  let sync: SyncStreams | undefined;
  let dialer: Dialer | undefined;
  const theHost = (): Host => {
    if (host === undefined) throw new Error('the mesh is not up yet');
    return host;
  };

  const watch = startWatch({
    self,
    clock,
    records,
    lineCheck: () => config.line.check,
    stopping: stopping.signal,
    dialSecond: (peer) => dialer?.second(peer),
    signable: standing.signable,
    changed: ({ peer, to, confirmed, seenDownBy }) => {
      const witnesses = seenDownBy.map(names.ofPeer);
      events.add(`friend.${to}`, friendText({ name: names.ofBox(peer), to, confirmed, witnesses }));
      const ownerId = names.ownerOf(peer);
      if (ownerId === undefined || !names.mailBoxesOf(ownerId).includes(peer)) return;
      if (to !== 'up') {
        if (mailBoxHeard(ownerId) === undefined) mail.ownerGone(ownerId);
      }
      // Silence may end without a new stream; where there is none yet, its hello tells mail.
      else if (sync?.peers().includes(peer)) mail.ownerReachable(ownerId);
    },
    lineChanged: (state) => {
      if (state === 'ok') events.add('line.ok', 'My own line works.');
      if (state === 'cut')
        events.add('line.cut', 'My own line is cut: I hear nobody, and judge nobody until it is back.');
    },
    failed: failed('liveness'),
  });

  // What is answered from disk is announced once everything runs: until then nobody could hear it.
  let servedForOthers: HoldsRecord['zones'] = [];
  let isRunning = false;
  const announceServed = (): void => {
    if (isRunning) void own.holds(servedForOthers).catch(failed('announcing what is served'));
  };
  const zones = starting.use(
    await startZones({
      listen: config.dns.listen,
      configFile: paths.configFile,
      files: zoneFiles,
      table,
      clock,
      identity,
      standing,
      records,
      connectedPeers: () => watch.heard(),
      open: async (peer, signal) => await theHost().open(peer, 'zone', { signal }),
      providers: (ownerId, origin) => providers(knowledge(), ownerId, { service: 'dns', name: origin }),
      holds: (list) => {
        servedForOthers = list;
        announceServed();
      },
      nameOf: names.ofOwner,
      events,
      log,
      changed: changes.note,
    }),
  );

  /** A box that takes mail for its owner and is heard now. */
  const mailBoxHeard = (ownerId: string): string | undefined => {
    const heard = new Set(watch.heard());
    return names.mailBoxesOf(ownerId).find((one) => heard.has(one));
  };
  const openTo = async (
    ownerId: string,
    protocol: 'live' | 'drain',
    signal: AbortSignal,
  ): Promise<FrameStream> => {
    const peer = mailBoxHeard(ownerId);
    if (peer === undefined) throw new Error('the owner is not reachable');
    return await theHost().open(peer, protocol, { signal });
  };
  const heldMail = closing(starting, await openSegments(folder('mail/held')));
  const inboxMail = closing(starting, await openSegments(folder('mail/inbox')));
  const mailTable = closing(starting, await openTable(folder('mail/index'), tableDamage('mail/index')));
  const mail = starting.use(
    await startMail({
      listen: config.smtp.listen,
      hostname: config.smtp.hostname ?? hostname(),
      tls: config.smtp.tls,
      domains: () => mailDomains(config, knowledge().roster, current.duties, identity.ownerId),
      openLive: (ownerId, signal) => openTo(ownerId, 'live', signal),
      openDrain: (ownerId, signal) => openTo(ownerId, 'drain', signal),
      segments: heldMail,
      inbox: inboxMail,
      table: mailTable,
      identities: () => identity.sealIdentities,
      clock,
      random,
      events: mailEvents(log, events, changes.note),
    }),
  );

  const keys = ownerKeys({ stateDir: paths.stateDir, identity, records, clock });
  const circle = circleService({
    identity,
    records,
    host: theHost,
    clock,
    standing,
    ownAddresses: () => addresses.dialable(theHost().addresses),
    addressesOf: (peer) => dialer?.addressesOf(peer) ?? [],
    keys,
    adopt: async (owner) => await adoptOwner(paths.stateDir, owner),
    rememberContacts: async (contacts) => await dialer?.remember(contacts),
  });

  const later = await openSignedLater({
    table,
    act: async (what, subject) => {
      if (what === 'remove') await circle.remove(subject);
      else await circle.revoke(subject);
    },
    done: (text) => events.add('later.done', text),
  });
  standing.whenSignable(() => void later.work().catch(failed('signing what waited')));
  if (standing.maySign()) await later.work();

  const relaying = startRelaying({
    ownerId: identity.ownerId,
    host: theHost,
    clock,
    records,
    names,
    friends: friendBoxes,
    stopping: stopping.signal,
    changed: (relay, listening) => {
      const through = `reached through ${names.ofPeer(relay)}`;
      if (listening) events.add('relay.listening', `This box can be ${through}.`);
      else events.add('relay.ended', `This box is no longer ${through}.`);
    },
    refused: (relay, error) =>
      log.debug({ friend: names.ofPeer(relay), err: error }, 'a friend does not relay for us now'),
  });

  const announcedBy = (peer: string): readonly string[] => {
    const record = knowledge().records.get(`address/${peer}`);
    return record?.kind === 'address' ? record.signed.record.addresses : [];
  };
  const dialback = startDialback({
    host: theHost,
    clock,
    allowPrivate: () => config.mesh.allowPrivate,
    friends: friendBoxes,
    announcedBy,
    outside: (port) => portMapper.outside(port),
    stopping: stopping.signal,
    changed: (reachable) => {
      if (reachable === true) events.add('reachable.yes', 'Friends can dial this box.');
      if (reachable === false)
        events.add('reachable.no', 'Friends cannot dial this box: it is behind NAT or a firewall.');
    },
    noHelp: (peer, error) =>
      log.debug({ friend: names.ofPeer(peer), err: error }, 'a friend could not dial back'),
  });

  dialer = await startDialer({
    table,
    clock,
    random,
    host: theHost,
    allowPrivate: () => config.mesh.allowPrivate,
    relaysTowards: relaying.towards,
    stopping: stopping.signal,
    events: {
      dialFailed: (peer, tried, error) =>
        log.debug(
          { friend: names.ofPeer(peer), tried, err: error },
          'could not reach a friend; trying again',
        ),
    },
  });

  sync = startSyncStreams({
    self,
    host: theHost,
    clock,
    random,
    log: () => records.log(),
    signedBy,
    seenBoot: standing.seenBoot,
    friends: friendBoxes,
    heard: () => watch.heard(),
    hello: () => ({
      name: config.name,
      version,
      bootId: standing.bootId,
      previousBootId: standing.previousBootId,
    }),
    received: async (from, { kind, envelope, reached }) => {
      try {
        const outcome = await records.offer(kind, envelope);
        if (outcome.kind === 'new') sync?.spread(outcome.fact, reached, from);
      } catch (error) {
        // A disk that is full is no reason to hang up on a friend; the next exchange brings the record again.
        failed('storing a record')(error);
      }
    },
    events: {
      hello: (peer, hello) => {
        // Held against the monotonic clock, so that a later correction of our own clock is seen without a new hello.
        const clockAtZeroMs = clock.nowMs() + hello.clockOffsetMs - performance.now();
        noteDetails(peer, { version: hello.version, clockAtZeroMs, gap: undefined });
        if (Math.abs(hello.clockOffsetMs) > clockOffMs) {
          log.warn(
            { friend: names.ofPeer(peer), offsetMs: hello.clockOffsetMs },
            "a friend's clock differs from ours",
          );
        }
      },
      heardBits: (from, peers) => watch.take({ kind: 'heard-bits', from, peers }),
      up: (peer) => {
        watch.take({ kind: 'heard', peer });
        noteObserved(peer);
        zones.peersChanged();
        const ownerId = names.ownerOf(peer);
        if (ownerId !== undefined && names.mailBoxesOf(ownerId).includes(peer)) mail.ownerReachable(ownerId);
        if (standing.isAsking()) sync?.askOwn(peer);
        changes.note();
      },
      lastSeen: standing.lastSeen,
      ownTold: (friend) => standing.take({ kind: 'answered', friend }),
      failed: (peer, error) => log.debug({ friend: names.ofPeer(peer), err: error }, 'a sync stream ended'),
      roundTrip: (peer, rttMs) => noteDetails(peer, { rttMs }),
    },
  });
  starting.defer(() => sync?.stop());

  const bulk = startBulk({
    host: theHost,
    clock,
    random,
    services: { measure: measureService(clock) },
    addressesOf: (peer) => dialer?.addressesOf(peer) ?? [],
  });
  starting.defer(() => bulk.stop());

  /** Only whom we granted some domain of ours, and who offers to take its mail, may pass us mail. */
  const isBackup = (peer: string): boolean =>
    config.mail.some(({ domain }) =>
      providers(knowledge(), identity.ownerId, { service: 'mail', name: domain }).includes(
        names.ownerOf(peer) ?? '',
      ),
    );
  const served = (
    handle: (stream: FrameStream, peer: string) => Promise<void>,
  ): Pick<ProtocolHandler, 'maxFrameBytes' | 'handle'> => ({
    maxFrameBytes: maxSyncFrameBytes,
    handle: (stream, { peer }) => handle(stream, peer),
  });
  const handlers: HostOptions['handlers'] = {
    sync: {
      maxFrameBytes: maxSyncFrameBytes,
      handle: async (stream, from) => await sync?.accept(stream, from),
    },
    join: {
      maxFrameBytes: maxGuestFrameBytes,
      maxAnswerBytes: maxSyncFrameBytes,
      handle: async (stream, { peer }) => await circle.answer(stream, peer),
    },
    zone: served((stream, peer) => zones.serve(stream, peer)),
    live: served(async (stream, peer) => {
      if (!isBackup(peer)) throw new Error('he is no backup of ours');
      await mail.handleLive(stream, peer, names.ofPeer(peer));
    }),
    // Whoever holds mail of ours may hand it over, also after the grant under which he took it has ended.
    dialback: {
      maxFrameBytes: maxDialbackFrameBytes,
      handle: async (stream, from) => await dialback.serve(stream, from),
    },
    drain: served((stream, peer) => mail.handleDrain(stream, peer, names.ofPeer(peer))),
    bulk: bulk.handler,
  };

  host = starting.use(
    await startHost({
      privateKey: identity.box.protobuf,
      listen: config.mesh.listen,
      allowPrivate: () => config.mesh.allowPrivate,
      admit: (peer) => {
        const friends = new Set(friendBoxes());
        const strangers = (host?.connectedPeers() ?? []).filter((one) => !friends.has(one));
        const connections = strangers.reduce((sum, one) => sum + (host?.connections(one).length ?? 0), 0);
        // The one that is asked about may be among them.
        const guests = strangers.includes(peer) ? connections - 1 : connections;
        const invitesAnswered = answersInvites(knowledge(), closedInviteMemoryMs, clock.nowMs());
        return admitConnection(peer, { friends, invitesAnswered, guests, maxGuests });
      },
      // The member who admits this box opens streams to it before it has read that he is a friend.
      beforeRefusal: () => circle.joinEnded(),
      relaysFor: relaying.offersTo,
      handlers,
      line,
      events: {
        connected: (peer, { id, outbound, remote, via }) => {
          if (names.ownerOf(peer) === undefined) return;
          if (remote !== undefined) networks.set(peer, networkOf(remote.host));
          dialer?.connected(peer, outbound ? remote : undefined);
          if (via === undefined && host !== undefined)
            dialer?.relayBack(friendBoxes().filter((other) => relaying.towards(other).includes(peer)));
          watch.take({ kind: 'connected', peer });
          // A friend may be quicker than our own start; the first plan gives his connection its stream.
          if (host === undefined) return;
          if (outbound) sync?.connected(peer, id);
          else bulk.unlessBulk(peer, id, () => sync?.connected(peer, id));
        },
        disconnected: (peer, _id, last) => {
          if (last) observedBy.delete(peer);
          // Whoever stops hangs up on his friends himself, and need not wonder where they are.
          if (!last || stopping.signal.aborted) return;
          dialer?.disconnected(peer);
          watch.take({ kind: 'disconnected', peer });
          zones.peersChanged();
          changes.note();
        },
        heard: (peer) => watch.take({ kind: 'heard', peer }),
        sent: (peer, protocol, sizeBytes) => traffic.count(friendOnly(peer), 'sent', protocol, sizeBytes),
        received: (peer, protocol, sizeBytes) =>
          traffic.count(friendOnly(peer), 'received', protocol, sizeBytes),
        observed: (by, address) => {
          observedBy.set(by, address.host);
          noteObserved(by);
        },
        incompatible: (peer, gap) => {
          dialer?.incompatible(peer);
          const isNews = details.get(peer)?.gap === undefined;
          noteDetails(peer, { gap });
          if (isNews) events.add('friend.incompatible', versionGapText(names.ofPeer(peer), gap));
        },
        refused: (who, why, step) => refusals.count(step, { who, why }, 'somebody was turned away'),
        streamFailed: (peer, protocol, error) => {
          if (isFrameTooLarge(error))
            refusals.count('frame', { friend: names.ofPeer(peer), protocol }, 'a frame was too large');
          log.debug({ friend: names.ofPeer(peer), protocol, err: error }, 'a stream broke');
        },
      },
    }),
  );

  /** Whoever saw us before he was known as a friend is believed once he is. */
  const noteObserved = (by: string): void => {
    const seenAt = observedBy.get(by);
    if (seenAt === undefined || names.ownerOf(by) === undefined || !addresses.seen(by, seenAt)) return;
    events.add('address.changed', `Friends see this box at ${seenAt}.`);
    announceAddresses();
    dialback.addressChanged();
  };

  const announceAddresses = (): void => {
    if (host === undefined) return;
    const dialable = addresses.dialable(host.addresses);
    void own.addresses(dialable).catch(failed('announcing our addresses'));
  };

  /** Tells the dialer whom to dial where, by the addresses that friends announced. */
  const refreshDialer = (): void => {
    dialer?.friends(friendBoxes().map((peer) => ({ peer, announced: announcedBy(peer) })));
    host?.friendsAt(friendBoxes().map((peer) => ({ peer, hosts: hostsOf(dialer?.addressesOf(peer) ?? []) })));
  };

  /** Plans one at a time; what arrives meanwhile is planned once more. */
  let planning: Promise<void> = Promise.resolve();
  let planAgain = false;
  const replan = (): Promise<void> => {
    if (planAgain) return planning;
    planAgain = true;
    planning = planning.then(async () => {
      planAgain = false;
      await applyPlan().catch(failed('planning'));
    });
    return planning;
  };

  /** Who was in the circle before, so that only newcomers are news. */
  const greeted = new Set(knowledge().roster.members.keys());
  const owners = ownerNews(knowledge().roster);
  let isMember = greeted.has(identity.ownerId);
  /** Gives every room its part of the plan. */
  const applyPlan = async (): Promise<void> => {
    // While this box joins, it has left its old circle and the records of the new one arrive one by one.
    if (!circle.isJoining()) {
      const wasMember = isMember;
      isMember = knowledge().roster.members.has(identity.ownerId);
      if (lostItsInvite(knowledge(), wasMember)) events.add('circle.invite-taken', inviteTakenText);
    }
    const friends = [...knowledge().roster.members.values()].filter(
      ({ ownerId }) => ownerId !== identity.ownerId,
    );
    for (const { ownerId, name, admittedBy } of friends) {
      if (greeted.has(ownerId)) continue;
      greeted.add(ownerId);
      const by = admittedBy === undefined ? 'who founded it' : `admitted by ${names.ofOwner(admittedBy)}`;
      events.add('friend.joined', `${name} is in the circle, ${by}.`);
    }
    for (const { kind, text } of owners.next(knowledge().roster, names.ofOwner, self)) events.add(kind, text);
    const news = friends.flatMap((member) => {
      if (commitments.base.has(member.ownerId)) return [];
      const may = baseOffer(knowledge(), identity.ownerId, member);
      return may === undefined ? [] : [{ ownerId: member.ownerId, may }];
    });
    await commitments.add({ base: news, claims: [] });
    const next = plan(knowledge(), config, identity, commitments);
    await commitments.add({ base: [], claims: next.newClaims });
    for (const { duty, name, ownerId } of next.conflicts) {
      if (current.conflicts.some((known) => known.duty.name === duty.name)) continue;
      const claim = `${names.ofOwner(duty.ownerId)} claims ${duty.name}, but ${name} is ${names.ofOwner(ownerId)}'s`;
      events.add('claim.refused', `${claim}: refused.`);
    }
    current = next;
    standing.take({ kind: 'friends', friends: friendBoxes() });
    watch.take({
      kind: 'roster',
      self,
      selfNetwork: config.mesh.network ?? '',
      friends: friendBoxes().map((peer) => ({ peer, network: networks.get(peer) ?? '' })),
    });
    const dnsDuties = next.duties.filter((duty) => duty.service === 'dns');
    zones.configure(
      config.zones,
      dnsDuties.map(({ ownerId, name }) => ({ ownerId, origin: name })),
    );
    refreshDialer();
    // While this box joins, the member it talks to is in no roster of ours yet.
    if (!circle.isJoining()) theHost().enforce();
    for (const peer of friendBoxes()) {
      // A guest who just became a friend gets his sync stream on the connection that is there.
      const [connection] = theHost().connections(peer);
      if (connection !== undefined && sync?.peers().includes(peer) !== true)
        sync?.connected(peer, connection.id);
    }
    await own.offers(next.offers);
    await own.grants(next.grants);
    changes.note();
  };

  /** Who is gone, or would be if others agreed: a removal by one who did not admit him counts for its signer alone. */
  const noteRemoval = (ownerId: string, by: string): void => {
    const { roster, records: known } = knowledge();
    const name = [...known.values()].find(
      (one) => one.kind === 'member' && toHex(one.signed.ownerRecord.hash) === ownerId,
    );
    const who = name?.kind === 'member' ? name.signed.record.name : 'somebody';
    if (!roster.members.has(ownerId))
      events.add('friend.removed', `${who} was removed from the circle by ${names.ofPeer(by)}.`);
    else {
      const text = `${names.ofPeer(by)} removed ${who} for himself. It counts for the circle when one more member does.`;
      events.add('friend.removal-proposed', `${text} peer friends remove ${who}`);
    }
  };

  const takeVote = (record: KnownRecord): void => {
    if (record.kind !== 'vote') return;
    const { about, heardAtMs, silent, sequence } = record.signed.record;
    watch.take({ kind: 'vote', from: record.signed.signer, about, heardAtMs, silent, sequence });
  };

  /** What each new record sets in motion; which rooms it concerns is decided by the pure `routeRecord`. */
  const onRecord = (calls: readonly RoomCall[], record: KnownRecord, fact: Fact): void => {
    // A friend's record is passed on by whoever received it, since only the receiver knows whom it reached already.
    // Our owner's records are signed by a key of his, here or on another box of his; told twice they are heard once.
    const isOurs =
      record.signed.signer === self ||
      (record.kind === 'owner' && record.signed.record.ownerId === identity.ownerId);
    if (isOurs) sync?.spread(fact, new Uint8Array(), undefined);
    for (const call of calls) {
      switch (call.kind) {
        case 'plan':
          if (record.kind === 'removal') noteRemoval(record.signed.record.ownerId, record.signed.signer);
          void replan();
          break;
        case 'addresses':
          refreshDialer();
          break;
        case 'zone-announced':
          zones.announced(call.ownerId, call.origin);
          break;
        case 'zone-holders':
          zones.holdersChanged();
          break;
        case 'vote':
          takeVote(record);
          break;
      }
    }
    changes.note();
  };

  const sayNotYet = (): void => {
    const keys = notYet(config);
    if (keys.length > 0)
      events.add('config.not-yet', `peer.toml: this version does not act on ${keys.join(', ')}.`);
  };
  sayNotYet();
  await own.found(config.name, Math.round(clock.nowMs()));
  await replan();
  isRunning = true;
  announceServed();
  // Votes outlive a restart: ours so that they can be taken back, those of others because they still stand.
  for (const record of knowledge().records.values()) takeVote(record);
  announceAddresses();
  const receipts = startReceipts({
    self,
    clock,
    records,
    tallies: () => mail.tallies(),
    standing,
    failed: failed('signing a receipt'),
  });
  const ticking = setInterval(() => {
    watch.take({ kind: 'tick' });
    receipts.tick();
    standing.take({ kind: 'tick' });
    dialer?.tick(relaying.onlyRelayed(friendBoxes()));
    dialback.tick();
    // Where private addresses are dialled, friends are near, and the router has nothing to do with it.
    const mayMap = !config.mesh.allowPrivate && addresses.view().ipv4 !== undefined;
    portMapper.tick(mayMap && dialback.reachable() === false, theHost().addresses[0]?.port);
    relaying.tick(dialback.reachable());
    for (const friend of watch.facts()) {
      // An old connection stays blind long after an outage: keep trying beside it.
      if (friend.state !== 'up' && theHost().connections(friend.peer).length > 0) dialer?.second(friend.peer);
    }
    sync?.tick((peer) => watch.lastHeardAtMs(peer));
    zones.tick();
  }, tickEveryMs);
  starting.defer(() => clearInterval(ticking));
  dialer.tick(new Set());

  const boxOfFriend = (name: string): string => {
    const peers = friendBoxes().filter(
      (peer) => names.ownerOf(peer) !== identity.ownerId && names.ofPeer(peer) === name,
    );
    const [peer] = peers.toSorted((a, b) => Number(isConnected(b)) - Number(isConnected(a)));
    if (peer !== undefined) return peer;
    throw new CommandError(ExitCode.badInput, `there is no friend called ${name}`, { hint: 'peer friends' });
  };
  const renamed = (rename: { name: string; to: string }): string => {
    const judged = judgeRename(knowledge(), { ...rename, ownName: config.name });
    if (judged.kind === 'ok') return judged.ownerId;
    throw new CommandError(ExitCode.badInput, judged.why, { hint: 'peer friends' });
  };
  const isConnected = (peer: string): boolean => theHost().connections(peer).length > 0;
  const status = (): StatusDocument => {
    const facts = collectStatus({
      config,
      identity,
      version,
      startedAtMs,
      records,
      names,
      watch,
      zones,
      mail,
      traffic,
      events,
      standing,
      later,
      details,
      viaOf: (peer) => {
        const connections = theHost().connections(peer);
        const inUse = sync?.connectionOf(peer);
        return (connections.find(({ id }) => id === inUse) ?? connections[0])?.via;
      },
      address: {
        ...addresses.view(),
        reachable: dialback.reachable(),
        relays: relaying.listening().map(names.ofPeer),
      },
      nowMs: clock.nowMs(),
    });
    return buildStatus(facts, clock.nowMs());
  };
  const metrics = (): string => {
    const domains = mail.facts().domains;
    const counters = {
      dnsQueries: zones.queryCounts(),
      mailAccepted: domains.map(({ domain, acceptedTotal }) => ({ domain, count: acceptedTotal })),
      mailDelivered: domains.map(({ domain, deliveredTotal }) => ({ domain, count: deliveredTotal })),
      lineBytes: traffic.byClass(),
      refused: refusals.totals(),
      residentMemoryBytes: process.memoryUsage.rss(),
    };
    return metricsText({ status: status(), nowMs: clock.nowMs(), counters });
  };

  const parts = starting.move();
  let stopped: Promise<void> | undefined;
  return {
    identity,
    version,
    status,
    metrics,
    ready: () => !stopping.signal.aborted,
    circle,
    keys,
    isUp: (peer) => watch.heard().includes(peer),
    lastHeardAtMs: (peer) => watch.lastHeardAtMs(peer),
    records,
    zones,
    mail,
    standing,
    later,
    events,
    save: async (wanted) =>
      await saveBox(
        {
          paths,
          config,
          identity,
          sealTo: (
            knowledge().roster.members.get(identity.ownerId)?.owner.record ?? identity.owner.record
          ).keys.map((key) => key.sealTo),
          tables: { db: table, 'mail/index': mailTable },
          logs: { 'mail/held': heldMail, 'mail/inbox': inboxMail },
          zoneFiles,
          nowMs: clock.nowMs(),
        },
        wanted,
      ),
    mayRename: (rename) => {
      renamed(rename);
    },
    reconfigure: async (next, rename) => {
      const notes = restartNotes(options.config, next);
      const turn = planning.then(async () => {
        if (rename !== undefined) {
          await records.rename(renamed(rename), rename.to);
          events.add('friend.renamed', `${rename.name} is called ${rename.to} on this box from now on.`);
        }
        config = next;
      });
      planning = turn.catch(() => undefined);
      await turn;
      sayNotYet();
      limitLine();
      await replan();
      announceAddresses();
      // What waited for a mail server that was named wrongly, or not at all, need not wait any longer.
      await mail.flush();
      return notes;
    },
    changed: changes.next,
    measureLine: async (name, forMs, signal) => {
      const friend = { name, peer: boxOfFriend(name) };
      return await measureLine({ bulk, host: theHost(), random, line: config.line }, friend, forMs, signal);
    },
    namesOfFriends: names.friends,
    dialback,
    netFacts: () => {
      const view = addresses.view();
      const serves = (listen: Config['dns']['listen'], port: number): boolean =>
        listen.some((address) => address.port === port && !isLoopback(address.host));
      const port = (number: number, what: NetFacts['ports'][number]['what'], isServed: boolean) => {
        const { answer, by } = dialback.port(number);
        return { port: number, what, served: isServed, answer, by: by.map(names.ofPeer) };
      };
      return {
        friends: friendBoxes().length,
        observed: view.ipv4 ?? view.ipv6,
        own: ownHosts(
          Object.values(networkInterfaces()).flatMap((card) => (card ?? []).map((one) => one.address)),
        ),
        ports: [
          ...dialback.meshPorts().map((number) => port(number, 'mesh', true)),
          port(25, 'mail', serves(config.smtp.listen, 25)),
          port(53, 'dns', serves(config.dns.listen, 53)),
        ],
        relays: relaying.listening().map(names.ofPeer),
      };
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      stopped ??= parts.disposeAsync();
      await stopped;
    },
  };
}

const hostsOf = (addresses: readonly string[]): string[] =>
  addresses.flatMap((text) => parseHostPort(text)?.host ?? []);

/** Has a store closed together with everything else. */
function closing<T extends { close(): Promise<void> }>(stack: AsyncDisposableStack, store: T): T {
  stack.defer(() => store.close());
  return store;
}
