import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { eventually } from './lib/eventually.ts';
import { type Network, startNetwork } from './lib/network.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, inviteCode, join, openScene, type Trio, threeFriends } from './lib/scene.ts';

const scene = openScene();
const friendsAt = async (box: Box): Promise<{ name: string; id: string }[]> =>
  (await box.json<{ friends: { name: string; id: string }[] }>(['friends'])).friends;
const idsAt = async (box: Box): Promise<string> =>
  (await friendsAt(box))
    .map(({ id }) => id)
    .toSorted()
    .join(' ');
const tryToJoin = (box: Box, code: string) =>
  box.peer(['join', '--code-file', '-', '--yes'], { stdin: `${code}\n`, limitMs: 90_000 });

describe('an invite whose inviter is away', () => {
  let trio: Trio;

  beforeAll(async () => {
    trio = await threeFriends(scene);
  });

  it('lets the joiner in through the last of its three contacts, when the first two are stopped', async () => {
    const { alice, bob, carol } = trio;
    const dave = scene.box({ name: 'dave', host: trio.address(4) });
    await dave.init();
    await dave.up();
    const code = await inviteCode(alice, 'dave');
    await alice.stop();
    await bob.stop();
    const ran = await tryToJoin(dave, code);
    expect(ran.stdout + ran.stderr).toMatch(/Joined/);
    expect(ran.stderr).toMatch(/carol/);
    await alice.up();
    await bob.up();
    await allTogether([alice, bob, carol, dave], 60_000);
    const words = async (box: Box, friend: string): Promise<string> =>
      (await box.json<{ words: string[] }>(['key', 'words', friend])).words.join(' ');
    // Also between the two who never spoke while he joined.
    expect(await words(alice, 'dave')).toBe(await words(dave, 'alice'));
  });
});

const skip =
  whyNot({ programs: ['ip', 'bridge', 'bash'], root: true }, 'one code, two members') !== undefined;

describe.skipIf(skip)('one code that two members accept while they cannot hear each other', () => {
  let network: Network;
  const names = ['alice', 'bob', 'carol', 'dave', 'erin'];
  const boxes = new Map<string, Box>();
  const box = (name: string): Box => {
    const found = boxes.get(name);
    if (found === undefined) throw new Error(`no box ${name}`);
    return found;
  };

  beforeAll(async () => {
    network = scene.use(await startNetwork(names, { prefix: '203.0.113' }));
    for (const name of names) {
      const made = scene.box({ name, host: '0.0.0.0', namespace: network.namespace(name) });
      boxes.set(name, made);
      await made.init();
      await made.up();
    }
    await join(box('bob'), box('alice'));
    await join(box('carol'), box('alice'));
    await allTogether(['alice', 'bob', 'carol'].map(box));
  });

  it('admits one of the two on every box; the other one is told, is nowhere, and comes in by a new code', async () => {
    const code = await inviteCode(box('alice'), 'guest');
    for (const name of ['bob', 'carol']) {
      await eventually(
        `${name} knows the invite`,
        async () => (await box(name).json<{ invites: unknown[] }>(['invite', '--list'])).invites.length >= 3,
      );
    }
    for (const name of ['alice', 'carol']) await network.cut(name);
    expect((await tryToJoin(box('dave'), code)).stdout).toMatch(/Joined/);
    await network.cut('bob');
    await network.heal('carol');
    expect((await tryToJoin(box('erin'), code)).stdout).toMatch(/Joined/);
    await network.heal('alice');
    await network.heal('bob');
    const members = ['alice', 'bob', 'carol'].map(box);
    const toldTo = await eventually(
      'one of the two is told that the code was taken',
      async () => {
        for (const name of ['dave', 'erin'])
          if (/circle\.invite-taken/.test(await box(name).well(['events', '--since', '10m']))) return name;
        return undefined;
      },
      90_000,
    );
    const [loser, winner] = toldTo === 'dave' ? [box('dave'), box('erin')] : [box('erin'), box('dave')];
    await eventually(
      'every member and the winner list each other, and nobody else',
      async () => {
        const everybody = [...members, winner];
        const ids = await Promise.all(everybody.map(async (one) => (await one.status()).id));
        const lists = await Promise.all(everybody.map(idsAt));
        return lists.every((list, at) => list === ids.toSpliced(at, 1).toSorted().join(' '));
      },
      60_000,
    );
    expect(await winner.well(['events', '--since', '10m'])).not.toMatch(/circle\.invite-taken/);
    expect((await loser.status()).verdict).toMatchObject({
      level: 'danger',
      todo: [{ command: 'peer join' }],
    });
    const again = await inviteCode(box('bob'), 'second');
    expect((await tryToJoin(loser, again)).stdout).toMatch(/Joined/);
    // Whoever called him "guest" before goes on doing so: a name once given stays with its owner.
    const { id, verdict } = await loser.status();
    expect(verdict.text).not.toContain('in no circle');
    for (const member of members)
      await eventually(
        `${member.name} lists him too`,
        async () => (await friendsAt(member)).some((friend) => friend.id === id),
        60_000,
      );
  });
});
