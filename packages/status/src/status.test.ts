import { gzipSync } from 'node:zlib';
import { isoTime } from '@copain/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { FriendFacts, MailFacts, StatusFacts, ZoneFacts } from './facts.ts';
import { statusLimits } from './limits.ts';
import { metricsText } from './metrics.ts';
import { renderPage } from './page.ts';
import { buildStatus } from './status.ts';
import type { StatusDocument } from './status-document.ts';
import { upFriend } from './testing.ts';
import { friendText, messagesTable, statusPlain, statusText } from './text.ts';

const nowMs = Date.UTC(2026, 10, 22, 12, 0, 0);
const hour = 3_600_000;
const day = 24 * hour;

const friend = (name: string, change: Partial<FriendFacts> = {}): FriendFacts =>
  upFriend(name, nowMs, { sinceAtMs: nowMs - day, lastHeardAtMs: nowMs - 4000, rttMs: 11.24, ...change });
const ownZone = (origin: string, change: Partial<ZoneFacts> = {}): ZoneFacts => ({
  origin,
  owner: 'alice',
  role: 'primary',
  serial: 2026112204,
  expiresAtMs: nowMs + 41 * day + hour,
  friends: ['bob', 'carol'].map((name) => ({ name, serial: 2026112204, heardAtMs: nowMs - hour })),
  file: `/b/${origin}.zone`,
  problems: [],
  fileSerial: undefined,
  held: undefined,
  ...change,
});
const ownMail = (domain: string, change: Partial<MailFacts> = {}): MailFacts => ({
  domain,
  owner: 'alice',
  role: 'primary',
  state: 'live',
  messages: 0,
  bytes: 0,
  oldestAtMs: undefined,
  alsoHeldBy: [],
  backups: ['bob', 'carol'],
  ...change,
});
const factsOf = (change: Partial<StatusFacts> = {}): StatusFacts => ({
  name: 'alice',
  id: '12D3Koo-alice',
  version: '0.1.0',
  startedAtMs: nowMs - 12 * day,
  address: { ipv4: '203.0.113.7', ipv6: undefined, changedAtMs: nowMs - 2 * hour },
  clock: { aheadMs: 120, friends: 2 },
  friends: [friend('bob'), friend('carol')],
  zones: [ownZone('alice.example')],
  mail: [ownMail('alice.example')],
  takeovers: [],
  standing: { maySign: true, found: undefined, by: undefined, foundAtMs: undefined, waiting: [] },
  membership: { state: 'member', by: [], atMs: undefined },
  line: {
    state: 'ok',
    sentBytes: 2048,
    receivedBytes: 1024,
    sentBytesPerSecond: 37,
    receivedBytesPerSecond: 37,
    limitBytesPerSecond: 16_000,
  },
  events: [{ atMs: nowMs - hour, kind: 'zone.updated', text: 'alice.example is at serial 2026112204' }],
  ...change,
});
const statusOf = (change: Partial<StatusFacts> = {}): StatusDocument => buildStatus(factsOf(change), nowMs);
const commands = (status: StatusDocument): string[] => status.verdict.todo.map(({ command }) => command);

it('a friend with whom no protocol version is shared is something to do', () => {
  const incompatible = 'bob speaks version 3 of the sync protocol, this box 2 and 1: update copain here.';
  const status = statusOf({ friends: [friend('bob', { state: 'unknown', incompatible })] });
  expect(status.friends[0]?.incompatible).toBe(incompatible);
  expect(status.verdict.todo).toContainEqual({
    weight: 'attention',
    text: incompatible,
    command: 'peer version --friends',
  });
});

it('tells for a day of a fault that stopped the box', () => {
  const at = (agoMs: number, inARow = 1): string[] =>
    statusOf({ fault: { atMs: nowMs - agoMs, where: 'mail', inARow } }).verdict.todo.map(({ text }) => text);
  expect(at(180_000)).toEqual([
    'A fault in mail stopped this box 3 min ago; it started again by itself. The log has the whole fault.',
  ]);
  expect(at(180_000, 4)[0]).toContain('3 min ago, 4 times in a row; it started again by itself');
  expect(at(statusLimits.faultShownMs)).toEqual([]);
});

