import { isoTime } from '@copain/core';
import type {
  AwayFacts,
  FriendFacts,
  HistoryFacts,
  MailFacts,
  MailProbeFacts,
  ServiceFacts,
  StatusFacts,
  ZoneFacts,
} from './facts.ts';
import { statusLimits } from './limits.ts';
import type {
  AwayStatus,
  FriendStatus,
  HistoryStatus,
  MailProbeStatus,
  MailStatus,
  ServiceStatus,
  StatusDocument,
  ZoneStatus,
} from './status-document.ts';
import { judge } from './verdict.ts';

const time = (atMs: number | undefined): string | null => (atMs === undefined ? null : isoTime(atMs));

function awayStatus(away: AwayFacts | undefined): AwayStatus | null {
  if (away === undefined) return null;
  return { since: isoTime(away.sinceMs), until: time(away.untilMs), note: away.note ?? null };
}

/** To a ten-thousandth: a year has 8,760 hours. */
const part = (value: number | undefined): number | null =>
  value === undefined ? null : Math.round(value * 10_000) / 10_000;

function historyStatus(history: HistoryFacts | undefined): HistoryStatus | null {
  if (history === undefined) return null;
  const { day, week, month, year, days } = history;
  return { up24h: part(day), up7d: part(week), up30d: part(month), up365d: part(year), days: days.map(part) };
}

function friendStatus(friend: FriendFacts): FriendStatus {
  const { name, id, state, confirmed, sinceAtMs, lastHeardAtMs, rttMs, path, via, version, incompatible } =
    friend;
  return {
    name,
    id,
    boxes: (friend.boxes ?? []).map((box) => ({ ...box })),
    state,
    confirmed,
    sinceAt: time(sinceAtMs),
    lastHeardAt: time(lastHeardAtMs),
    rttMs: rttMs === undefined ? null : Math.round(rttMs * 10) / 10,
    path: path ?? null,
    via: via ?? null,
    seenDownBy: [...friend.seenDownBy],
    may: [...friend.may],
    offers: [...friend.offers],
    version: version ?? null,
    tookForMe: friend.tookForMe ?? null,
    away: awayStatus(friend.away),
    history: historyStatus(friend.history),
    incompatible: incompatible ?? null,
    ...(friend.line === undefined ? {} : { line: [...friend.line] }),
  };
}

function primaryStatus(primary: ZoneFacts['primary']): ZoneStatus['primary'] {
  if (primary === undefined) return null;
  const { address, serial, checkedAtMs, nextCheckAtMs, expiresAtMs, isExpired, failing, lastTransfer } =
    primary;
  return {
    address,
    serial: serial ?? null,
    checkedAt: time(checkedAtMs),
    nextCheckAt: isoTime(nextCheckAtMs),
    expiresAt: time(expiresAtMs),
    expired: isExpired,
    failing: failing === undefined ? null : { sinceAt: isoTime(failing.sinceMs), text: failing.text },
    lastTransfer:
      lastTransfer === undefined
        ? null
        : {
            how: lastTransfer.how,
            at: isoTime(lastTransfer.atMs),
            bytes: lastTransfer.bytes,
            tookMs: Math.round(lastTransfer.tookMs * 10) / 10,
            fromSerial: lastTransfer.fromSerial ?? null,
            serial: lastTransfer.serial,
            why: lastTransfer.why ?? null,
          },
  };
}

function zoneStatus(zone: ZoneFacts): ZoneStatus {
  const { origin, owner, role, serial, expiresAtMs, file } = zone;
  return {
    origin,
    owner,
    role,
    serial: serial ?? null,
    fileSerial: zone.fileSerial ?? null,
    expiresAt: time(expiresAtMs),
    agedPercent: zone.agedPercent ?? 0,
    friends: zone.friends.map((friend) => ({
      name: friend.name,
      serial: friend.serial ?? null,
      heardAt: time(friend.heardAtMs),
      expiresAt: time(friend.expiresAtMs),
      agedPercent: friend.agedPercent ?? 0,
    })),
    primary: primaryStatus(zone.primary),
    file: file ?? null,
    problems: [...zone.problems],
    held: zone.held ?? null,
  };
}

function mailStatus({ oldestAtMs, alsoHeldBy, backups, probes = [], ...mail }: MailFacts): MailStatus {
  const { domain, owner, role, state, messages, bytes } = mail;
  return {
    domain,
    owner,
    role,
    state,
    messages,
    bytes,
    oldestAt: time(oldestAtMs),
    alsoHeldBy: [...alsoHeldBy],
    backups: [...backups],
    probes: probes.map(probeStatus),
  };
}

function probeStatus({ friend, ok, text, address, atMs, okAtMs, canary }: MailProbeFacts): MailProbeStatus {
  return {
    friend,
    ok: ok ?? null,
    text: text ?? null,
    address: address ?? null,
    at: time(atMs),
    okAt: time(okAtMs),
    canary:
      canary === undefined
        ? null
        : {
            state: canary.state,
            at: isoTime(canary.atMs),
            tookMs: canary.tookMs ?? null,
            text: canary.text ?? null,
          },
  };
}

function serviceStatus(facts: ServiceFacts): ServiceStatus {
  const { owner, service, target, state, confirmed, sinceAtMs, upBy, downBy, inside, fault, text } = facts;
  return {
    owner,
    service,
    target,
    state,
    confirmed,
    sinceAt: time(sinceAtMs),
    upBy: [...upBy],
    downBy: [...downBy],
    inside: inside ?? null,
    fault,
    text,
    history: historyStatus(facts.history),
  };
}

/** The status document of one instant, judged. Friends, zones and mail keep the order of the facts. */
export function buildStatus(facts: StatusFacts, nowMs: number): StatusDocument {
  const { line, address } = facts;
  const events = [...facts.events].sort((a, b) => b.atMs - a.atMs).slice(0, statusLimits.events);
  return {
    schema: 'peer.status/1',
    name: facts.name,
    id: facts.id,
    version: facts.version,
    startedAt: isoTime(facts.startedAtMs),
    at: isoTime(nowMs),
    verdict: judge(facts, nowMs),
    address: {
      ipv4: address.ipv4 ?? null,
      ipv6: address.ipv6 ?? null,
      changedAt: time(address.changedAtMs),
      reachable: address.reachable ?? null,
      relays: [...(address.relays ?? [])],
    },
    away: awayStatus(facts.away),
    standing: {
      maySign: facts.standing.maySign,
      found: facts.standing.found ?? null,
      by: facts.standing.by ?? null,
      foundAt: time(facts.standing.foundAtMs),
      waiting: [...facts.standing.waiting],
    },
    membership: {
      state: facts.membership.state,
      by: [...facts.membership.by],
      at: time(facts.membership.atMs),
    },
    clock: facts.clock === undefined ? null : { ...facts.clock, aheadMs: Math.round(facts.clock.aheadMs) },
    friends: facts.friends.map(friendStatus),
    zones: facts.zones.map(zoneStatus),
    mail: facts.mail.map(mailStatus),
    services: (facts.services ?? []).map(serviceStatus),
    takeovers: facts.takeovers.map(({ owner, service, name, by, sinceAtMs, votes }) => ({
      owner,
      service,
      name,
      by,
      sinceAt: isoTime(sinceAtMs),
      votes: [...votes],
    })),
    line: { ...line, limitBytesPerSecond: line.limitBytesPerSecond ?? null },
    events: events.map(({ atMs, kind, text }) => ({ at: isoTime(atMs), kind, text })),
  };
}
