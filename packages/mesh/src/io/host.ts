import type { FrameStream, HostPort } from '@copain/core';
import type { Connection, Stream } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { arrivalNetwork } from '../arrivals.ts';
import {
  type Admission,
  hasRoomForGuest,
  type ProtocolName,
  protocolClass,
  protocols,
  protocolVersion,
  type VersionGap,
  versionGap,
} from '../gate.ts';
import { guestDeadlineMs, maxConnectionsPerPeer, maxRelayMessageBytes } from '../limits.ts';
import type { TrafficClass } from '../line-scheduler.ts';
import { arrivalGate } from './arrival-gate.ts';
import { echoMs } from './connection-echo.ts';
import { paceOf } from './connection-pace.ts';
import { dialPeer } from './dial-peer.ts';
import { frameStream } from './frame-stream.ts';
import type { Line } from './line.ts';
import { makeNode } from './mesh-node.ts';
import { fromMultiaddr } from './multiaddrs.ts';
import { relayOf, reserveAt } from './relay.ts';
import { serveRelay } from './relay-server.ts';
import { type ProtocolHandler, serveProtocols } from './serve-protocols.ts';

/** A stream and the version of its protocol that both sides agreed on. */
type VersionedStream = FrameStream & { readonly version: number };

/** What the host tells: facts, for the agent to act on and to log. */
export interface HostEvents {
  /** `remote`: where the connection comes from, or leads to where it is `outbound`; unknown behind the relay `via`. */
  connected(
    peer: string,
    connection: {
      id: string;
      outbound: boolean;
      remote: HostPort | undefined;
      via: string | undefined;
    },
  ): void;
  /** One connection closed; `last` when no other to that peer is left. */
  disconnected(peer: string, connectionId: string, last: boolean): void;
  heard(peer: string): void;
  sent(peer: string, trafficClass: TrafficClass, sizeBytes: number): void;
  received(peer: string, trafficClass: TrafficClass, sizeBytes: number): void;
  /** How a friend sees us: the source address of our connection. */
  observed(by: string, address: HostPort): void;
  /** Somebody was turned away; `who` is a PeerId, or the address of a connection that never said who it is. */
  refused(who: string, why: string, step: 'arrival' | 'gate' | 'protocol' | 'quota'): void;
  /** The box on the other side speaks no version of the sync protocol that this one knows. */
  incompatible(peer: string, gap: VersionGap): void;
  streamFailed(peer: string, protocol: ProtocolName, error: unknown): void;
}

export interface HostOptions {
  /** libp2p's protobuf form of the box's Ed25519 private key. */
  privateKey: Uint8Array;
  listen: readonly HostPort[];
  allowPrivate(): boolean;
  /** Asked at every connection and at every stream. */
  admit: (peer: string) => Admission;
  /** Awaited before a stream is refused, then `admit` is asked once more. */
  beforeRefusal?: () => Promise<void>;
  /** Does this box offer to relay for that friend's box? For nobody unless given. */
  relaysFor?: (peer: string) => boolean;
  /** What it keeps in memory of all that it relays; `maxRelayHeldBytes` unless given. */
  relayHeldBytes?: number;
  handlers: Record<ProtocolName, ProtocolHandler>;
  /** The versions spoken of some protocols, newest first, where they are not all of `protocols`: an older copain. */
  versions?: Partial<Record<ProtocolName, readonly string[]>>;
  /** Where everything that is sent waits for its turn. */
  line: Line;
  /** How long a frame may take from its first bytes, and a write may stay unread; `frameDeadlineMs` unless given. */
  frameDeadlineMs?: number;
  events: HostEvents;
}

/** One open connection; `remote`: the address at its other end, unknown where relayed; `via`: the friend's box that relays it, undefined where it is direct. */
export interface HostConnection {
  id: string;
  openedAtMs: number;
  remote: HostPort | undefined;
  via: string | undefined;
}