it('says how far the clock is off, and how grave that is', () => {
  expect(commands(statusOf({ clock: { aheadMs: 59_999, friends: 2 } }))).not.toContain('timedatectl');
  const off = statusOf({ clock: { aheadMs: -120_000, friends: 1 } });
  expect(off.verdict).toMatchObject({
    level: 'attention',
    todo: [{ text: "This box's clock is 2 min behind the only friend's.", command: 'timedatectl' }],
  });
  const farOff = statusOf({ clock: { aheadMs: 7 * 60_000, friends: 3 } });
  expect(farOff.verdict).toMatchObject({
    level: 'danger',
    todo: [{ text: "This box's clock is 7 min ahead of those of 3 friends." }],
  });
});

it('a box that is not in its circle any more says so before all else, why, and what to do', () => {
  const quiet = { friends: [friend('bob', { state: 'down', confirmed: true })] };
  const revoked = statusOf({ ...quiet, membership: { state: 'revoked', by: [], atMs: undefined } });
  expect(revoked.verdict.level).toBe('danger');
  expect(revoked.verdict.text).toMatch(
    /^This box was revoked by its owner: no friend takes anything from it/,
  );
  expect(revoked.verdict.todo).toEqual([
    { weight: 'danger', text: expect.stringContaining('peer box add'), command: 'peer key show' },
  ]);

  const removed = statusOf({
    ...quiet,
    membership: { state: 'removed', by: ['bob', 'eve\u202e'], atMs: nowMs - 12 * day },
  });
  expect(removed.verdict.text).toContain(
    `by bob and eve\\u{202e} on ${isoTime(nowMs - 12 * day).slice(0, 10)}, for good`,
  );
  expect(removed.verdict.text).toContain('alice.example is answered by this box alone');
  expect(removed.verdict.todo).toMatchObject([{ weight: 'danger', command: 'peer join' }]);

  const taken = statusOf({
    ...quiet,
    zones: [],
    mail: [],
    membership: { state: 'invite-taken', by: [], atMs: undefined },
  });
  expect(taken.verdict.todo).toMatchObject([{ weight: 'danger', command: 'peer join' }]);
  expect(taken.verdict.text).not.toContain('this box alone');

  const apart = statusOf({ membership: { state: 'member', by: ['carol'], atMs: undefined } });
  expect(apart.verdict).toMatchObject({
    level: 'attention',
    todo: [
      {
        text: expect.stringContaining('carol removed you from the circle for himself'),
        command: 'peer events',
      },
    ],
  });
});

it('says first what happens if this box dies now', () => {
  const { verdict } = statusOf();
  expect(verdict).toEqual({
    level: 'ok',
    text: 'If this box dies now: alice.example stays answered by bob and carol for 41 d; mail for alice.example is kept by bob and carol.',
    todo: [],
  });
});

it('puts zones with the same holders together, and the shortest life counts', () => {
  const { verdict } = statusOf({
    zones: [
      ownZone('a.example'),
      ownZone('b.example', { expiresAtMs: nowMs + 3 * day }),
      ownZone('c.example', { friends: [{ name: 'bob', serial: 1, heardAtMs: nowMs }], serial: 1 }),
    ],
    mail: [],
  });
  expect(verdict.text).toBe(
    'If this box dies now: a.example and b.example stay answered by bob and carol for 3 d; c.example stays answered by bob for 41 d.',
  );
});

it('a box without friends is told to invite one', () => {
  const status = statusOf({ friends: [], zones: [ownZone('alice.example', { friends: [] })], mail: [] });
  expect(status.verdict.level).toBe('attention');
  expect(status.verdict.text).toBe('If this box dies now: alice.example is answered by nobody.');
  expect(commands(status)).toEqual(['peer invite NAME']);
});

it('does not count on friends who are down or away, and names who is', () => {
  const bob = friend('bob', {
    state: 'down',
    sinceAtMs: nowMs - 5 * hour,
    seenDownBy: ['carol'],
    confirmed: false,
  });
  const status = statusOf({ friends: [bob, friend('carol', { state: 'away' })] });
  expect(status.verdict.level).toBe('danger');
  expect(status.verdict.text).toContain('alice.example is answered by nobody');
  expect(status.verdict.text).toContain('mail for alice.example is kept by nobody');
  expect(commands(status)).toEqual(['peer zone show alice.example', 'peer friends', 'peer friends show bob']);
  expect(status.verdict.todo[2]?.text).toBe('bob is down for 5 h, seen by carol (not confirmed by others).');
});

