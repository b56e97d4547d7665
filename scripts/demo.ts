/**
 * A circle of three friends on loopback addresses, driven only by the commands that a user has: a zone, a change, a
 * mistake, mail passed through live, an outage, held mail, its delivery, a takeover. Exits 1 as soon as something is not as said.
 */

import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createWebServer, type Server } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { querySoa } from '@copain/dns/io';
import { type Box, createBox } from '../test/e2e/lib/box.ts';
import { eventually } from '../test/e2e/lib/eventually.ts';
import { startRecordingMta } from '../test/e2e/lib/recording-mta.ts';
import { send } from '../test/e2e/lib/smtp-dialogue.ts';
import { zoneText } from '../test/e2e/lib/zone-text.ts';

const { values: flags } = parseArgs({
  options: { keep: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
});
if (flags.help) {
  console.log(
    'scripts/demo [--keep]   a circle of three on this machine; --keep leaves it running until Ctrl-C',
  );
  process.exit(0);
}

const startedAtMs = performance.now();
const patienceMs = 30_000;
const domain = 'alice.example';
const seconds = (sinceMs: number): string => `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
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

const ports =
  (await isFree('127.0.53.2', 53)) && (await isFree('127.0.53.2', 25)) ? { dns: 53, smtp: 25 } : {};
await using running = new AsyncDisposableStack();
const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((name, i) =>
  running.use(createBox({ name, host: `127.0.53.${i + 1}`, ports })),
) as [Box, Box, Box];
const boxes = [alice, bob, carol];
const folder = mkdtempSync(join(tmpdir(), 'copain-demo-'));
running.defer(() => rmSync(folder, { recursive: true, force: true }));
const zoneFile = join(folder, `${domain}.zone`);
const saveZone = (serial: number, www: string): void =>
  writeFileSync(zoneFile, zoneText({ serial, ns1: bob.host, ns2: carol.host, www }));

interface ZoneProblems {
  zones: { problems: { file: string; line: number; column: number; text: string }[] }[];
}
const stateOf = async (box: Box, friend: Box): Promise<string | undefined> =>
  (await box.status()).friends.find((one) => one.name === friend.name)?.state;
const heldAt = async (box: Box): Promise<number> =>
  (await box.json<{ messages: unknown[] }>(['mail', 'list'])).messages.length;
const allUp = async (box: Box): Promise<boolean> => {
  const { friends } = await box.status();
  return friends.length === 2 && friends.every((friend) => friend.state === 'up');
};

async function askSoa(box: Box): Promise<number | undefined> {
  const answer = await querySoa({ server: box.dns, origin: domain, timeoutMs: 1000 });
  return answer.kind === 'answer' && answer.authoritative ? answer.serial : undefined;
}

/** Where a name leads, by a friend's name server. */
async function leadsTo(box: Box, name: string): Promise<string> {
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers([`${box.dns.host}:${box.dns.port}`]);
  return (await resolver.resolve4(name)).join();
}

/** A small web server that ends with the demo. */
async function webSite(host: string, port: number, page: string): Promise<Server> {
  const server = createWebServer((_, response) => response.end(page)).listen(port, host);
  await once(server, 'listening');
  running.defer(() => server.close().closeAllConnections());
  return server;
}

function expectThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(`this should be so and is not: ${what}`);
}

async function run(): Promise<void> {
  const page = (box: Box): string => `http://${box.http.host}:${box.http.port}/`;

  say('Three boxes, each with its own keys, home folder and addresses.');
  for (const box of boxes) await box.init();
  await Promise.all(boxes.map((box) => box.up()));
  show(boxes.map((box) => `${box.name.padEnd(5)} ${box.host}   status page ${page(box)}`).join('\n'));

  say('alice invites bob and carol; each pastes the code into `peer join`.');
  for (const friend of [bob, carol]) {
    const code = (await alice.well(['invite', friend.name])).trim();
    await friend.well(['join', '--code-file', '-', '--yes'], { stdin: `${code}\n` });
    show(`peer invite ${friend.name}  →  ${code.slice(0, 28)}…  →  peer join`);
  }
  for (const box of boxes) {
    await eventually(`${box.name} sees both friends`, () => allUp(box), patienceMs);
  }
  show('All three see each other.');

  say(`alice adds her zone. Her own box is nobody's name server: bob and carol answer for ${domain}.`);
  saveZone(2026112201, '192.0.2.1');
  let sinceMs = performance.now();
  await alice.well(['zone', 'add', domain, '--file', zoneFile]);
  for (const box of [bob, carol]) {
    await eventually(`${box.name} answers`, async () => (await askSoa(box)) === 2026112201);
    show(`@${box.name} ${domain} SOA → serial 2026112201, authoritative, after ${seconds(sinceMs)}`);
  }

  say('She saves a change.');
  sinceMs = performance.now();
  saveZone(2026112202, '192.0.2.2');
  for (const box of [bob, carol]) {
    await eventually(`${box.name} has the change`, async () => (await askSoa(box)) === 2026112202);
    show(`@${box.name} serial 2026112202 after ${seconds(sinceMs)}`);
  }

  say('She saves a mistake. The good version stays, and the mistake is shown with its place.');
  saveZone(2026112203, '192.0.2.300');
  const mistake = async () => (await alice.json<ZoneProblems>(['status'])).zones[0]?.problems[0];
  const problem = await eventually('the mistake is shown', mistake);
  show(`${problem.file}:${problem.line}:${problem.column}: ${problem.text}`);
  expectThat((await askSoa(bob)) === 2026112202, 'bob still answers with the good version');
  saveZone(2026112204, '192.0.2.4');
  await eventually('bob has the mended version', async () => (await askSoa(bob)) === 2026112204);

  say(`alice's mail: while she is up, bob passes each message through, and her own server answers.`);
  const mta = running.use(
    await startRecordingMta({
      address: { host: alice.host, port: 2526 },
      refuse: (recipient) => (recipient.startsWith('nosuch@') ? '550 5.1.1 no such mailbox here' : undefined),
    }),
  );
  await alice.well(['mail', 'add', domain, '--deliver', `${mta.address.host}:${mta.address.port}`]);
  await eventually('bob takes mail for alice', async () => {
    const answer = await send(bob.smtp, `nosuch@${domain}`, 'probe');
    return answer.startsWith('550 5.1.1');
  });
  show(`to nosuch@${domain} via bob → 550 5.1.1 no such mailbox here   (alice's server says so)`);
  show(`to me@${domain} via bob     → ${await send(bob.smtp, `me@${domain}`, 'live')}`);
  expectThat(mta.messages.length === 1, 'the live message is in the mailbox');
  show(
    `to me@elsewhere.example     → ${await send(bob.smtp, 'me@elsewhere.example', 'relay')}   (no open relay)`,
  );

  say("alice's box stops.");
  sinceMs = performance.now();
  await alice.stop();
  await eventually('bob notices', async () => (await stateOf(bob, alice)) !== 'up');
  show(
    `bob sees it ${seconds(sinceMs)} after the order to stop; DNS goes on: serial ${await askSoa(carol)} at carol`,
  );

  say('A message comes for her. bob keeps it, sealed to her key and on disk before he says 250.');
  show(`to me@${domain} via bob     → ${await send(bob.smtp, `me@${domain}`, 'while you were away')}`);
  show(await bob.well(['mail', 'list']));
  say("bob's agent is killed (kill -9) and started again. Nothing is lost.");
  await bob.kill();
  await bob.up();
  expectThat((await heldAt(bob)) === 1, 'bob still holds the message');
  show(`bob holds ${await heldAt(bob)} message`);

  say('alice is back.');
  sinceMs = performance.now();
  await alice.up();
  const upAfter = seconds(sinceMs);
  await eventually('the message is in the mailbox', async () => mta.messages.length === 2);
  show(`agent up after ${upAfter}, message in her mailbox after ${seconds(sinceMs)}`);
  expectThat(
    mta.messages[1]?.data.includes('while you were away') === true,
    'it is the message that was held',
  );
  await eventually('bob holds nothing any more', async () => (await heldAt(bob)) === 0);
  show('bob deleted it on her acknowledgement.');

  say('Her web site has a copy at bob. Friends may answer that, once they agree that box and site are down.');
  const site = { home: '127.0.53.4', standby: '127.0.53.5', port: 8080 };
  const www = `www.${domain}`;
  const atHome = await webSite(site.home, site.port, 'alice at home');
  await webSite(site.standby, site.port, 'alice, from a copy at bob');
  saveZone(2026112205, site.home);
  await eventually('carol has the change', async () => (await leadsTo(carol, www)) === site.home);
  await alice.well([
    'service',
    'add',
    'web',
    '--record',
    www,
    '--check',
    `http://${www}:${site.port}/`,
    '--standby',
    `bob=${site.standby}`,
    '--after',
    '20s',
  ]);
  await eventually('carol knows the service', async () =>
    (await carol.well(['service', 'list'])).includes(www),
  );
  show(`@carol ${www} A → ${await leadsTo(carol, www)}`);

  say(
    'Power cut at her home: box and site are gone. Nobody is in a hurry: two friends must see it, for 20 s at least.',
  );
  const before = await askSoa(carol);
  sinceMs = performance.now();
  await alice.kill();
  atHome.close().closeAllConnections();
  for (const box of [bob, carol])
    await eventually(
      `${box.name} answers the standby`,
      async () => (await leadsTo(box, www)) === site.standby,
      90_000,
    );
  show(
    `after ${seconds(sinceMs)} both answer ${www} A → ${site.standby}, serial ${before} → ${await askSoa(carol)} at both`,
  );
  expectThat((await askSoa(bob)) === (await askSoa(carol)), 'both answer one serial');
  show(await carol.well(['service', 'list']));

  say('She is back. Friends would wait ten quiet minutes; her own word counts at once.');
  await webSite(site.home, site.port, 'alice at home');
  await alice.up();
  await alice.well(['service', 'pin', 'web', 'up']);
  sinceMs = performance.now();
  for (const box of [bob, carol])
    await eventually(`${box.name} answers home`, async () => (await leadsTo(box, www)) === site.home);
  show(
    `peer service pin web up → both answer ${site.home} again after ${seconds(sinceMs)}, serial ${await askSoa(carol)}`,
  );

  say('peer status, on alice');
  await eventually('alice sees both again', () => allUp(alice), patienceMs);
  show(await alice.well(['status']));
  say(`Done in ${seconds(startedAtMs)}.`);
  if (!flags.keep) return;
  show(`The circle keeps running until Ctrl-C. Try:
  node_modules/.bin/peer --home ${alice.home} status
  dig @${bob.dns.host} -p ${bob.dns.port} ${domain} SOA +norec
  status pages: ${boxes.map(page).join('  ')}`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

try {
  await run();
} catch (failure) {
  process.exitCode = 1;
  console.error(`\n${failure instanceof Error ? failure.message : 'the demo failed'}`);
  if (failure instanceof Error && failure.cause !== undefined) console.error(failure.cause);
  for (const box of boxes) console.error(`--- the end of ${box.name}'s log\n${box.log().slice(-2000)}`);
}
