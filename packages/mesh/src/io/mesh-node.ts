import { noise } from '@chainsafe/libp2p-noise';
import { type HostPort, isPrivate } from '@copain/core';
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys';
import { identify } from '@libp2p/identify';
import type { Connection, Libp2p, PeerId } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { dialTimeoutMs, inboundUpgradeTimeoutMs, maxStreamsPerConnection } from '../limits.ts';
import type { ArrivalGate } from './arrival-gate.ts';
import { proveFirst, watchFirstBytes } from './first-bytes.ts';
import { firstWindowBytes } from './lazy-window.ts';
import { fromMultiaddr, toMultiaddr } from './multiaddrs.ts';
import { writeInOnePiece } from './one-segment.ts';
import { relayTransport } from './relay.ts';

/** libp2p's node, and its own way to dial one address now: its dial queue joins dials and tries addresses one by one. */
export interface MeshNode {
  node: Libp2p;
  dial: (target: Multiaddr, signal: AbortSignal) => Promise<Connection>;
}

/**
 * Makes the node, which is not started yet: TCP, Noise, yamux, identify; no connection monitor and no keep-alive tags (the
 * agent's beats and redial do that job); the peer store keeps nothing that matters.
 */
export async function makeNode(options: {
  /** libp2p's protobuf form of the box's Ed25519 private key. */
  privateKey: Uint8Array;
  listen: readonly HostPort[];
  allowPrivate(): boolean;
  arrivals: ArrivalGate;
  /** Why a box that proved its key is not let in, or undefined where it is. */
  whyNotIn(peer: string, remote: HostPort | undefined): string | undefined;
  isFriend: (peer: PeerId) => boolean;
  turnedAway(peer: string, why: string): void;
  /** Direct connections to a relay, the best first. */
  direct: (relay: PeerId) => readonly Connection[];
}): Promise<MeshNode> {
  const { arrivals, isFriend } = options;
  let transports: { dial(to: Multiaddr, options: { signal: AbortSignal }): Promise<Connection> } | undefined;
  const node: Libp2p = await createLibp2p({
    privateKey: privateKeyFromProtobuf(options.privateKey),
    addresses: { listen: options.listen.map((address) => toMultiaddr(address).toString()) },
    transports: [
      tcp({ inboundSocketInactivityTimeout: 300_000, outboundSocketInactivityTimeout: 300_000 }),
      relayTransport(options.direct),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        enableKeepAlive: false,
        maxInboundStreams: maxStreamsPerConnection,
        // As many may be there before our side of the connection is: a friend who is back calls all others through us.
        maxEarlyStreams: maxStreamsPerConnection,
        streamOptions: { maxStreamWindowSize: firstWindowBytes },
      }),
    ],
    connectionMonitor: { enabled: false },
    connectionManager: {
      // The library's own limits count friends and strangers alike; the arrival gate decides instead of them.
      maxConnections: 1024,
      maxIncomingPendingConnections: Number.MAX_SAFE_INTEGER,
      inboundConnectionThreshold: Number.MAX_SAFE_INTEGER,
      inboundUpgradeTimeout: inboundUpgradeTimeoutMs,
      dialTimeout: dialTimeoutMs,
      addressDialTimeout: dialTimeoutMs,
      inboundStreamProtocolNegotiationTimeout: 30_000,
      outboundStreamProtocolNegotiationTimeout: 30_000,
      reconnectRetries: 0,
    },
    peerStore: { maxAddressAge: Number.POSITIVE_INFINITY, maxPeerAge: Number.POSITIVE_INFINITY },
    connectionGater: {
      denyDialMultiaddr: async (address) => {
        const target = fromMultiaddr(address);
        return target !== undefined && isPrivate(target.host) && !options.allowPrivate();
      },
      denyOutboundConnection: async (peer, connection) => {
        writeInOnePiece(connection);
        const proof = arrivals.proofFor(peer.toString());
        if (proof !== undefined) proveFirst(connection, proof);
        return false;
      },
      denyInboundConnection: async (connection) => {
        writeInOnePiece(connection);
        const remote = fromMultiaddr(connection.remoteAddr);
        if (remote === undefined) return false;
        connection.addEventListener('close', () => arrivals.settled(remote));
        const admitted = await arrivals.admits(remote, {
          close: (why) => connection.abort(new Error(why)),
          firstBytes: (spoke) => watchFirstBytes(connection, spoke),
        });
        return !admitted;
      },
      denyInboundEncryptedConnection: async (peer, connection) => {
        const why = options.whyNotIn(peer.toString(), fromMultiaddr(connection.remoteAddr));
        if (why !== undefined) options.turnedAway(peer.toString(), why);
        return why !== undefined;
      },
      denyInboundRelayedConnection: async (relay, peer) => !isFriend(relay) || !isFriend(peer),
    },
    services: {
      identify: identify(),
      parts: (components: { transportManager: NonNullable<typeof transports> }) => {
        transports = components.transportManager;
        return {};
      },
    },
    start: false,
  });
  return {
    node,
    dial: async (target, signal) => {
      if (transports === undefined) throw new Error('the mesh is not up yet');
      const connection = await transports.dial(target, { signal });
      if (connection.status !== 'open') throw new Error('closed right after it was opened: not let in');
      return connection;
    },
  };
}
