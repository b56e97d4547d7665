import { formatSize, humanDuration, visible } from '@copain/core';
import { historyBar, historyWords } from './history-text.ts';
import { primaryFailingText } from './primary-text.ts';
import { servicesTable, serviceWords } from './service-text.ts';
import type {
  AwayStatus,
  FriendState,
  FriendStatus,
  HistoryStatus,
  InviteInfo,
  LineStatus,
  MailStatus,
  MessageInfo,
  StatusDocument,
  VerdictLevel,
  ZoneStatus,
} from './status-document.ts';
import { type Cell, type Paint, plainRecords, type Tone, textTable } from './text-table.ts';
import { backupsWithState, count, instant, isNewerSerial, joinNames } from './wording.ts';

/** How to write for a terminal. */
export interface TextOptions {
  nowMs: number;
  /** `ascii` where the locale is not UTF-8. */
  shapes: 'unicode' | 'ascii';
  /** Absent: no colours. */
  paint?: Paint | undefined;
}

const unpainted: Paint = (_, text) => text;

const stateShapes: Record<FriendState, { unicode: string; ascii: string; tone: Tone }> = {
  up: { unicode: '●', ascii: '[+]', tone: 'good' },
  slow: { unicode: '◐', ascii: '[~]', tone: 'warn' },
  suspect: { unicode: '◐', ascii: '[?]', tone: 'warn' },
  partial: { unicode: '◐', ascii: '[/]', tone: 'warn' },
  down: { unicode: '✖', ascii: '[x]', tone: 'bad' },
  away: { unicode: '◇', ascii: '[-]', tone: 'calm' },
  unknown: { unicode: '○', ascii: '[ ]', tone: 'dim' },
};

const verdictShapes: Record<VerdictLevel, { unicode: string; ascii: string; tone: Tone }> = {
  ok: { unicode: '●', ascii: '[+]', tone: 'good' },
  attention: { unicode: '◐', ascii: '[!]', tone: 'warn' },
  danger: { unicode: '✖', ascii: '[x]', tone: 'bad' },
};

/** The verdict in a few words. */
export function verdictTitle(status: Pick<StatusDocument, 'verdict'>): string {
  const { level, todo } = status.verdict;
  const grave = todo.filter(({ weight }) => weight !== 'hint').length;
  const things = grave === 1 ? 'one thing to look at' : `${grave} things to look at`;
  if (level === 'danger') return `Danger, ${things}`;
  if (level === 'attention') return `Look here, ${things}`;
  return 'All is well';
}

const ageSince = (time: string | null, nowMs: number): string => {
  const atMs = instant(time);
  return atMs === undefined ? '' : humanDuration(nowMs - atMs);
};

/** The age of mail held for a friend: outside the seal its time is written to the minute only. */
export const heldSince = (time: string | null, nowMs: number): string => {
  const atMs = instant(time);
  if (atMs === undefined) return '';
  return nowMs - atMs < 120_000 ? '< 2 min' : humanDuration(nowMs - atMs);
};

/** `up`, `down 5 h`, `away 2 d`: the state as a word, with its age where it is not the normal one. */
export function stateWords(friend: FriendStatus, nowMs: number): string {
  if (friend.state === 'up' || friend.state === 'unknown') return friend.state;
  const age = ageSince(friend.sinceAt, nowMs);
  return age === '' ? friend.state : `${friend.state} ${age}`;
}

/** `direct`, `via carol`, or `-` while there is no path. */
export function pathWords(friend: FriendStatus): string {
  if (friend.path === 'relayed') return friend.via === null ? 'relayed' : `via ${friend.via}`;
  return friend.path ?? '-';
}

const cell = (text: string, tone?: Tone): Cell => ({ text, tone });
const orDash = (text: string): Cell => cell(text === '' ? '-' : text);

/** `peer friends`. */
export function friendsTable(friends: readonly FriendStatus[], options: TextOptions): string {
  const { nowMs, shapes, paint = unpainted } = options;
  return textTable({
    paint,
    head: ['FRIEND', 'STATE', 'HEARD', 'PATH', 'RTT', 'I DO FOR THEM', 'THEY OFFER ME'],
    rows: friends.map((friend) => {
      const shape = stateShapes[friend.state];
      const heard = ageSince(friend.lastHeardAt, nowMs);
      return [
        cell(friend.name, 'bold'),
        cell(`${shape[shapes]} ${stateWords(friend, nowMs)}`, shape.tone),
        cell(heard === '' ? '-' : `${heard} ago`),
        cell(pathWords(friend)),
        cell(friend.rttMs === null ? '-' : `${friend.rttMs} ms`),
        orDash(friend.may.join(',')),
        orDash(friend.offers.join(',')),
      ];
    }),
  });
}

