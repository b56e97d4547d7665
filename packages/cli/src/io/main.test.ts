import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { isoTime } from '@copain/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cliLimits } from '../limits.ts';
import { main } from './main.ts';

interface Request {
  id: number;
  command: string;
  args: Record<string, unknown>;
}
/** Answers one request with lines without their id; undefined: hangs up. */
type Agent = (request: Request) => object[] | undefined;

let home = '';
let server: Server | undefined;
let requests: Request[] = [];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'copain-cli-'));
  requests = [];
});
afterEach(async () => {
  const running = server;
  server = undefined;
  if (running) await new Promise((resolve) => running.close(resolve));
  await rm(home, { recursive: true });
});

async function startAgent(agent: Agent): Promise<void> {
  const started = createServer((socket) => {
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('data', (line: string) => {
      const request = JSON.parse(line) as Request;
      requests.push(request);
      const answers = agent(request);
      if (!answers) socket.destroy();
      for (const answer of answers ?? []) socket.write(`${JSON.stringify({ id: request.id, ...answer })}\n`);
    });
  });
  server = started;
  await new Promise<void>((resolve) => started.listen(join(home, 'peer.sock'), resolve));
}

const collect = () => {
  let text = '';
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  return { stream, text: () => text };
};

async function peer(argv: string[], options: { stdin?: string; signal?: AbortSignal } = {}) {
  const stdout = collect();
  const stderr = collect();
  const exit = await main(argv, {
    env: { PEER_HOME: home, LANG: 'C' },
    cwd: home,
    uid: 1000,
    stdin: Readable.from([options.stdin ?? '']),
    stdout: stdout.stream,
    stderr: stderr.stream,
    interrupted: options.signal ?? new AbortController().signal,
    version: '0.1.0',
  });
  return { exit, out: stdout.text(), err: stderr.text() };
}

const writeConfig = (text: string) => writeFile(join(home, 'peer.toml'), text);
const configText = () => readFile(join(home, 'peer.toml'), 'utf8');
const ok: Agent = () => [{ result: {} }];

it('usage errors are 64, and a typing mistake gets a suggestion', async () => {
  for (const wrong of [
    [],
    ['zone'],
    ['nonsense'],
    ['zone', 'list', '--nonsense'],
    ['zone', 'add'],
    ['wait'],
    ['friends', 'show'],
    ['doctor', 'line'],
    ['doctor', 'line', 'bob', '--for', 'long'],
    ['invite', 'Bob X'],
    ['wait', '--for', 'friend:'],
    ['wait', '--for', 'raedy'],
  ])
    expect([wrong, (await peer(wrong)).exit]).toEqual([wrong, 64]);
  expect((await peer(['stauts'])).err).toContain('Did you mean status?');
  expect((await peer(['join', 'peer1-secret'])).err).toContain('--code-file');
  expect((await peer(['wait', '--for', 'ready', '--timeout', 'soon'])).exit).toBe(64);
  expect((await peer(['events', '--since', 'once'])).exit).toBe(64);
  expect((await peer(['invite', 'bob', '--may', 'fly'])).exit).toBe(64);
});

it('every command has help with examples before everything else', async () => {
  /** Names in all sections of a help but those of arguments and options. */
  const commands = (text: string): string[] =>
    text
      .split(/^(?=\S)/m)
      .filter((section) => !/^(Examples|Usage|Arguments|Options|Global Options):/.test(section))
      .flatMap((section) => [...section.matchAll(/^ {2}([a-z]+)\b/gm)].map(([, name = '']) => name))
      .filter((name) => name !== 'help');
  const visit = async (path: string[]): Promise<number> => {
    const help = await peer([...path, '--help']);
    expect(help.exit).toBe(0);
    const below = path.length < 3 ? commands(help.out) : [];
    expect([path, help.out.startsWith('Examples:\n  peer ')]).toEqual([path, true]);
    let count = 1;
    for (const name of below) count += await visit([...path, name]);
    return count;
  };
  expect(await visit([])).toBeGreaterThan(30);
});

it('says what to do where no agent runs (69), and where there is no box (78)', async () => {
  const noAgent = await peer(['status']);
  expect(noAgent).toMatchObject({ exit: 69, out: '' });
  expect(noAgent.err).toContain('try: peer up');
  expect(await peer(['config', 'check'])).toMatchObject({ exit: 78 });
  expect(await peer(['config', 'check', 'nowhere.toml'])).toMatchObject({ exit: 74 });
  expect(await peer(['stop'])).toEqual({
    exit: 69,
    out: '',
    err: 'peer: no agent is running for this box\n',
  });
});