it('a friend who is there but has no copy yet does not count, and is not called unreachable', () => {
  const friends = [{ name: 'bob', serial: undefined, heardAtMs: undefined }];
  const { verdict } = statusOf({ zones: [ownZone('alice.example', { friends })], mail: [] });
  expect(verdict).toMatchObject({
    level: 'danger',
    text: 'If this box dies now: alice.example is answered by nobody.',
    todo: [{ text: 'No friend who can be reached has a copy of alice.example yet.' }],
  });
});

it('right after the start friends not heard yet are presumed to be there, later not', () => {
  const friends = [friend('bob', { state: 'unknown' }), friend('carol', { state: 'unknown' })];
  const young = { friends, startedAtMs: nowMs - statusLimits.startGraceMs + 1 };
  expect(statusOf(young).verdict.level).toBe('ok');
  expect(statusOf({ friends }).verdict.level).toBe('danger');
});

it('a mistake in a master file is shown with its place and the command to check it', () => {
  const problems = [
    { severity: 'warning' as const, file: '/b/z', line: 1, column: 1, text: 'old style' },
    { severity: 'error' as const, file: '/b/my zone', line: 7, column: 3, text: 'no such type: AAAAA' },
    { severity: 'error' as const, file: '/b/z', line: 9, column: 3, text: 'again' },
  ];
  const status = statusOf({ zones: [ownZone('alice.example', { file: '/b/my zone', problems })] });
  expect(status.verdict.level).toBe('attention');
  expect(status.verdict.todo).toEqual([
    {
      weight: 'attention',
      text: '/b/my zone:7:3: no such type: AAAAA (and 1 more); serial 2026112204 stays served for alice.example.',
      command: "peer zone check '/b/my zone' alice.example",
    },
  ]);
  const none = statusOf({ zones: [ownZone('alice.example', { serial: undefined, problems })] });
  expect(none.verdict.level).toBe('danger');
  expect(none.verdict.todo[0]?.text).toContain('nothing is served yet');
});

it('an old copy counts only when it is old for a while, by RFC 1982 arithmetic', () => {
  const behind = (heardAtMs: number, serial: number) =>
    statusOf({
      zones: [ownZone('alice.example', { serial: 5, friends: [{ name: 'bob', serial, heardAtMs }] })],
    });
  expect(commands(behind(nowMs - hour, 4))).toEqual(['peer zone push alice.example']);
  expect(commands(behind(nowMs - hour, 4_294_967_290))).toEqual(['peer zone push alice.example']);
  expect(commands(behind(nowMs - 1000, 4))).toEqual([]);
  expect(commands(behind(nowMs - hour, 6))).toEqual([]);
});

it('mail kept for a friend who is away is no to-do, mail that its owner could have is', () => {
  const held = { owner: 'bob', role: 'backup' as const, messages: 37, oldestAtMs: nowMs - 5 * hour };
  const status = (state: FriendFacts['state']) =>
    statusOf({ friends: [friend('bob', { state }), friend('carol')], mail: [ownMail('bob.example', held)] });
  expect(commands(status('down'))).toEqual(['peer friends show bob']);
  expect(commands(status('up'))).toEqual(['peer mail flush bob.example']);
  const mine = statusOf({ mail: [ownMail('alice.example', { messages: 1, oldestAtMs: nowMs - hour })] });
  expect(mine.verdict.todo[0]?.text).toBe(
    '1 message for alice.example waits for your mail server, the oldest for 60 min.',
  );
});

it('mail that this box keeps no more, and mail that one friend alone keeps against its owner’s wish, are to-dos', () => {
  const ended = { owner: 'bob', role: 'backup' as const, messages: 2, isEnded: true };
  const status = statusOf({
    friends: [friend('bob', { state: 'down' }), friend('carol')],
    mail: [
      ownMail('bob.example', ended),
      ownMail('alice.example', { copies: 2, backups: ['carol'] }),
      ownMail('two.example', { copies: 2 }),
      ownMail('one.example', { copies: 1, backups: ['carol'] }),
    ],
  });
  const texts = status.verdict.todo.map(({ text }) => text);
  expect(texts).toContainEqual(expect.stringMatching(/^2 messages for bob\.example are still here/));
  expect(texts.filter((text) => text.includes('copies = 2'))).toEqual([
    expect.stringMatching(/^alice\.example is to be kept by two friends .* only carol keeps mail/),
  ]);
});