/** Which serial each friend holds, `bob 3 (old)` where it is older than ours. */
function copies(zone: ZoneStatus): string {
  const held = zone.friends.map(({ name, serial }) => {
    if (serial === null) return `${name} none`;
    return zone.serial !== null && isNewerSerial(zone.serial, serial) ? `${name} ${serial} (old)` : name;
  });
  return held.join(', ');
}

/** `peer zone list`, with each mistake of a master file below its zone. */
export function zonesTable(zones: readonly ZoneStatus[], options: TextOptions): string {
  const { nowMs, paint = unpainted } = options;
  const table = textTable({
    paint,
    head: ['ZONE', 'OWNER', 'SERIAL', 'HELD BY', 'EXPIRES IN'],
    rows: zones.map((zone) => [
      cell(zone.origin, 'bold'),
      cell(zone.role === 'primary' ? 'me' : zone.owner),
      cell(zone.serial === null ? '-' : String(zone.serial)),
      orDash(copies(zone)),
      orDash(expiry(zone, nowMs)),
    ]),
  });
  const problems = zones.flatMap((zone) => zone.problems);
  const failing = zones.flatMap(({ origin, primary }) =>
    primary?.failing ? `${visible(origin)}: ${primaryFailingText(primary, nowMs)}\n` : [],
  );
  return table + problems.map((problem) => `${problemLine(problem)}\n`).join('') + failing.join('');
}

const expiry = (zone: ZoneStatus, nowMs: number): string => {
  const atMs = instant(zone.expiresAt);
  if (atMs === undefined) return '';
  return atMs <= nowMs ? 'expired' : humanDuration(atMs - nowMs);
};

/** `FILE:LINE:COL: error: text`, as compilers say it. */
export function problemLine(problem: ZoneStatus['problems'][number]): string {
  const { file, line, column, severity, text } = problem;
  const place = line === 0 ? visible(file, 4096) : `${visible(file, 4096)}:${line}:${column}`;
  return `${place}: ${severity}: ${visible(text, 400)}`;
}

/** The mail domains of the status. */
export function mailTable(mail: readonly MailStatus[], options: TextOptions): string {
  const { nowMs, paint = unpainted } = options;
  return textTable({
    paint,
    head: ['MAIL FOR', 'OWNER', 'STATE', 'HERE', 'SIZE', 'OLDEST', 'BACKUPS'],
    rows: mail.map((domain) => [
      cell(domain.domain, 'bold'),
      cell(domain.role === 'primary' ? 'me' : domain.owner),
      cell(domain.state, domain.state === 'holding' ? 'warn' : undefined),
      cell(String(domain.messages)),
      cell(formatSize(domain.bytes)),
      orDash((domain.role === 'backup' ? heldSince : ageSince)(domain.oldestAt, nowMs)),
      orDash(backupsWithState(domain).join(', ')),
    ]),
  });
}

/** Who sent it; a message held for a friend is sealed, with the names on its envelope. */
export function senderWords(message: MessageInfo): string {
  if (message.from !== '') return message.from;
  return message.recipients.length === 0 ? 'sealed' : '<>';
}

/** `peer mail list`. */
export function messagesTable(messages: readonly MessageInfo[], options: TextOptions): string {
  const { nowMs, paint = unpainted } = options;
  return textTable({
    paint,
    head: ['ID', 'FOR', 'STATE', 'SIZE', 'AGE', 'FROM', 'HELD BY'],
    rows: messages.map((message) => [
      cell(message.id),
      cell(joinNames(message.recipients.length > 0 ? message.recipients : [message.domain])),
      cell(message.state, message.state === 'quarantined' ? 'bad' : undefined),
      cell(formatSize(message.sizeBytes)),
      orDash((message.state === 'held' ? heldSince : ageSince)(message.receivedAt, nowMs)),
      cell(senderWords(message)),
      orDash(message.heldBy.join(', ')),
    ]),
  });
}

/** `peer invite --list`. */
export function invitesTable(invites: readonly InviteInfo[], options: TextOptions): string {
  const { nowMs, paint = unpainted } = options;
  return textTable({
    paint,
    head: ['ID', 'NAME', 'STATE', 'EXPIRES IN', 'MAY'],
    rows: invites.map((invite) => {
      const left = (instant(invite.expiresAt) ?? nowMs) - nowMs;
      return [
        cell(invite.id),
        cell(invite.name, 'bold'),
        cell(invite.state, invite.state === 'open' ? 'good' : 'dim'),
        cell(invite.state === 'open' && left > 0 ? humanDuration(left) : '-'),
        orDash(invite.may.join(',')),
      ];
    }),
  });
}

