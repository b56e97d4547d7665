import { formatHostPort } from '@copain/core';
import { flapsMax, flapsWithinMs } from '@copain/liveness';
import type { Mail } from '@copain/mail/io';
import type { VersionGap } from '@copain/mesh';
import type { HistoryFacts, ServiceFacts, StatusFacts } from '@copain/status';
import { offered } from '@copain/trust';
import { awayOf, shownState } from '../away.ts';
import { clockSkew } from '../clock-skew.ts';
import type { Config } from '../config-schema.ts';
import { type MailProof, mailChecks } from '../doctor-mail.ts';
import { probeFacts } from '../doctor-mail-probe.ts';
import type { FaultHistory } from '../fault.ts';
import { bestBox } from '../friend-state.ts';
import { recordsOf } from '../known-records.ts';
import { membershipOf } from '../membership.ts';
import type { ServiceFact } from '../service-facts.ts';
import { serviceHint, serviceText } from '../service-text.ts';
import { signedUntilMs } from '../signed-standby.ts';
import { versionGapText } from '../version-gap-text.ts';
import { providers } from '../wiring.ts';
import { friendHistoryKey, serviceHistoryKey } from './circle-history.ts';
import type { EventLog } from './event-log.ts';
import type { Identity } from './identity.ts';
import type { PeerNames } from './peer-names.ts';
import type { PrimaryFact } from './primary-source.ts';
import type { RecordStore } from './record-store.ts';
import type { SignedLater } from './signed-later.ts';
import type { Standing } from './standing.ts';
import type { Takeovers } from './takeovers.ts';
import type { Traffic } from './traffic.ts';
import type { Watch } from './watch.ts';
import type { Zones } from './zones.ts';

/** What a friend's box told in its hello, and how long a round trip takes. */
export interface FriendDetails {
  version: string | undefined;
  rttMs: number | undefined;
  /** What his clock showed when this process's monotonic clock was at zero, in ms since 1970. */
  clockAtZeroMs: number | undefined;
  /** Set where his box and this one share no version of the sync protocol. */
  gap: VersionGap | undefined;
}

/** Everything the status is collected from, at one instant. */
export interface StatusSources {
  config: Config;
  identity: Identity;
  version: string;
  startedAtMs: number;
  faults: FaultHistory | undefined;
  records: RecordStore;
  names: PeerNames;
  watch: Watch;
  zones: Zones;
  mail: Mail;
  mailProof: MailProof;
  traffic: Traffic;
  events: EventLog;
  standing: Standing;
  later: SignedLater;
  services: readonly ServiceFact[];
  history: (key: string) => HistoryFacts | undefined;
  takeovers: Pick<Takeovers, 'services'>;
  details: ReadonlyMap<string, FriendDetails>;
  /** The friend's box that relays what this one sends, or undefined where it goes directly. */
  viaOf(peer: string): string | undefined;
  address: StatusFacts['address'];
  nowMs: number;
}

function primaryFacts(primary: PrimaryFact | undefined): StatusFacts['zones'][number]['primary'] {
  if (primary === undefined) return undefined;
  const { address, nextAtMs, failing, ...rest } = primary;
  return {
    ...rest,
    address: formatHostPort(address),
    nextCheckAtMs: nextAtMs,
    failing: failing && { sinceMs: failing.sinceMs, text: failing.why },
  };
}

function serviceRows({ services, identity, names, history }: StatusSources): ServiceFacts[] {
  const { ownerId: self } = identity;
  return services.map((fact) => ({
    owner: names.ofOwner(fact.ownerId),
    service: fact.service,
    target: fact.target,
    state: fact.verdict.state,
    confirmed: fact.verdict.confirmed,
    sinceAtMs: fact.verdict.sinceMs,
    upBy: fact.verdict.upBy.map(names.ofPeer).toSorted(),
    downBy: fact.verdict.downBy.map(names.ofPeer).toSorted(),
    inside: fact.inside?.state,
    fault: fact.fault,
    text: serviceText(fact, self, names),
    isOwn: fact.ownerId === self,
    hint: serviceHint(fact),
    history: history(serviceHistoryKey(fact)),
  }));
}

