import type { FrameStream } from '@copain/core';
import { maxDialbackFrameBytes, maxGuestFrameBytes, maxSyncFrameBytes } from '@copain/mesh';
import type { Bulk, HostOptions, ProtocolHandler, SyncStreams } from '@copain/mesh/io';
import { providers } from '../wiring.ts';
import type { Box } from './box.ts';
import type { Dialback } from './dialback.ts';
import type { Farewell } from './farewell.ts';
import type { MeshUsers } from './mesh-room.ts';

/** Which room answers which protocol of the mesh, and to whom. */
export function protocolHandlers(
  { config, identity, knowledge, names }: Box,
  { zones, mail, circle }: MeshUsers,
  mesh: { sync: SyncStreams; dialback: Dialback; bulk: Bulk; farewell: Farewell },
): HostOptions['handlers'] {
  /** Only whom we granted some domain of ours, and who offers to take its mail, may pass us mail. */
  const backedUpBy = (peer: string): string[] =>
    config().mail.flatMap(({ domain }) =>
      providers(knowledge(), identity.ownerId, { service: 'mail', name: domain }).includes(
        names.ownerOf(peer) ?? '',
      )
        ? [domain]
        : [],
    );
  const served = (
    handle: (stream: FrameStream, peer: string) => Promise<void>,
  ): Pick<ProtocolHandler, 'maxFrameBytes' | 'handle'> => ({
    maxFrameBytes: maxSyncFrameBytes,
    handle: (stream, { peer }) => handle(stream, peer),
  });
  return {
    sync: {
      maxFrameBytes: maxSyncFrameBytes,
      handle: async (stream, from) => await mesh.sync.accept(stream, from),
    },
    join: {
      maxFrameBytes: maxGuestFrameBytes,
      maxAnswerBytes: maxSyncFrameBytes,
      handle: async (stream, { peer }) => await circle.answer(stream, peer),
    },
    zone: served((stream, peer) => zones.serve(stream, peer)),
    live: served(async (stream, peer) => {
      if (backedUpBy(peer).length === 0) throw new Error('he is no backup of ours');
      await mail.mail.handleLive(stream, peer, names.ofPeer(peer));
    }),
    raw: served(async (stream, peer) => {
      const granted = backedUpBy(peer);
      if (granted.length === 0) throw new Error('he is no backup of ours');
      await mail.mail.handleRaw(stream, names.ofPeer(peer), granted);
    }),
    dialback: {
      maxFrameBytes: maxDialbackFrameBytes,
      handle: async (stream, from) => await mesh.dialback.serve(stream, from),
    },
    // Whoever holds mail of ours may hand it over, also after the grant under which he took it has ended.
    drain: served((stream, peer) => mail.mail.handleDrain(stream, peer, names.ofPeer(peer))),
    // A member may bring held mail, or word of it; whether it is taken is decided for each message.
    copy: served(async (stream, peer) => {
      const ownerId = names.ownerOf(peer);
      if (ownerId === undefined) throw new Error('he is no member');
      await mail.mail.handleCopy(stream, { peer, ownerId });
    }),
    // Every box of a member hears of its own owner's mail, sealed; which key opens it is not this box's business.
    mail: served(async (stream, peer) => {
      const ownerId = names.ownerOf(peer);
      if (ownerId === undefined) throw new Error('he is no member');
      await mail.mail.answerQuestions(stream, { ownerId, own: ownerId === identity.ownerId });
    }),
    // Who owns a domain says how its mail is treated; whether he does is checked for each domain that he names.
    policy: served(async (stream, peer) => {
      const ownerId = names.ownerOf(peer);
      if (ownerId === undefined) throw new Error('nobody of the circle');
      await mail.mail.handlePolicy(stream, ownerId);
    }),
    bulk: mesh.bulk.handler,
    removed: served((stream) => mesh.farewell.hear(stream)),
  };
}