/** What copain uses of the line, in words: `line ok, 1.2 kB/s sent, 300 B/s received`. */
export function lineWords(line: LineStatus): string {
  const sent = `${formatSize(Math.round(line.sentBytesPerSecond))}/s sent`;
  const received = `${formatSize(Math.round(line.receivedBytesPerSecond))}/s received`;
  const limit = line.limitBytesPerSecond === null ? '' : ` (limit ${formatSize(line.limitBytesPerSecond)}/s)`;
  const states = { ok: 'ok', cut: 'cut: no friend is heard', unknown: 'not known yet' };
  return `${states[line.state]}, ${sent}${limit}, ${received}`;
}

function verdictText(status: StatusDocument, options: TextOptions): string {
  const { shapes, paint = unpainted } = options;
  const shape = verdictShapes[status.verdict.level];
  const title = paint(shape.tone, `${shape[shapes]} ${verdictTitle(status)}`);
  const arrow = shapes === 'unicode' ? '→' : '->';
  const todo = status.verdict.todo.map(
    ({ weight, text, command }) =>
      `  ${weight === 'hint' ? '-' : '!'} ${visible(text, 600)}  ${arrow}  ${paint('bold', visible(command, 4096))}\n`,
  );
  return `${title}\n  ${visible(status.verdict.text, 2000)}\n${todo.join('')}`;
}

/** `peer status`: the verdict first, then friends, zones, mail and the line, each only where there is something. */
export function statusText(status: StatusDocument, options: TextOptions): string {
  const { nowMs, paint = unpainted } = options;
  const { ipv4, ipv6, changedAt } = status.address;
  const addresses = [ipv4, ipv6].filter((address) => address !== null).join(' ');
  const changed = changedAt === null ? '' : ` (changed ${ageSince(changedAt, nowMs)} ago)`;
  const where = addresses === '' ? '' : `  ${visible(addresses)}${changed}`;
  const up = ageSince(status.startedAt, nowMs);
  const head = `${paint('bold', visible(status.name))}${where}   agent ${visible(status.version)}, up ${up}\n`;
  const takeovers = status.takeovers.map(
    ({ by, service, name, owner }) =>
      `${visible(by)} stands in for ${visible(service)} (${visible(name)}) of ${visible(owner)}\n`,
  );
  const tables = [
    takeovers.join(''),
    status.friends.length > 0 ? friendsTable(status.friends, options) + witnesses(status) : '',
    status.zones.length > 0 ? zonesTable(status.zones, options) : '',
    status.mail.length > 0 ? mailTable(status.mail, options) : '',
    status.services.length > 0 ? servicesTable(status.services, options) : '',
    `line ${lineWords(status.line)}\n`,
  ];
  return [head + verdictText(status, options), ...tables.filter((text) => text !== '')].join('\n');
}

function witnesses(status: StatusDocument): string {
  return status.friends
    .filter(({ seenDownBy }) => seenDownBy.length > 0)
    .map(({ name, seenDownBy }) => `${visible(name)}: not heard by ${joinNames(seenDownBy, 8)}\n`)
    .join('');
}

