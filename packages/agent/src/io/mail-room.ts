import { hostname } from 'node:os';
import { type FrameStream, formatHostPort, type HostPort, parseHostPort, type Table } from '@copain/core';
import {
  askCanary,
  type CertificateFiles,
  type Mail,
  type OwnBoxes,
  startMail,
  type TlsFiles,
} from '@copain/mail/io';
import type { Host } from '@copain/mesh/io';
import { type DiskSegments, type IndexFound, openSegments } from '@copain/store/io';
import type { Duty } from '@copain/trust';
import { besideConfig } from '../config-paths.ts';
import type { Config } from '../config-schema.ts';
import { mailDomains } from '../mail-domains.ts';
import { countRawConnections, type RawConnections } from '../raw-connections.ts';
import { providers } from '../wiring.ts';
import { freeBytes } from './ballast.ts';
import { type Box, closing } from './box.ts';
import { type MailDesk, startMailDesk } from './mail-desk.ts';
import { mailEvents } from './mail-events.ts';
import { interfaceHosts } from './own-interfaces.ts';

/** Mail of a running box, and which friends it is reached through. */
export interface MailRoom {
  mail: Mail;
  desk: MailDesk;
  /** The boxes, heard now, of friends who take mail of a domain of ours. */
  backupsHeard(): { peer: string; ownerId: string; domain: string }[];
  /** A friend's box was heard, and can be talked to: mail for its owner goes there, if it takes mail. */
  heard(peer: string): void;
  /** A friend's box fell silent. */
  silent(peer: string): void;
  /** Connections in raw mode since the start. */
  rawConnections: RawConnections['totals'];
  /** What a saved box contains of it. */
  disk: {
    held: DiskSegments;
    inbox: DiskSegments;
    table: Table;
    /** How its index was found at the start. */
    index: { found: IndexFound; setAside: string | undefined };
  };
}

