import { humanDuration, isoTime, visible } from '@copain/core';
import type { FriendFacts, MailFacts, StatusFacts, ZoneFacts } from './facts.ts';
import { type Finding, groupBy } from './finding.ts';
import { agedCopiesFindings, friendsZonesFindings } from './freshness-findings.ts';
import { statusLimits } from './limits.ts';
import { serviceFindings } from './service-findings.ts';
import type { Todo, Verdict, VerdictLevel } from './status-document.ts';
import { takeoverFindings } from './takeover-findings.ts';
import { count, isNewerSerial, joinNames, shellWord } from './wording.ts';

/** What the judgement of one zone or domain needs to know about the circle. */
interface Circle {
  facts: StatusFacts;
  nowMs: number;
  friends: ReadonlyMap<string, FriendFacts>;
  isOld: boolean;
}

function openCircle(facts: StatusFacts, nowMs: number): Circle {
  const friends = new Map(facts.friends.map((friend) => [friend.name, friend]));
  return { facts, nowMs, friends, isOld: nowMs - facts.startedAtMs >= statusLimits.startGraceMs };
}

/** Can strangers count on this friend's box now? */
function isThere({ friends, isOld }: Circle, name: string): boolean {
  const state = friends.get(name)?.state;
  if (state === 'unknown') return !isOld;
  return state === 'up' || state === 'slow' || state === 'suspect' || state === 'partial';
}

const holdersOf = (circle: Circle, zone: ZoneFacts): string[] =>
  zone.friends
    .filter(({ name, serial }) => serial !== undefined && isThere(circle, name))
    .map(({ name }) => name);

const backupsOf = (circle: Circle, mail: MailFacts): string[] =>
  mail.backups.filter((name) => isThere(circle, name));

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
  return [{ weight: 'danger', todo: { text, command: 'peer friends' } }];
}

/**
 * A box that is out of its circle: what that means, and the one thing to do. Nothing else is worth saying then: friends
 * who do not answer it any more are no finding of their own.
 */
function outOfCircle({ membership, zones, mail }: StatusFacts): Verdict | undefined {
  const verdict = (text: string, todo: Omit<Todo, 'weight'>): Verdict => ({
    level: 'danger',
    text,
    todo: [{ weight: 'danger', ...todo }, ...mail.flatMap(strandedMail)],
  });
  const own = [
    ...zones.flatMap(({ role, origin }) => (role === 'primary' ? [origin] : [])),
    ...mail.flatMap(({ role, domain }) => (role === 'primary' ? [domain] : [])),
  ];
  const names = [...new Set(own)];
  const alone =
    names.length === 0
      ? ''
      : ` ${joinNames(names)} ${names.length === 1 ? 'is' : 'are'} answered by this box alone: take the friends out of NS and MX at your registrar.`;
  switch (membership.state) {
    case 'member':
      return undefined;
    case 'revoked':
      return verdict(
        'This box was revoked by its owner: no friend takes anything from it, hands it mail or answers it any more.',
        {
          text: 'If that was you, stop it: peer stop. To have a box here again, start in a new --home (peer init) and let it in on your other box: peer box add NAME. If it was not you, somebody has your owner key: replace it there with the paper key, peer key rotate --key-file FILE.',
          command: 'peer key show',
        },
      );
    case 'removed':
      return verdict(
        `You were removed from the circle by ${joinNames(membership.by)}${onDate(membership.atMs)}, for good: friends give this box nothing any more, and take nothing from it.${alone}`,
        {
          text: 'Its keys never come back into this circle; an invite to another circle works. To be in again: a new box in a new --home (peer init), and a new invite.',
          command: 'peer join',
        },
      );
    case 'invite-taken':
      return verdict(
        `This box is in no circle: somebody else came in by the same invite at the same time, and the circle counts him alone.${alone}`,
        { text: 'Ask for a new invite.', command: 'peer join' },
      );
  }
}