it('an answer goes to stdout, as text or as one document whose first key is its schema', async () => {
  const friend = {
    name: 'bob',
    id: 'id',
    state: 'up',
    confirmed: true,
    sinceAt: null,
    lastHeardAt: isoTime(0),
  };
  const more = {
    rttMs: null,
    path: null,
    via: null,
    seenDownBy: [],
    may: ['dns'],
    offers: [],
    version: null,
  };
  await startAgent(({ command }) =>
    command === 'friends' ? [{ result: { friends: [{ ...friend, ...more }] } }] : [{ result: { zones: [] } }],
  );
  expect((await peer(['friends'])).out).toMatch(/^FRIEND .*\nbob .*up/);
  const { out } = await peer(['--json', 'friends']);
  expect(out.startsWith('{\n  "schema": "peer.friends/1"')).toBe(true);
  expect(JSON.parse(out)).toMatchObject({ friends: [{ name: 'bob', may: ['dns'] }] });
  expect((await peer(['zone', 'list', '--json'])).out).toContain('"schema": "peer.zone.list/1"');
});

it("the agent's no becomes the exit status, its hint the next command", async () => {
  await startAgent(() => [{ error: { exit: 65, message: 'that invite was used', hint: 'peer invite bob' } }]);
  expect(await peer(['invite', '--revoke', 'x'])).toEqual({
    exit: 65,
    out: '',
    err: 'peer: that invite was used\n  try: peer invite bob\n',
  });
});

it('an agent that goes away or talks nonsense is an error, never a hang', async () => {
  await startAgent(() => undefined);
  expect(await peer(['reload'])).toMatchObject({ exit: 69, err: /went away/ });
});

it('the code of an invite stands alone on stdout, the rest on stderr', async () => {
  await startAgent(({ command }) => {
    expect(command).toBe('invite.create');
    return [{ result: { id: 'ab12', code: 'peer1-xyz', expiresAt: isoTime(0) } }];
  });
  const invite = await peer(['invite', 'bob', '--may', 'dns,mail', '--expires', '2h']);
  expect(invite).toMatchObject({ exit: 0, out: 'peer1-xyz\n' });
  expect(invite.err).toContain('peer invite --revoke ab12');
  expect(requests[0]?.args).toEqual({
    name: 'bob',
    force: false,
    may: ['dns', 'mail'],
    expiresMs: 7_200_000,
  });
  expect(JSON.parse((await peer(['invite', 'bob', '--json'])).out)).toEqual({
    schema: 'peer.invite/1',
    id: 'ab12',
    code: 'peer1-xyz',
    expiresAt: '1970-01-01T00:00:00.000Z',
  });
});

const joining: Agent = ({ command }) =>
  command === 'join.preview'
    ? [{ result: { circle: 'c', inviter: { name: 'alice\u001b[2J', id: 'id' }, name: 'bob', may: ['dns'] } }]
    : [{ progress: 'asking alice' }, { result: { circle: 'c', friends: ['alice'] } }];

it('joining shows who invites, asks, and takes the code from a file or stdin only', async () => {
  await writeConfig('name = "bob"\n');
  await startAgent(joining);
  const unanswered = await peer(['join', '-'], { stdin: ' peer1-code \n' });
  expect(unanswered).toMatchObject({ exit: 64, err: /add --yes/ });
  expect(unanswered.err).toContain('alice\\u{1b}[2J invites this box');
  expect(requests.map(({ command }) => command)).toEqual(['join.preview']);

  await writeFile(join(home, 'code'), 'peer1-code\n');
  const joined = await peer(['join', '--code-file', 'code', '--yes']);
  expect(joined).toMatchObject({ exit: 0, out: 'Joined. Your friends: alice\n', err: /asking alice/ });
  expect(requests.at(-1)).toMatchObject({ command: 'join', args: { code: 'peer1-code' } });
  expect(await peer(['join', '-', '--yes'], { stdin: 'x'.repeat(cliLimits.codeBytes + 1) })).toMatchObject({
    exit: 65,
  });
  expect(await peer(['join', '-', '--yes'], { stdin: ' \n' })).toMatchObject({ exit: 64 });
  expect(await peer(['join', '--code-file', 'nowhere', '--yes'])).toMatchObject({ exit: 74 });
});