it('a removed box says what mail of others is still on it, and how it gets to its owner', () => {
  const status = statusOf({
    zones: [],
    mail: [ownMail('bob.example', { owner: 'bob', role: 'backup', messages: 1, isEnded: true })],
    membership: { state: 'removed', by: ['carol'], atMs: nowMs },
  });
  expect(status.verdict.todo.map(({ text }) => text)).toContainEqual(
    expect.stringMatching(/^1 message for bob\.example is still here, sealed to bob, .*--format age/),
  );
});

it('when the own line is cut, that is said, and nobody is called down', () => {
  const line = { ...factsOf().line, state: 'cut' as const };
  const status = statusOf({
    line,
    friends: [friend('bob', { state: 'down' }), friend('carol', { state: 'down' })],
  });
  expect(status.verdict.level).toBe('danger');
  expect(status.verdict.todo[0]?.text).toMatch(/own line/);
  expect(status.verdict.todo.some(({ text }) => text.startsWith('bob is down'))).toBe(false);
});

it("a friend's zone that nobody refreshes is announced at a quarter of its time, and once more when it ended", () => {
  const zone = (agedPercent: number, leftMs: number, origin = 'bob.example') =>
    ownZone(origin, {
      owner: 'bob',
      role: 'secondary',
      expiresAtMs: nowMs + leftMs,
      agedPercent,
      friends: [],
      file: undefined,
    });
  expect(statusOf({ zones: [zone(0, 35 * day)] }).verdict.level).toBe('ok');
  const aged = statusOf({ zones: [zone(25, 31 * day), zone(75, 9 * day, 'b.example')] }).verdict;
  expect(aged.level).toBe('attention');
  expect(aged.todo).toMatchObject([
    { text: 'bob.example and b.example of bob were not refreshed and are answered for 9 d more.' },
  ]);
  const over = statusOf({ zones: [zone(100, -1)] }).verdict;
  expect(over.level).toBe('danger');
  expect(over.todo).toMatchObject([
    {
      text: "bob.example of bob was not refreshed and is no longer answered (SERVFAIL) until bob's box is heard.",
      command: 'peer friends show bob',
    },
  ]);
});

it('a copy of a zone of ours that had no word for long is said; that every copy is close to its end is danger', () => {
  const copies = (...aged: number[]) =>
    ['bob', 'carol'].map((name, index) => ({
      name,
      serial: 2026112204,
      heardAtMs: nowMs - hour,
      agedPercent: aged[index] ?? 0,
      expiresAtMs: nowMs + (100 - (aged[index] ?? 0)) * 10 * hour,
    }));
  const verdictOf = (...aged: number[]) =>
    statusOf({ zones: [ownZone('alice.example', { friends: copies(...aged) })] }).verdict;
  expect(verdictOf(0, 0).level).toBe('ok');
  expect(verdictOf(75, 0)).toMatchObject({
    level: 'attention',
    todo: [
      {
        text: "bob's copy of alice.example had no word from this box for long: he answers it for 10 d more.",
      },
    ],
  });
  expect(verdictOf(100, 50)).toMatchObject({
    level: 'attention',
    todo: [
      {
        text: "bob's copy of alice.example had no word from this box for too long: he does not answer it any more.",
      },
      {
        text: "carol's copy of alice.example had no word from this box for long: he answers it for 20 d more.",
      },
    ],
  });
  expect(verdictOf(75, 75).level).toBe('danger');
  const away = statusOf({
    friends: [friend('bob', { state: 'down', confirmed: true }), friend('carol')],
    zones: [ownZone('alice.example', { friends: copies(75, 0) })],
  });
  expect(commands(away)).toEqual(['peer friends show bob']);
  const page = (status: StatusDocument) => renderPage(status, { nonce: 'n', refreshMs: 10_000 });
  expect(page(away)).toContain('ends in 10 d');
  expect(page(statusOf())).not.toContain('ends in');
});

