import { parseHostPort } from '@copain/core';
import { admitConnection, closedInviteMemoryMs, type Fact, maxGuests, relaySilenceMs } from '@copain/mesh';
import {
  type Bulk,
  type Host,
  type HostOptions,
  type SyncStreams,
  startBulk,
  startHost,
  startLine,
  startSyncStreams,
} from '@copain/mesh/io';
import { clockOffMs } from '../clock-skew.ts';
import { dialableAddresses } from '../dialable-addresses.ts';
import { membershipOf } from '../membership.ts';
import { routerText } from '../router-text.ts';
import { answersInvites } from '../wiring.ts';
import type { Box } from './box.ts';
import type { CircleService } from './circle.ts';
import { type Dialback, startDialback } from './dialback.ts';
import { type Dialer, startDialer } from './dialer.ts';
import { farewells } from './farewell.ts';
import { hostEvents } from './host-events.ts';
import { measureService } from './line-measure.ts';
import type { MailRoom } from './mail-room.ts';
import { protocolHandlers } from './mesh-protocols.ts';
import { interfaceHosts, watchInterfaces } from './own-interfaces.ts';
import { type OpenPort, startPortMapper } from './port-mapper.ts';
import { type Relaying, startRelaying } from './relaying.ts';
import type { FriendDetails } from './status-collect.ts';
import { startTraffic, type Traffic } from './traffic.ts';
import type { Watch } from './watch.ts';
import type { Zones } from './zones.ts';

/** The mesh of a running box: the host, the streams to friends, and all that finds and keeps the ways to them. */
export interface MeshRoom {
  host: Host;
  sync: SyncStreams;
  dialer: Dialer;
  bulk: Bulk;
  relaying: Relaying;
  dialback: Dialback;
  /** Where friends may dial this box, best first. */
  dialable(): string[];
  /** Ports that the home router passes on. */
  routerPorts(): OpenPort[];
  traffic: Traffic;
  /** What each friend's box told in its hello. */
  details: ReadonlyMap<string, FriendDetails>;
  /** The network that a friend's box was last seen in, or the empty string. */
  networkOf(peer: string): string;
  announceAddresses(): void;
  /** Tells the dialer whom to dial where, by the addresses that friends announced. */
  refreshDialer(): void;
  /** Gives the streams of the circle's members to whoever is connected, and hangs up on whoever is a member no more. */
  enforce(): void;
  isConnected(peer: string): boolean;
  /** Applies the `[line]` section as it is now. */
  limitLine(): void;
  tick(): void;
}

/** The rooms that speak through the mesh. */
export interface MeshUsers {
  watch: Watch;
  zones: Zones;
  mail: MailRoom;
  circle: CircleService;
}