/** How one of our services came to be answered by a standby. */
function howOf(
  by: 'owner' | 'drill' | 'friends',
  swapsAtMs: readonly number[],
  nowMs: number,
): StatusFacts['takeovers'][number]['how'] {
  if (by !== 'friends') return by === 'drill' ? 'drill' : 'pinned';
  return swapsAtMs.filter((atMs) => nowMs - atMs < flapsWithinMs).length >= flapsMax ? 'flapping' : 'agreed';
}

/** The facts of every room in the words of the status document. Called for each page, JSON and metrics request. */
export function collectStatus(sources: StatusSources): StatusFacts {
  const { config, identity, records, names, watch, faults } = sources;
  const { roster, agreements } = records.knowledge();
  const own = records.knowledge().records.get(`address/${identity.box.peer}`);
  const awayNow = own?.kind === 'address' ? own.signed.record.away : undefined;
  const liveness = new Map(watch.facts().map((facts) => [facts.peer, facts]));
  const holds = recordsOf(records.knowledge(), 'holds');
  /** By his own signature, over all his boxes: what he ever took of our mail. */
  const tookForMe = (ownerId: string): StatusFacts['friends'][number]['tookForMe'] => {
    const receipts = recordsOf(records.knowledge(), 'receipt')
      .map(({ signed }) => signed)
      .filter((one) => one.record.owner === identity.ownerId && names.ownerOf(one.signer) === ownerId);
    if (receipts.length === 0) return undefined;
    const sum = (of: 'messages' | 'bytes'): number =>
      receipts.reduce((total, { record }) => total + record[of], 0);
    return { messages: sum('messages'), bytes: sum('bytes') };
  };

  const friends: StatusFacts['friends'] = [...roster.members.values()]
    .filter((member) => member.ownerId !== identity.ownerId)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((member) => {
      const boxes = member.boxes.map((box) => ({ box, alive: liveness.get(box.peer) }));
      const best = bestBox(member, liveness);
      if (best === undefined) return [];
      const { box, alive } = best;
      const details = sources.details.get(box.peer);
      const away = awayOf(records.knowledge(), box.peer, sources.nowMs);
      const state = shownState(alive?.state ?? 'unknown', away);
      const isHeard = state === 'up' || state === 'slow';
      const via = sources.viaOf(box.peer);
      return [
        {
          name: member.name,
          id: box.peer,
          boxes: boxes.map((one) => ({
            name: one.box.name,
            id: one.box.peer,
            state: one.alive?.state ?? ('unknown' as const),
          })),
          state,
          confirmed: alive?.confirmed ?? false,
          sinceAtMs: alive?.sinceAtMs,
          lastHeardAtMs: alive?.lastHeardAtMs,
          rttMs: details?.rttMs,
          path: isHeard ? (via === undefined ? ('direct' as const) : ('relayed' as const)) : undefined,
          via: isHeard && via !== undefined ? names.ofPeer(via) : undefined,
          seenDownBy: (alive?.seenDownBy ?? []).map(names.ofPeer),
          may: offered(roster, agreements, identity.ownerId, member.ownerId),
          offers: offered(roster, agreements, member.ownerId, identity.ownerId),
          version: details?.version,
          away,
          history: sources.history(friendHistoryKey(member.ownerId)),
          tookForMe: tookForMe(member.ownerId),
          incompatible: details?.gap === undefined ? undefined : versionGapText(member.name, details.gap),
          line: sources.traffic.withFriend(box.peer),
        },
      ];
    });

  /** Which serial each granted friend says he serves. */
  const holders = ({
    ownerId,
    origin,
    copies: ages,
  }: ReturnType<Zones['facts']>[number]): StatusFacts['zones'][number]['friends'] =>
    [...roster.members.values()]
      .filter((member) => member.ownerId !== identity.ownerId && member.ownerId !== ownerId)
      .flatMap((member) => {
        const granted = isProvider(ownerId, member.ownerId, origin);
        const boxes = new Set(member.boxes.map((box) => box.peer));
        const copies = holds.flatMap(({ signed }) => {
          const held = boxes.has(signed.signer)
            ? signed.record.zones.find((zone) => zone.owner === ownerId && zone.origin === origin)
            : undefined;
          return held === undefined ? [] : [{ ...held, by: signed.signer }];
        });
        // The newest copy that any of his boxes has.
        const [newest] = copies.toSorted((a, b) => b.epoch - a.epoch || b.sequence - a.sequence);
        if (!granted && newest === undefined) return [];
        const by = newest?.by ?? member.boxes[0]?.peer ?? '';
        const heardAtMs = records.heardAtMs(`holds/${by}`);
        const age = ages.get(member.ownerId);
        return [{ name: member.name, serial: newest?.serial, heardAtMs, ...age }];
      });
  const isProvider = (ownerId: string, by: string, origin: string): boolean => {
    const grant = agreements.grants.get(ownerId)?.zones.find((one) => one.name === origin);
    return (
      grant !== undefined &&
      (grant.to === undefined || grant.to.includes(by)) &&
      offered(roster, agreements, by, ownerId).includes('dns')
    );
  };

  const zones: StatusFacts['zones'] = sources.zones.facts().map((zone) => ({
    origin: zone.origin,
    owner: names.ofOwner(zone.ownerId),
    role: zone.role,
    serial: zone.serial,
    fileSerial: zone.fileSerial,
    expiresAtMs: zone.expiresAtMs,
    agedPercent: zone.agedPercent,
    friends: holders(zone),
    file: zone.file,
    problems: zone.problems,
    held: zone.held,
    primary: primaryFacts(zone.primary),
  }));

  const mail: StatusFacts['mail'] = sources.mail.facts().domains.map((domain) => ({
    domain: domain.domain,
    owner: names.ofOwner(domain.ownerId),
    role: domain.role === 'own' ? ('primary' as const) : ('backup' as const),
    state: domain.state,
    messages: domain.messages,
    bytes: domain.bytes,
    oldestAtMs: domain.oldestAtMs,
    alsoHeldBy: domain.alsoAt.map(names.ofOwner).sort(),
    isEnded: domain.ended,
    quarantined: domain.quarantined,
    copies: config.mail.find((one) => one.domain === domain.domain)?.copies ?? 1,
    backups: providers(records.knowledge(), domain.ownerId, { service: 'mail', name: domain.domain }).map(
      names.ofOwner,
    ),
    probes: sources.mailProof.probes
      .filter((row) => domain.role === 'own' && row.domain === domain.domain)
      .map(probeFacts),
  }));

  const clocks = [...roster.ownerOf].flatMap(([peer]) => sources.details.get(peer)?.clockAtZeroMs ?? []);
  const finding = sources.standing.finding();
  const membership = membershipOf(records.knowledge(), identity.box.peer);

  return {
    name: config.name,
    id: identity.box.peer,
    version: sources.version,
    startedAtMs: sources.startedAtMs,
    fault: faults === undefined ? undefined : { ...faults.last, inARow: faults.inARow },
    address: sources.address,
    clock: clockSkew(clocks.map((atZeroMs) => atZeroMs + performance.now() - sources.nowMs)),
    friends,
    zones,
    mail,
    mailTroubles: mailChecks(sources.mailProof).flatMap(({ id, ok, text, hint }) =>
      ok === false ? [{ id, text, command: hint ?? 'peer doctor mail' }] : [],
    ),
    standing: {
      maySign: sources.standing.maySign(),
      found: finding.kind === 'none' ? undefined : finding.kind,
      by: finding.kind === 'none' ? undefined : names.ofPeer(finding.by),
      foundAtMs: finding.kind === 'none' ? undefined : finding.atMs,
      waiting: sources.later.list(),
    },
    away: awayNow,
    membership: { ...membership, by: membership.by.map(names.ofOwner) },
    services: serviceRows(sources),
    signedStandbys: sources.takeovers.services().flatMap(({ about, entry }) => {
      const untilMs = about === identity.box.peer ? signedUntilMs(entry.sets) : undefined;
      return untilMs === undefined ? [] : [{ service: entry.name, name: entry.record, untilMs }];
    }),
    takeovers: sources.takeovers
      .services()
      .filter(({ standing }) => standing.onStandby)
      .map(({ about, ownerId, entry, certified, sinceMs, standing, swapsAtMs }) => ({
        how: about === identity.box.peer ? howOf(standing.by, swapsAtMs, sources.nowMs) : undefined,
        owner: names.ofOwner(ownerId),
        service: entry.name,
        name: entry.record,
        by: names.ofOwner(entry.standby),
        sinceAtMs: sinceMs,
        votes: standing.by === 'friends' ? (certified?.voters ?? []).map(names.ofPeer) : [],
      })),
    line: {
      state: watch.line(),
      ...sources.traffic.totals(),
      limitBytesPerSecond: config.line.upBytesPerSecond,
    },
    events: sources.events.list(),
  };
}