it('a serial in the file that was set back far is a hint; one that is not raised with each change is none', () => {
  const zone = (serial: number, fileSerial: number | undefined) =>
    statusOf({
      zones: [
        ownZone('alice.example', {
          serial,
          fileSerial,
          friends: [{ name: 'bob', serial, heardAtMs: nowMs - hour }],
        }),
      ],
    }).verdict;
  for (const [serial, fileSerial] of [
    [5, 5],
    [5, 6],
    [104, 5],
    [3, 4_294_967_290],
    [5, undefined],
  ] as const)
    expect(zone(serial, fileSerial).todo).toEqual([]);
  for (const [serial, fileSerial] of [
    [2026112203, 2026112103],
    [2 ** 31 + 5, 5],
    [105, 5],
  ] as const) {
    expect(zone(serial, fileSerial)).toMatchObject({
      level: 'ok',
      todo: [{ command: 'peer zone show alice.example' }],
    });
    expect(zone(serial, fileSerial).todo[0]?.text).toContain(
      `The SOA serial ${fileSerial} in /b/alice.example.zone was set back: ${serial} is served`,
    );
  }
});

it('hints do not worry: a friend for whom nothing is done yet', () => {
  const { verdict } = statusOf({ friends: [friend('bob'), friend('carol', { may: ['witness'] })] });
  expect(verdict.level).toBe('ok');
  expect(verdict.todo).toMatchObject([{ weight: 'hint', command: 'peer friends may carol +dns +mail' }]);
  const worried = statusOf({
    friends: [friend('bob', { state: 'down' }), friend('carol', { may: ['witness'] })],
  });
  const shown = statusText(worried, { nowMs, shapes: 'unicode' });
  expect(shown).toMatch(
    /Look here, one thing to look at\n[\s\S]*\n {2}! bob is down[\s\S]*\n {2}- This box offers carol/,
  );
});

it('the document has the promised form: times as text, unknown as null', () => {
  const status = statusOf({
    friends: [friend('bob', { rttMs: undefined, path: undefined, lastHeardAtMs: undefined })],
  });
  expect(Object.keys(status)[0]).toBe('schema');
  expect(status).toMatchObject({
    schema: 'peer.status/1',
    startedAt: '2026-11-10T12:00:00.000Z',
    at: '2026-11-22T12:00:00.000Z',
    address: { ipv4: '203.0.113.7', ipv6: null, changedAt: '2026-11-22T10:00:00.000Z' },
    friends: [{ name: 'bob', rttMs: null, path: null, lastHeardAt: null, via: null }],
    line: { limitBytesPerSecond: 16_000 },
  });
  expect(JSON.parse(JSON.stringify(status))).toEqual(status);
});

it('events are the newest first, and bounded', () => {
  const events = Array.from({ length: 80 }, (_, n) => ({
    atMs: nowMs - n * 1000,
    kind: 'k',
    text: String(n),
  }));
  const status = statusOf({ events: events.reverse() });
  expect(status.events).toHaveLength(statusLimits.events);
  expect(status.events[0]?.text).toBe('0');
});

it('to-dos and rows of the page are bounded', () => {
  const friends = Array.from({ length: 250 }, (_, n) => friend(`f${n}`, { state: 'down' }));
  const status = statusOf({ friends, zones: [], mail: [] });
  expect(status.verdict.todo).toHaveLength(statusLimits.todos);
  expect(renderPage(status, { nonce: 'n', refreshMs: 30_000 })).toContain('And 50 more');
});

it('the terminal shows the verdict before the tables, a word beside each shape, and no trailing spaces', () => {
  const status = statusOf({
    friends: [friend('bob', { state: 'down', seenDownBy: ['carol'] }), friend('carol')],
  });
  const text = statusText(status, { nowMs, shapes: 'unicode' });
  expect(text.indexOf('If this box dies now')).toBeLessThan(text.indexOf('FRIEND'));
  expect(text).toMatch(/bob {5}✖ down 24 h/);
  expect(text).toMatch(/carol {3}● up/);
  expect(text).toContain('bob: not heard by carol');
  expect(text).not.toMatch(/ \n/);
  const ascii = statusText(status, { nowMs, shapes: 'ascii' });
  expect(ascii).toMatch(/^[\x20-\x7e\n]*$/);
  expect(friendText(status, 'bob', { nowMs, shapes: 'ascii' })).toContain(
    'holds for me   alice.example, mail for alice.example',
  );
  expect(friendText(status, 'nobody', { nowMs, shapes: 'ascii' })).toBeUndefined();
});

it('plain output is one tab-separated record a line', () => {
  const lines = statusPlain(statusOf()).trimEnd().split('\n');
  expect(lines[0]?.split('\t').slice(0, 2)).toEqual(['verdict', 'ok']);
  expect(lines).toContain(
    'friend\tbob\tup\t2026-11-21T12:00:00.000Z\t2026-11-22T11:59:56.000Z\t11.2\tdirect\t-\tdns,mail',
  );
  expect(lines).toContain('copy\talice.example\tcarol\t2026112204\t2026-11-22T11:00:00.000Z');
});

