import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial } from './lib/dig.ts';
import { eventually, steadily } from './lib/eventually.ts';
import { whyNot } from './lib/programs.ts';
import { openScene, type Trio, threeFriends } from './lib/scene.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip = whyNot({ programs: ['dig'] }, "claiming another owner's domain") !== undefined;

describe.skipIf(skip)('a friend who claims what is another owner’s', () => {
  let trio: Trio;
  const owners = async (box: Box): Promise<string[]> => {
    const { zones, mail } = await box.status();
    const named = [
      ...zones.map(({ origin, owner }) => `${origin} of ${owner}`),
      ...mail.map(({ domain, owner }) => `mail for ${domain} of ${owner}`),
    ];
    return named.sort();
  };

  beforeAll(async () => {
    trio = await threeFriends(scene);
    const { alice, bob, carol } = trio;
    const zone = alice.write('alice.zone', zoneText({ serial: 1, ns1: bob.host, ns2: carol.host }));
    await alice.well(['zone', 'add', 'alice.example', '--file', zone]);
    await alice.well(['mail', 'add', 'alice.example', '--deliver', '127.0.0.1:1']);
    // Bob and carol serve each other too, so that his claims are put to her as well as to alice.
    for (const [box, other] of [
      [bob, 'carol'],
      [carol, 'bob'],
    ] as const)
      await box.well(['friends', 'may', other, '+dns', '+mail']);
    await eventually('bob and carol have what is alice’s', async () => {
      const seen = await Promise.all([bob, carol].map(owners));
      return seen.every((list) => list.join() === 'alice.example of alice,mail for alice.example of alice');
    });
  });

  it('the name itself, one below, one above, or its mail, gets nothing of it from anybody; all are told, and it is counted', async () => {
    const { alice, bob, carol } = trio;
    const text = zoneText({ serial: 666, ns1: bob.host, ns2: bob.host });
    for (const origin of ['www.alice.example', 'example']) {
      const file = bob.write(`${origin}.zone`, text.replaceAll('alice.example', origin));
      await bob.well(['zone', 'add', origin, '--file', file]);
    }
    await bob.well(['mail', 'add', 'sub.alice.example', '--deliver', '127.0.0.1:1']);
    // What is his own goes on beside it.
    const own = bob.write('bob.zone', text.replaceAll('alice.example', 'bob.example'));
    await bob.well(['zone', 'add', 'bob.example', '--file', own]);
    for (const box of [alice, carol]) {
      await eventually(
        `${box.name} serves bob.example`,
        async () => (await authoritativeSerial(box.dns, 'bob.example')) === 666,
      );
      const told = await box.well(['events']);
      for (const name of ['www.alice.example', 'example', 'sub.alice.example'])
        expect(told).toContain(`bob claims ${name}, but alice.example is alice's: refused.`);
      const metrics = await (await fetch(`http://${box.http.host}:${box.http.port}/metrics`)).text();
      expect(metrics).toContain('copain_refused_total{step="meaning"} 3\n');
    }
    await steadily(async () => {
      const list = 'alice.example of alice,bob.example of bob,mail for alice.example of alice';
      expect((await owners(alice)).join()).toBe(list);
      expect((await owners(carol)).join()).toBe(list);
      expect(await authoritativeSerial(carol.dns, 'alice.example')).toBe(1);
      expect(await authoritativeSerial(carol.dns, 'www.alice.example')).not.toBe(666);
    }, 1500);
  });

  it('and who claimed first has it still after a restart', async () => {
    const { carol } = trio;
    await carol.kill();
    await carol.up();
    await eventually(
      'carol serves what she did before',
      async () =>
        (await owners(carol)).join() ===
        'alice.example of alice,bob.example of bob,mail for alice.example of alice',
    );
  });
});