/** `peer status NAME` and `peer friends show NAME`; undefined where there is no such friend. */
export function friendText(status: StatusDocument, name: string, options: TextOptions): string | undefined {
  const friend = status.friends.find((candidate) => candidate.name === name);
  if (!friend) return undefined;
  const { nowMs } = options;
  const zonesOfMine = status.zones.filter(
    ({ role, friends }) =>
      role === 'primary' && friends.some((held) => held.name === name && held.serial !== null),
  );
  const zonesOfHis = status.zones.filter(({ owner, role }) => owner === name && role === 'secondary');
  const mailOfMine = status.mail.filter(({ role, backups }) => role === 'primary' && backups.includes(name));
  const mailOfHis = status.mail.filter(({ owner, role }) => owner === name && role === 'backup');
  const held = mailOfHis.reduce((sum, { messages }) => sum + messages, 0);
  const list = (items: readonly string[]): string => (items.length === 0 ? 'nothing' : items.join(', '));
  const services = status.services.filter(({ owner }) => owner === name);
  const rows: [string, string][] = [
    ['state', `${stateWords(friend, nowMs)}${friend.confirmed ? '' : ' (not confirmed)'}`],
    ['heard', friend.lastHeardAt === null ? 'never' : `${ageSince(friend.lastHeardAt, nowMs)} ago`],
    ...(friend.away === null ? [] : [['says', awayWords(friend.away)] as [string, string]]),
    ...historyRows(friend.history, options),
    ['not heard by', friend.seenDownBy.length === 0 ? 'nobody' : friend.seenDownBy.join(', ')],
    ['path', `${pathWords(friend)}${friend.rttMs === null ? '' : `, ${friend.rttMs} ms`}`],
    ['I do for them', list(friend.may)],
    ['they offer me', list(friend.offers)],
    ['holds for me', list([...zonesOfMine.map(({ origin }) => origin), ...mailOfMine.map(mailName)])],
    ['I hold', list([...zonesOfHis.map(({ origin }) => origin), ...mailOfHis.map(mailName)])],
    ['mail here', count(held, 'message')],
    ['sent', trafficWords(friend, 'sentBytes')],
    ['received', trafficWords(friend, 'receivedBytes')],
    ...(friend.tookForMe === null
      ? []
      : [
          [
            'took for me',
            `${count(friend.tookForMe.messages, 'message')}, ${formatSize(friend.tookForMe.bytes)}, in all`,
          ] as [string, string],
        ]),
    ...services.flatMap((one): [string, string][] => [
      [one.service, `${one.target}: ${serviceWords(one, nowMs)}`],
      ...historyRows(one.history, options),
    ]),
    ['version', friend.version ?? 'not known'],
    ...(friend.incompatible === null ? [] : [['cannot talk', friend.incompatible] as [string, string]]),
    ['id', friend.id],
    ...(friend.boxes.length < 2
      ? []
      : friend.boxes.map((box): [string, string] => ['box', `${box.name}, ${box.state}, ${box.id}`])),
  ];
  const lines = rows.map(([label, value]) => `  ${label.padEnd(15)}${visible(value, 1000)}\n`);
  return `${(options.paint ?? unpainted)('bold', visible(friend.name))}\n${lines.join('')}`;
}

function historyRows(history: HistoryStatus | null, { shapes }: TextOptions): [string, string][] {
  if (history === null) return [];
  return [
    ['was up', historyWords(history)],
    ['last 30 days', historyBar(history, shapes)],
  ];
}

/** `away since 2026-11-22 until 2026-11-29: in Brittany`. */
function awayWords({ since, until, note }: AwayStatus): string {
  const end = until === null ? '' : ` until ${until.slice(0, 10)}`;
  return `away since ${since.slice(0, 10)}${end}${note === null ? '' : `: ${note}`}`;
}

/** `control 1.2 kB, bulk 3.0 MB`: what there was of each class since the agent started. */
function trafficWords(friend: FriendStatus, direction: 'sentBytes' | 'receivedBytes'): string {
  const used = (friend.line ?? []).filter((one) => one[direction] > 0);
  if (used.length === 0) return 'nothing';
  return used.map((one) => `${one.class} ${formatSize(one[direction])}`).join(', ');
}

const mailName = ({ domain }: MailStatus): string => `mail for ${domain}`;

/** `peer status --plain`: one tab-separated record a line, its kind first; `-` stands for what is not known. */
export function statusPlain(status: StatusDocument): string {
  return plainRecords([
    ['verdict', status.verdict.level, status.verdict.text],
    ...status.verdict.todo.map(({ text, command }) => ['todo', text, command]),
    ...status.friends.map((friend) => [
      'friend',
      friend.name,
      friend.state,
      friend.sinceAt,
      friend.lastHeardAt,
      friend.rttMs,
      friend.path,
      friend.via,
      friend.may.join(',') || null,
    ]),
    ...status.zones.map((zone) => ['zone', zone.origin, zone.owner, zone.role, zone.serial, zone.expiresAt]),
    ...status.zones.flatMap((zone) =>
      zone.friends.map(({ name, serial, heardAt }) => ['copy', zone.origin, name, serial, heardAt]),
    ),
    ...status.mail.map((mail) => [
      'mail',
      mail.domain,
      mail.owner,
      mail.role,
      mail.state,
      mail.messages,
      mail.bytes,
      mail.oldestAt,
    ]),
    ...status.services.map(({ owner, service, target, state, sinceAt, upBy, downBy, inside }) => [
      'service',
      owner,
      service,
      target,
      state,
      sinceAt,
      upBy.join(',') || null,
      downBy.join(',') || null,
      inside,
    ]),
    ['line', status.line.state, status.line.sentBytes, status.line.receivedBytes],
  ]);
}
