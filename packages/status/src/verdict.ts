import { humanDuration, isoTime, visible } from '@copain/core';
import { backupsOf, type Circle, holdersOf, isThere, openCircle } from './circle-of-facts.ts';
import type { MailFacts, StatusFacts, ZoneFacts } from './facts.ts';
import { type AlertMark, type Finding, groupBy } from './finding.ts';
import { agedCopiesFindings, friendsZonesFindings } from './freshness-findings.ts';
import { statusLimits } from './limits.ts';
import { mailFindings } from './mail-findings.ts';
import { apartFindings, outOfCircle } from './membership-findings.ts';
import { serviceFindings } from './service-findings.ts';
import type { Verdict, VerdictLevel } from './status-document.ts';
import { takeoverFindings } from './takeover-findings.ts';
import { count, isNewerSerial, joinNames, shellWord } from './wording.ts';

function zoneParts(circle: Circle, own: readonly ZoneFacts[]): string[] {
  return groupBy(own, (zone) => holdersOf(circle, zone).join(' ')).map((group) => {
    const [first] = group;
    const holders = first ? holdersOf(circle, first) : [];
    const names = joinNames(group.map(({ origin }) => origin));
    if (holders.length === 0) return `${names} ${group.length === 1 ? 'is' : 'are'} answered by nobody`;
    const ends = group.flatMap(({ expiresAtMs }) => (expiresAtMs === undefined ? [] : [expiresAtMs]));
    const lasts = ends.length === 0 ? '' : ` for ${humanDuration(Math.min(...ends) - circle.nowMs)}`;
    return `${names} ${group.length === 1 ? 'stays' : 'stay'} answered by ${joinNames(holders)}${lasts}`;
  });
}

function mailParts(circle: Circle, own: readonly MailFacts[]): string[] {
  return groupBy(own, (mail) => backupsOf(circle, mail).join(' ')).map((group) => {
    const [first] = group;
    return `mail for ${joinNames(group.map(({ domain }) => domain))} is kept by ${joinNames(first ? backupsOf(circle, first) : [])}`;
  });
}

/** What happens if this box dies now, as one sentence. */
function prognosis(circle: Circle): string {
  const { zones, mail } = circle.facts;
  const ownZones = zones.filter(({ role }) => role === 'primary');
  const ownMail = mail.filter(({ role }) => role === 'primary');
  const parts = [...zoneParts(circle, ownZones), ...mailParts(circle, ownMail)];
  if (parts.length > 0) return `If this box dies now: ${parts.join('; ')}.`;
  const forFriends = [
    ...(zones.length > 0 ? [`answers ${count(zones.length, 'zone')}`] : []),
    ...(mail.length > 0 ? [`keeps mail for ${count(mail.length, 'domain')}`] : []),
  ];
  const rest = forFriends.length > 0 ? ` For friends it ${forFriends.join(' and ')}.` : '';
  return `If this box dies now: nothing of yours is lost, it owns no zone and no mail domain yet.${rest}`;
}

function lineFindings({ facts }: Circle): Finding[] {
  if (facts.line.state !== 'cut') return [];
  const text =
    'This box hears none of its friends: its own line seems to be cut. Were it removed, or revoked, the first of them that it reaches would say so.';
  const alert: AlertMark = {
    key: 'line',
    kind: 'line',
    about: ['line'],
    afterMs: statusLimits.friendDownAlertMs,
    text: 'My own line is cut: this box hears none of its friends.',
    over: 'My own line works again.',
  };
  return [{ weight: 'danger', todo: { text, command: 'peer friends' }, alert }];
}

