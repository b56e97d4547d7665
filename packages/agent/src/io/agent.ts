import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Clock, formatHostPort, fromUtf8, type HostPort, isPrivate, type Random } from '@copain/core';
import type { MailDomain } from '@copain/mail';
import { type Mail, startMail } from '@copain/mail/io';
import {
  admitConnection,
  closedInviteMemoryMs,
  type Fact,
  maxGuestFrameBytes,
  maxGuests,
  maxSyncFrameBytes,
} from '@copain/mesh';
import {
  type Host,
  type ProtocolHandler,
  type SyncStreams,
  startHost,
  startSyncStreams,
} from '@copain/mesh/io';
import { buildStatus, metricsText, type StatusDocument } from '@copain/status';
import { openFiles, openSegments, openTable } from '@copain/store/io';
import { type Service, services } from '@copain/trust';
import type { Logger } from 'pino';
import type { HomePaths } from '../config-paths.ts';
import type { Config } from '../config-schema.ts';
import type { KnownRecord } from '../known-records.ts';
import { answersInvites, baseOffer, type Plan, plan, providers, type RoomCall } from '../wiring.ts';
import { type CircleService, circleService } from './circle.ts';
import { type Dialer, startDialer } from './dialer.ts';
import { type EventLog, startEventLog } from './event-log.ts';
import type { Identity } from './identity.ts';
import { mailEvents } from './mail-events.ts';
import { ownRecords } from './own-records.ts';
import { openRecordStore, type RecordStore } from './record-store.ts';
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
  records: RecordStore;
  zones: Zones;
  mail: Mail;
  events: EventLog;
  /** Applies a configuration that was checked; listening addresses change at the next start only. */
  reconfigure(config: Config): Promise<string[]>;
  /** Resolves after the next change of anything the status shows, or after `withinMs`. */
  changed(withinMs: number, signal: AbortSignal): Promise<void>;
  namesOfFriends(): string[];
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

/** What a friend's word `may` starts from, by owner id, kept apart from what peer.toml says. */
const basePrefix = 'offer/';
const claimPrefix = 'claim/';
const bootKey = 'boot';

const tickEveryMs = 1000;

