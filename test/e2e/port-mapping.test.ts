import { describe, expect, it } from 'vitest';
import { joinWithRelay, upAtHome } from './lib/at-home.ts';
import type { Box } from './lib/box.ts';
import { eventually } from './lib/eventually.ts';
import { startHomeRouter } from './lib/home-router.ts';
import { startNatNetwork } from './lib/nat-network.ts';
import { whyNot } from './lib/programs.ts';
import { openScene } from './lib/scene.ts';

const scene = openScene();
const needs = { programs: ['ip', 'nft', 'bridge', 'ss', 'miniupnpd'], root: true };
const skip = whyNot(needs, 'port mapping') !== undefined;

const mappedByDefault = 4853;

describe.skipIf(skip).each([
  { way: 'NAT-PMP', natPmp: true, upnp: false },
  { way: 'UPnP', natPmp: false, upnp: true },
])('a box behind a router that speaks $way', ({ way, natPmp, upnp }) => {
  it('has its port passed on, is reached there, gets it back from a router that forgot it, and takes it away when it stops', async () => {
    const home = scene.use(
      await startNatNetwork([
        { box: 'erin', outside: '100.128.1.2', nat: true },
        { box: 'dave', outside: '203.0.113.1', nat: false },
      ]),
    );
    const router = scene.use(await startHomeRouter(home.router('erin'), { natPmp, upnp }));
    const [erin, dave] = ['erin', 'dave'].map((name) =>
      scene.box({ name, host: home.host(name), namespace: home.namespace(name) }),
    ) as [Box, Box];
    for (const box of [erin, dave]) await upAtHome(box);
    await joinWithRelay(erin, dave);
    const reachable = async (): Promise<boolean> => (await erin.status()).address.reachable === true;
    await eventually('dave can dial erin', reachable, 60_000);

    const { stdout } = await erin.peer(['doctor', 'net', '--ask-friends']);
    expect(stdout).toContain(`dave reached 100.128.1.2:${mappedByDefault}`);
    expect(stdout).toContain(`on to port 4853 of this box (${way})`);
    expect(await router.passedOn()).toContain('192.168.1.2:4853');
    expect((await erin.status()).events.map(({ kind }) => kind)).toContain('router.open');

    await router.restart();
    expect(await router.passedOn()).not.toContain('192.168.1.2:4853');
    await eventually(
      'the router was asked again',
      async () => {
        // Friends find out when they are asked; the box asks the router once they could not dial.
        await erin.peer(['doctor', 'net', '--ask-friends']);
        return (await router.passedOn()).includes('192.168.1.2:4853');
      },
      120_000,
    );

    await erin.stop();
    await eventually(
      'the port is closed again',
      async () => !(await router.passedOn()).includes('192.168.1.2:4853'),
      10_000,
    );
  });
});