/** A box that is not sure of its own past says so, and what waits for it. */
function standingFindings({ facts, nowMs, isOld }: Circle): Finding[] {
  const { maySign, found, by, foundAtMs, waiting } = facts.standing;
  const who = by === undefined ? 'a friend' : visible(by);
  if (found === 'cloned') {
    const text = `Another box runs with this box's key, ${who} met both: this one signs nothing any more. Stop the other for good, then restart this one.`;
    return [{ weight: 'danger', todo: { text, command: 'peer stop' }, alert: boxAlert('cloned') }];
  }
  const findings: Finding[] = [];
  if (found === 'restored' && nowMs - (foundAtMs ?? 0) < statusLimits.restoredShownMs) {
    const asked = maySign
      ? ', and caught up from friends'
      : ': it signs nothing before friends told it what it signed';
    const text = `This box was put back from an older copy (${who} saw it run since)${asked}.`;
    const alert = { ...boxAlert('restored'), isNews: true };
    findings.push({ weight: 'attention', todo: { text, command: 'peer events' }, alert });
  }
  if (maySign) return findings;
  if (waiting.length > 0 || isOld) {
    const what = waiting.length === 0 ? 'zone edits, invites and removals' : joinNames(waiting);
    const text = `No friend has told yet what this box signed before, so ${what} would wait to be signed.`;
    findings.push({ weight: 'attention', todo: { text, command: 'peer friends' } });
  }
  return findings;
}

/** Files of our own zones that are not what is published, and why. */
function heldFindings({ facts }: Circle): Finding[] {
  return facts.zones.flatMap(({ origin, file, serial, held }): Finding[] => {
    if (held === undefined) return [];
    const shown = visible(file ?? origin, 4096);
    const word = shellWord(origin);
    if (held === 'waiting') {
      const text = `${shown} is not published yet: no friend has told what this box signed before. It will be; peer zone push ${word} --force does it now.`;
      const alert = zoneAlert(origin, 'held', statusLimits.troubleLateMs);
      return [{ weight: 'attention', todo: { text, command: 'peer friends' }, alert }];
    }
    const head = serial === undefined ? 'the newest version' : `serial ${serial}`;
    const text = `${shown} is based on an older version of ${visible(origin)} than ${head}, which stays published. See what differs, then publish the file as it is: peer zone push ${word}`;
    const alert = zoneAlert(origin, 'held', statusLimits.mistakeAlertMs);
    return [{ weight: 'attention', todo: { text, command: `peer zone diff ${word}` }, alert }];
  });
}

/** A box that stopped and started again by itself is well for now, but somebody should hear why. */
function faultFindings({ facts, nowMs }: Circle): Finding[] {
  const { fault } = facts;
  if (fault === undefined || nowMs - fault.atMs >= statusLimits.faultShownMs) return [];
  const times = fault.inARow === 1 ? '' : `, ${fault.inARow} times in a row`;
  const ago = humanDuration(Math.max(0, nowMs - fault.atMs));
  const text = `A fault in ${fault.where} stopped this box ${ago} ago${times}; it started again by itself. The log has the whole fault.`;
  const alert: AlertMark = {
    ...boxAlert('fault'),
    isNews: true,
    text: `A fault in ${fault.where} stopped this box${times}; it started again by itself. The log has the whole fault.`,
  };
  return [{ weight: 'attention', todo: { text, command: 'peer events' }, alert }];
}

/** A clock far off makes invites, zones and signatures expire at the wrong time, here or there. */
function clockFindings({ facts }: Circle): Finding[] {
  const { clock } = facts;
  if (clock === undefined || Math.abs(clock.aheadMs) < statusLimits.clockOffMs) return [];
  const off = `${humanDuration(Math.abs(clock.aheadMs))} ${clock.aheadMs > 0 ? 'ahead of' : 'behind'}`;
  const whose = clock.friends === 1 ? "the only friend's" : `those of ${clock.friends} friends`;
  const text = `This box's clock is ${off} ${whose}.`;
  const isFar = Math.abs(clock.aheadMs) >= statusLimits.clockFarOffMs;
  const alert: AlertMark = {
    key: 'clock',
    kind: 'clock',
    about: ['clock'],
    afterMs: statusLimits.clockAlertMs,
    stage: isFar ? 2 : 1,
    over: "This box's clock is right again.",
  };
  return [{ weight: isFar ? 'danger' : 'attention', todo: { text, command: 'timedatectl' }, alert }];
}

/** A box that cannot be dialled works, through those it dials itself and through relays: a hint. */
function reachFindings({ facts }: Circle): Finding[] {
  const { reachable, relays = [] } = facts.address;
  if (reachable !== false) return [];
  const how =
    relays.length === 0
      ? 'no friend relays for it, so friends behind NAT do not reach it'
      : `others reach it through ${joinNames(relays)}`;
  const text = `Friends cannot dial this box (NAT or a firewall); ${how}.`;
  return [{ weight: relays.length === 0 ? 'attention' : 'hint', todo: { text, command: 'peer doctor net' } }];
}

