import { type Clock, CommandError, ExitCode, formatHostPort, type Random, visible } from '@copain/core';
import type { Mail } from '@copain/mail/io';
import { type Away, type HoldsRecord, holdsThatFit } from '@copain/trust';
import type { Logger } from 'pino';
import type { HomePaths } from '../config-paths.ts';
import type { Config } from '../config-schema.ts';
import { type FaultHistory, faultText } from '../fault.ts';
import { judgeRename } from '../friend-rename.ts';
import { restartNotes } from '../restart-notes.ts';
import { providers } from '../wiring.ts';
import { type AddressTelling, openAddressTelling } from './address-telling.ts';
import { type Alerts, openAlerts } from './alerts.ts';
import { type Box, openBox } from './box.ts';
import { type BoxView, boxView } from './box-view.ts';
import { type CircleService, circleService } from './circle.ts';
import { circleStates } from './circle-history.ts';
import { startCircleServices } from './circle-services.ts';
import type { Dialback } from './dialback.ts';
import { runDrill } from './drill.ts';
import type { EventLog } from './event-log.ts';
import { startFriendsWatch } from './friends-watch.ts';
import { openHistories } from './history.ts';
import { adoptOwner, type Identity } from './identity.ts';
import { inBursts } from './in-bursts.ts';
import { type LineMeasure, measureLine } from './line-measure.ts';
import type { MailDesk } from './mail-desk.ts';
import { type MailProofs, startMailProofs } from './mail-proof.ts';
import { type MailRoom, startMailRoom } from './mail-room.ts';
import { type MeshRoom, startMeshRoom } from './mesh-room.ts';
import { type OwnerKeys, ownerKeys } from './owner-keys.ts';
import { startPlanner } from './planner.ts';
import type { PublicAddress } from './public-address.ts';
import { startReceipts } from './receipts.ts';
import { recordRouter, takeVote } from './record-router.ts';
import type { RecordStore } from './record-store.ts';
import { saveBox } from './save-box.ts';
import type { ServicePace } from './services.ts';
import { openSignedLater, type SignedLater } from './signed-later.ts';
import type { Standing } from './standing.ts';
import { openTakeoverRoom, type TakeoverRoom } from './takeover-room.ts';
import { startZones, type Zones } from './zones.ts';

/** A running box, for the control socket, the status page and the signals. */
export interface Agent extends AsyncDisposable, BoxView {
  identity: Identity;
  version: string;
  ready(): boolean;
  circle: CircleService;
  keys: OwnerKeys;
  isUp(peer: string): boolean;
  lastHeardAtMs(peer: string): number | undefined;
  records: RecordStore;
  zones: Zones;
  mail: Mail;
  /** Mail of the owner wherever it lies, for people. */
  desk: MailDesk;
  /** Whether mail that friends keep is safe. */
  mailProofs: MailProofs;
  /** What lies on the disk, and how it was found. */
  disk: MailRoom['disk'] & { stateDir: string };
  takeover: TakeoverRoom;
  /** Rehearses takeovers of our services: see `runDrill`. */
  drill: (
    wanted: Parameters<typeof runDrill>[1],
    context: Parameters<typeof runDrill>[2],
  ) => ReturnType<typeof runDrill>;
  standing: Standing;
  /** What was asked for and waits until it may be signed. */
  later: SignedLater;
  events: EventLog;
  alerts: Alerts;
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
  publicAddress: PublicAddress;
  addressTelling: AddressTelling;
  /** Names of our zones that follow the public address. */
  followers(): string[];
  /** Tells friends that this box may be off, or with undefined that it is back. Durable when it resolves; call it only while the box may sign. */
  away(away: Away | undefined): Promise<void>;
  namesOfFriends(): string[];
  nameOfOwner(ownerId: string): string;
  /** The same, with the box's own name where its owner has several. */
  nameOfBox(peer: string): string;
  nameOfPeer: (peer: string) => string;
  /** How the mail of a domain of ours is to be treated, as configured. */
  mailWish(domain: string): Config['mail'][number] | undefined;
  /** How this box looks from outside. */
  dialback: Dialback;
}