/** The libp2p node of this box. */
export interface Host extends AsyncDisposable {
  peer: string;
  /** Where it listens, with real ports. */
  addresses: HostPort[];
  /**
   * Resolves once a connection is authenticated and still open; rejects otherwise. Addresses are tried in their order,
   * the next beside one that hangs; then through a relay of `via`, which is asked again while addresses hang. `fresh`: a
   * new one in any case.
   */
  dial(
    peer: string,
    addresses: readonly string[],
    options: { signal: AbortSignal; fresh?: boolean; via?: () => readonly string[] },
  ): Promise<void>;
  /** Has a friend's box relay for this one, over that connection; rejects where it does not. */
  reserve(relay: string, options: { signal: AbortSignal; connectionId: string }): Promise<void>;
  /** A stream on the best connection to the peer, or on the one named. Rejects where there is none. */
  open(
    peer: string,
    protocol: ProtocolName,
    options: { signal: AbortSignal; connectionId?: string },
  ): Promise<VersionedStream>;
  connectedPeers(): string[];
  /**
   * A second connection to the peer, for bulk alone, and its id. It is none of `connections`, no stream opens on it
   * unless its id is given, and neither `connected` nor `disconnected` tells of it.
   */
  dialBulk(peer: string, addresses: readonly string[], signal: AbortSignal): Promise<string>;
  /** The connection for bulk that is open to this peer, whoever dialled it. */
  bulkConnection(peer: string): string | undefined;
  /** What the peer says of a connection that he dialled: it is for bulk. */
  markBulk(peer: string, connectionId: string): void;
  /** How long a few bytes take to the peer's box and back, behind all that was sent to it on that connection. */
  roundTripMs(peer: string, signal: AbortSignal): Promise<number>;
  /** Best first: direct before relayed, then the newest. */
  connections(peer: string): HostConnection[];
  closeConnection(peer: string, connectionId: string): void;
  /** Hangs up on whoever the gate would not let in any more. */
  enforce(): void;
  /** Where friends' boxes may come from, which crowds of strangers do not count against; call it when that changed. */
  friendsAt(boxes: readonly { peer: string; hosts: readonly string[] }[]): void;
}

/** Counts what goes over a stream with this peer; whatever comes says that he is there. */
const meters = (events: HostEvents) => (peer: string, trafficClass: TrafficClass) => ({
  sent: (sizeBytes: number) => events.sent(peer, trafficClass, sizeBytes),
  received: (sizeBytes: number) => {
    events.received(peer, trafficClass, sizeBytes);
    events.heard(peer);
  },
});

/**
 * Starts the node: TCP, Noise, yamux, identify; no connection monitor and no keep-alive tags (the agent's beats and
 * redial do that job); the peer store keeps nothing that matters. Rejects where an address cannot be listened on.
 */