const hostile = '<script>alert(1)</script>"\'&\u202e\u001b[31m\n\t\u0000';

const hostileStatus = (text: string): StatusDocument =>
  statusOf({
    name: text,
    version: text,
    address: { ipv4: text, ipv6: text, changedAtMs: nowMs },
    friends: [
      friend(text, {
        state: 'down',
        seenDownBy: [text],
        may: [text],
        offers: [text],
        via: text,
        path: 'relayed',
        version: text,
      }),
    ],
    zones: [
      ownZone(text, {
        owner: text,
        problems: [{ severity: 'error', file: text, line: 1, column: 1, text }],
        friends: [{ name: text, serial: 1, heardAtMs: nowMs - day }],
      }),
    ],
    mail: [ownMail(text, { owner: text, backups: [text], alsoHeldBy: [text], messages: 1, oldestAtMs: 0 })],
    takeovers: [{ owner: text, service: text, name: text, by: text, sinceAtMs: nowMs, votes: [text] }],
    events: [{ atMs: nowMs, kind: text, text }],
  });

it('names from outside can neither write markup into the page nor move the cursor of the terminal', () => {
  fc.assert(
    fc.property(fc.oneof(fc.constant(hostile), fc.string({ unit: 'binary', maxLength: 60 })), (text) => {
      const status = hostileStatus(text);
      const page = renderPage(status, { nonce: 'n', refreshMs: 30_000 });
      const harmless = renderPage(hostileStatus('x'), { nonce: 'n', refreshMs: 30_000 });
      const tags = (markup: string) =>
        [...markup.matchAll(/<[^>]*>?/g)].map(([tag]) => tag.split(/[\s>]/)[0]).join(' ');
      expect(tags(page)).toBe(tags(harmless));
      expect(page).not.toContain('\u202e');
      const terminal = statusText(status, { nowMs, shapes: 'unicode' }) + statusPlain(status);
      expect(terminal.replaceAll(/[\n\t]/g, '')).not.toMatch(/\p{Cc}|[\u202a-\u202e]/u);
      expect(terminal.split('\n').length).toBe(
        (
          statusText(hostileStatus('x'), { nowMs, shapes: 'unicode' }) + statusPlain(hostileStatus('x'))
        ).split('\n').length,
      );
    }),
    { numRuns: 50 },
  );
});

it('mail held for a friend is shown as what it is: sealed, its time known to the minute', () => {
  const message = {
    id: 'm',
    domain: 'bob.example',
    from: '',
    recipients: [],
    sizeBytes: 9,
    receivedAt: isoTime(nowMs - 47_000),
    heldBy: ['alice'],
    state: 'held' as const,
  };
  const options = { nowMs, shapes: 'unicode' as const };
  expect(messagesTable([message], options)).toMatch(/\n.* < 2 min +sealed +alice\n$/);
  const bounce = { ...message, state: 'queued' as const, recipients: ['me@alice.example'] };
  expect(messagesTable([bounce], options)).toMatch(/\n.* 47 s +<> +alice\n$/);
});