/** Whoever came back and did not say so would not be missed the next time. */
function awayFindings({ facts, nowMs }: Circle): Finding[] {
  const { away } = facts;
  if (away === undefined) return [];
  const isOver = away.untilMs !== undefined && nowMs >= away.untilMs;
  const until = away.untilMs === undefined ? '' : ` until ${isoTime(away.untilMs).slice(0, 10)}`;
  const text = `Friends were told that this box may be off${until}; if it falls silent, nobody is told. Are you back?`;
  return [{ weight: isOver ? 'attention' : 'hint', todo: { text, command: 'peer back' } }];
}

function friendFindings({ facts, nowMs }: Circle): Finding[] {
  if (facts.friends.length === 0) {
    const text = 'No friends yet: nobody keeps anything for this box.';
    return [{ weight: 'attention', todo: { text, command: 'peer invite NAME' } }];
  }
  if (facts.line.state === 'cut') return [];
  return facts.friends.flatMap((friend): Finding[] => {
    const name = visible(friend.name);
    if (friend.incompatible !== undefined)
      return [
        {
          weight: 'attention',
          todo: { text: visible(friend.incompatible), command: 'peer version --friends' },
        },
      ];
    if (friend.state === 'down' || friend.state === 'partial') {
      const since = friend.sinceAtMs === undefined ? '' : ` for ${humanDuration(nowMs - friend.sinceAtMs)}`;
      const witnesses = friend.seenDownBy.length === 0 ? '' : `, seen by ${joinNames(friend.seenDownBy)}`;
      const what = friend.state === 'down' ? 'is down' : 'is heard by some friends only';
      const doubt = friend.state === 'down' && !friend.confirmed ? ' (not confirmed by others)' : '';
      const command = `peer friends show ${shellWord(friend.name)}`;
      const todo = { text: `${name} ${what}${since}${witnesses}${doubt}.`, command };
      if (friend.state === 'partial') return [{ weight: 'attention', todo }];
      const text = `${name} is down${witnesses}${doubt}.`;
      return [
        {
          weight: 'attention',
          todo,
          alert: { ...friendAlert(friend.name), sinceMs: friend.sinceAtMs, text },
        },
      ];
    }
    if (friend.may.includes('dns') || friend.may.includes('mail')) return [];
    const text = `This box offers ${name} neither dns nor mail, so ${name}'s zones and mail are not kept here.`;
    const command = `peer friends may ${shellWord(friend.name)} +dns +mail`;
    return [{ weight: 'hint', todo: { text, command } }];
  });
}

function problemFindings({ facts }: Circle): Finding[] {
  return facts.zones.flatMap(({ origin, file, serial, problems }): Finding[] => {
    const errors = problems.filter(({ severity }) => severity === 'error');
    const [first] = errors;
    if (!first) return [];
    const place =
      first.line === 0 ? visible(first.file) : `${visible(first.file)}:${first.line}:${first.column}`;
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
    const served = serial === undefined ? 'nothing is served yet' : `serial ${serial} stays served`;
    const text = `${place}: ${visible(first.text)}${more}; ${served} for ${visible(origin)}.`;
    const command =
      file === undefined
        ? `peer zone show ${shellWord(origin)}`
        : `peer zone check ${shellWord(file)} ${shellWord(origin)}`;
    const alert = zoneAlert(origin, 'mistake', statusLimits.mistakeAlertMs);
    return [{ weight: serial === undefined ? 'danger' : 'attention', todo: { text, command }, alert }];
  });
}

/**
 * A serial that was not raised is raised by copain with each change, and no news. One that lies far behind was set back
 * by mistake, or set ahead by mistake before.
 */
function serialFindings({ origin, serial, fileSerial, file }: ZoneFacts): Finding[] {
  if (serial === undefined || fileSerial === undefined || isNewerSerial(fileSerial, serial)) return [];
  if ((serial - fileSerial + 2 ** 32) % 2 ** 32 <= statusLimits.serialFarBehind) return [];
  const shown = visible(file ?? origin, 4096);
  const text = `The SOA serial ${fileSerial} in ${shown} was set back: ${serial} is served and counts on with each change. To be in step again, write a higher one.`;
  return [{ weight: 'hint', todo: { text, command: `peer zone show ${shellWord(origin)}` } }];
}

