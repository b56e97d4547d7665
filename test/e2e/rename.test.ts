import { beforeAll, expect, it } from 'vitest';
import { eventually } from './lib/eventually.ts';
import { openScene, type Trio, threeFriends } from './lib/scene.ts';

const scene = openScene();
let trio: Trio;

beforeAll(async () => {
  trio = await threeFriends(scene);
});

it('a friend renamed on one box keeps what it does for him, at once and after a restart; the others do not notice', async () => {
  const { alice, bob, carol } = trio;
  const friendsOf = async (): Promise<{ name: string; may: string[] }[]> =>
    (await alice.json<{ friends: { name: string; may: string[] }[] }>(['friends'])).friends;
  await alice.well(['friends', 'may', 'bob', 'dns,relay']);
  await alice.well(['friends', 'rename', 'bob', 'robert']);
  expect(alice.read('peer.toml')).toContain('[[friend]]\nname = "robert"\nmay = ["dns", "relay"]');
  const robert = expect.objectContaining({ name: 'robert', may: ['dns', 'relay'] });
  expect((await friendsOf()).map(({ name }) => name).toSorted()).toEqual(['carol', 'robert']);
  expect(await friendsOf()).toContainEqual(robert);
  const refusals: [string, string, RegExp][] = [
    ['robert', 'carol', /carol is another friend/],
    ['robert', 'alice', /alice is this box itself/],
    ['robert', 'No Name', /is no name/],
    ['bob', 'bert', /no friend called bob/],
  ];
  for (const [name, to, why] of refusals) {
    const ran = await alice.peer(['friends', 'rename', name, to]);
    expect(ran.code).toBe(65);
    expect(ran.stderr).toMatch(why);
  }
  await alice.stop();
  await alice.up();
  expect(await friendsOf()).toContainEqual(robert);
  await eventually(
    'robert is up',
    async () => (await alice.peer(['wait', '--for', 'friend:robert', '--timeout', '1s'])).code === 0,
  );
  for (const box of [bob, carol]) {
    const { friends } = await box.json<{ friends: { name: string }[] }>(['friends']);
    expect(friends.map(({ name }) => name)).toContain(box === bob ? 'carol' : 'bob');
  }
});