/** Until another box of ours is connected to be asked. */
const askBoxMs = 5000;

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
    protocol: 'live' | 'drain' | 'raw' | 'copy',
    signal: AbortSignal,
  ): Promise<FrameStream> => {
    const peer = mailBoxHeard(ownerId);
    if (peer === undefined) throw new Error('the owner is not reachable');
    return await wiring.host().open(peer, protocol, { signal });
  };
  /** The boxes, heard now, of other friends who keep mail for this owner and domain as we do. */
  const copyFriends = (domain: { ownerId: string; domain: string }): { peer: string; ownerId: string }[] => {
    const granted = backupsOf(domain);
    return wiring.heard().flatMap((peer) => {
      const ownerId = names.ownerOf(peer);
      const isOther = ownerId !== undefined && ownerId !== identity.ownerId && granted.includes(ownerId);
      return isOther ? [{ peer, ownerId }] : [];
    });
  };
  const backupsOf = ({ ownerId, domain: name }: { ownerId: string; domain: string }): string[] =>
    providers(box.knowledge(), ownerId, { service: 'mail', name });
  /** The owner whose mail this box of his takes. */
  const mailOwnerOf = (peer: string): string | undefined => {
    const ownerId = names.ownerOf(peer);
    return ownerId !== undefined && names.mailBoxesOf(ownerId).includes(peer) ? ownerId : undefined;
  };

  /** The boxes, heard now, of the friends to whom a domain of ours is granted and who offer to take its mail. */
  const backupsHeard = (): { peer: string; ownerId: string; domain: string }[] => {
    const heard = wiring.heard();
    return config().mail.flatMap(({ domain }) => {
      const granted = providers(box.knowledge(), identity.ownerId, { service: 'mail', name: domain });
      return heard.flatMap((peer) => {
        const ownerId = names.ownerOf(peer);
        return ownerId !== undefined && granted.includes(ownerId) ? [{ peer, ownerId, domain }] : [];
      });
    });
  };

  /** Boxes that take our mail beside this one. */
  const otherMailBoxes = (): string[] =>
    names.mailBoxesOf(identity.ownerId).filter((peer) => peer !== identity.box.peer);
  const askOtherBoxes: OwnBoxes['askCanary'] = async (token, hash) => {
    const there = new Set(wiring.heard());
    const asked = otherMailBoxes().map(async (peer): Promise<boolean | undefined> => {
      if (!there.has(peer)) return undefined;
      try {
        const stream = await wiring.host().open(peer, 'mail', { signal: AbortSignal.timeout(askBoxMs) });
        const mine = await askCanary(stream, token, hash);
        await stream.end();
        return mine;
      } catch (error) {
        box.log.info({ friend: names.ofBox(peer), err: error }, 'another box could not be asked of a canary');
        return undefined;
      }
    });
    const said = await Promise.all(asked);
    if (said.includes(true)) return 'known';
    return said.includes(undefined) ? 'silent' : 'unknown';
  };

  /** Addresses of this box and the owner's others, of the router in front of it, and of the owner's mail servers. */
  const ownHosts = (): string[] => {
    const { agreed, unconfirmed } = box.publicAddress.facts();
    const otherHosts = [...box.knowledge().roster.members.values()]
      .filter(({ ownerId }) => ownerId === identity.ownerId)
      .flatMap(({ boxes }) => boxes)
      .flatMap(({ peer }) => {
        const known = box.knowledge().records.get(`address/${peer}`);
        return known?.kind === 'address' ? known.signed.record.addresses : [];
      })
      .flatMap((text) => parseHostPort(text)?.host ?? []);
    const seen = [agreed.ipv4, agreed.ipv6, ...unconfirmed].flatMap((one) => one?.address ?? []);
    return [...interfaceHosts(), ...seen, ...otherHosts, ...config().mail.map(({ deliver }) => deliver.host)];
  };
  /** Whose address that is, by what the file says now: friends are renamed, and come and go. */
  const rawOwner = (listen: HostPort, started: string): { ownerId: string; name: string } | undefined => {
    const same = config().smtp.raw.find((one) => formatHostPort(one.listen) === formatHostPort(listen));
    const name = same?.owner ?? started;
    const member = [...box.knowledge().roster.members.values()].find(
      (one) => one.name === name && one.ownerId !== identity.ownerId,
    );
    return member && { ownerId: member.ownerId, name };
  };

  const held = closing(starting, await openSegments(box.folder('mail/held')));
  const inbox = closing(starting, await openSegments(box.folder('mail/inbox')));
  const { table, ...index } = await box.openIndex('mail/index');
  if (index.found !== 'whole')
    box.events.add(
      'mail.index-lost',
      index.found === 'repaired'
        ? 'The index of mail was damaged: it was repaired from what was left of it.'
        : `The index of mail was lost: it was made anew from the messages; what is left of it is in ${index.setAside ?? ''}.`,
    );
  const { smtp } = config();
  const raw = countRawConnections();
  const mail = starting.use(
    await startMail({
      listen: smtp.listen,
      hostname: smtp.hostname ?? hostname(),
      tls: () => tlsFiles(config().smtp, box.paths.configFile),
      domains: () =>
        mailDomains(config(), box.knowledge().roster, wiring.duties(), {
          ownerId: identity.ownerId,
          configFile: box.paths.configFile,
        }),
      openLive: (ownerId, signal) => openTo(ownerId, 'live', signal),
      openDrain: (ownerId, signal) => openTo(ownerId, 'drain', signal),
      openCopy: async (to, signal) =>
        'peer' in to
          ? await wiring.host().open(to.peer, 'copy', { signal })
          : await openTo(to.ownerId, 'copy', signal),
      copyFriends,
      isBackup: (friendId, domain) => backupsOf(domain).includes(friendId),
      openPolicy: async (peer, signal) => await wiring.host().open(peer, 'policy', { signal }),
      backups: () => backupsHeard(),
      raw: {
        doors: smtp.raw.map(({ listen, owner }) => ({ listen, owner: () => rawOwner(listen, owner) })),
        open: (ownerId, signal) => openTo(ownerId, 'raw', signal),
        claims: () => ({ allowPrivate: config().mesh.allowPrivate, own: ownHosts() }),
      },
      ownBoxes: { any: () => otherMailBoxes().length > 0, askCanary: askOtherBoxes },
      segments: held,
      inbox,
      table,
      arrivingDir: box.folder('mail'),
      freeBytes: async () => await freeBytes(box.folder('mail')),
      identities: () => identity.sealIdentities,
      clock: box.clock,
      random: box.random,
      events: mailEvents(box.log, box.events, { changed: box.changes.note, nameOf: names.ofOwner, raw }),
    }),
  );
  // Without the index nobody knows which messages came before: none of them is to be missed.
  if (index.found !== 'whole') await mail.receipts.forget(box.clock.nowMs());
  const desk = startMailDesk({
    mail,
    identities: () => identity.sealIdentities,
    ownName: () => names.ofBox(identity.box.peer),
    nameOfOwner: names.ofOwner,
    nameOf: names.ofBox,
    open: async (peer, signal) => await wiring.host().open(peer, 'mail', { signal }),
    failed: (peer, error) =>
      box.log.info({ friend: names.ofPeer(peer), err: error }, 'a friend could not be asked about held mail'),
    ...holdersOfOurMail(box, () => wiring.heard()),
  });
  return {
    mail,
    desk,
    rawConnections: () => raw.totals(),
    backupsHeard,
    heard: (peer) => {
      const ownerId = mailOwnerOf(peer);
      if (ownerId !== undefined) mail.ownerReachable(ownerId);
      const friendId = names.ownerOf(peer);
      if (friendId !== undefined && friendId !== identity.ownerId)
        mail.friendHeard({ peer, ownerId: friendId });
    },
    silent: (peer) => {
      const friendId = names.ownerOf(peer);
      if (friendId !== undefined) mail.friendSilent({ peer, ownerId: friendId });
      const ownerId = mailOwnerOf(peer);
      if (ownerId !== undefined && mailBoxHeard(ownerId) === undefined) mail.ownerGone(ownerId);
    },
    disk: { held, inbox, table, index },
  };
}

