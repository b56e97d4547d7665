import { type Bulk, type HostEvents, isFrameTooLarge, type SyncStreams } from '@copain/mesh/io';
import { networkOf } from '../network-of.ts';
import { versionGapText } from '../version-gap-text.ts';
import type { Box } from './box.ts';
import type { Dialer } from './dialer.ts';
import type { Farewell } from './farewell.ts';
import type { MeshUsers } from './mesh-room.ts';
import type { FriendDetails } from './status-collect.ts';
import type { Traffic } from './traffic.ts';

/** The parts of the mesh room that hear of connections and bytes. */
interface Hearers {
  /** False until the host has started: a friend may be quicker than our own start. */
  isUp: () => boolean;
  traffic: Traffic;
  details: ReadonlyMap<string, FriendDetails>;
  /** The network each friend's box was last seen in. */
  networks: Map<string, string>;
  /** How those who are connected see us. */
  observedBy: Map<string, string>;
  noteObserved: (by: string) => void;
  noteDetails: (peer: string, news: Partial<FriendDetails>) => void;
  /** A friend has a new direct connection: others may be reached through him, and he may take calls for us. */
  dialThrough: (relay: string, fresh: boolean) => void;
  reserve: () => void;
  farewell: Farewell;
  dialer: Dialer;
  sync: SyncStreams;
  bulk: Bulk;
}

/** What each room does when the host tells of a connection, of bytes, or of somebody who was turned away. */
export function hostEvents(box: Box, { watch, zones }: MeshUsers, room: Hearers): HostEvents {
  const { names, stopping, log } = box;
  const { dialer, sync, bulk, traffic, observedBy } = room;
  const friendOnly = (peer: string): string | undefined =>
    names.ownerOf(peer) === undefined ? undefined : peer;
  return {
    connected: (peer, { id, outbound, remote, via }) => {
      if (names.ownerOf(peer) === undefined) {
        if (!outbound) room.farewell.came(peer, id);
        return;
      }
      if (remote !== undefined) room.networks.set(peer, networkOf(remote.host));
      dialer.connected(peer, outbound ? remote : undefined);
      watch.take({ kind: 'connected', peer });
      // The first plan after the start gives such a connection its stream.
      if (!room.isUp()) return;
      if (via === undefined) {
        room.dialThrough(peer, true);
        room.reserve();
      }
      if (outbound) sync.connected(peer, id);
      else bulk.unlessBulk(peer, id, () => sync.connected(peer, id));
    },
    disconnected: (peer, _id, last) => {
      if (last) {
        observedBy.delete(peer);
        box.publicAddress.lost(peer);
      }
      // Whoever stops hangs up on his friends himself, and need not wonder where they are.
      if (!last || stopping.aborted) return;
      dialer.disconnected(peer);
      watch.take({ kind: 'disconnected', peer });
      zones.peersChanged();
      box.changes.note();
    },
    heard: (peer) => watch.take({ kind: 'heard', peer }),
    sent: (peer, trafficClass, sizeBytes) => traffic.count(friendOnly(peer), 'sent', trafficClass, sizeBytes),
    received: (peer, trafficClass, sizeBytes) =>
      traffic.count(friendOnly(peer), 'received', trafficClass, sizeBytes),
    observed: (by, address) => {
      observedBy.set(by, address.host);
      room.noteObserved(by);
    },
    incompatible: (peer, gap) => {
      dialer.incompatible(peer);
      const isNews = room.details.get(peer)?.gap === undefined;
      room.noteDetails(peer, { gap });
      if (isNews) box.events.add('friend.incompatible', versionGapText(names.ofPeer(peer), gap));
    },
    refused: (who, why, step) => box.refusals.count(step, { who, why }, 'somebody was turned away'),
    streamFailed: (peer, protocol, error) => {
      if (isFrameTooLarge(error))
        box.refusals.count('frame', { friend: names.ofPeer(peer), protocol }, 'a frame was too large');
      log.debug({ friend: names.ofPeer(peer), protocol, err: error }, 'a stream broke');
    },
  };
}
