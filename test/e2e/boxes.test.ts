import { statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial } from './lib/dig.ts';
import { eventually, steadily } from './lib/eventually.ts';
import { freshBlock } from './lib/loopback.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, inviteCode, join as joins, openScene, seesUp } from './lib/scene.ts';
import { isHeard } from './lib/status-json.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip = whyNot({ programs: ['dig'] }, 'further boxes') !== undefined;

interface Boxes {
  epoch: number;
  boxes: { name: string; id: string; here: boolean; state: string }[];
}

describe.skipIf(skip)('an owner with two boxes, home and second', () => {
  let alice: Box;
  let second: Box;
  let bob: Box;
  let carol: Box;
  let paperKey = '';
  const boxesOf = async (box: Box): Promise<Boxes> => await box.json<Boxes>(['box', 'list']);
  const namesOf = async (box: Box): Promise<string[]> => (await boxesOf(box)).boxes.map(({ name }) => name);
  const boxesShown = async (at: Box, name: string): Promise<string[]> => {
    const shown = await at.json<{ friend: { boxes: { name: string; state: string }[] } }>([
      'friends',
      'show',
      name,
    ]);
    return shown.friend.boxes.map((box) => `${box.name} ${box.state}`).sort();
  };
  const serial = async (box: Box): Promise<number | undefined> =>
    await authoritativeSerial(box.dns, 'alice.example');

  beforeAll(async () => {
    const block = await freshBlock();
    const make = (name: string, n: number): Box => scene.box({ name, host: block.of(n) });
    [alice, second, bob, carol] = [make('alice', 1), make('second', 4), make('bob', 2), make('carol', 3)];
    const made = await alice.well([
      'init',
      '--name',
      'alice',
      '--json',
      ...(['mesh', 'dns', 'smtp', 'http'] as const).flatMap((service) => [
        `--${service}-listen`,
        `${alice[service].host}:${alice[service].port}`,
      ]),
      '--yes',
    ]);
    paperKey = (JSON.parse(made) as { paperKey: string }).paperKey;
    await alice.up();
    for (const box of [bob, carol, second]) {
      await box.init();
      await box.up();
    }
    await joins(bob, alice);
    await joins(carol, alice);
    await allTogether([alice, bob, carol]);
    const zone = alice.write('alice.zone', zoneText({ serial: 1, ns1: bob.host, ns2: carol.host }));
    await alice.well(['zone', 'add', 'alice.example', '--file', zone]);
    await eventually('bob answers', async () => (await serial(bob)) === 1);
  });

  it('joins by a code of its own, is seen by every friend, and is no friend of its owner', async () => {
    const lines = (await alice.well(['box', 'add', 'second'])).trimEnd().split('\n');
    const code = lines.at(-1) ?? '';
    expect(code).toMatch(/^peer1-[a-z2-7]+$/);
    const asked = await second.peer(['join', '--code-file', '-', '--no-input'], { stdin: `${code}\n` });
    expect(asked.code).toBe(64);
    expect(asked.stderr).toContain('a further box of alice, called "second"');
    const joined = await second.peer(['join', '--code-file', '-', '--yes'], {
      stdin: `${code}\n`,
      limitMs: 60_000,
    });
    expect([joined.code, joined.stderr]).toEqual([0, expect.any(String)]);
    expect(joined.stdout).toContain('Your friends: bob, carol');
    expect(await namesOf(second)).toEqual(['alice', 'second']);
    await eventually('second sees both friends', () => seesUp(second, ['bob', 'carol']));
    for (const friend of [bob, carol]) {
      await eventually(
        `${friend.name} sees both boxes`,
        async () => (await boxesShown(friend, 'alice')).join() === 'alice up,second up',
      );
      const { friends } = await friend.status();
      expect(friends.map(({ name }) => name).sort()).toEqual(
        ['alice', 'bob', 'carol'].filter((name) => name !== friend.name),
      );
    }
    expect((await alice.status()).friends.map(({ name }) => name).sort()).toEqual(['bob', 'carol']);
    await eventually('home hears second', async () =>
      (await boxesOf(alice)).boxes.some(({ name, state }) => name === 'second' && isHeard(state)),
    );
    await eventually(
      'second answers for the zone of its owner too',
      async () => (await serial(second)) === 1,
    );
    // What home serves is signed anew under the new epoch.
    alice.write('alice.zone', zoneText({ serial: 2, ns1: bob.host, ns2: carol.host }));
    for (const box of [bob, second])
      await eventually(`${box.name} has the next version`, async () => (await serial(box)) === 2);
  });

  it('lets nobody in twice by one code, and says without the owner key what is missing', async () => {
    const { code } = await alice.json<{ code: string }>(['box', 'add', 'third']);
    const file = join(alice.home, 'owner.key.txt');
    const pass = alice.write('pass.txt', 'correct horse battery staple\n');
    await alice.well(['key', 'export', file, '--passphrase-file', pass, '--remove', '--yes']);
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
    expect(alice.read('owner.key.txt')).not.toContain('AGE-SECRET-KEY');
    const refused = await alice.peer(['box', 'revoke', 'second', '--yes']);
    expect(refused.code).toBe(78);
    expect(refused.stderr).toContain('peer key import');
    expect((await second.peer(['box', 'add', 'fourth'])).code).toBe(78);
    const wrong = await alice.peer([
      'key',
      'import',
      file,
      '--passphrase-file',
      alice.write('no.txt', 'no\n'),
    ]);
    expect(wrong.code).toBe(65);
    await alice.well(['key', 'import', file, '--passphrase-file', pass]);
    const other = scene.box({
      name: 'third',
      host: alice.host,
      ports: { mesh: 14853, dns: 15353, smtp: 12525, http: 18853 },
    });
    await other.init();
    await other.up();
    const tryJoin = async (box: Box) =>
      await box.peer(['join', '--code-file', '-', '--yes'], { stdin: `${code}\n`, limitMs: 60_000 });
    expect((await tryJoin(other)).code).toBe(0);
    const eve = scene.box({
      name: 'eve',
      host: alice.host,
      ports: { mesh: 24853, dns: 25353, smtp: 22525, http: 28853 },
    });
    await eve.init();
    await eve.up();
    const again = await tryJoin(eve);
    expect(again.code).toBe(65);
    expect(again.stderr).toContain('used already');
    await alice.well(['box', 'revoke', 'third', '--yes']);
    await eventually('bob sees two boxes', async () => (await boxesShown(bob, 'alice')).length === 2);
    await other.stop();
    await eve.stop();
  });

  it('stays what it is over restarts of everybody', async () => {
    for (const box of [alice, second, bob, carol]) await box.stop();
    for (const box of [alice, second, bob, carol]) await box.up();
    await eventually('second sees both friends', () => seesUp(second, ['bob', 'carol']));
    expect(await namesOf(second)).toEqual(['alice', 'second']);
    await eventually(
      'carol sees both boxes',
      async () => (await boxesShown(carol, 'alice')).join() === 'alice up,second up',
    );
    expect(await serial(bob)).toBe(2);
  });

  it('when it is revoked it is cut off everywhere at once, nothing of it is taken, and that stays so', async () => {
    const asked = await alice.peer(['box', 'revoke', 'second', '--no-input']);
    expect(asked.code).toBe(64);
    expect(await namesOf(alice)).toContain('second');
    await alice.well(['box', 'revoke', 'second', '--yes']);
    for (const friend of [bob, carol]) {
      await eventually(
        `${friend.name} sees one box`,
        async () => (await boxesShown(friend, 'alice')).join() === 'alice up',
      );
    }
    expect(await namesOf(alice)).toEqual(['alice']);
    await eventually('nobody is there for second', async () => {
      const { friends } = await second.status();
      return friends.every(({ state }) => !isHeard(state));
    });
    // Whoever looks at it reads what happened, and what to type.
    const { verdict } = await second.status();
    expect(verdict).toMatchObject({ level: 'danger', todo: [{ command: 'peer key show' }] });
    expect(await second.well(['status'])).toContain('This box was revoked by its owner');
    expect(await second.well(['events'])).toContain('This box was revoked by its owner');
    await bob.stop();
    await bob.up();
    await steadily(async () => expect(await boxesShown(bob, 'alice')).toEqual(['alice up']), 2000);
    alice.write('alice.zone', zoneText({ serial: 3, ns1: bob.host, ns2: carol.host }));
    await eventually('bob has the next version', async () => (await serial(bob)) === 3);
    const invite = await alice.json<{ code: string }>(['box', 'add', 'second']);
    expect(invite.code).toMatch(/^peer1-/);
  });

  it('the owner key is replaced with the paper key, and the paper key with itself; friends follow over restarts', async () => {
    const before = (await boxesOf(alice)).epoch;
    const paper = alice.write('paper.txt', `${paperKey}\n`);
    const stolen = join(alice.home, 'stolen.key');
    await alice.well(['key', 'export', stolen]);
    const refused = await alice.peer(['key', 'rotate', '--paper', '--yes']);
    expect(refused.code).toBe(77);
    await alice.well(['key', 'rotate', '--key-file', paper, '--yes']);
    const after = (await boxesOf(alice)).epoch;
    expect(after).toBeGreaterThan(before + 60);
    expect((await alice.peer(['key', 'import', stolen])).code).toBe(65);
    const rotated = await alice.json<{ paperKey: string }>([
      'key',
      'rotate',
      '--paper',
      '--key-file',
      paper,
      '--yes',
    ]);
    expect(rotated.paperKey).toMatch(/^AGE-SECRET-KEY-1/);
    expect((await alice.peer(['key', 'rotate', '--key-file', paper, '--yes'])).code).toBe(78);
    for (const box of [alice, carol]) await box.stop();
    for (const box of [carol, alice]) await box.up();
    await allTogether([alice, bob, carol]);
    alice.write('alice.zone', zoneText({ serial: 4, ns1: bob.host, ns2: carol.host }));
    for (const friend of [bob, carol])
      await eventually(`${friend.name} has the next version`, async () => (await serial(friend)) === 4);
    const shown = await alice.json<{ keys: { use: string; here: boolean }[] }>(['key', 'show']);
    expect(shown.keys.map(({ use, here }) => [use, here])).toEqual([
      ['owner', true],
      ['paper', false],
    ]);
    const dave = await inviteCode(alice, 'dave');
    expect(dave).toMatch(/^peer1-/);
  });

  it('no secret is in a log', () => {
    for (const box of [alice, second, bob, carol]) expect(box.log()).not.toMatch(/AGE-SECRET-KEY-1/);
  });
});
