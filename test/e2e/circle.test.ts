import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { eventually } from './lib/eventually.ts';
import { allTogether, inviteCode, openScene, seesUp, type Trio, threeFriends } from './lib/scene.ts';
import { strangerIsServed } from './lib/stranger.ts';

const scene = openScene();
let trio: Trio;
let dave: Box;

beforeAll(async () => {
  trio = await threeFriends(scene);
  dave = scene.box({ name: 'dave', host: trio.address(4) });
  await dave.init();
  await dave.up();
});

/** How dave's attempt to join with this text ends. */
function tryToJoin(code: string) {
  return dave.peer(['join', '--code-file', '-', '--yes'], { stdin: `${code}\n`, limitMs: 60_000 });
}

describe('a circle of three', () => {
  it('lists everybody at everybody', async () => {
    for (const box of [trio.alice, trio.bob, trio.carol]) {
      const { friends } = await box.json<{ friends: { name: string }[] }>(['friends']);
      const others = ['alice', 'bob', 'carol'].filter((name) => name !== box.name);
      expect(friends.map(({ name }) => name).toSorted()).toEqual(others);
    }
  });

  it('tells nobody who simply joined that his invite was taken by somebody else', async () => {
    for (const box of [trio.alice, trio.bob, trio.carol]) {
      const events = await box.well(['events', '--since', '10m']);
      expect(events).toMatch(/friend\.joined/);
      expect(events).not.toMatch(/circle\.invite-taken/);
    }
  });

  it('gives two friends the same four words, and other words to every other pair', async () => {
    const words = async (box: Box, friend: string): Promise<string> =>
      (await box.json<{ words: string[] }>(['key', 'words', friend])).words.join(' ');
    const { alice, bob, carol } = trio;
    expect(await words(alice, 'bob')).toMatch(/^(\w{5} ){3}\w{5}$/);
    expect(await words(bob, 'alice')).toBe(await words(alice, 'bob'));
    expect(await words(carol, 'alice')).not.toBe(await words(alice, 'bob'));
    expect((await alice.peer(['key', 'words', 'nobody'])).code).toBe(65);
  });

  it('refuses to make a second box in one home', async () => {
    const ran = await trio.alice.peer(['init', '--name', 'alice', '--yes']);
    expect(ran.code).not.toBe(0);
    expect(await seesUp(trio.alice, ['bob', 'carol'])).toBe(true);
  });

  it('shows a mistake in peer.toml with line, column and caret, and exits 78', async () => {
    const good = trio.carol.read('peer.toml');
    const line = good.split('\n').length;
    trio.carol.write('peer.toml', `${good}\nlissten = "127.0.0.1:1"\n`);
    const ran = await trio.carol.peer(['config', 'check']);
    trio.carol.write('peer.toml', good);
    expect(ran.code).toBe(78);
    expect(ran.stdout + ran.stderr).toMatch(new RegExp(`peer\\.toml:${line + 1}:1: .*lissten`));
    expect(ran.stdout + ran.stderr).toMatch(/^\s*\^/m);
  });

  it('stops within 10 s on SIGTERM with status 0, and has its friends again after a restart', async () => {
    const { code, tookMs } = await trio.carol.stop();
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(10_000);
    expect((await trio.carol.peer(['status'])).code).toBe(69);
    await trio.carol.up();
    await allTogether([trio.alice, trio.bob, trio.carol]);
  });
});

describe('an invite', () => {
  it('is one code, alone on the last line of stdout', async () => {
    const lines = (await trio.alice.well(['invite', 'dave'])).trimEnd().split('\n');
    expect(lines.at(-1)).toMatch(/^peer1-[a-z2-7]+$/);
  });

  it('is shown as a picture too where that is asked for, and the code still stands alone on stdout', async () => {
    const ran = await trio.alice.peer(['invite', 'dora', '--qr']);
    expect(ran.code).toBe(0);
    expect(ran.stdout.trim()).toMatch(/^peer1-\w+$/);
    expect(ran.stderr.split('\n').filter((line) => /[█▀▄]/.test(line)).length).toBeGreaterThan(20);
  });

  it('is refused when a character was changed: exit 65', async () => {
    const code = await inviteCode(trio.alice, 'dave');
    const at = Math.floor(code.length / 2);
    const altered = `${code.slice(0, at)}${code[at] === 'a' ? 'b' : 'a'}${code.slice(at + 1)}`;
    const ran = await tryToJoin(altered);
    expect(ran.code).toBe(65);
    expect(ran.stderr).toMatch(/damaged|altered|checksum/);
  });

  it('is refused when its time is over', async () => {
    const invite = await trio.alice.json<{ code: string; expiresAt: string }>([
      'invite',
      'dave',
      '--expires',
      '1s',
    ]);
    await eventually('the invite is over', () => Date.now() > Date.parse(invite.expiresAt));
    const ran = await tryToJoin(invite.code);
    expect(ran.code).toBe(65);
    expect(ran.stderr).toMatch(/expired/);
  });

  it('is refused when it was revoked', async () => {
    const invite = await trio.alice.json<{ id: string; code: string }>(['invite', 'dave']);
    await trio.alice.well(['invite', '--revoke', invite.id]);
    const ran = await tryToJoin(invite.code);
    expect(ran.code).toBe(65);
    expect(ran.stderr).toMatch(/revoked/);
  });

  it('leaves nothing behind when it was refused', async () => {
    expect((await dave.status()).friends).toEqual([]);
    expect((await trio.alice.status()).friends.map(({ name }) => name).toSorted()).toEqual(['bob', 'carol']);
  });

  it('works once, also while the inviter is away; the second time it is refused', async () => {
    const code = await inviteCode(trio.alice, 'dave');
    await trio.alice.stop();
    const ran = await tryToJoin(code);
    expect(ran.stderr + ran.stdout).toMatch(/Joined/);
    expect(ran.code).toBe(0);
    await trio.alice.up();
    await allTogether([trio.alice, trio.bob, trio.carol, dave]);
    const eve = scene.box({ name: 'eve', host: trio.address(5) });
    await eve.init();
    await eve.up();
    const again = await eve.peer(['join', '--code-file', '-', '--yes'], {
      stdin: `${code}\n`,
      limitMs: 60_000,
    });
    expect(again.code).toBe(65);
    expect(again.stderr).toMatch(/used/);
    expect((await eve.status()).friends).toEqual([]);
  });
});

describe('a stranger', () => {
  it('gets nothing, not even the join protocol, from a box that invited nobody', async () => {
    const fay = scene.box({ name: 'fay', host: trio.address(6) });
    await fay.init();
    await fay.up();
    const { id } = await fay.status();
    const target = { peer: id, address: fay.mesh };
    for (const protocol of ['join', 'sync', 'zone', 'live', 'drain', 'bulk'] as const) {
      expect([protocol, await strangerIsServed(target, protocol)]).toEqual([protocol, false]);
    }
  });

  it('gets the join protocol while an invite is open, and nothing else', async () => {
    const { id } = await trio.bob.status();
    const invite = await trio.alice.json<{ id: string }>(['invite', 'frank']);
    const target = { peer: id, address: trio.bob.mesh };
    await eventually('bob lets guests ask', () => strangerIsServed(target, 'join'));
    for (const protocol of ['sync', 'zone', 'live', 'drain', 'bulk'] as const) {
      expect([protocol, await strangerIsServed(target, protocol)]).toEqual([protocol, false]);
    }
    await trio.alice.well(['invite', '--revoke', invite.id]);
  });
});