it('joining needs the agent', async () => {
  await writeConfig('name = "bob"\n');
  expect(await peer(['join', '-'], { stdin: 'code' })).toMatchObject({ exit: 69, err: /peer up/ });
});

const zoneText = '$TTL 300\n@ IN SOA ns hostmaster 7 1 1 1 1\n@ IN NS ns\nns IN A 192.0.2.1\n';

it('adding a zone checks the file, edits peer.toml and reloads; comments and permissions stay', async () => {
  await writeConfig('name = "alice" # me\n');
  await mkdir(join(home, 'zones'));
  await writeFile(join(home, 'zones/a.zone'), zoneText);
  await startAgent(({ command }) =>
    command === 'zone.check'
      ? [{ result: { problems: [], serial: 7 } }]
      : [{ result: { restartNeededFor: [] } }],
  );
  const mode = (await stat(join(home, 'peer.toml'))).mode;
  const added = await peer(['zone', 'add', 'Alice.Example.', '--file', 'zones/a.zone']);
  expect(added).toEqual({ exit: 0, out: 'Zone alice.example is added.\n', err: '' });
  expect(await configText()).toBe(
    'name = "alice" # me\n\n[[zone]]\norigin = "alice.example"\nfile = "zones/a.zone"\n',
  );
  expect((await stat(join(home, 'peer.toml'))).mode).toBe(mode);
  expect(requests.map(({ command }) => command)).toEqual(['zone.check', 'reload']);
  expect(requests[0]?.args).toEqual({ file: join(home, 'zones/a.zone'), origin: 'alice.example' });
  expect(await peer(['zone', 'add', 'alice.example', '--file', 'zones/a.zone'])).toMatchObject({ exit: 65 });
  expect(await peer(['zone', 'remove', 'alice.example'])).toMatchObject({ exit: 0, out: /removed/ });
  expect(await configText()).not.toContain('zone');
  expect(await peer(['zone', 'remove', 'alice.example'])).toMatchObject({ exit: 0, out: /has no zone/ });
});

it('a zone file with mistakes is refused (65) and a change that the agent refuses is taken back', async () => {
  await writeConfig('name = "alice"\n');
  await writeFile(join(home, 'a.zone'), zoneText);
  const problem = { severity: 'error', file: 'a.zone', line: 2, column: 3, text: 'no' };
  await startAgent(({ command, args }) => {
    if (command === 'zone.check')
      return [{ result: { problems: args.origin === 'bad.test' ? [problem] : [] } }];
    return [{ error: { exit: 78, message: 'no such thing' } }];
  });
  const refused = await peer(['zone', 'add', 'bad.test', '--file', 'a.zone']);
  expect(refused).toMatchObject({ exit: 65, err: /a\.zone:2:3: error: no/ });
  expect(await peer(['zone', 'add', 'good.test', '--file', 'a.zone'])).toMatchObject({ exit: 78 });
  expect(await configText()).toBe('name = "alice"\n');
  expect(await peer(['zone', 'add', 'x.test', '--file', 'nowhere'])).toMatchObject({ exit: 74 });
  expect(await peer(['zone', 'add', 'x.test'])).toMatchObject({ exit: 64 });
});

it('without an agent zone files are checked here, and a change waits for the next start', async () => {
  await writeConfig('name = "alice"\n');
  await writeFile(join(home, 'a.zone'), zoneText);
  expect(await peer(['zone', 'check', 'a.zone', 'alice.example'])).toMatchObject({
    exit: 0,
    out: /serial 7/,
  });
  await writeFile(join(home, 'b.zone'), `${zoneText}x IN NOTYPE 1\n`);
  expect(await peer(['zone', 'check', 'b.zone', 'alice.example'])).toMatchObject({
    exit: 1,
    out: /b\.zone:5:\d+: error/,
  });
  expect(await peer(['zone', 'add', 'b.test', '--file', 'b.zone'])).toMatchObject({ exit: 65 });
  expect(await peer(['zone', 'add', 'a.test', '--file', 'a.zone'])).toMatchObject({
    exit: 0,
    out: /next `peer up`/,
  });
  expect(
    await peer(['mail', 'add', 'a.test', '--deliver', '127.0.0.1:2525', '--recipients', 'learn']),
  ).toMatchObject({ exit: 0 });
  expect(await configText()).toContain('deliver = "127.0.0.1:2525"\nrecipients = "learn"\n');
  expect(await peer(['mail', 'add', 'b.test', '--deliver', 'nowhere'])).toMatchObject({ exit: 65 });
});

