import { beforeAll, describe, expect, it } from 'vitest';
import { eventually } from './lib/eventually.ts';
import { startRecordingMta } from './lib/recording-mta.ts';
import { openScene, type Trio, threeFriends } from './lib/scene.ts';
import { send } from './lib/smtp-dialogue.ts';

const scene = openScene();
let trio: Trio;

interface Recipients {
  known: number;
  refused: number;
  addresses: { address: string; source: string }[];
  friends: { name: string; isCurrent: boolean }[];
}

describe('recipients of alice, while she is away', () => {
  const asked = (box: Trio['alice']) => box.json<Recipients>(['mail', 'recipients', 'alice.example']);

  beforeAll(async () => {
    trio = await threeFriends(scene);
    const { alice, bob } = trio;
    const mta = scene.use(
      await startRecordingMta({
        address: { host: trio.address(9), port: 2500 },
        refuse: (to) => (to.startsWith('anna@') ? undefined : '550 5.1.1 nobody here is called so'),
      }),
    );
    const deliver = `${mta.address.host}:${mta.address.port}`;
    await alice.well(['mail', 'add', 'alice.example', '--deliver', deliver, '--recipients', 'learn']);
    const toml = alice
      .read('peer.toml')
      .replace('recipients = "learn"', 'recipients = "learn"\nunknown = "defer"');
    alice.write('peer.toml', toml);
    await alice.well(['reload']);
    await eventually('bob and carol were told', async () => {
      const { friends } = await asked(alice);
      return friends.length === 2 && friends.every(({ isCurrent }) => isCurrent);
    });
    expect(await send(bob.smtp, 'anna@alice.example', 'live')).toMatch(/^250/);
    expect(await send(bob.smtp, 'nobody@alice.example', 'live')).toMatch(/^550 5\.1\.1/);
    await alice.well(['mail', 'recipients', 'alice.example', 'add', 'ben@alice.example']);
    await eventually('carol knows whom bob passed on', async () => (await asked(trio.carol)).known === 2);
  });

  it('are those her server took, and those she added, at every friend; the list shows who knows what', async () => {
    const { alice, bob, carol } = trio;
    expect((await asked(alice)).addresses).toEqual([
      { address: 'anna@alice.example', source: 'learned' },
      { address: 'ben@alice.example', source: 'added' },
    ]);
    await eventually('bob knows them too', async () => (await asked(bob)).known === 2);
    await alice.stop();
    for (const box of [bob, carol]) {
      for (const known of ['anna', 'Ben+x', 'postmaster'])
        expect(await send(box.smtp, `${known}@alice.example`, 'held')).toMatch(/^250/);
      for (const other of ['nobody', 'somebody'])
        expect(await send(box.smtp, `${other}@alice.example`, 'held')).toMatch(/^451 4\.1\.1/);
    }
    await bob.kill();
    await bob.up();
    expect(await send(bob.smtp, 'anna@alice.example', 'again')).toMatch(/^250/);
    expect(await send(bob.smtp, 'nobody@alice.example', 'again')).toMatch(/^451/);
    await alice.up();
  });

  it('are forgotten by a friend when the grant ends', async () => {
    const { alice, bob } = trio;
    const toml = alice
      .read('peer.toml')
      .replace('unknown = "defer"', 'unknown = "defer"\nbackups = ["carol"]');
    alice.write('peer.toml', toml);
    await alice.well(['reload']);
    await eventually(
      'bob takes no mail for her',
      async () => (await bob.peer(['mail', 'recipients', 'alice.example'])).code === 65,
    );
  });
});
