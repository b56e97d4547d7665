import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial } from './lib/dig.ts';
import { eventually } from './lib/eventually.ts';
import { sentBytes } from './lib/line.ts';
import { startNetwork } from './lib/network.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, boxesIn, join, openScene } from './lib/scene.ts';
import { isHeard } from './lib/status-json.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const limitBytesPerSecond = 128_000 / 8;

/** Records that no compression makes smaller: about `sizeBytes` of them on the wire. */
function noise(sizeBytes: number): string[] {
  return Array.from(
    { length: Math.ceil(sizeBytes / 120) },
    (_, i) => `r${i} IN TXT "${randomBytes(120).toString('hex').slice(0, 240)}"`,
  );
}

const skip = whyNot({ programs: ['ip', 'bridge', 'dig'], root: true }, 'the limit of the line') !== undefined;

describe.skipIf(skip)('a box that may use 128 kbit/s of its uplink', () => {
  let alice: Box;
  let bob: Box;
  const answered = (origin: string): Promise<number | undefined> =>
    authoritativeSerial(bob.dns, origin, { namespace: bob.namespace });

  beforeAll(async () => {
    const network = scene.use(await startNetwork(['alice', 'bob']));
    [alice, bob] = boxesIn(scene, network, ['alice', 'bob']);
    await alice.init();
    await bob.init();
    alice.write('peer.toml', alice.read('peer.toml').replace('[line]', '[line]\nup = "128kbit"'));
    await alice.up();
    await bob.up();
    await join(bob, alice);
    await allTogether([alice, bob]);
  });

  it('sends a large zone at that rate, and beats and a small zone are not kept waiting by it', async () => {
    const large = zoneText({ serial: 1, ns1: bob.host, ns2: bob.host, more: noise(200_000) });
    const small = zoneText({ serial: 7, ns1: bob.host, ns2: bob.host });
    const startBytes = await sentBytes(alice);
    const startMs = performance.now();
    await alice.well(['zone', 'add', 'large.example', '--file', alice.write('large.zone', large)]);
    await eventually('the transfer is under way', async () => (await sentBytes(alice)) > startBytes + 20_000);

    const addedMs = performance.now();
    await alice.well(['zone', 'add', 'small.example', '--file', alice.write('small.zone', small)]);
    await eventually('the small zone is answered', async () => (await answered('small.example')) === 7, 5000);
    expect(performance.now() - addedMs).toBeLessThan(5000);
    expect(await answered('large.example')).not.toBe(1);
    expect((await bob.status()).friends.map(({ name, state }) => [name, isHeard(state)])).toEqual([
      ['alice', true],
    ]);

    await eventually(
      'the large zone is answered',
      async () => (await answered('large.example')) === 1,
      60_000,
    );
    const rate = (await sentBytes(alice)) - startBytes;
    const perSecond = rate / ((performance.now() - startMs) / 1000);
    expect(perSecond).toBeLessThan(limitBytesPerSecond * 1.05);
    expect(perSecond).toBeGreaterThan(limitBytesPerSecond * 0.7);
  });
});