/**
 * Starts a box in the order in which its parts need each other: records, zones (answering from disk before any friend
 * is reached), mail, then the mesh. Disposing goes the other way.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { identity, paths, version, log, clock, random } = options;
  let { config } = options;
  const self = identity.box.peer;
  const startedAtMs = clock.nowMs();
  const stopping = new AbortController();
  await using starting = new AsyncDisposableStack();

  const waiters = new Set<() => void>();
  const noteChange = (): void => {
    for (const wake of waiters) wake();
  };
  const events = startEventLog(clock, ({ kind, text }) => {
    log.info({ event: kind }, text);
    noteChange();
  });
  const failed = (what: string) => (error: unknown) => {
    if (!stopping.signal.aborted) log.error({ err: error }, what);
  };

  for (const folder of ['', 'zones', 'mail'])
    await mkdir(join(paths.stateDir, folder), { recursive: true, mode: 0o700 });
  const table = starting.use(disposable(await openTable(join(paths.stateDir, 'db'))));
  const zoneFiles = await openFiles(join(paths.stateDir, 'zones'));

  const previousBootId = (await table.get(bootKey)) ?? new Uint8Array();
  const bootId = new Uint8Array(randomBytes(16));
  await table.write([{ key: bootKey, value: bootId }]);

  const base = new Map<string, Service[]>();
  for await (const [key, value] of table.entries(basePrefix)) {
    const words = (fromUtf8(value) ?? '').split(' ');
    base.set(
      key.slice(basePrefix.length),
      services.filter((service) => words.includes(service)),
    );
  }
  const claims = new Map<string, string>();
  for await (const [key, value] of table.entries(claimPrefix)) {
    claims.set(key.slice(claimPrefix.length), fromUtf8(value) ?? '');
  }

  let host: Host | undefined;
  const theHost = (): Host => {
    if (host === undefined) throw new Error('the mesh is not up yet');
    return host;
  };
  let sync: SyncStreams | undefined;
  let zones: Zones | undefined;
  let mail: Mail | undefined;
  let dialer: Dialer | undefined;
  let current: Plan | undefined;
  let ready = false;
  const details = new Map<string, FriendDetails>();
  const networks = new Map<string, string>();
  const seenAs = new Map<string, HostPort>();
  const traffic = startTraffic(clock);
  const observed: {
    ipv4: HostPort | undefined;
    ipv6: HostPort | undefined;
    changedAtMs: number | undefined;
  } = {
    ipv4: undefined,
    ipv6: undefined,
    changedAtMs: undefined,
  };
  const reachable = new Set<string>();

  const records = await openRecordStore({
    table,
    clock,
    key: identity.box,
    ownerId: identity.ownerId,
    onChange: (calls, record, fact) => onRecord(calls, record, fact),
    events: {
      refused: (kind, signer, why) => log.warn({ kind, signer, why }, 'a record was refused'),
      damaged: (key) => log.warn({ key }, 'a stored record was left out; friends will bring it again'),
    },
  });
  const own = ownRecords(identity, records);

  const watch = startWatch({
    self,
    clock,
    records,
    lineCheck: () => config.line.check,
    stopping: stopping.signal,
    dialSecond: (peer) => dialer?.second(peer),
    changed: ({ peer, from, to, confirmed, seenDownBy }) => {
      const name = nameOfPeer(peer);
      events.add(
        `friend.${to}`,
        friendText({ name, from, to, confirmed, witnesses: seenDownBy.map(nameOfPeer) }),
      );
      const ownerId = ownerOfPeer(peer);
      if (ownerId !== undefined && to !== 'up') {
        reachable.delete(ownerId);
        mail?.ownerGone(ownerId);
      }
      noteChange();
    },
    lineChanged: (state) => {
      if (state === 'cut')
        events.add('line.cut', 'My own line is cut: I hear nobody. I judge nobody until it is back.');
      else events.add('line.ok', 'My own line works.');
    },
    failed: failed('liveness'),
  });

  const knowledge = () => records.knowledge();
  const ownerOfPeer = (peer: string): string | undefined => knowledge().roster.ownerOf.get(peer);
  const nameOfPeer = (peer: string): string =>
    peer === self
      ? config.name
      : (knowledge().roster.members.get(ownerOfPeer(peer) ?? '')?.name ?? 'a stranger');
  const boxesOf = (ownerId: string): string[] =>
    (knowledge().roster.members.get(ownerId)?.boxes ?? []).map((box) => box.peer);

  /** Every room gets its part of a new plan. Runs one at a time; what arrives meanwhile is planned once more. */
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

  const applyPlan = async (): Promise<void> => {
    const { roster } = knowledge();
    const changes: { key: string; value: Uint8Array }[] = [];
    for (const member of roster.members.values()) {
      if (member.ownerId === identity.ownerId || base.has(member.ownerId)) continue;
      const may = baseOffer(knowledge(), identity.ownerId, member);
      if (may === undefined) continue;
      base.set(member.ownerId, may);
      changes.push({ key: basePrefix + member.ownerId, value: Buffer.from(may.join(' ')) });
    }
    const next = plan(knowledge(), config, identity, { base, claims });
    for (const { key, ownerId } of next.newClaims) {
      claims.set(key, ownerId);
      changes.push({ key: claimPrefix + key, value: Buffer.from(ownerId) });
    }
    if (changes.length > 0) await table.write(changes);
    for (const conflict of next.conflicts) {
      if (current?.conflicts.some((known) => known.duty.name === conflict.duty.name)) continue;
      const who = roster.members.get(conflict.duty.ownerId)?.name ?? 'a friend';
      const holder =
        conflict.ownerId === identity.ownerId
          ? 'you'
          : (roster.members.get(conflict.ownerId)?.name ?? 'another');
      events.add(
        'claim.refused',
        `${who} claims ${conflict.duty.name}, but ${conflict.name} belongs to ${holder}: refused until you decide.`,
      );
    }
    current = next;
    watch.take({
      kind: 'roster',
      self,
      selfNetwork: config.mesh.network ?? '',
      friends: next.friendBoxes.map((peer) => ({ peer, network: networks.get(peer) ?? '' })),
    });
    zones?.configure(
      config.zones,
      next.duties
        .filter((duty) => duty.service === 'dns')
        .map(({ ownerId, name }) => ({ ownerId, origin: name })),
    );
    refreshAddresses();
    host?.enforce();
    for (const peer of next.friendBoxes) {
      // A guest who just became a friend gets his sync stream on the connection that is there.
      const connection = host?.connections(peer)[0];
      if (connection !== undefined && sync?.peers().includes(peer) !== true)
        sync?.connected(peer, connection.id);
    }
    await own.offers(next.offers);
    await own.grants(next.grants);
    noteChange();
  };

  const refreshAddresses = (): void => {
    const announced = new Map<string, readonly string[]>();
    for (const record of knowledge().records.values()) {
      if (record.kind === 'address') announced.set(record.signed.signer, record.signed.record.addresses);
    }
    dialer?.friends(
      (current?.friendBoxes ?? []).map((peer) => ({ peer, announced: announced.get(peer) ?? [] })),
    );
  };

  /** The flows between the rooms: what each new record sets in motion. The calls come from the pure routing switch. */
  const onRecord = (calls: readonly RoomCall[], record: KnownRecord, fact: Fact): void => {
    // Our own records and those of others spread alike; for those of others, their arrival knows whom they reached.
    if (record.signed.signer === self) sync?.spread(fact, new Uint8Array(), undefined);
    for (const call of calls) {
      switch (call.kind) {
        case 'plan':
          if (record.kind === 'member') noteMember(record.signed.record.name, record.signed.signer);
          void replan();
          break;
        case 'addresses':
          refreshAddresses();
          break;
        case 'zone-announced':
          zones?.announced(call.ownerId, call.origin);
          break;
        case 'zone-holders':
          zones?.holdersChanged();
          break;
        case 'vote':
          if (record.kind === 'vote') {
            const { about, heardAtMs, silent, sequence } = record.signed.record;
            watch.take({ kind: 'vote', from: call.from, about, heardAtMs, silent, sequence });
          }
          break;
      }
    }
    noteChange();
  };

  const noteMember = (name: string, admittedBy: string): void => {
    if (name === config.name && admittedBy === self) return;
    events.add('friend.joined', `${name} is in the circle, admitted by ${nameOfPeer(admittedBy)}.`);
  };

  zones = starting.use(
    await startZones({
      listen: config.dns.listen,
      configFile: paths.configFile,
      files: zoneFiles,
      table,
      clock,
      identity,
      records,
      connectedPeers: () => watch.heard(),
      open: async (peer, signal) => await theHost().open(peer, 'zone', { signal }),
      providers: (ownerId, origin) => providers(knowledge(), ownerId, { service: 'dns', name: origin }),
      holds: (list) => void own.holds(list).catch(failed('announcing what is served')),
      nameOf: (ownerId) =>
        ownerId === identity.ownerId
          ? config.name
          : (knowledge().roster.members.get(ownerId)?.name ?? 'a stranger'),
      events,
      log,
      changed: noteChange,
    }),
  );

  const mailDomains = (): MailDomain[] => [
    ...config.mail.map(
      (domain): MailDomain => ({
        domain: domain.domain,
        ownerId: identity.ownerId,
        ownerName: config.name,
        role: 'own',
        sealTo: knowledge().roster.members.get(identity.ownerId)?.sealTo ?? [],
        maxBytes: Number.MAX_SAFE_INTEGER,
        deliver: domain.deliver,
        client: domain.client,
      }),
    ),
    ...(current?.duties ?? [])
      .filter((duty) => duty.service === 'mail')
      .flatMap((duty): MailDomain[] => {
        const owner = knowledge().roster.members.get(duty.ownerId);
        if (owner === undefined) return [];
        return [
          {
            domain: duty.name,
            ownerId: duty.ownerId,
            ownerName: owner.name,
            role: 'backup',
            sealTo: owner.sealTo,
            maxBytes: duty.quotaBytes,
          },
        ];
      }),
  ];

  const openTo = async (ownerId: string, protocol: 'live' | 'drain', signal: AbortSignal) => {
    const heard = new Set(watch.heard());
    const peer = boxesOf(ownerId).find((one) => heard.has(one));
    if (peer === undefined) throw new Error('the owner is not reachable');
    return await theHost().open(peer, protocol, { signal });
  };
  mail = starting.use(
    await startMail({
      listen: config.smtp.listen,
      hostname: config.smtp.hostname ?? hostname(),
      ...(config.smtp.tls === undefined ? {} : { tls: config.smtp.tls }),
      domains: () => mailDomains(),
      openLive: (ownerId, signal) => openTo(ownerId, 'live', signal),
      openDrain: (ownerId, signal) => openTo(ownerId, 'drain', signal),
      segments: await openSegments(join(paths.stateDir, 'mail', 'held')),
      inbox: await openSegments(join(paths.stateDir, 'mail', 'inbox')),
      table: await openTable(join(paths.stateDir, 'mail', 'index')),
      identities: () => identity.sealIdentities,
      clock,
      random,
      events: mailEvents(log, events, noteChange),
    }),
  );

  const refuseStream: ProtocolHandler['handle'] = async (stream) => stream.abort(new Error('not ready'));
  /** Only whom we granted some domain of ours, and who offers to take its mail, may hand us mail. */
  const isBackup = (peer: string): boolean =>
    config.mail.some((domain) =>
      providers(knowledge(), identity.ownerId, { service: 'mail', name: domain.domain }).includes(
        ownerOfPeer(peer) ?? '',
      ),
    );
  const friendOnly =
    (
      handle: (stream: Parameters<ProtocolHandler['handle']>[0], peer: string, name: string) => Promise<void>,
    ) =>
    async (stream: Parameters<ProtocolHandler['handle']>[0], from: { peer: string }): Promise<void> => {
      watch.take({ kind: 'heard', peer: from.peer });
      await handle(stream, from.peer, nameOfPeer(from.peer));
    };

  const circle: CircleService = circleService({
    identity,
    records,
    host: theHost,
    clock,
    ownAddresses: () => ownAddresses(),
    addressesOf: (peer) => dialer?.addressesOf(peer) ?? [],
    rememberContacts: async (contacts) => {
      await dialer?.remember(contacts);
    },
  });

  dialer = await startDialer({
    table,
    clock,
    random,
    host: theHost,
    allowPrivate: () => config.mesh.allowPrivate,
    stopping: stopping.signal,
    events: {
      dialFailed: (peer, addresses, error) =>
        log.debug(
          { friend: nameOfPeer(peer), addresses, err: error },
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
    friends: () => current?.friendBoxes ?? [],
    heard: () => watch.heard(),
    hello: () => ({ name: config.name, version, bootId, previousBootId: previousBootId.slice(0, 16) }),
    received: async (from, { kind, envelope, reached }) => {
      const outcome = await records.offer(kind, envelope);
      if (outcome.kind === 'new') sync?.spread(outcome.fact, reached, from);
    },
    events: {
      hello: (peer, hello) => {
        details.set(peer, { rttMs: details.get(peer)?.rttMs, version: hello.version });
        if (Math.abs(hello.clockOffsetMs) > 60_000) {
          log.warn(
            { friend: nameOfPeer(peer), offsetMs: hello.clockOffsetMs },
            "a friend's clock differs from ours",
          );
        }
      },
      heardBits: (from, peers) => watch.take({ kind: 'heard-bits', from, peers }),
      up: (peer) => {
        watch.take({ kind: 'heard', peer });
        zones?.peersChanged();
        const ownerId = ownerOfPeer(peer);
        if (ownerId !== undefined) {
          reachable.add(ownerId);
          mail?.ownerReachable(ownerId);
        }
        noteChange();
      },
      failed: (peer, error) => log.debug({ friend: nameOfPeer(peer), err: error }, 'sync stream ended'),
      roundTrip: (peer, rttMs) => details.set(peer, { version: details.get(peer)?.version, rttMs }),
    },
  });
  starting.defer(() => sync?.stop());

  const boundZones = zones;
  const boundMail = mail;
  host = starting.use(
    await startHost({
      privateKey: identity.box.protobuf,
      listen: config.mesh.listen,
      allowPrivate: () => config.mesh.allowPrivate,
      admit: (peer) => {
        const friends = new Set(current?.friendBoxes ?? []);
        return admitConnection(peer, {
          friends,
          invitesAnswered: answersInvites(knowledge(), closedInviteMemoryMs, clock.nowMs()),
          guests: (host?.connectedPeers() ?? []).filter((one) => one !== peer && !friends.has(one)).length,
          maxGuests,
        });
      },
      handlers: {
        sync: {
          maxFrameBytes: maxSyncFrameBytes,
          handle: (stream, from) => sync?.accept(stream, from) ?? refuseStream(stream, from),
        },
        join: {
          maxFrameBytes: maxGuestFrameBytes,
          maxAnswerBytes: maxSyncFrameBytes,
          handle: (stream, from) => circle.answer(stream, from.peer),
        },
        zone: {
          maxFrameBytes: maxSyncFrameBytes,
          handle: friendOnly((stream, peer) => boundZones.serve(stream, peer)),
        },
        live: {
          maxFrameBytes: maxSyncFrameBytes,
          handle: friendOnly(async (stream, peer, name) => {
            if (!isBackup(peer)) throw new Error('not a backup of ours');
            await boundMail.handleLive(stream, peer, name);
          }),
        },
        drain: {
          maxFrameBytes: maxSyncFrameBytes,
          handle: friendOnly(async (stream, peer, name) => {
            // Whoever once held our mail may still hand it over, also after the grant ended.
            await boundMail.handleDrain(stream, peer, name);
          }),
        },
      },
      events: {
        connected: (peer, { id, outbound, remote }) => {
          if (ownerOfPeer(peer) === undefined) return;
          if (remote !== undefined) networks.set(peer, networkOf(remote.host));
          dialer?.connected(peer, outbound ? remote : undefined);
          watch.take({ kind: 'connected', peer });
          sync?.connected(peer, id);
        },
        disconnected: (peer, _id, last) => {
          if (!last) return;
          dialer?.disconnected(peer);
          watch.take({ kind: 'disconnected', peer });
          zones?.peersChanged();
          noteChange();
        },
        heard: (peer) => watch.take({ kind: 'heard', peer }),
        sent: (_peer, protocol, sizeBytes) => traffic.count('sent', protocol, sizeBytes),
        received: (_peer, protocol, sizeBytes) => traffic.count('received', protocol, sizeBytes),
        observed: (by, address) => noteObserved(by, address),
        refused: (peer, why) => log.warn({ peer, why }, 'a stranger was refused'),
        streamFailed: (peer, protocol, error) =>
          log.debug({ friend: nameOfPeer(peer), protocol, err: error }, 'a stream broke'),
      },
    }),
  );

  /** A friend's view of our address; shown when two friends agree, or the only one says so. */
  const noteObserved = (by: string, { host: seen }: HostPort): void => {
    if (ownerOfPeer(by) === undefined || isPrivate(seen)) return;
    const family = seen.includes(':') ? 'ipv6' : 'ipv4';
    seenAs.set(`${family} ${by}`, { host: seen, port: 0 });
    const views = [...seenAs].filter(([key]) => key.startsWith(family)).map(([, address]) => address.host);
    const agreeing = views.filter((one) => one === seen).length;
    if (agreeing < Math.min(2, views.length) || observed[family]?.host === seen) return;
    observed[family] = { host: seen, port: 0 };
    observed.changedAtMs = clock.nowMs();
    events.add('address.changed', `Friends see this box at ${seen}.`);
    announceAddresses();
  };

  const ownAddresses = (): string[] => {
    const found = config.mesh.announce.map(formatHostPort);
    for (const address of host?.addresses ?? []) {
      // libp2p reports a wildcard as every local address; only what friends could reach is worth announcing.
      if (!isPrivate(address.host) || config.mesh.allowPrivate) found.push(formatHostPort(address));
      for (const seen of [observed.ipv4, observed.ipv6]) {
        if (seen !== undefined) found.push(formatHostPort({ host: seen.host, port: address.port }));
      }
    }
    const useful = [...new Set(found)];
    const beyondLoopback = useful.filter((text) => !/^(127\.|\[::1\])/.test(text));
    const listensOnLoopbackOnly = config.mesh.listen.every((address) => address.host.startsWith('127.'));
    return (listensOnLoopbackOnly ? useful : beyondLoopback).slice(0, 8);
  };
  const announceAddresses = (): void => {
    void own.addresses(ownAddresses()).catch(failed('announcing our addresses'));
  };

  await own.found(config.name, Math.round(clock.nowMs()));
  await replan();
  announceAddresses();
  const ticking = setInterval(() => {
    watch.take({ kind: 'tick' });
    dialer?.tick();
    sync?.tick((peer) => watch.lastHeardAtMs(peer));
    zones?.tick();
  }, tickEveryMs);
  starting.defer(() => clearInterval(ticking));
  dialer.tick();
  ready = true;

  const status = (): StatusDocument =>
    buildStatus(
      collectStatus({
        config,
        identity,
        version,
        startedAtMs,
        clock,
        records,
        watch,
        zones: boundZones,
        mail: boundMail,
        traffic,
        events,
        details,
        observed,
      }),
      clock.nowMs(),
    );

  const parts = starting.move();
  let stopped: Promise<void> | undefined;
  return {
    identity,
    version,
    status,
    metrics: () => {
      const mailFacts = boundMail.facts().domains;
      return metricsText({
        status: status(),
        nowMs: clock.nowMs(),
        counters: {
          dnsQueries: boundZones.queryCounts(),
          mailAccepted: mailFacts.map(({ domain, acceptedTotal }) => ({ domain, count: acceptedTotal })),
          mailDelivered: mailFacts.map(({ domain, deliveredTotal }) => ({ domain, count: deliveredTotal })),
          lineBytes: traffic.byClass(),
          residentMemoryBytes: process.memoryUsage.rss(),
        },
      });
    },
    ready: () => ready && !stopping.signal.aborted,
    circle,
    records,
    zones: boundZones,
    mail: boundMail,
    events,
    reconfigure: async (next) => {
      const notes = restartNotes(config, next);
      config = next;
      await replan();
      announceAddresses();
      return notes;
    },
    changed: async (withinMs, signal) => {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          waiters.delete(done);
          signal.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, withinMs);
        waiters.add(done);
        signal.addEventListener('abort', done, { once: true });
      });
    },
    namesOfFriends: () =>
      [...knowledge().roster.members.values()]
        .filter((member) => member.ownerId !== identity.ownerId)
        .map((member) => member.name),
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      stopped ??= parts.disposeAsync();
      await stopped;
    },
  };
}