/** Starts the mesh; the last room to start, since friends are answered by the others from the first moment. */
export async function startMeshRoom(
  box: Box,
  users: MeshUsers,
  starting: AsyncDisposableStack,
): Promise<MeshRoom> {
  const { identity, clock, random, log, records, names, standing, stopping, config, friendBoxes } = box;
  const { watch, zones, mail, circle } = users;
  const self = identity.box.peer;
  let host: Host | undefined;
  const theHost = (): Host => {
    if (host === undefined) throw new Error('the mesh is not up yet');
    return host;
  };

  const traffic = startTraffic(clock);
  const line = startLine(clock);
  const limitLine = (): void => line.limit(config().line.upBytesPerSecond, config().line.bulkBytesPerSecond);
  limitLine();
  const details = new Map<string, FriendDetails>();
  const noteDetails = (peer: string, news: Partial<FriendDetails>): void => {
    const unknown = { version: undefined, rttMs: undefined, clockAtZeroMs: undefined, gap: undefined };
    details.set(peer, { ...unknown, ...details.get(peer), ...news });
  };

  const portMapper = starting.use(
    startPortMapper({
      clock,
      stopping,
      changed: (port) => {
        if (port === undefined) box.events.add('router.closed', 'The router no longer passes our port on.');
        else box.events.add(port.leadsNowhere ? 'router.shared' : 'router.open', routerText(port));
        announceAddresses();
        dialback.addressChanged();
      },
    }),
  );
  /** Where friends may dial this box, best first; nothing while it does not listen. */
  const dialable = (): string[] => {
    const { ipv4, ipv6 } = box.publicAddress.believed();
    const seenAt = [ipv4, ipv6].flatMap((one) => one ?? []);
    return dialableAddresses(config().mesh, host?.addresses ?? [], seenAt, (port) =>
      portMapper.outside(port),
    );
  };
  const announceAddresses = (): void => {
    if (host === undefined) return;
    void box.own.addresses(dialable()).catch(box.failed('announcing our addresses'));
  };
  const hasMoved = watchInterfaces(clock);
  const networks = new Map<string, string>();
  /** How those who are connected see us. */
  const observedBy = new Map<string, string>();
  /** Whoever saw us before he was known as a friend is believed once he is. */
  const noteObserved = (by: string): void => {
    const seenAt = observedBy.get(by);
    if (seenAt === undefined || names.ownerOf(by) === undefined) return;
    if (!box.publicAddress.seen(by, seenAt, networks.get(by) ?? '')) return;
    box.events.add('address.changed', `Friends see this box at ${seenAt}.`);
    announceAddresses();
    dialback.addressChanged();
  };

  const relaying = startRelaying({
    ownerId: identity.ownerId,
    host: theHost,
    clock,
    records,
    names,
    friends: friendBoxes,
    stopping,
    changed: (relay, listening) => {
      const through = `reached through ${names.ofPeer(relay)}`;
      if (listening) box.events.add('relay.listening', `This box can be ${through}.`);
      else box.events.add('relay.ended', `This box is no longer ${through}.`);
    },
    refused: (relay, error) =>
      log.debug({ friend: names.ofPeer(relay), err: error }, 'a friend does not relay for us now'),
    reserved: (relay) => dialThrough(relay, false),
  });
  /** Whoever is not heard and may be reached through this friend is dialled there. */
  const dialThrough = (relay: string, fresh: boolean): void => {
    const isSilent = (peer: string): boolean =>
      theHost().connections(peer).length === 0 ||
      clock.nowMs() - (watch.lastHeardAtMs(peer) ?? 0) > relaySilenceMs;
    const peers = friendBoxes().filter((peer) => isSilent(peer) && relaying.towards(peer).includes(relay));
    dialer.relayBack(peers, fresh);
  };

  const announcedBy = (peer: string): readonly string[] => {
    const record = box.knowledge().records.get(`address/${peer}`);
    return record?.kind === 'address' ? record.signed.record.addresses : [];
  };
  const dialback = startDialback({
    host: theHost,
    clock,
    allowPrivate: () => config().mesh.allowPrivate,
    friends: friendBoxes,
    announcedBy,
    outside: (port) => portMapper.outside(port),
    stopping,
    changed: (reachable) => {
      if (reachable === true) box.events.add('reachable.yes', 'Friends can dial this box.');
      if (reachable === false)
        box.events.add('reachable.no', 'Friends cannot dial this box: it is behind NAT or a firewall.');
    },
    noHelp: (peer, error) =>
      log.debug({ friend: names.ofPeer(peer), err: error }, 'a friend could not dial back'),
  });

  const dialer = await startDialer({
    table: box.table,
    clock,
    random,
    host: theHost,
    allowPrivate: () => config().mesh.allowPrivate,
    relaysTowards: relaying.towards,
    lastHeardAtMs: (peer) => watch.lastHeardAtMs(peer),
    stopping,
    events: {
      dialFailed: (peer, tried, error) =>
        log.debug(
          { friend: names.ofPeer(peer), tried, err: error },
          'could not reach a friend; trying again',
        ),
    },
  });

  const sync = startSyncStreams({
    self,
    host: theHost,
    clock,
    random,
    log: () => records.log(),
    signedBy: (peer) => factsSignedBy(box, peer),
    seenBoot: standing.seenBoot,
    friends: friendBoxes,
    heard: () => watch.heard(),
    hello: () => ({
      name: config().name,
      version: box.version,
      bootId: standing.bootId,
      previousBootId: standing.previousBootId,
    }),
    received: async (from, { kind, envelope, reached }) => {
      try {
        const outcome = await records.offer(kind, envelope);
        if (outcome.kind === 'new') sync.spread(outcome.fact, reached, from);
      } catch (error) {
        // A disk that is full is no reason to hang up on a friend; the next exchange brings the record again.
        box.failed('storing a record')(error);
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
        mail.heard(peer);
        if (standing.isAsking()) sync.askOwn(peer);
        box.changes.note();
      },
      told: (peer) => dialer.told(peer),
      lastSeen: standing.lastSeen,
      ownTold: (friend) => standing.take({ kind: 'answered', friend }),
      failed: (peer, error) => log.debug({ friend: names.ofPeer(peer), err: error }, 'a sync stream ended'),
      roundTrip: (peer, rttMs) => {
        noteDetails(peer, { rttMs });
        watch.take({ kind: 'round-trip', peer, rttMs });
      },
    },
  });
  starting.defer(() => sync.stop());

  const bulk = startBulk({
    host: theHost,
    clock,
    random,
    services: { measure: measureService(clock) },
    addressesOf: (peer) => dialer.addressesOf(peer),
  });
  starting.defer(() => bulk.stop());

  const farewell = farewells({
    records,
    clock,
    host: theHost,
    told: (peer) =>
      log.info({ friend: names.ofPeer(peer) }, 'a former friend came and was told that he is out'),
    failed: (peer, error) =>
      log.debug(
        { friend: names.ofPeer(peer), err: error },
        'a former friend could not be told that he is out',
      ),
  });

  const admit: HostOptions['admit'] = (peer) => {
    const friends = new Set(friendBoxes());
    const strangers = (host?.connectedPeers() ?? []).filter((one) => !friends.has(one));
    const connections = strangers.reduce((sum, one) => sum + (host?.connections(one).length ?? 0), 0);
    // The one that is asked about may be among them.
    const guests = strangers.includes(peer) ? connections - 1 : connections;
    const invitesAnswered = answersInvites(box.knowledge(), closedInviteMemoryMs, clock.nowMs());
    return admitConnection(peer, { friends, invitesAnswered, guests, maxGuests, isToBeTold: farewell.isDue });
  };
  const events = hostEvents(box, users, {
    isUp: () => host !== undefined,
    traffic,
    details,
    networks,
    observedBy,
    noteObserved,
    noteDetails,
    dialThrough,
    dialer,
    sync,
    bulk,
    farewell,
    reserve: () => relaying.tick(dialback.reachable()),
  });
  const running = starting.use(
    await startHost({
      privateKey: identity.box.protobuf,
      listen: config().mesh.listen,
      allowPrivate: () => config().mesh.allowPrivate,
      admit,
      // The member who admits this box opens streams to it before it has read that he is a friend.
      beforeRefusal: () => circle.joinEnded(),
      relaysFor: relaying.offersTo,
      handlers: protocolHandlers(box, users, { sync, dialback, bulk, farewell }),
      line,
      events,
    }),
  );
  host = running;

  const refreshDialer = (): void => {
    // Whoever removed us for himself lets no box of ours in, for good.
    const apart = membershipOf(box.knowledge(), self).by;
    const dialled = friendBoxes().filter((peer) => !apart.includes(names.ownerOf(peer) ?? ''));
    dialer.friends(dialled.map((peer) => ({ peer, announced: announcedBy(peer) })));
    running.friendsAt(friendBoxes().map((peer) => ({ peer, hosts: hostsOf(dialer.addressesOf(peer)) })));
  };

  return {
    host: running,
    sync,
    dialer,
    bulk,
    relaying,
    dialback,
    dialable,
    routerPorts: () => portMapper.open(),
    traffic,
    details,
    networkOf: (peer) => networks.get(peer) ?? '',
    announceAddresses,
    refreshDialer,
    enforce: () => {
      // While this box joins, the member it talks to is in no roster of ours yet.
      if (!circle.isJoining()) running.enforce();
      for (const peer of friendBoxes()) {
        // A guest who just became a friend gets his sync stream on the connection that is there.
        const [connection] = running.connections(peer);
        if (connection !== undefined && !sync.peers().includes(peer)) sync.connected(peer, connection.id);
      }
    },
    isConnected: (peer) => running.connections(peer).length > 0,
    limitLine,
    tick: () => {
      if (hasMoved()) dialer.moved();
      dialer.tick(relaying.onlyRelayed(friendBoxes()));
      dialback.tick();
      // Where private addresses are dialled, friends are near, and the router has nothing to do with it.
      const mayMap = !config().mesh.allowPrivate && box.publicAddress.believed().ipv4 !== undefined;
      portMapper.tick(mayMap && dialback.reachable() === false, running.addresses[0]?.port);
      relaying.tick(dialback.reachable());
      box.publicAddress.own([
        ...interfaceHosts(),
        ...portMapper.open().flatMap(({ externalHost }) => externalHost ?? []),
      ]);
      for (const friend of watch.facts()) {
        // An old connection stays blind long after an outage: keep trying beside it.
        const isHeard = friend.state === 'up' || friend.state === 'slow';
        if (!isHeard && running.connections(friend.peer).length > 0) dialer.second(friend.peer);
      }
      sync.tick((peer) => watch.lastHeardAtMs(peer));
    },
  };
}

/** All that this peer ever signed and that is known here: what he is told when he asks for his own. */
function factsSignedBy({ records, knowledge }: Box, peer: string): Fact[] {
  return [...knowledge().records].flatMap(([key, { signed }]) => {
    const fact = signed.signer === peer ? records.log().facts.get(key) : undefined;
    return fact === undefined ? [] : [fact];
  });
}

const hostsOf = (addresses: readonly string[]): string[] =>
  addresses.flatMap((text) => parseHostPort(text)?.host ?? []);
