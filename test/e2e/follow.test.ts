import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { dig } from './lib/dig.ts';
import { eventually } from './lib/eventually.ts';
import { type Network, startNetwork } from './lib/network.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, openScene, threeFriendsIn } from './lib/scene.ts';
import { isHeard } from './lib/status-json.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip = whyNot({ programs: ['ip', 'bridge', 'bash', 'dig'], root: true }, 'follow') !== undefined;

/** From the line's return with another address to every secondary answering it. */
const followMs = 30_000;

describe.skipIf(skip)('names that follow the address of their box', () => {
  let network: Network;
  let alice: Box;
  let bob: Box;
  let carol: Box;

  const answered = async (box: Box, name: string): Promise<string | undefined> => {
    const server = { host: '127.0.0.1', port: 53 };
    const { answers } = await dig(server, name, 'A', { namespace: box.namespace });
    return answers[0]?.split(' ')[4];
  };
  const bothAnswer = async (name: string, address: string, withinMs: number): Promise<void> => {
    for (const box of [bob, carol])
      await eventually(
        `${box.name} answers ${address} for ${name}`,
        async () => (await answered(box, name)) === address,
        withinMs,
      );
  };
  const aliceHost = (): string => network.host('alice');

  beforeAll(async () => {
    network = scene.use(await startNetwork(['alice', 'bob', 'carol'], { prefix: '203.0.113' }));
    ({ alice, bob, carol } = await threeFriendsIn(scene, network, '0.0.0.0'));
    // The file says what was true long ago.
    const text = zoneText({
      serial: 1,
      ns1: network.host('bob'),
      ns2: network.host('carol'),
      more: ['@ IN A 192.0.2.1', 'mail 60 IN A 192.0.2.1'],
    });
    await alice.well(['zone', 'add', 'alice.example', '--file', alice.write('alice.zone', text)]);
    const config = alice.read('peer.toml');
    alice.write('peer.toml', config.replace(/^file = .*alice\.zone"$/m, '$&\nfollow = ["@", "mail"]'));
    await alice.well(['reload']);
  });

  it('have the address that friends see, and not what the file says; other names keep theirs', async () => {
    await bothAnswer('alice.example', aliceHost(), followMs);
    await bothAnswer('mail.alice.example', aliceHost(), 5000);
    expect(await answered(bob, 'www.alice.example')).toBe('192.0.2.80');
    const shown = JSON.parse(await alice.well(['address', '--json']));
    expect(shown).toMatchObject({
      schema: 'peer.address/1',
      ipv4: { address: aliceHost(), by: 'friends' },
      followedBy: ['alice.example', 'mail.alice.example'],
    });
  });

  it('have the new one at every secondary within 30 s of the line being back with it', async () => {
    const before = aliceHost();
    await network.cut('alice');
    await network.move('alice');
    await eventually(
      'bob has noticed',
      async () => (await bob.status()).friends.some((one) => one.name === 'alice' && !isHeard(one.state)),
      60_000,
    );
    await network.heal('alice');
    await bothAnswer('alice.example', aliceHost(), followMs);
    await bothAnswer('mail.alice.example', aliceHost(), 5000);
    const { history } = JSON.parse(await alice.well(['address', 'history', '--json']));
    expect(history.at(-1)).toMatchObject({ from: before, to: aliceHost(), by: 'friends' });
    expect(alice.read('alice.zone')).toContain('mail 60 IN A 192.0.2.1');
  });

  it('have what the operator sets, also over a restart, until he lets friends say it again', async () => {
    await alice.well(['address', 'set', '198.51.100.77']);
    await bothAnswer('alice.example', '198.51.100.77', 5000);
    const refused = await alice.peer(['address', 'set', '192.168.1.5']);
    expect([refused.code, refused.stderr]).toEqual([
      65,
      expect.stringContaining('no address that the internet routes'),
    ]);
    await alice.stop();
    await alice.up();
    await allTogether([alice, bob, carol]);
    expect(await answered(bob, 'alice.example')).toBe('198.51.100.77');
    await alice.well(['address', 'set', 'auto']);
    await bothAnswer('alice.example', aliceHost(), followMs);
  });

  it('stay where they are when the box starts and has heard nobody yet', async () => {
    await network.cut('alice');
    await alice.stop();
    await alice.up();
    const shown = JSON.parse(await alice.well(['address', '--json']));
    expect(shown.ipv4.address).toBe(aliceHost());
    await network.heal('alice');
    await allTogether([alice, bob, carol]);
    expect(await answered(carol, 'mail.alice.example')).toBe(aliceHost());
  });
});