export interface AgentOptions {
  config: Config;
  paths: HomePaths;
  identity: Identity;
  version: string;
  log: Logger;
  clock: Clock;
  random: Random;
  /** The faults after which this process starts the box again. */
  faults: FaultHistory | undefined;
  servicePace?: ServicePace | undefined;
}

const tickEveryMs = 1000;
/** What is served is said again no sooner than after so long for each zone: every friend reads all of it each time. */
const saidRestMsPerZone = 2;

/**
 * Starts a box in the order in which its parts need each other: records, zones (answering from disk before any friend
 * is reached), mail, then the mesh. Disposing goes the other way. Rejects with what is disposed of again where a part
 * cannot start.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { identity, paths, version, clock, random } = options;
  let { config } = options;
  const stopping = new AbortController();
  await using starting = new AsyncDisposableStack();

  // The mesh comes last, and the rooms before it reach it through this.
  let mesh: MeshRoom | undefined;
  const theMesh = (): MeshRoom => {
    if (mesh === undefined) throw new Error('the mesh is not up yet');
    return mesh;
  };
  let addressTelling: AddressTelling | undefined;
  const box = await openBox({
    ...options,
    config: () => config,
    stopping: stopping.signal,
    starting,
    onRecord: (calls, record, fact) => onRecord(calls, record, fact),
    doubted: (friend) => mesh?.sync.askOwn(friend),
    greet: (friend) => mesh?.sync.greet(friend),
    addressChanged: () => {
      zones.addressChanged();
      addressTelling?.changed();
    },
  });
  const { events, knowledge, names, records, standing } = box;
  if (options.faults !== undefined) events.add('box.fault', faultText(options.faults));

  const watch = startFriendsWatch(box, { mesh: () => mesh, mail: () => mail });

  // What is answered from disk is announced once everything runs: until then nobody could hear it.
  let servedForOthers: HoldsRecord['zones'] = [];
  let isRunning = false;
  let isTooMuch = false;
  const announceServed = (): void => {
    if (!isRunning) return;
    const said = holdsThatFit(servedForOthers);
    if (said.length < servedForOthers.length && !isTooMuch) {
      const text = `This box answers ${servedForOthers.length} zones for friends, and can tell them of ${said.length} only: the owners of the others see no copy here.`;
      box.events.add('zone.untold', text);
    }
    isTooMuch = said.length < servedForOthers.length;
    void box.own.holds(said).catch(box.failed('announcing what is served'));
  };
  const announcing = starting.use(
    inBursts(announceServed, { restMs: () => servedForOthers.length * saidRestMsPerZone }),
  );
  const takeover = await openTakeoverRoom(box, () => zones);
  const zones = starting.use(
    await startZones({
      ...box,
      dns: config.dns,
      configFile: paths.configFile,
      boxName: config.name,
      files: box.zoneFiles,
      connectedPeers: () => watch.heard(),
      open: async (peer, signal) => await theMesh().host.open(peer, 'zone', { signal }),
      overlay: takeover.takeovers.overlay,
      providers: (ownerId, origin) => providers(knowledge(), ownerId, { service: 'dns', name: origin }),
      holds: (list) => {
        servedForOthers = list;
        announcing.ask();
      },
      nameOf: names.ofOwner,
      changed: box.changes.note,
    }),
  );
  const planner = startPlanner(box, () => ({
    watch,
    zones,
    mesh: theMesh(),
    services: takeover.own,
    isJoining: () => circle.isJoining(),
  }));
  let mailProofs: MailProofs | undefined;
  const onRecord = recordRouter(box, {
    mesh: () => mesh,
    watch,
    zones,
    planner,
    takeovers: () => takeover.takeovers,
    mailProofs: () => mailProofs,
  });
  const mail = await startMailRoom(
    box,
    { host: () => theMesh().host, heard: () => watch.heard(), duties: () => planner.current().duties },
    starting,
  );

  const keys = ownerKeys({ stateDir: paths.stateDir, identity, records, clock });
  const circle = circleService({
    identity,
    records,
    host: () => theMesh().host,
    clock,
    standing,
    ownAddresses: () => theMesh().dialable(),
    addressesOf: (peer) => mesh?.dialer.addressesOf(peer) ?? [],
    wasDialled: (peer) => mesh?.dialer.wasDialled(peer) === true,
    reachable: () => mesh?.dialback.reachable(),
    keys,
    adopt: async (owner) => await adoptOwner(paths.stateDir, owner),
    refused: box.refusals.join,
    rememberContacts: async (contacts) => await mesh?.dialer.remember(contacts),
  });
  const later = await openSignedLater({
    table: box.table,
    act: async (what, subject) => {
      if (what === 'remove') await circle.remove(subject);
      else await circle.revoke(subject);
    },
    done: (text) => events.add('later.done', text),
  });
  standing.whenSignable(() => void later.work().catch(box.failed('signing what waited')));
  if (standing.maySign()) await later.work();

  const running = await startMeshRoom(box, { watch, zones, mail, circle }, starting);
  mesh = running;

  const histories = await openHistories({ table: box.table, clock, failed: box.failed('keeping histories') });
  starting.defer(() => histories.close().catch(box.failed('keeping histories')));
  const services = startCircleServices(box, { watch, zones, mesh: running, pace: options.servicePace });

  const sayStrangers = (): void => {
    const strangers = config.smtp.raw.filter(({ owner }) => !names.friends().includes(owner));
    for (const { listen, owner } of strangers) {
      const where = `[[smtp.raw]] ${formatHostPort(listen)}`;
      events.add(
        'config.raw-owner',
        `peer.toml: ${where}: no friend is called ${owner}; mail is put off there.`,
      );
    }
  };
  sayStrangers();
  await box.own.found(config.name, Math.round(clock.nowMs()));
  await planner.replan();
  // Whoever is told that this box is ready may ask it at once.
  await zones.opened();
  isRunning = true;
  announceServed();
  // Votes outlive a restart: ours so that they can be taken back, those of others because they still stand.
  for (const record of knowledge().records.values()) takeVote(watch, record);
  running.announceAddresses();
  const receipts = startReceipts({
    self: identity.box.peer,
    clock,
    records,
    tallies: () => mail.mail.tallies(),
    countFrom: async (owner, signed) => await mail.mail.countFrom(owner, signed),
    wentOn: (owner, messages) =>
      box.log.warn(
        { friend: names.ofOwner(owner), messages },
        'the count of mail that was accepted for a friend was lost: it goes on from what was signed',
      ),
    standing,
    failed: box.failed('signing a receipt'),
  });
  mailProofs = startMailProofs(box, {
    mail: mail.mail,
    host: () => running.host,
    heard: () => watch.heard(),
    backups: () => mail.backupsHeard(),
    dnsListening: () => zones.addresses(),
  });
  const takeoverWatch = starting.use(takeover.startWatching({ watch, zones }));
  let alerts: Alerts | undefined;
  const telling = starting.use(await openAddressTelling({ ...box, configFile: paths.configFile }));
  addressTelling = telling;
  const ticking = setInterval(() => {
    watch.take({ kind: 'tick' });
    receipts.tick();
    mailProofs.tick();
    standing.take({ kind: 'tick' });
    running.tick();
    zones.tick();
    takeoverWatch.tick();
    services.tick();
    histories.tick(() => circleStates(box, { watch, services }));
    alerts?.tick();
    telling.tick();
  }, tickEveryMs);
  starting.defer(() => clearInterval(ticking));
  running.dialer.tick(new Set());

  const renamed = (rename: { name: string; to: string }): string => {
    const judged = judgeRename(knowledge(), { ...rename, ownName: config.name });
    if (judged.kind === 'ok') return judged.ownerId;
    throw new CommandError(ExitCode.badInput, judged.why, { hint: 'peer friends' });
  };
  const view = boxView(box, {
    mesh: running,
    watch,
    zones,
    mail,
    mailProofs,
    later,
    services,
    histories,
    takeovers: takeover.takeovers,
    alertFailures: () => alerts?.failures() ?? [],
    addressFailures: () => telling.failures(),
    claims: () =>
      planner.current().conflicts.map(({ duty, name, ownerId }) => ({
        name: duty.name,
        by: names.ofOwner(duty.ownerId),
        other: name,
        owner: names.ofOwner(ownerId),
      })),
  });
  const opened = starting.use(
    await openAlerts({
      ...box,
      configFile: paths.configFile,
      peer: identity.box.peer,
      found: () => view.troubles(),
      way: (to, works, why) =>
        works
          ? events.add('alert.works', `Alerts get through to ${to} again.`)
          : events.add(
              'alert.failed',
              `An alert did not get through to ${to}, and is tried again: ${visible(why)}.`,
            ),
      failed: box.failed('alerts'),
    }),
  );
  alerts = opened;
  const parts = starting.move();
  let stopped: Promise<void> | undefined;
  return {
    ...view,
    takeover,
    drill: async (wanted, context) =>
      await runDrill(
        {
          ...takeover,
          self: identity.box.peer,
          clock,
          watch: takeoverWatch,
          zones,
          ownerNamed: takeover.ownerNamed,
          nameOf: names.ofOwner,
          status: () => view.status(),
          changed: box.changes.next,
        },
        wanted,
        context,
      ),
    identity,
    version,
    ready: () => !stopping.signal.aborted,
    circle,
    keys,
    isUp: (peer) => watch.heard().includes(peer),
    lastHeardAtMs: (peer) => watch.lastHeardAtMs(peer),
    records,
    zones,
    mail: mail.mail,
    desk: mail.desk,
    mailProofs,
    disk: { ...mail.disk, stateDir: paths.stateDir },
    standing,
    later,
    events,
    alerts: opened,
    save: async (wanted) => await saveBox(boxParts(box, mail), wanted),
    mayRename: (rename) => {
      renamed(rename);
    },
    reconfigure: async (next, rename) => {
      const notes = restartNotes(options.config, next);
      await planner.between(async () => {
        if (rename !== undefined) {
          await records.rename(renamed(rename), rename.to);
          events.add('friend.renamed', `${rename.name} is called ${rename.to} on this box from now on.`);
        }
        config = next;
      });
      sayStrangers();
      running.limitLine();
      opened.configured();
      telling.configured();
      await planner.replan();
      running.announceAddresses();
      // What waited for a mail server that was named wrongly, or not at all, need not wait any longer.
      await mail.mail.flush();
      return notes;
    },
    changed: box.changes.next,
    measureLine: async (name, forMs, signal) => {
      const friend = { name, peer: boxOfFriend(box, running, name) };
      const { bulk, host } = running;
      return await measureLine({ bulk, host, random, line: config.line }, friend, forMs, signal);
    },
    publicAddress: box.publicAddress,
    addressTelling: telling,
    followers: () =>
      config.zones.flatMap(({ origin, follow }) =>
        follow.map((name) => (name === '@' ? origin : `${name}.${origin}`)),
      ),
    away: async (away) => await box.own.away(away),
    namesOfFriends: names.friends,
    nameOfOwner: names.ofOwner,
    nameOfBox: names.ofBox,
    nameOfPeer: names.ofPeer,
    mailWish: (domain) => config.mail.find((one) => one.domain === domain),
    dialback: running.dialback,
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      stopped ??= parts.disposeAsync();
      await stopped;
    },
  };
}

/** What `peer save` writes. */
function boxParts(
  { paths, config, identity, knowledge, table, zoneFiles, clock }: Box,
  { disk }: MailRoom,
): Parameters<typeof saveBox>[0] {
  const owner = knowledge().roster.members.get(identity.ownerId)?.owner.record ?? identity.owner.record;
  return {
    paths,
    config: config(),
    identity,
    sealTo: owner.keys.map((key) => key.sealTo),
    tables: { db: table, 'mail/index': disk.table },
    logs: { 'mail/held': disk.held, 'mail/inbox': disk.inbox },
    zoneFiles,
    nowMs: clock.nowMs(),
  };
}

/** The box of a friend that can be talked to, or any of his. Throws CommandError (65) where nobody is called so. */
function boxOfFriend({ friendBoxes, identity, names }: Box, mesh: MeshRoom, name: string): string {
  const peers = friendBoxes().filter(
    (peer) => names.ownerOf(peer) !== identity.ownerId && names.ofPeer(peer) === name,
  );
  const [peer] = peers.toSorted((a, b) => Number(mesh.isConnected(b)) - Number(mesh.isConnected(a)));
  if (peer !== undefined) return peer;
  throw new CommandError(ExitCode.badInput, `there is no friend called ${name}`, { hint: 'peer friends' });
}