/** A primary that fails now and then is nobody's business; one that fails for a minute, or never gave anything, is. */
function primaryFindings({ facts, nowMs }: Circle): Finding[] {
  return facts.zones.flatMap(({ origin, serial, primary }): Finding[] => {
    if (!primary?.failing) return [];
    const forMs = nowMs - primary.failing.sinceMs;
    if (serial !== undefined && forMs < statusLimits.primaryLateAfterMs) return [];
    const served = serial === undefined ? 'nothing is served yet' : `serial ${serial} stays served`;
    const end = primary.isExpired ? ', and friends are no longer told that it is current' : '';
    const text = `The primary ${visible(primary.address)} of ${visible(origin)} could not be asked for ${humanDuration(forMs)}: ${visible(primary.failing.text, 400)}; ${served}${end}.`;
    const command = `peer zone show ${shellWord(origin)}`;
    const alert: AlertMark = {
      ...zoneAlert(origin, 'primary', statusLimits.troubleLateMs),
      stage: primary.isExpired ? 2 : 1,
    };
    const weight = serial === undefined || primary.isExpired ? 'danger' : 'attention';
    return [{ weight, todo: { text, command }, alert }];
  });
}

function ownZoneFindings(circle: Circle, zone: ZoneFacts): Finding[] {
  const { serial, origin } = zone;
  if (serial === undefined || circle.friends.size === 0) return [];
  const shown = visible(origin);
  if (holdersOf(circle, zone).length === 0) {
    const isOnTheWay = zone.friends.some(({ name }) => isThere(circle, name));
    const text = isOnTheWay
      ? `No friend who can be reached has a copy of ${shown} yet.`
      : `${shown} is held by no friend who can be reached.`;
    const alert = zoneAlert(origin, 'copies', statusLimits.troubleLateMs);
    return [{ weight: 'danger', todo: { text, command: `peer zone show ${shellWord(origin)}` }, alert }];
  }
  const late = zone.friends.filter(
    (friend) =>
      friend.serial !== undefined &&
      isNewerSerial(serial, friend.serial) &&
      isThere(circle, friend.name) &&
      friend.heardAtMs !== undefined &&
      circle.nowMs - friend.heardAtMs > statusLimits.copyLateAfterMs,
  );
  if (late.length === 0) return [];
  const text = `${joinNames(late.map(({ name }) => name))} ${late.length === 1 ? 'has' : 'have'} an old copy of ${shown}.`;
  const alert = zoneAlert(origin, 'late', statusLimits.troubleLateMs);
  return [{ weight: 'attention', todo: { text, command: `peer zone push ${shellWord(origin)}` }, alert }];
}

function firstSteps({ facts }: Circle): Finding[] {
  if (facts.friends.length === 0) return [];
  if ([...facts.zones, ...facts.mail].some(({ role }) => role === 'primary')) return [];
  const text = 'This box owns no zone and no mail domain yet.';
  return [{ weight: 'hint', todo: { text, command: 'peer zone add ORIGIN --file FILE' } }];
}

function diskFindings({ facts }: Circle): Finding[] {
  if (facts.isDiskLow !== true) return [];
  const text = 'The disk is all but full: no mail is held for friends until there is room.';
  const alert: AlertMark = { key: 'disk', kind: 'disk', about: ['disk'], over: 'The disk has room again.' };
  return [{ weight: 'danger', todo: { text, command: 'df -h' }, alert }];
}

/** A friend who claims what is another's: by mistake, or not. */
function claimFindings({ facts }: Circle): Finding[] {
  return (facts.claims ?? []).map(({ name, by, other, owner }) => {
    const text = `${visible(by)} claims ${visible(name)}, but ${visible(other)} is ${visible(owner)}'s: refused, until one of them lets go of it.`;
    const todo = { text, command: `peer friends show ${shellWord(by)}` };
    return {
      weight: 'attention',
      todo,
      alert: { key: `circle/claim/${name}`, kind: 'circle', about: [by, name] },
    };
  });
}