it('the page says the state in its title, its words and its shapes, and how old it is', () => {
  const page = renderPage(statusOf({ friends: [friend('bob', { state: 'down' }), friend('carol')] }), {
    nonce: 'abc',
    refreshMs: 30_000,
  });
  expect(page).toContain('<title>Look here, one thing to look at – alice – copain</title>');
  expect(page).toContain('as of <time datetime="2026-11-22T12:00:00.000Z">2026-11-22 12:00:00 UTC</time>');
  expect(page).toContain('<meta http-equiv="refresh" content="30">');
  expect(page).toContain('down 24 h');
  expect(page).toContain('<style nonce="abc">');
  expect(page).not.toMatch(/ style=|<script|https?:\/\//);
  for (const [, id] of page.matchAll(/aria-labelledby="([^"]+)"/g)) expect(page).toContain(`id="${id}"`);
  expect(page.match(/<table/g)?.length).toBe(page.match(/<caption>/g)?.length);
});

it('the page says the verdict in the text of the document, before friends, zones, mail and line, each with its table', () => {
  const status = statusOf({ friends: [friend('bob'), friend('carol')] });
  const page = renderPage(status, { nonce: 'n', refreshMs: 30_000 });
  const inOrder = [
    `<p>${status.verdict.text}</p>`,
    'id="friends">',
    'scope="row">bob<',
    'id="zones">',
    'scope="row">alice.example<',
    'id="mail">',
    'scope="row">alice.example<',
    'id="line">',
  ];
  let at = 0;
  for (const part of inOrder) {
    const found = page.indexOf(part, at);
    expect([part, found >= at]).toEqual([part, true]);
    at = found + part.length;
  }
});

it('the page of a circle of five with five zones is below 10 kB gzip', () => {
  const names = ['bob', 'carol', 'dave', 'erin'];
  const friends = names.map((name) => friend(name));
  const copies = names.map((name) => ({ name, serial: 2026112204, heardAtMs: nowMs }));
  const zones = ['alice', ...names].map((name) => ownZone(`${name}.example`, { friends: copies }));
  const mail = ['alice', ...names].map((name) => ownMail(`${name}.example`));
  const page = renderPage(statusOf({ friends, zones, mail }), { nonce: 'abc', refreshMs: 30_000 });
  expect(gzipSync(page).length).toBeLessThan(10_000);
});

it('metrics have the promised names, escaped labels, and no sample for what is not known', () => {
  const status = statusOf({
    friends: [
      friend('bob', {
        lastHeardAtMs: undefined,
        line: [{ class: 'bulk', sentBytes: 5000, receivedBytes: 70 }],
      }),
      friend('a"\\\nb', { state: 'down' }),
    ],
    takeovers: [{ owner: 'alice', service: 'web', name: 'w', by: 'bob', sinceAtMs: nowMs, votes: [] }],
  });
  const text = metricsText({
    status,
    nowMs,
    counters: {
      dnsQueries: [{ rcode: 'NOERROR', transport: 'udp', count: 7 }],
      dnsLimited: [{ action: 'dropped', count: 3 }],
      dnsTransfers: [{ kind: 'ixfr', count: 4 }],
      zonesReceived: [{ kind: 'ixfr', count: 2, bytes: 700 }],
      mailAccepted: [{ domain: 'alice.example', count: 2 }],
      mailDelivered: [{ domain: 'alice.example', count: 1 }],
      mailRaw: [{ friend: 'alice', outcome: 'passed', count: 3 }],
      lineBytes: [{ direction: 'sent', class: 'control', bytes: 99 }],
      refused: [{ step: 'envelope', count: 3 }],
      residentMemoryBytes: 1e8,
    },
  });
  const samples = text.split('\n').filter((line) => !line.startsWith('#'));
  expect(samples).toEqual(
    expect.arrayContaining([
      'copain_friend_up{friend="bob"} 1',
      'copain_refused_total{step="envelope"} 3',
      'copain_friend_line_bytes_total{friend="bob",direction="sent",class="bulk"} 5000',
      'copain_friend_line_bytes_total{friend="bob",direction="received",class="bulk"} 70',
      'copain_friend_up{friend="a\\"\\\\\\nb"} 0',
      'copain_friend_rtt_seconds{friend="bob"} 0.0112',
      'copain_zone_serial{origin="alice.example"} 2026112204',
      `copain_zone_expire_seconds{origin="alice.example"} ${(41 * day + hour) / 1000}`,
      'copain_dns_queries_total{rcode="NOERROR",transport="udp"} 7',
      'copain_mail_held_messages{domain="alice.example"} 0',
      'copain_mail_held_bytes{domain="alice.example"} 0',
      'copain_mail_accepted_total{domain="alice.example"} 2',
      'copain_mail_delivered_total{domain="alice.example"} 1',
      'copain_mail_raw_connections_total{friend="alice",outcome="passed"} 3',
      'copain_takeover_active{owner="alice",service="web"} 1',
      'copain_line_bytes_total{direction="sent",class="control"} 99',
      'process_resident_memory_bytes 100000000',
    ]),
  );
  expect(text).not.toContain('copain_friend_last_heard_timestamp_seconds{friend="bob"}');
  for (const sample of samples.filter((line) => line !== '')) {
    expect(sample).toMatch(/^[a-z_]+(\{([a-z]+="([^"\\\n]|\\["\\n])*",?)+\})? -?[\d.e+]+$/);
    expect(text).toContain(`# TYPE ${sample.split(/[{ ]/)[0]} `);
  }
});
