import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { eventually } from './lib/eventually.ts';
import { run } from './lib/run.ts';
import { allTogether, inviteCode, openScene, type Trio, threeFriends } from './lib/scene.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const peerCommand = new URL('../../packages/cli/bin/peer', import.meta.url).pathname;

/** Moves the cursor, begins a line of its own, turns the line round, hides, clears the screen, and is markup. */
const hostile = '\u001b[31m\r\n\u202e\u200b\u009b2J<b>';
const hidden = /[^\P{Cc}\n\t]|\p{Bidi_Control}|[\u200b-\u200f\u2060-\u206f\ufeff]/u;

/**
 * A home whose agent answers as the box does, but with `more` behind every text but times and the code of an invite: as if every name, origin,
 * domain, address and reason that somebody else chose were as he likes.
 */
async function poisonedHome(box: Box, more: string): Promise<{ home: string } & AsyncDisposable> {
  const home = mkdtempSync(joinPath(tmpdir(), 'copain-e2e-poison-'));
  const poison = (key: string, value: unknown): unknown =>
    typeof value === 'string' && !/^\d{4}-\d\d-\d\dT/.test(value) && key !== 'code' ? value + more : value;
  const server = createServer((client) => {
    const agent = connect(joinPath(box.home, 'peer.sock'));
    for (const socket of [client, agent]) socket.on('error', () => undefined);
    // What the command says back is what it was told; the agent gets what it had said.
    client.on('data', (bytes) =>
      agent.write(bytes.toString().replaceAll(JSON.stringify(more).slice(1, -1), '')),
    );
    let pending = '';
    agent.setEncoding('utf8').on('data', (text: string) => {
      const lines = (pending + text).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) client.write(`${JSON.stringify(JSON.parse(line), poison)}\n`);
    });
    agent.on('close', () => client.destroy());
    client.on('close', () => agent.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(joinPath(home, 'peer.sock'), resolve);
  });
  return {
    home,
    [Symbol.asyncDispose]: async () => {
      server.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

describe('text that others chose', () => {
  let trio: Trio;
  beforeAll(async () => {
    trio = await threeFriends(scene);
    const { alice, bob, carol } = trio;
    const zone = alice.write('alice.zone', zoneText({ serial: 1, ns1: bob.host, ns2: carol.host }));
    await alice.well(['zone', 'add', 'alice.example', '--file', zone]);
    await alice.well(['mail', 'add', 'alice.example', '--deliver', '127.0.0.1:1']);
    await inviteCode(alice, 'dave');
    await eventually('both hold it', async () => {
      const { zones } = await alice.status();
      return zones[0]?.friends.length === 2;
    });
  });

  const commands = (more: string): string[][] => [
    ['status'],
    ['status', '--plain'],
    ['events'],
    ['friends'],
    ['friends', 'show', `bob${more}`],
    ['friends', 'show', 'nobody'],
    ['friends', 'rename', `bob${more}`, 'Robert'],
    ['friends', 'may', `bob${more}`, '+relay'],
    ['friends', 'quota', `bob${more}`, '100MB'],
    ['friends', 'remove', 'nobody', '--yes'],
    ['zone', 'list'],
    ['zone', 'show', `alice.example${more}`],
    ['zone', 'show', 'other.example'],
    ['zone', 'history', `alice.example${more}`],
    ['zone', 'diff', `alice.example${more}`],
    ['zone', 'push', `alice.example${more}`],
    ['mail', 'list'],
    ['mail', 'show', 'nothing'],
    ['mail', 'flush'],
    ['key', 'show'],
    ['key', 'words', `bob${more}`],
    ['box', 'list'],
    ['box', 'revoke', 'nothing', '--yes'],
    ['invite', '--list'],
    ['invite', '--revoke', 'nothing'],
    ['invite', 'erin'],
    ['doctor'],
    ['version', '--friends'],
    ['reload'],
  ];

  it('moves no cursor and turns no line round in what any command prints, as text or as JSON', async () => {
    const { home } = scene.use(await poisonedHome(trio.alice, hostile));
    const harmful: string[] = [];
    let poisoned = 0;
    for (const command of commands(hostile)) {
      for (const args of [command, [...command, '--json']]) {
        const { stdout, stderr, code } = await run([peerCommand, '--home', home, ...args, '--no-input']);
        const printed = stdout + stderr;
        if (hidden.test(printed))
          harmful.push(`${JSON.stringify(args)} (${code}): ${JSON.stringify(printed.slice(0, 2000))}`);
        if (/\[31m/.test(printed)) poisoned += 1;
      }
    }
    expect(harmful).toEqual([]);
    // Most of them print some of it, else this shows nothing.
    expect(poisoned).toBeGreaterThan(commands('').length);
  });

  it('of 10 kB is cut where it is shown', async () => {
    const long = 'x'.repeat(10_000);
    const { home } = scene.use(await poisonedHome(trio.alice, long));
    const filled: string[] = [];
    for (const command of commands('')) {
      // What a zone says is shown as it is.
      if (command[1] === 'diff') continue;
      const { stdout, stderr } = await run([peerCommand, '--home', home, ...command, '--no-input']);
      if ((stdout + stderr).includes('x'.repeat(5000))) filled.push(command.join(' '));
    }
    expect(filled).toEqual([]);
  });

  it('that objects answer to by themselves is a name like any other: constructor, __proto__', async () => {
    const { alice, bob, carol } = trio;
    const erin = scene.box({ name: 'constructor', host: trio.address(9) });
    await erin.init();
    await erin.up();
    const code = await inviteCode(alice, 'constructor');
    await erin.well(['join', '--code-file', '-', '--yes'], { stdin: `${code}\n`, limitMs: 60_000 });
    await allTogether([alice, bob, carol, erin]);
    const text = zoneText({ serial: 7, ns1: bob.host, ns2: carol.host }).replaceAll(
      'alice.example',
      '__proto__.example',
    );
    const file = erin.write('proto.zone', text);
    await erin.well(['zone', 'add', '__proto__.example', '--file', file]);
    await erin.well(['mail', 'add', '__proto__.example', '--deliver', '127.0.0.1:1']);
    await eventually('alice serves it, and takes mail for it', async () => {
      const { zones, mail } = await alice.status();
      const zone = zones.find(({ origin }) => origin === '__proto__.example');
      return (
        zone?.owner === 'constructor' &&
        zone.serial === 7 &&
        mail.some(({ domain }) => domain === '__proto__.example')
      );
    });
    await alice.well(['friends', 'may', 'constructor', '-mail']);
    await alice.well(['friends', 'quota', 'constructor', '50MB']);
    expect(alice.read('peer.toml')).toContain('constructor');
    await eventually('alice takes no mail for it any more', async () =>
      (await alice.status()).mail.every(({ domain }) => domain !== '__proto__.example'),
    );
    expect(await alice.well(['friends', 'show', 'constructor'])).toContain('constructor');
    await alice.stop();
    await alice.up();
    await allTogether([alice, bob, carol, erin]);
    expect((await alice.status()).zones.map(({ origin }) => origin).sort()).toEqual([
      '__proto__.example',
      'alice.example',
    ]);
  });

  it('and nothing of any of this harms the log', () => {
    for (const box of Object.values(trio)) {
      if (typeof box !== 'function') expect(box.log()).not.toMatch(hidden);
    }
  });
});
