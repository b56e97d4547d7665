import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { eventually, steadily } from './lib/eventually.ts';
import { type Network, startNetwork } from './lib/network.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, openScene, type Trio, threeFriends, threeFriendsIn } from './lib/scene.ts';
import type { FriendJson } from './lib/status-json.ts';
import { isHeard } from './lib/status-json.ts';

const scene = openScene();

async function seen(box: Box, name: string): Promise<FriendJson> {
  const friend = (await box.status()).friends.find((one) => one.name === name);
  if (!friend) throw new Error(`${box.name} does not list ${name}`);
  return friend;
}

const notUp = (box: Box, name: string, withinMs: number): Promise<FriendJson> =>
  eventually(
    `${box.name} notices that ${name} is gone`,
    async () => {
      const friend = await seen(box, name);
      return !isHeard(friend.state) && friend;
    },
    withinMs,
  );

describe('a friend whose agent ends', () => {
  let trio: Trio;

  beforeAll(async () => {
    trio = await threeFriends(scene);
  });

  for (const how of ['stop', 'kill'] as const) {
    it(`is noticed by both others within a second (${how}), with since when, and so is his return`, async () => {
      const before = Date.now();
      await trio.alice[how]();
      for (const friend of await Promise.all([
        notUp(trio.bob, 'alice', 1000),
        notUp(trio.carol, 'alice', 1000),
      ])) {
        expect(Date.parse(friend.sinceAt)).toBeGreaterThanOrEqual(before);
        expect(Date.parse(friend.sinceAt)).toBeLessThanOrEqual(Date.now());
        expect(Date.parse(friend.lastHeardAt ?? '')).toBeLessThanOrEqual(Date.now());
      }
      expect(await seen(trio.bob, 'carol')).toMatchObject({ state: 'up', confirmed: true });
      await trio.alice.up();
      await allTogether([trio.alice, trio.bob, trio.carol], 15_000);
    });
  }

  it('is down once both others agree, who are named', async () => {
    await trio.alice.stop();
    const agreed = await eventually(
      'bob calls alice down',
      async () => {
        const friend = await seen(trio.bob, 'alice');
        return friend.state === 'down' && friend.confirmed && friend;
      },
      60_000,
    );
    expect(agreed.seenDownBy).toContain('carol');
    expect(await trio.bob.well(['status'])).toMatch(/alice.*down/);
    await trio.alice.up();
    await allTogether([trio.alice, trio.bob, trio.carol], 15_000);
    expect((await seen(trio.bob, 'alice')).seenDownBy).toEqual([]);
  });
});

const skip = whyNot({ programs: ['ip', 'bridge', 'bash'], root: true }, 'a cut line') !== undefined;

describe.skipIf(skip)('a line that is cut, in network namespaces', () => {
  let network: Network;
  let alice: Box;
  let bob: Box;
  let carol: Box;

  beforeAll(async () => {
    network = scene.use(await startNetwork(['alice', 'bob', 'carol']));
    ({ alice, bob, carol } = await threeFriendsIn(scene, network));
  });

  it('is noticed within 45 s by both others and agreed within 60 s; whoever is cut off says so of himself', async () => {
    const startMs = performance.now();
    await network.cut('alice');
    await Promise.all([notUp(bob, 'alice', 45_000), notUp(carol, 'alice', 45_000)]);
    for (const [box, other] of [
      [bob, 'carol'],
      [carol, 'bob'],
    ] as const) {
      const friend = await eventually(
        `${box.name} calls alice down`,
        async () => {
          const one = await seen(box, 'alice');
          return one.state === 'down' && one.confirmed && one;
        },
        60_000 - (performance.now() - startMs),
      );
      expect(friend.seenDownBy).toContain(other);
      expect(await seen(box, other)).toMatchObject({ state: 'up' });
    }
    await eventually(
      'alice knows that it is her line',
      async () => (await alice.status()).line.state === 'cut',
      10_000,
    );
    expect(
      (await alice.status()).friends.filter(({ confirmed, state }) => state === 'down' && confirmed),
    ).toEqual([]);
    expect((await bob.status()).line.state).toBe('ok');
  });

  it('is noticed within 15 s when it is back', async () => {
    await network.heal('alice');
    await allTogether([alice, bob, carol], 15_000);
    expect((await alice.status()).line.state).toBe('ok');
    expect((await seen(bob, 'alice')).seenDownBy).toEqual([]);
  });

  it('that is only slow and full is nobody’s silence', async () => {
    await network.narrow('alice', '128kbit', '2s');
    // One flow alone may find that the line is narrow, and leave its queue half empty.
    await using floods = new AsyncDisposableStack();
    for (let flow = 0; flow < 4; flow++) floods.use(network.flood('alice', 'bob'));
    await allTogether([alice, bob, carol], 15_000);
    await steadily(async () => {
      for (const box of [bob, carol]) {
        const { state, seenDownBy } = await seen(box, 'alice');
        expect([isHeard(state), seenDownBy]).toEqual([true, []]);
      }
    }, 60_000);
    // What is queued takes its second or two, and that is what is said of it, once three answers in a row took so long.
    await eventually('bob calls alice slow', async () => (await seen(bob, 'alice')).state === 'slow', 60_000);
  });
});
