import { hostname } from 'node:os';
import type { FrameStream, Table } from '@copain/core';
import { type Mail, startMail } from '@copain/mail/io';
import type { Host } from '@copain/mesh/io';
import { type DiskSegments, openSegments } from '@copain/store/io';
import type { Duty } from '@copain/trust';
import { mailDomains } from '../mail-domains.ts';
import { type Box, closing } from './box.ts';
import { mailEvents } from './mail-events.ts';

/** Mail of a running box, and which friends it is reached through. */
export interface MailRoom {
  mail: Mail;
  /** A friend's box was heard, and can be talked to: mail for its owner goes there, if it takes mail. */
  heard(peer: string): void;
  /** A friend's box fell silent. */
  silent(peer: string): void;
  /** What a saved box contains of it. */
  disk: { held: DiskSegments; inbox: DiskSegments; table: Table };
}

/** Opens the mail that is on disk and listens for more. */
export async function startMailRoom(
  box: Box,
  wiring: {
    host(): Host;
    /** PeerIds that are heard now. */
    heard(): string[];
    duties(): readonly Duty[];
  },
  starting: AsyncDisposableStack,
): Promise<MailRoom> {
  const { config, identity, names } = box;
  /** A box that takes mail for its owner and is heard now. */
  const mailBoxHeard = (ownerId: string): string | undefined => {
    const heard = new Set(wiring.heard());
    return names.mailBoxesOf(ownerId).find((one) => heard.has(one));
  };
  const openTo = async (
    ownerId: string,
    protocol: 'live' | 'drain',
    signal: AbortSignal,
  ): Promise<FrameStream> => {
    const peer = mailBoxHeard(ownerId);
    if (peer === undefined) throw new Error('the owner is not reachable');
    return await wiring.host().open(peer, protocol, { signal });
  };
  /** The owner whose mail this box of his takes. */
  const mailOwnerOf = (peer: string): string | undefined => {
    const ownerId = names.ownerOf(peer);
    return ownerId !== undefined && names.mailBoxesOf(ownerId).includes(peer) ? ownerId : undefined;
  };

  const held = closing(starting, await openSegments(box.folder('mail/held')));
  const inbox = closing(starting, await openSegments(box.folder('mail/inbox')));
  const table = await box.openTable('mail/index');
  const { smtp } = config();
  const mail = starting.use(
    await startMail({
      listen: smtp.listen,
      hostname: smtp.hostname ?? hostname(),
      tls: smtp.tls,
      domains: () => mailDomains(config(), box.knowledge().roster, wiring.duties(), identity.ownerId),
      openLive: (ownerId, signal) => openTo(ownerId, 'live', signal),
      openDrain: (ownerId, signal) => openTo(ownerId, 'drain', signal),
      segments: held,
      inbox,
      table,
      arrivingDir: box.folder('mail'),
      identities: () => identity.sealIdentities,
      clock: box.clock,
      random: box.random,
      events: mailEvents(box.log, box.events, box.changes.note),
    }),
  );
  return {
    mail,
    heard: (peer) => {
      const ownerId = mailOwnerOf(peer);
      if (ownerId !== undefined) mail.ownerReachable(ownerId);
    },
    silent: (peer) => {
      const ownerId = mailOwnerOf(peer);
      if (ownerId !== undefined && mailBoxHeard(ownerId) === undefined) mail.ownerGone(ownerId);
    },
    disk: { held, inbox, table },
  };
}