it('pushing a zone that could not be published is no success', async () => {
  const problem = { severity: 'error', file: 'a.zone', line: 2, column: 3, text: 'no' };
  const zone = { origin: 'a.test', owner: 'bob', role: 'primary', serial: 7, friends: [], file: 'a.zone' };
  let answered: object = { ...zone, problems: [] };
  await startAgent(() => [{ result: { zone: answered } }]);
  expect(await peer(['zone', 'push', 'a.test'])).toMatchObject({ exit: 0, out: /at serial 7/ });
  answered = { ...zone, problems: [problem] };
  expect(await peer(['zone', 'push', 'a.test'])).toMatchObject({
    exit: 65,
    out: '',
    err: /^a\.zone:2:3: error: no\npeer: .*serial 7 stays served/,
  });
  answered = { ...zone, role: 'secondary', problems: [] };
  expect(await peer(['zone', 'push', 'a.test'])).toMatchObject({ exit: 65, err: /bob's zone/ });
});

it('says what a change does not do: mail that stays behind', async () => {
  await writeConfig('name = "alice"\n');
  const message = { id: 'm', domain: 'a.test', state: 'queued', recipients: [], heldBy: [] };
  await startAgent(({ command }) => [{ result: command === 'mail.list' ? { messages: [message] } : {} }]);
  const deliver = ['--deliver', '127.0.0.1:2525'];
  const missing = await peer(['mail', 'add', 'a.test', ...deliver, '--recipients', 'nowhere']);
  expect(missing).toMatchObject({ exit: 74, err: /nowhere: ENOENT/ });
  expect(await peer(['mail', 'add', 'a.test', ...deliver])).toMatchObject({ exit: 0, err: '' });
  expect(await peer(['mail', 'remove', 'a.test'])).toMatchObject({ exit: 0, err: /1 message for a\.test/ });
});

it('a zone from a hidden primary is added with a good key only, and what came of its first transfer is told', async () => {
  await writeConfig('name = "alice"\n');
  const primary = {
    address: '127.0.0.1:5300',
    serial: null,
    checkedAt: null,
    nextCheckAt: '2026-01-01T00:00:00.000Z',
    expiresAt: null,
    expired: false,
    failing: { sinceAt: '2026-01-01T00:00:00.000Z', text: 'nothing listens there' },
    lastTransfer: null,
  };
  await startAgent(({ command }) => [
    { result: command === 'zone.renew' ? { zone: { origin: 'a.test', primary, problems: [] } } : {} },
  ]);
  const add = ['zone', 'add', 'a.test', '--primary', '127.0.0.1:5300'];
  await writeFile(join(home, 'bad.key'), 'key "a" { secret "short"; };\n');
  expect(await peer([...add, '--tsig-file', 'bad.key'])).toMatchObject({ exit: 65, err: /bad\.key:1:/ });
  expect(await configText()).not.toContain('a.test');
  expect(await peer(add)).toMatchObject({ exit: 0, out: /is added/, err: /nothing listens there/ });
  expect(await configText()).toContain('primary = "127.0.0.1:5300"');
});

it('rights are changed from what they are', async () => {
  await writeConfig('name = "alice"\n');
  await startAgent(({ command }) =>
    command === 'friends'
      ? [{ result: { friends: [{ name: 'bob', may: ['dns', 'backup'] }] } }]
      : [{ result: {} }],
  );
  expect(await peer(['friends', 'may', 'bob', '+mail', '-backup'])).toMatchObject({
    exit: 0,
    out: /dns, mail/,
  });
  expect(await configText()).toContain('[[friend]]\nname = "bob"\nmay = ["dns", "mail"]\n');
  expect(await peer(['friends', 'may', 'eve', '+mail'])).toMatchObject({ exit: 65, err: /there is bob/ });
  expect(await peer(['friends', 'quota', 'bob', '20GB', '--json'])).toMatchObject({
    exit: 0,
    out: /"applied": "applied"/,
  });
  expect(await peer(['friends', 'quota', 'bob', 'much'])).toMatchObject({ exit: 65 });
});

it('a friend is renamed in peer.toml and at the agent, or in neither', async () => {
  const before = 'name = "alice"\n# my bob\n[[friend]]\nname = "bob"\nmay = []\n';
  await writeConfig(before);
  expect(await peer(['friends', 'rename', 'bob', 'rob'])).toMatchObject({ exit: 69 });
  expect(await configText()).toBe(before);
  const asked: unknown[] = [];
  let refusing: 'check' | 'change' | undefined = 'check';
  await startAgent(({ command, args }) => {
    asked.push([command, args]);
    const isRefused = refusing !== undefined && (args.check === true) === (refusing === 'check');
    return [isRefused ? { error: { exit: 65, message: 'rob is another friend' } } : { result: {} }];
  });
  expect(await peer(['friends', 'rename', 'bob', 'rob'])).toMatchObject({ exit: 65, err: /another friend/ });
  refusing = 'change';
  expect(await peer(['friends', 'rename', 'bob', 'rob'])).toMatchObject({ exit: 65 });
  expect(await configText()).toBe(before);
  refusing = undefined;
  asked.length = 0;
  const { exit, out } = await peer(['friends', 'rename', 'bob', 'rob', '--json']);
  expect([exit, JSON.parse(out)]).toMatchObject([
    0,
    { schema: 'peer.friends.rename/1', name: 'rob', before: 'bob', configChanged: true },
  ]);
  expect(asked).toEqual([
    ['friends.rename', { name: 'bob', to: 'rob', check: true }],
    ['friends.rename', { name: 'bob', to: 'rob' }],
  ]);
  expect(await configText()).toBe(before.replace('"bob"', '"rob"'));
  // A friend whom the file does not name is renamed at the agent alone.
  expect(await peer(['friends', 'rename', 'eve', 'eva'])).toMatchObject({
    exit: 0,
    out: 'eve is called eva now.\n',
  });
});

it('mistakes of peer.toml are 78, all of them with their places', async () => {
  await writeConfig('name = "A"\nbogus = 1\n');
  const checked = await peer(['config', 'check']);
  expect(checked.exit).toBe(78);
  expect(checked.err).toMatch(
    /^\/\S*peer\.toml:1:8: name: .*\n[\s\S]*\n\/\S*peer\.toml:2:1: bogus: unknown key/,
  );
  expect(JSON.parse((await peer(['config', 'check', '--json'])).out)).toMatchObject({
    schema: 'peer.config.check/1',
    good: false,
    problems: [
      { line: 1, column: 8, key: 'name' },
      { line: 2, column: 1, key: 'bogus' },
    ],
  });
  expect((await peer(['mail', 'add', 'a.test', '--deliver', '127.0.0.1:25'])).exit).toBe(78);
  await writeConfig('name = "alice"\n');
  expect(JSON.parse((await peer(['config', 'show', '--json'])).out)).toMatchObject({
    schema: 'peer.config.show/1',
    config: { name: 'alice', dns: { workers: 1 } },
  });
});

it('waiting waits for an agent that is not there yet, and gives up in time', async () => {
  expect(await peer(['wait', '--for', 'ready', '--timeout', '1ms', '--json'])).toMatchObject({
    exit: 1,
    out: /"met": false/,
  });
  const waiting = peer(['wait', '--for', 'ready', '--timeout', '30s']);
  await startAgent(ok);
  expect(await waiting).toEqual({ exit: 0, out: '', err: '' });
  expect(requests[0]).toMatchObject({ command: 'wait', args: { for: 'ready' } });
});

it('events follow until interrupted', async () => {
  const events = [{ at: isoTime(0), kind: 'zone.updated', text: 'a\u001b[2J' }];
  await startAgent(({ args }) => [
    ...events.map((item) => ({ item })),
    ...(args.follow === true ? [] : [{ result: {} }]),
  ]);
  const shown = await peer(['events', '--since', '1970-01-01T00:00:05Z']);
  expect(shown).toMatchObject({
    exit: 0,
    out: '1970-01-01T00:00:00.000Z  zone.updated        a\\u{1b}[2J\n',
  });
  expect(requests[0]?.args).toEqual({ follow: false, sinceMs: 5000 });
  expect(JSON.parse((await peer(['events', '--json'])).out)).toEqual({ schema: 'peer.events/1', events });
  const controller = new AbortController();
  const following = peer(['events', '-f'], { signal: controller.signal });
  while (requests.length < 3) await new Promise((resolve) => setImmediate(resolve));
  controller.abort();
  expect((await following).exit).toBe(0);
});

it('the status of a box is its document; one friend is shown in full', async () => {
  const status = {
    schema: 'peer.status/1',
    name: 'alice',
    id: 'id',
    version: '0.1.0',
    startedAt: isoTime(0),
    at: isoTime(0),
    verdict: { level: 'ok', text: 'If this box dies now: …', todo: [] },
    address: { ipv4: null, ipv6: null, changedAt: null },
    friends: [],
    zones: [],
    mail: [],
    services: [],
    takeovers: [],
    line: {
      state: 'ok',
      sentBytes: 0,
      receivedBytes: 0,
      sentBytesPerSecond: 0,
      receivedBytesPerSecond: 0,
      limitBytesPerSecond: null,
    },
    events: [],
  };
  await startAgent(() => [{ result: status }]);
  expect(JSON.parse((await peer(['status', '--json'])).out)).toEqual(status);
  expect((await peer(['status'])).out).toContain('If this box dies now');
  expect((await peer(['status', '--plain'])).out).toMatch(/^verdict\tok\t/);
  expect(await peer(['status', 'eve'])).toMatchObject({ exit: 65 });
});

it('init writes a good peer.toml and keys, once, and prints the paper key', async () => {
  const listen = [
    '--mesh-listen',
    '127.0.0.1:0',
    '--dns-listen',
    'none',
    '--smtp-listen',
    'none',
    '--http-listen',
    'none',
  ];
  expect(await peer(['init', '--name', 'No Name', ...listen])).toMatchObject({ exit: 64 });
  expect(await peer(['init', ...listen])).toMatchObject({ exit: 64, err: /--name NAME/ });
  const made = await peer(['init', '--name', 'alice', '--json', ...listen]);
  expect(made).toMatchObject({ exit: 0, err: '' });
  const document = JSON.parse(made.out) as { paperKey: string; stateDir: string };
  expect(document).toMatchObject({ schema: 'peer.init/1', name: 'alice' });
  expect((await stat(document.stateDir)).mode & 0o777).toBe(0o700);
  expect(await configText()).not.toContain(document.paperKey);
  expect(await peer(['config', 'check'])).toMatchObject({ exit: 0 });
  const before = await configText();
  expect(await peer(['init', '--name', 'bob', ...listen])).toMatchObject({ exit: 73 });
  expect(await configText()).toBe(before);
});

it('init says which port is taken, and leaves it out only when told to', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const address = taken.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const listen = ['--mesh-listen', '127.0.0.1:0', '--dns-listen', 'none', '--http-listen', 'none'];
  const asked = ['init', '--name', 'alice', ...listen, '--smtp-listen', `127.0.0.1:${port}`];
  expect(await peer(asked)).toMatchObject({
    exit: 64,
    err: /another program has it[\s\S]*try: add --yes, or give another address: --smtp-listen/,
  });
  await expect(configText()).rejects.toThrow('ENOENT');
  const made = await peer([...asked, '--yes']);
  expect(made).toMatchObject({ exit: 0, err: /takes no mail for friends/ });
  expect(await configText()).toMatch(/\[smtp\]\nlisten = \[\]/);
  await new Promise((resolve) => taken.close(resolve));
});

it('peer version --friends has a line more for a friend with whom no version is shared', async () => {
  const gap = 'speaks sync 1, this box 3 and 2: update copain there';
  const friends = [
    { name: 'bob', version: '0.1.0', incompatible: null },
    { name: 'carol', version: null, incompatible: gap },
  ];
  await startAgent(({ command }) =>
    command === 'version'
      ? [{ result: { version: '0.1.0', name: 'alice', id: 'x' } }]
      : command === 'friends'
        ? [{ result: { friends } }]
        : undefined,
  );
  const shown = await peer(['version', '--friends']);
  expect(shown.out.trimEnd().split('\n').slice(-3)).toEqual(['bob 0.1.0', 'carol not known', `  ${gap}`]);
  const { out } = await peer(['version', '--friends', '--json']);
  expect(JSON.parse(out)).toMatchObject({ friends });
});