/** Mail of others that nobody takes from this box any more: only a person can bring it to its owner. */
function strandedMail({ role, domain, owner, messages }: MailFacts): Todo[] {
  if (role === 'primary' || messages === 0) return [];
  const text = `${count(messages, 'message')} for ${visible(domain)} ${messages === 1 ? 'is' : 'are'} still here, sealed to ${visible(owner)}, and nobody takes ${messages === 1 ? 'it' : 'them'} from this box any more. As files that ${visible(owner)} can open: peer mail export --format age --out DIR`;
  return [{ weight: 'danger', text, command: 'peer mail list --here' }];
}

const onDate = (atMs: number | undefined): string =>
  atMs === undefined ? '' : ` on ${isoTime(atMs).slice(0, 10)}`;

/** Whoever removed the owner of this box for himself alone: nothing flows between the two boxes. */
function apartFindings({ facts }: Circle): Finding[] {
  const { by } = facts.membership;
  if (by.length === 0) return [];
  const text = `${joinNames(by)} removed you from the circle for himself: his box gives yours nothing and takes nothing from it. One more member who does the same takes you out of the circle.`;
  return [{ weight: 'attention', todo: { text, command: 'peer events' } }];
}

/** A box that is not sure of its own past says so, and what waits for it. */
function standingFindings({ facts, nowMs, isOld }: Circle): Finding[] {
  const { maySign, found, by, foundAtMs, waiting } = facts.standing;
  const who = by === undefined ? 'a friend' : visible(by);
  if (found === 'cloned') {
    const text = `Another box runs with this box's key, ${who} met both: this one signs nothing any more. Stop the other for good, then restart this one.`;
    return [{ weight: 'danger', todo: { text, command: 'peer stop' } }];
  }
  const findings: Finding[] = [];
  if (found === 'restored' && nowMs - (foundAtMs ?? 0) < statusLimits.restoredShownMs) {
    const asked = maySign
      ? ', and caught up from friends'
      : ': it signs nothing before friends told it what it signed';
    const text = `This box was put back from an older copy (${who} saw it run since)${asked}.`;
    findings.push({ weight: 'attention', todo: { text, command: 'peer events' } });
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
      return [{ weight: 'attention', todo: { text, command: 'peer friends' } }];
    }
    const head = serial === undefined ? 'the newest version' : `serial ${serial}`;
    const text = `${shown} is based on an older version of ${visible(origin)} than ${head}, which stays published. See what differs, then publish the file as it is: peer zone push ${word}`;
    return [{ weight: 'attention', todo: { text, command: `peer zone diff ${word}` } }];
  });
}

/** A box that stopped and started again by itself is well for now, but somebody should hear why. */
function faultFindings({ facts, nowMs }: Circle): Finding[] {
  const { fault } = facts;
  if (fault === undefined || nowMs - fault.atMs >= statusLimits.faultShownMs) return [];
  const times = fault.inARow === 1 ? '' : `, ${fault.inARow} times in a row`;
  const ago = humanDuration(Math.max(0, nowMs - fault.atMs));
  const text = `A fault in ${fault.where} stopped this box ${ago} ago${times}; it started again by itself. The log has the whole fault.`;
  return [{ weight: 'attention', todo: { text, command: 'peer events' } }];
}

