/**
 * A circle of three friends on loopback addresses, driven only by the commands that a user has: a zone, a change, a
 * mistake, mail passed through live, an outage, held mail, its delivery. Exits 1 as soon as something is not as said.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { querySoa } from '@copain/dns/io';
import { SMTPServer } from 'smtp-server';

const { values: flags } = parseArgs({
  options: { keep: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
});
if (flags.help) {
  console.log(
    'scripts/demo [--keep]   a circle of three on this machine; --keep leaves it running until Ctrl-C',
  );
  process.exit(0);
}

const peerCommand = join(dirname(fileURLToPath(import.meta.url)), '..', 'packages', 'cli', 'bin', 'peer');
const startedAtMs = Date.now();
const folder = await mkdtemp(join(tmpdir(), 'copain-demo-'));
const domain = 'alice.example';
const zoneFile = join(folder, `${domain}.zone`);

interface Box {
  name: string;
  address: string;
  home: string;
  process: ChildProcess | undefined;
}
const makeBox = (name: string, last: number): Box => ({
  name,
  address: `127.0.53.${last}`,
  home: join(folder, name),
  process: undefined,
});
const alice = makeBox('alice', 1);
const bob = makeBox('bob', 2);
const carol = makeBox('carol', 3);
const boxes = [alice, bob, carol];

const seconds = (sinceMs: number): string => `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;
const say = (text: string): void => console.log(`\n▸ ${text}`);
const show = (text: string): void => console.log(`  ${text.trimEnd().replaceAll('\n', '\n  ')}`);

/** Can this process have the port? Low ones usually need root. */
async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

async function peer(box: Box, ...args: string[]): Promise<string> {
  return await new Promise((resolve, reject) => {
    execFile(peerCommand, ['--home', box.home, ...args], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`peer ${args.join(' ')} (on ${box.name}): ${stderr}${stdout}`));
    });
  });
}

async function start(box: Box): Promise<void> {
  const child = spawn(peerCommand, ['--home', box.home, 'up'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const log = createWriteStream(join(box.home, 'demo.log'), { flags: 'a' });
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  box.process = child;
  await eventually(`${box.name}'s agent is up`, async () => {
    if (child.exitCode !== null)
      throw new Error(`${box.name}'s agent ended: see ${join(box.home, 'demo.log')}`);
    await peer(box, 'wait', '--for', 'ready', '--timeout', '20s');
    return true;
  });
}

async function stop(box: Box, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const child = box.process;
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
  box.process = undefined;
}

/** Looks again and again until it holds; what is still not so after 30 s ends the demo with an error. */
async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const untilMs = Date.now() + 30_000;
  let last: unknown;
  while (Date.now() < untilMs) {
    try {
      if (await holds()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`not after 30 s: ${what}`, { cause: last });
}

interface Status {
  verdict: { text: string };
  friends: { name: string; state: string }[];
  zones: { origin: string; problems: { file: string; line: number; column: number; text: string }[] }[];
}
const status = async (box: Box): Promise<Status> => JSON.parse(await peer(box, 'status', '--json')) as Status;
const stateOf = async (box: Box, friend: Box): Promise<string | undefined> =>
  (await status(box)).friends.find((one) => one.name === friend.name)?.state;
const heldAt = async (box: Box): Promise<number> => {
  const list = JSON.parse(await peer(box, 'mail', 'list', '--json')) as { messages: unknown[] };
  return list.messages.length;
};

const zoneText = (serial: number, www: string): string => `$ORIGIN ${domain}.
$TTL 300
@     IN SOA ns1 hostmaster ( ${serial} 14400 3600 3600000 300 )
      IN NS  ns1
      IN NS  ns2
      IN MX  10 mx1
      IN MX  20 mx2
ns1   IN A   ${bob.address}
ns2   IN A   ${carol.address}
mx1   IN A   ${bob.address}
mx2   IN A   ${carol.address}
www   IN A   ${www}
`;

async function askSoa(box: Box, port: number): Promise<number | undefined> {
  const answer = await querySoa({ server: { host: box.address, port }, origin: domain, timeoutMs: 1000 });
  return answer.kind === 'answer' && answer.authoritative ? answer.serial : undefined;
}

/** Alice's mail server: keeps what it gets, and refuses nosuch@ as a real one would. */
const mailbox: string[] = [];
const mailServer = new SMTPServer({
  name: 'mail.alice.example',
  disabledCommands: ['AUTH', 'STARTTLS'],
  authOptional: true,
  disableReverseLookup: true,
  onRcptTo: ({ address }, _session, done) => {
    if (!address.startsWith('nosuch@')) return done();
    done(Object.assign(new Error('5.1.1 no such mailbox here'), { responseCode: 550 }));
  },
  onData: (stream, _session, done) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      mailbox.push(Buffer.concat(chunks).toString('latin1'));
      done(null, 'kept in the mailbox');
    });
  },
});

