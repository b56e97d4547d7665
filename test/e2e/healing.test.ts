import { beforeAll, describe, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial } from './lib/dig.ts';
import { eventually } from './lib/eventually.ts';
import { type Network, startNetwork } from './lib/network.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, openScene, threeFriendsIn } from './lib/scene.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip = whyNot({ programs: ['ip', 'bridge', 'bash', 'dig'], root: true }, 'healing') !== undefined;

/** How long a circle may take to be whole again. */
const healMs = 15_000;

describe.skipIf(skip)('a box whose line was cut, or whose address changed', () => {
  let network: Network;
  let alice: Box;
  let bob: Box;
  let carol: Box;
  let serial = 1;

  const save = (box: Box): string =>
    box.write(`${box.name}.zone`, zoneText({ serial, ns1: network.host('bob'), ns2: network.host('carol') }));
  const serves = async (box: Box, owner: Box): Promise<boolean> => {
    const server = { host: '127.0.0.1', port: 53 };
    return (
      (await authoritativeSerial(server, `${owner.name}.example`, { namespace: box.namespace })) === serial
    );
  };
  /** What alice says reaches both, and what bob says reaches alice: the test that a gossip over old streams fails. */
  const bothWays = async (withinMs: number): Promise<void> => {
    serial += 1;
    for (const box of [alice, bob]) save(box);
    for (const [box, owner] of [
      [bob, alice],
      [carol, alice],
      [alice, bob],
    ] as const)
      await eventually(`${owner.name}'s change is at ${box.name}`, () => serves(box, owner), withinMs);
  };

  beforeAll(async () => {
    // Addresses that the internet routes, since a box believes only those that friends see of it.
    network = scene.use(await startNetwork(['alice', 'bob', 'carol'], { prefix: '203.0.113' }));
    ({ alice, bob, carol } = await threeFriendsIn(scene, network, '0.0.0.0'));
    for (const box of [alice, bob])
      await box.well(['zone', 'add', `${box.name}.example`, '--file', save(box)]);
    await bothWays(15_000);
  });

  it('is whole with its friends within 15 s of a cut of 40 s, and word passes both ways', async () => {
    await network.cut('alice');
    await new Promise((resolve) => setTimeout(resolve, 40_000));
    await network.heal('alice');
    await allTogether([alice, bob, carol], healMs);
    await bothWays(5000);
  });

  it('comes back at another address within 15 s, when its friends had noticed before it could speak again', async () => {
    await network.cut('alice');
    await new Promise((resolve) => setTimeout(resolve, 40_000));
    await network.move('alice');
    await network.heal('alice');
    await allTogether([alice, bob, carol], healMs);
    await bothWays(5000);
  });

  it('says so itself at another address, although its friends still believe in the old connection', async () => {
    await network.move('alice');
    // Nobody hears an end: alice notices that nothing arrives, and dials beside what seems to stand.
    await eventually(
      'bob has a connection from her new address',
      async () => (await connectionsFrom(bob, network.host('alice'))) > 0,
      45_000,
    );
    await bothWays(healMs);
    await allTogether([alice, bob, carol], healMs);
  });

  /** TCP connections that stand with this host, as the kernel of the box has them. */
  async function connectionsFrom(box: Box, host: string): Promise<number> {
    const { run } = await import('./lib/run.ts');
    const listed = await run(['cat', '/proc/net/tcp'], { namespace: box.namespace });
    const hex = host
      .split('.')
      .reverse()
      .map((part) => Number(part).toString(16).padStart(2, '0').toUpperCase())
      .join('');
    return listed.stdout.split('\n').filter((line) => line.includes(` ${hex}:`) && line.includes(' 01 '))
      .length;
  }
});