/** A clock far off makes invites, zones and signatures expire at the wrong time, here or there. */
function clockFindings({ facts }: Circle): Finding[] {
  const { clock } = facts;
  if (clock === undefined || Math.abs(clock.aheadMs) < statusLimits.clockOffMs) return [];
  const off = `${humanDuration(Math.abs(clock.aheadMs))} ${clock.aheadMs > 0 ? 'ahead of' : 'behind'}`;
  const whose = clock.friends === 1 ? "the only friend's" : `those of ${clock.friends} friends`;
  const text = `This box's clock is ${off} ${whose}.`;
  const isFar = Math.abs(clock.aheadMs) >= statusLimits.clockFarOffMs;
  return [{ weight: isFar ? 'danger' : 'attention', todo: { text, command: 'timedatectl' } }];
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
      return [
        { weight: 'attention', todo: { text: `${name} ${what}${since}${witnesses}${doubt}.`, command } },
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
    return [{ weight: serial === undefined ? 'danger' : 'attention', todo: { text, command } }];
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
    return [
      { weight: serial === undefined || primary.isExpired ? 'danger' : 'attention', todo: { text, command } },
    ];
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
    return [{ weight: 'danger', todo: { text, command: `peer zone show ${shellWord(origin)}` } }];
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
  return [{ weight: 'attention', todo: { text, command: `peer zone push ${shellWord(origin)}` } }];
}

function mailFindings(circle: Circle, mail: MailFacts): Finding[] {
  const { domain, owner, role, messages, oldestAtMs, backups, copies = 1, isEnded = false } = mail;
  const shown = visible(domain);
  const waitsMs = oldestAtMs === undefined ? 0 : circle.nowMs - oldestAtMs;
  const isLate = messages > 0 && waitsMs > statusLimits.mailWaitsAfterMs;
  const findings: Finding[] = [];
  if (role === 'primary' && circle.friends.size > 0 && backupsOf(circle, mail).length === 0) {
    const text = `Nobody who can be reached keeps mail for ${shown} while this box is away.`;
    findings.push({ weight: 'attention', todo: { text, command: 'peer friends' } });
  }
  if (isLate && (role === 'primary' || isThere(circle, owner))) {
    const whom = role === 'primary' ? 'your mail server' : visible(owner);
    const text = `${count(messages, 'message')} for ${shown} ${messages === 1 ? 'waits' : 'wait'} for ${whom}, the oldest for ${humanDuration(waitsMs)}.`;
    findings.push({ weight: 'attention', todo: { text, command: `peer mail flush ${shellWord(domain)}` } });
  }
  if (role === 'primary' && copies > 1 && backups.length === 1) {
    const text = `${shown} is to be kept by two friends (copies = 2), and only ${visible(backups[0] ?? '')} keeps mail for it: mail is taken with one copy.`;
    findings.push({ weight: 'attention', todo: { text, command: 'peer friends' } });
  }
  if (isEnded) {
    const text = `${count(messages, 'message')} for ${shown} ${messages === 1 ? 'is' : 'are'} still here, though this box keeps no mail for ${visible(owner)} any more: no other friend has taken ${messages === 1 ? 'it' : 'them'} yet.`;
    findings.push({ weight: 'attention', todo: { text, command: 'peer mail list --here' } });
  }
  return findings;
}

function firstSteps({ facts }: Circle): Finding[] {
  if (facts.friends.length === 0) return [];
  if ([...facts.zones, ...facts.mail].some(({ role }) => role === 'primary')) return [];
  const text = 'This box owns no zone and no mail domain yet.';
  return [{ weight: 'hint', todo: { text, command: 'peer zone add ORIGIN --file FILE' } }];
}

const gravity = { danger: 0, attention: 1, hint: 2 };

/**
 * What happens if this box dies now, how worried to be, and what to do, the gravest first. A friend whose mail lies
 * here because he is away is no finding: that is what this box is for.
 */
export function judge(facts: StatusFacts, nowMs: number): Verdict {
  const out = outOfCircle(facts);
  if (out !== undefined) return out;
  const circle = openCircle(facts, nowMs);
  const findings = [
    ...lineFindings(circle),
    ...standingFindings(circle),
    ...faultFindings(circle),
    ...apartFindings(circle),
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
    ...(facts.mailTroubles ?? []).map((todo): Finding => ({ weight: 'attention', todo })),
    ...serviceFindings(facts),
    ...awayFindings(circle),
    ...friendFindings(circle),
    ...reachFindings(circle),
    ...firstSteps(circle),
  ].sort((a, b) => gravity[a.weight] - gravity[b.weight]);
  const worst = findings[0]?.weight ?? 'hint';
  const level: VerdictLevel = worst === 'hint' ? 'ok' : worst;
  return {
    level,
    text: prognosis(circle),
    todo: findings.slice(0, statusLimits.todos).map(({ weight, todo }) => ({ weight, ...todo })),
  };
}