/** The certificate files of `[smtp]`, with paths that lead from anywhere. */
function tlsFiles({ tls, tlsNames }: Config['smtp'], configFile: string): TlsFiles {
  const found = ({ certFile, keyFile }: CertificateFiles): CertificateFiles => ({
    certFile: besideConfig(configFile, certFile),
    keyFile: besideConfig(configFile, keyFile),
  });
  return {
    main: tls && found(tls),
    names: tlsNames.map(({ name, ...files }) => ({ name, ...found(files) })),
  };
}

/** Who may hold mail of this box's owner: every friend, since a grant that ended takes no mail away, and his own boxes. */
function holdersOfOurMail(
  { config, identity, knowledge, names, friendBoxes }: Box,
  heard: () => string[],
): Pick<Parameters<typeof startMailDesk>[0], 'holders' | 'silent'> {
  const { ownerId } = identity;
  const domains = (): string[] => {
    const granted = knowledge().agreements.grants.get(ownerId)?.mail ?? [];
    return [...new Set([...granted.map(({ name }) => name), ...config().mail.map(({ domain }) => domain)])];
  };
  return {
    holders: () => {
      const there = new Set(heard());
      return domains().length === 0 ? [] : friendBoxes().filter((peer) => there.has(peer));
    },
    silent: () => {
      const there = new Set(heard());
      const backups = domains().flatMap((name) => providers(knowledge(), ownerId, { service: 'mail', name }));
      const isSilent = (owner: string): boolean =>
        !friendBoxes().some((peer) => names.ownerOf(peer) === owner && there.has(peer));
      const ownBoxes = names
        .mailBoxesOf(ownerId)
        .filter((peer) => peer !== identity.box.peer && !there.has(peer));
      return [...new Set([...backups.filter(isSilent).map(names.ofOwner), ...ownBoxes.map(names.ofBox)])];
    },
  };
}