/** Names outside one's own zones that lead to where this box was. */
function addressFindings({ facts, nowMs }: Circle): Finding[] {
  return (facts.addressFailures ?? []).flatMap(({ to, sinceMs, text: why }): Finding[] => {
    if (nowMs - sinceMs < statusLimits.alertsLateAfterMs) return [];
    const said = `${visible(to, 300)} could not be told of this box's address`;
    const text = `${said} for ${humanDuration(nowMs - sinceMs)}: ${visible(why, 300)}.`;
    const alert: AlertMark = {
      key: `address/${to}`,
      kind: 'address',
      about: ['address'],
      afterMs: statusLimits.troubleLateMs,
      text: `${said}: ${visible(why, 300)}.`,
      over: `${visible(to, 300)} has this box's address.`,
    };
    return [{ weight: 'attention', todo: { text, command: 'peer address' }, alert }];
  });
}

/** Whoever relies on alerts must not learn from silence that they do not get through. */
function alertWayFindings({ facts, nowMs }: Circle): Finding[] {
  return (facts.alertFailures ?? []).flatMap(({ to, sinceMs, text: why }): Finding[] => {
    if (nowMs - sinceMs < statusLimits.alertsLateAfterMs) return [];
    const text = `Alerts to ${visible(to)} have not got through for ${humanDuration(nowMs - sinceMs)}: ${visible(why, 300)}.`;
    return [{ weight: 'attention', todo: { text, command: 'peer alerts list' } }];
  });
}

const boxAlert = (what: string): AlertMark => ({ key: `box/${what}`, kind: 'box', about: ['box'] });

const zoneAlert = (origin: string, what: string, afterMs: number): AlertMark => ({
  key: `zone/${origin}/${what}`,
  kind: 'zone',
  about: [origin],
  afterMs,
});

/** The trouble of one friend. */
export const friendAlert = (name: string): AlertMark => ({
  key: `friend/${name}`,
  kind: 'friend',
  about: [name],
  afterMs: statusLimits.friendDownAlertMs,
  over: `${visible(name)} is up again.`,
});

const gravity = { danger: 0, attention: 1, hint: 2 };

/**
 * What happens if this box dies now, how worried to be, and what to do, the gravest first. A friend whose mail lies
 * here because he is away is no finding: that is what this box is for.
 */
export function judge(facts: StatusFacts, nowMs: number): Verdict {
  const out = outOfCircle(facts);
  if (out !== undefined) return out;
  const findings = allFindings(facts, nowMs);
  const worst = findings[0]?.weight ?? 'hint';
  const level: VerdictLevel = worst === 'hint' ? 'ok' : worst;
  return {
    level,
    text: prognosis(openCircle(facts, nowMs)),
    todo: findings.slice(0, statusLimits.todos).map(({ weight, todo }) => ({ weight, ...todo })),
  };
}

/** All there is to say about a box that is in its circle, the gravest first. */
export function allFindings(facts: StatusFacts, nowMs: number): Finding[] {
  const circle = openCircle(facts, nowMs);
  return [
    ...lineFindings(circle),
    ...standingFindings(circle),
    ...faultFindings(circle),
    ...apartFindings(facts),
    ...diskFindings(circle),
    ...claimFindings(circle),
    ...addressFindings(circle),
    ...alertWayFindings(circle),
    ...clockFindings(circle),
    ...problemFindings(circle),
    ...primaryFindings(circle),
    ...heldFindings(circle),
    ...facts.zones.flatMap((zone) =>
      zone.role === 'primary' ? [...ownZoneFindings(circle, zone), ...serialFindings(zone)] : [],
    ),
    ...agedCopiesFindings(facts, nowMs),
    ...friendsZonesFindings(facts, nowMs),
    ...takeoverFindings(facts, nowMs),
    ...facts.mail.flatMap((mail) => mailFindings(circle, mail)),
    ...(facts.mailTroubles ?? []).map(
      ({ id, ...todo }): Finding => ({
        weight: 'attention',
        todo,
        alert: { key: `mail/${id}`, kind: 'mail', about: id.split('.').slice(1) },
      }),
    ),
    ...serviceFindings(facts),
    ...awayFindings(circle),
    ...friendFindings(circle),
    ...reachFindings(circle),
    ...firstSteps(circle),
  ].sort((a, b) => gravity[a.weight] - gravity[b.weight]);
}