/** Sends one message as any mail server in the world would, and says what the other side answered at the end. */
async function send(to: { host: string; port: number }, recipient: string, subject: string): Promise<string> {
  const socket: Socket = connect(to);
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const answer = async (): Promise<string> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true) return 'connection closed';
      if (/^\d{3}(?: |$)/.test(value)) return value;
    }
  };
  const ask = async (line: string): Promise<string> => {
    socket.write(`${line}\r\n`);
    return await answer();
  };
  try {
    await answer();
    await ask('EHLO sender.example');
    await ask('MAIL FROM:<friend@sender.example>');
    const admitted = await ask(`RCPT TO:<${recipient}>`);
    if (!admitted.startsWith('250')) return admitted;
    await ask('DATA');
    return await ask(
      `Subject: ${subject}\r\nFrom: friend@sender.example\r\nTo: ${recipient}\r\n\r\nHello.\r\n.`,
    );
  } finally {
    socket.end('QUIT\r\n');
  }
}

function expectThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(`this should be so and is not: ${what}`);
}

async function run(): Promise<void> {
  const low = (await isFree(bob.address, 53)) && (await isFree(bob.address, 25));
  const ports = low ? { dns: 53, smtp: 25 } : { dns: 5353, smtp: 2525 };
  const page = (box: Box): string => `http://${box.address}:8853/`;

  say('Three boxes, each with its own keys, home folder and addresses.');
  for (const box of boxes) {
    const init = ['init', '--name', box.name, '--yes'];
    const mesh = ['--mesh-listen', `${box.address}:4853`, '--dns-listen', `${box.address}:${ports.dns}`];
    const rest = ['--smtp-listen', `${box.address}:${ports.smtp}`, '--http-listen', `${box.address}:8853`];
    await peer(box, ...init, ...mesh, ...rest);
  }
  await Promise.all(boxes.map(start));
  show(boxes.map((box) => `${box.name.padEnd(5)} ${box.address}   status page ${page(box)}`).join('\n'));

  say('alice invites bob and carol; each pastes the code into `peer join`.');
  for (const friend of [bob, carol]) {
    const code = (await peer(alice, 'invite', friend.name)).trim();
    const codeFile = join(friend.home, 'code');
    await writeFile(codeFile, code, { mode: 0o600 });
    await peer(friend, 'join', '--code-file', codeFile, '--yes');
    show(`peer invite ${friend.name}  →  ${code.slice(0, 28)}…  →  peer join`);
  }
  for (const box of boxes) {
    await eventually(
      `${box.name} sees both friends`,
      async () => (await status(box)).friends.filter((friend) => friend.state === 'up').length === 2,
    );
  }
  show('All three see each other.');

  say(`alice adds her zone. Her own box is nobody's name server: bob and carol answer for ${domain}.`);
  await writeFile(zoneFile, zoneText(2026112201, '192.0.2.1'));
  let sinceMs = Date.now();
  await peer(alice, 'zone', 'add', domain, '--file', zoneFile);
  for (const box of [bob, carol]) {
    await eventually(`${box.name} answers`, async () => (await askSoa(box, ports.dns)) === 2026112201);
    show(`@${box.name} ${domain} SOA → serial 2026112201, authoritative, after ${seconds(sinceMs)}`);
  }

  say('She saves a change.');
  sinceMs = Date.now();
  await writeFile(zoneFile, zoneText(2026112202, '192.0.2.2'));
  for (const box of [bob, carol]) {
    await eventually(`${box.name} has the change`, async () => (await askSoa(box, ports.dns)) === 2026112202);
    show(`@${box.name} serial 2026112202 after ${seconds(sinceMs)}`);
  }

  say('She saves a mistake. The good version stays, and the mistake is shown with its place.');
  await writeFile(zoneFile, zoneText(2026112203, '192.0.2.300'));
  await eventually('the mistake is shown', async () => (await status(alice)).zones[0]?.problems.length !== 0);
  const problem = (await status(alice)).zones[0]?.problems[0];
  show(`${problem?.file}:${problem?.line}:${problem?.column}: ${problem?.text}`);
  expectThat((await askSoa(bob, ports.dns)) === 2026112202, 'bob still answers with the good version');
  await writeFile(zoneFile, zoneText(2026112204, '192.0.2.4'));
  await eventually('bob has the mended version', async () => (await askSoa(bob, ports.dns)) === 2026112204);

  say(`alice's mail: while she is up, bob passes each message through, and her own server answers.`);
  await new Promise<void>((resolve) => {
    mailServer.listen(2526, alice.address, () => resolve());
  });
  await peer(alice, 'mail', 'add', domain, '--deliver', `${alice.address}:2526`);
  const bobSmtp = { host: bob.address, port: ports.smtp };
  await eventually('bob takes mail for alice', async () => {
    const answer = await send(bobSmtp, `nosuch@${domain}`, 'probe');
    return answer.startsWith('550 5.1.1');
  });
  show(`to nosuch@${domain} via bob → 550 5.1.1 no such mailbox here   (alice's server says so)`);
  show(`to me@${domain} via bob     → ${await send(bobSmtp, `me@${domain}`, 'live')}`);
  expectThat(mailbox.length === 1, 'the live message is in the mailbox');
  show(
    `to me@elsewhere.example     → ${await send(bobSmtp, 'me@elsewhere.example', 'relay')}   (no open relay)`,
  );

  say("alice's box stops.");
  sinceMs = Date.now();
  await stop(alice, 'SIGTERM');
  await eventually('bob notices', async () => (await stateOf(bob, alice)) !== 'up');
  show(
    `bob sees it ${seconds(sinceMs)} after the order to stop; DNS goes on: serial ${await askSoa(carol, ports.dns)} at carol`,
  );

  say('A message comes for her. bob keeps it, sealed to her key and on disk before he says 250.');
  show(`to me@${domain} via bob     → ${await send(bobSmtp, `me@${domain}`, 'while you were away')}`);
  show(await peer(bob, 'mail', 'list'));
  say("bob's agent is killed (kill -9) and started again. Nothing is lost.");
  await stop(bob, 'SIGKILL');
  await start(bob);
  expectThat((await heldAt(bob)) === 1, 'bob still holds the message');
  show(`bob holds ${await heldAt(bob)} message`);

  say('alice is back.');
  sinceMs = Date.now();
  await start(alice);
  const upAfter = seconds(sinceMs);
  await eventually('the message is in the mailbox', async () => mailbox.length === 2);
  show(`agent up after ${upAfter}, message in her mailbox after ${seconds(sinceMs)}`);
  expectThat(mailbox[1]?.includes('while you were away') === true, 'it is the message that was held');
  await eventually('bob holds nothing any more', async () => (await heldAt(bob)) === 0);
  show('bob deleted it on her acknowledgement.');

  say('peer status, on alice');
  await eventually('alice sees both again', async () =>
    (await status(alice)).friends.every((friend) => friend.state === 'up'),
  );
  show(await peer(alice, 'status'));
  say(`Done in ${seconds(startedAtMs)}.`);
  if (!flags.keep) return;
  show(`The circle keeps running until Ctrl-C. Try:
  ${peerCommand} --home ${alice.home} status
  dig @${bob.address} -p ${ports.dns} ${domain} SOA +norec
  status pages: ${boxes.map(page).join('  ')}`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

let failure: unknown;
try {
  await run();
} catch (error) {
  failure = error;
}
await Promise.all(boxes.map((box) => stop(box, 'SIGTERM')));
await new Promise<void>((resolve) => mailServer.close(() => resolve()));
if (failure === undefined) {
  await rm(folder, { recursive: true, force: true });
} else {
  console.error(`\n${failure instanceof Error ? failure.message : 'the demo failed'}`);
  if (failure instanceof Error && failure.cause !== undefined) console.error(failure.cause);
  for (const box of boxes) {
    const log = await readFile(join(box.home, 'demo.log'), 'utf8').catch(() => '');
    console.error(`--- last lines of ${box.name}'s log (${join(box.home, 'demo.log')})`);
    console.error(log.split('\n').slice(-8).join('\n'));
  }
  process.exitCode = 1;
}
