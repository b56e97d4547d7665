import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial } from './lib/dig.ts';
import { eventually } from './lib/eventually.ts';
import { freshBlock } from './lib/loopback.ts';
import { whyNot } from './lib/programs.ts';
import { startRecordingMta } from './lib/recording-mta.ts';
import { run } from './lib/run.ts';
import { allTogether, join as joinCircle, openScene } from './lib/scene.ts';
import { letter, swaks } from './lib/swaks.ts';
import { temporaryFolder } from './lib/temporary-folder.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip = whyNot({ programs: ['dig', 'swaks', 'age'] }, 'save and restore') !== undefined;
const origin = 'alice.example';

/** Removes everything of a box that is stopped: its disk died. */
function lose(box: Box): void {
  rmSync(box.home, { recursive: true });
  mkdirSync(box.home);
}

describe.skipIf(skip)('a box that is saved', () => {
  it('works again from the file in an empty home: friends, zone, mail that waited', async () => {
    const block = await freshBlock();
    await using kept = temporaryFolder('saved');
    const alice = scene.box({ name: 'alice', host: block.of(1) });
    const bob = scene.box({ name: 'bob', host: block.of(2) });
    for (const box of [alice, bob]) {
      await box.init();
      await box.up();
    }
    await joinCircle(bob, alice);
    await allTogether([alice, bob]);
    mkdirSync(join(alice.home, 'zones'));
    alice.write('zones/more.zone', 'included IN A 192.0.2.77\n');
    const zone = (serial: number): string =>
      alice.write(
        'zones/alice.zone',
        zoneText({ serial, ns1: bob.host, ns2: bob.host, more: ['$INCLUDE more.zone'] }),
      );
    await alice.well(['zone', 'add', origin, '--file', zone(7)]);
    const mta = { host: block.of(9), port: 2500 };
    await alice.well(['mail', 'add', origin, '--deliver', `${mta.host}:${mta.port}`, '--client', 'none']);
    await eventually('bob answers and takes mail', async () => {
      const isBackup = (await bob.status()).mail.some(({ domain }) => domain === origin);
      return isBackup && (await authoritativeSerial(bob.dns, origin)) === 7;
    });
    // Her mail server is off: what bob takes comes to her, and waits there.
    const sent = await swaks({
      server: bob.smtp,
      from: 'erika@outside.test',
      to: `anna@${origin}`,
      message: letter('kept'),
    });
    expect(sent.accepted).toBe(true);
    await eventually(
      'the message waits at alice',
      async () => {
        const { messages } = await alice.json<{ messages: { state: string }[] }>(['mail', 'list']);
        return messages.some(({ state }) => state === 'queued');
      },
      30_000,
    );

    const file = join(kept.path, 'alice.age');
    await alice.well(['save', file]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const ownerKey = join(kept.path, 'owner.key');
    writeFileSync(ownerKey, alice.read('state/keys/owner.key'), { mode: 0o600 });
    // The stock age command opens it with the same key.
    const plain = await run(['sh', '-c', `age -d -i ${ownerKey} ${file} | head -c 14`]);
    expect(plain.stdout).toBe('copain-save/1\n');
    await alice.stop();
    lose(alice);

    // Nothing but the whole, unaltered file and the owner's key will do, and no home with something in it.
    const restore = (from: string, key = ownerKey) => alice.peer(['restore', from, '--key-file', key]);
    const bytes = readFileSync(file);
    for (const [name, changed] of [
      ['truncated', bytes.subarray(0, bytes.length - 100)],
      ['altered', Buffer.from(bytes.map((byte, at) => (at === 5000 ? byte ^ 1 : byte)))],
      ['empty', Buffer.alloc(0)],
    ] as const) {
      const path = join(kept.path, name);
      writeFileSync(path, changed);
      const refused = await restore(path);
      expect([name, refused.code]).toEqual([name, 65]);
      expect(refused.stderr).toContain('nothing was changed');
      expect(existsSync(join(alice.home, 'state'))).toBe(false);
    }
    const others = join(kept.path, 'bob.key');
    writeFileSync(others, bob.read('state/keys/owner.key'), { mode: 0o600 });
    expect((await restore(file, others)).code).toBe(65);
    expect((await alice.peer(['restore', file])).code).toBe(64);
    alice.write('peer.toml', '');
    expect((await restore(file)).code).toBe(73);
    rmSync(join(alice.home, 'peer.toml'));

    const restored = await restore(file);
    expect([restored.code, restored.stderr]).toEqual([0, expect.any(String)]);
    expect(restored.stdout).toContain('1 messages');
    await using server = await startRecordingMta({ address: mta });
    await alice.up();
    await allTogether([alice, bob]);
    await eventually('the message is delivered', () => server.messages.length === 1, 30_000);
    expect(await authoritativeSerial(alice.dns, origin)).toBe(7);
    zone(8);
    await eventually('a change reaches bob', async () => (await authoritativeSerial(bob.dns, origin)) === 8);
    // A copy of the same home may be made twice: what she signed since is known to bob.
    expect(server.messages.length).toBe(1);
  }, 120_000);

  it('opens with a passphrase where it was saved with one, and without mail where it was left out', async () => {
    const block = await freshBlock();
    await using kept = temporaryFolder('saved');
    const carol = scene.box({ name: 'carol', host: block.of(1) });
    await carol.init();
    await carol.up();
    const file = join(kept.path, 'carol.age');
    const right = join(kept.path, 'right');
    const wrong = join(kept.path, 'wrong');
    writeFileSync(right, 'correct horse battery staple\n');
    writeFileSync(wrong, 'incorrect horse\n');
    await carol.well(['save', file, '--without-mail', '--passphrase-file', right], { limitMs: 60_000 });
    const id = (await carol.status()).id;
    await carol.stop();
    lose(carol);
    const open = (passphrase: string) =>
      carol.peer(['restore', file, '--passphrase-file', passphrase], { limitMs: 60_000 });
    expect((await open(wrong)).code).toBe(65);
    expect((await open(right)).code).toBe(0);
    await carol.up();
    expect((await carol.status()).id).toBe(id);
  }, 120_000);
});