/** A table that is closed with everything else. */
function disposable<T extends { close(): Promise<void> }>(one: T): T & AsyncDisposable {
  return Object.assign(one, { [Symbol.asyncDispose]: () => one.close() });
}

/** For votes: an address's /16 (IPv4) or /32 (IPv6); what the internet does not route is a network of its own. */
function networkOf(host: string): string {
  if (isPrivate(host)) return '';
  return host.includes(':') ? host.split(':').slice(0, 2).join(':') : host.split('.').slice(0, 2).join('.');
}

/** What of a new configuration waits for the next start. */
function restartNotes(before: Config, after: Config): string[] {
  const listens = (config: Config): Record<string, unknown> => ({
    '[mesh] listen': config.mesh.listen,
    '[dns] listen': config.dns.listen,
    '[smtp] listen': config.smtp.listen,
    '[smtp] tls-cert, tls-key': config.smtp.tls,
    '[http] listen': config.http.listen,
    name: config.name,
  });
  const [was, is] = [listens(before), listens(after)];
  return Object.keys(was).filter((key) => JSON.stringify(was[key]) !== JSON.stringify(is[key]));
}

function friendText(change: {
  name: string;
  from: string;
  to: string;
  confirmed: boolean;
  witnesses: string[];
}): string {
  const { name, to, confirmed, witnesses } = change;
  const seen = witnesses.length === 0 ? '' : `, seen by ${witnesses.join(', ')}`;
  switch (to) {
    case 'up':
      return `${name} is up.`;
    case 'suspect':
      return `${name} is silent: suspect${seen}.`;
    case 'partial':
      return `${name} is silent here, but friends hear him${seen}.`;
    case 'down':
      return `${name} is down${confirmed ? seen : ' as far as I can tell; nobody else could confirm it'}.`;
    default:
      return `${name} is ${to}.`;
  }
}