export async function startHost(options: HostOptions): Promise<Host> {
  const { events, admit } = options;
  const guestTimers = new Map<string, NodeJS.Timeout>();
  const spoken = (name: ProtocolName): string[] => [...(options.versions?.[name] ?? protocols[name])];
  /** Connections of guests, whose they are and from which network; whoever became a friend is none any more. */
  const guests = new Map<string, { peer: string; network: string }>();
  const guestNetworks = (): string[] =>
    [...guests.values()].filter(({ peer }) => admit(peer) === 'guest').map(({ network }) => network);
  const arrivals = arrivalGate({
    privateKey: options.privateKey,
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
    refused: (host, why) => events.refused(host, why, 'arrival'),
  });
  const whyNotIn = (peer: string, remote: HostPort | undefined): string | undefined => {
    const admission = admit(peer);
    if (admission === 'nobody') return 'not a friend';
    const crowded =
      admission === 'guest' &&
      remote !== undefined &&
      !hasRoomForGuest(arrivalNetwork(remote.host), guestNetworks());
    return crowded ? 'too many guests from one network' : undefined;
  };
  const isRelayed = (connection: Connection): boolean => relayOf(connection.remoteAddr) !== undefined;
  /** Connections for bulk, by id; and peers to whom one is being dialled. */
  const bulk = new Set<string>();
  const bulkDials = new Set<string>();
  /** Best first: direct before relayed, then the newest. */
  const allOfPeer = (peer: string): Connection[] =>
    node
      .getConnections(peerIdFromString(peer))
      .filter((connection) => connection.status === 'open')
      .sort((a, b) => Number(isRelayed(a)) - Number(isRelayed(b)) || b.timeline.open - a.timeline.open);
  const ofPeer = (peer: string): Connection[] => allOfPeer(peer).filter(({ id }) => !bulk.has(id));
  const direct = (peer: string): Connection[] => ofPeer(peer).filter((one) => !isRelayed(one));
  const { node, dial } = await makeNode({
    ...options,
    arrivals,
    whyNotIn,
    isFriend: (peer) => admit(peer.toString()) === 'friend',
    turnedAway: (peer, why) => events.refused(peer, why, 'gate'),
    direct: (relay) => direct(relay.toString()),
  });

  const meterFor = meters(events);
  await serveProtocols(node, { ...options, spoken, meterFor });

  const relay = await serveRelay(node, {
    isFriend: (peer) => admit(peer) === 'friend',
    relaysFor: (peer) => options.relaysFor?.(peer) === true,
    direct,
    line: options.line,
    meterFor: (peer) => meterFor(peer, 'relayed'),
    maxHeldBytes: options.relayHeldBytes,
  });

  node.addEventListener('connection:open', (event) => {
    const connection = event.detail;
    const peer = connection.remotePeer.toString();
    const inbound = connection.direction === 'inbound';
    if (connection.limits !== undefined) {
      connection.abort(new Error('relays between friends have no limits'));
      return;
    }
    const remote = fromMultiaddr(connection.remoteAddr);
    if (inbound && remote !== undefined) arrivals.settled(remote);
    if (inbound && whyNotIn(peer, remote) !== undefined) {
      // Many may have been let through the gate at once, before any of them counted.
      events.refused(peer, 'too many guests', 'gate');
      connection.abort(new Error('not let in'));
      return;
    }
    if (inbound && admit(peer) !== 'friend') {
      if (remote !== undefined) guests.set(connection.id, { peer, network: arrivalNetwork(remote.host) });
      // A guest has one short conversation; whoever stays longer without becoming a friend is shown out.
      const timer = setTimeout(() => {
        guestTimers.delete(connection.id);
        if (admit(peer) !== 'friend') connection.abort(new Error('guests leave'));
      }, guestDeadlineMs);
      timer.unref();
      guestTimers.set(connection.id, timer);
    }
    if (admit(peer) === 'friend') {
      if (!isRelayed(connection)) relay.connected(peer);
      if (remote !== undefined) arrivals.met(peer, remote.host);
      for (const oldest of allOfPeer(peer).slice(maxConnectionsPerPeer))
        oldest.abort(new Error('too many connections'));
    }
    if (!inbound && bulkDials.has(peer)) {
      bulk.add(connection.id);
      return;
    }
    events.connected(peer, {
      id: connection.id,
      outbound: !inbound,
      remote,
      via: relayOf(connection.remoteAddr),
    });
  });
  node.addEventListener('connection:close', (event) => {
    const connection = event.detail;
    clearTimeout(guestTimers.get(connection.id));
    guestTimers.delete(connection.id);
    guests.delete(connection.id);
    if (bulk.delete(connection.id)) return;
    const peer = connection.remotePeer.toString();
    const last = ofPeer(peer).length === 0;
    // What libp2p remembers of friends it may keep; strangers have as many names as they like.
    if (last && admit(peer) !== 'friend') node.peerStore.delete(connection.remotePeer).catch(() => undefined);
    events.disconnected(peer, connection.id, last);
  });
  node.addEventListener('peer:identify', (event) => {
    const observed = event.detail.observedAddr;
    const address = observed === undefined ? undefined : fromMultiaddr(observed);
    const peer = event.detail.peerId.toString();
    if (address !== undefined) events.observed(peer, address);
    const gap = versionGap('sync', { ours: spoken('sync'), theirs: event.detail.protocols });
    if (gap !== undefined && admit(peer) === 'friend') events.incompatible(peer, gap);
  });

  await node.start();
  let stopped: Promise<void> | undefined;
  const connect = (
    peer: string,
    addresses: readonly string[],
    via: (() => readonly string[]) | undefined,
    signal: AbortSignal,
  ): Promise<Connection> =>
    dialPeer(dial, peer, { addresses, via, signal, allowPrivate: options.allowPrivate() });

  return {
    peer: node.peerId.toString(),
    addresses: node.getMultiaddrs().flatMap((address) => fromMultiaddr(address) ?? []),
    dial: async (peer, addresses, { signal, fresh, via }) => {
      if (fresh !== true && ofPeer(peer).length > 0) return;
      await connect(peer, addresses, via, signal);
    },
    reserve: async (at, { signal, connectionId }) => {
      const connection = direct(at).find((one) => one.id === connectionId);
      if (connection === undefined) throw new Error('not connected');
      const limits = { maxFrameBytes: maxRelayMessageBytes, maxSentBytes: maxRelayMessageBytes };
      const meter = meterFor(at, 'control');
      const frames = (stream: Stream) =>
        frameStream(stream, {
          ...limits,
          meter,
          line: options.line,
          pace: paceOf(connection, options.line),
          trafficClass: 'control',
        });
      await reserveAt(connection, frames, signal);
    },
    open: async (peer, protocol, { signal, connectionId }) => {
      const connection =
        connectionId === undefined ? ofPeer(peer)[0] : allOfPeer(peer).find((one) => one.id === connectionId);
      if (connection === undefined) throw new Error('not connected');
      const stream = await connection.newStream(spoken(protocol), { signal });
      const handler = options.handlers[protocol];
      const maxFrameBytes = handler.maxAnswerBytes ?? handler.maxFrameBytes;
      const trafficClass = protocolClass[protocol];
      const frames = frameStream(stream, {
        maxFrameBytes,
        maxSentBytes: handler.maxFrameBytes,
        meter: meterFor(peer, trafficClass),
        line: options.line,
        pace: paceOf(connection, options.line),
        trafficClass,
        deadlineMs: options.frameDeadlineMs,
      });
      return { ...frames, version: protocolVersion(stream.protocol) ?? 0 };
    },
    dialBulk: async (peer, addresses, signal) => {
      bulkDials.add(peer);
      try {
        // Whoever is reached through a relay is so for bulk too.
        const relay = ofPeer(peer).map(({ remoteAddr }) => relayOf(remoteAddr))[0];
        const via = relay === undefined ? undefined : () => [relay];
        const { id } = await connect(peer, addresses, via, signal);
        return id;
      } finally {
        bulkDials.delete(peer);
      }
    },
    bulkConnection: (peer) => allOfPeer(peer).find(({ id }) => bulk.has(id))?.id,
    markBulk: (peer, connectionId) => {
      if (bulk.has(connectionId) || !ofPeer(peer).some(({ id }) => id === connectionId)) return;
      bulk.add(connectionId);
      events.disconnected(peer, connectionId, ofPeer(peer).length === 0);
    },
    roundTripMs: async (peer, signal) => {
      const [connection] = ofPeer(peer);
      if (connection === undefined) throw new Error('not connected');
      return await echoMs(connection, signal);
    },
    connectedPeers: () => [
      ...new Set(node.getConnections().map((connection) => connection.remotePeer.toString())),
    ],
    connections: (peer) =>
      ofPeer(peer).map(({ id, timeline, remoteAddr }) => ({
        id,
        openedAtMs: timeline.open,
        remote: fromMultiaddr(remoteAddr),
        via: relayOf(remoteAddr),
      })),
    closeConnection: (peer, connectionId) => {
      allOfPeer(peer)
        .find((connection) => connection.id === connectionId)
        ?.abort(new Error('given up'));
    },
    friendsAt: (boxes) => arrivals.friendsAt(boxes),
    enforce: () => {
      relay.enforce();
      for (const connection of node.getConnections()) {
        const admission = admit(connection.remotePeer.toString());
        // Whoever stops being a friend does not stay as a guest, with the streams of a friend.
        if (admission === 'nobody' || (admission !== 'friend' && !guestTimers.has(connection.id)))
          connection.abort(new Error('not a friend'));
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const timer of guestTimers.values()) clearTimeout(timer);
      relay.stop();
      stopped ??= Promise.resolve(node.stop());
      await stopped;
    },
  };
}
