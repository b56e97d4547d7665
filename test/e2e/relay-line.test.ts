import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { joinWithRelay, upAtHome } from './lib/at-home.ts';
import type { Box } from './lib/box.ts';
import { authoritativeSerial } from './lib/dig.ts';
import { doubts } from './lib/doubts.ts';
import { eventually } from './lib/eventually.ts';
import { largeLetter } from './lib/large-letter.ts';
import { type NatNetwork, startNatNetwork } from './lib/nat-network.ts';
import { whyNot } from './lib/programs.ts';
import { runWell } from './lib/run.ts';
import { allTogether, openScene } from './lib/scene.ts';
import { swaks } from './lib/swaks.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const origin = 'alice.example';
const programs = ['ip', 'nft', 'bridge', 'dig', 'swaks'];
const skip = whyNot({ programs, root: true }, 'a relay with a narrow line') !== undefined;
/** carol's `[line] up`, in bytes per second. */
const upBytesPerSecond = 16_000;

interface LineAnswer {
  bytes: number;
  ownConnection: boolean;
}

describe.skipIf(skip)('two boxes behind NAT, and a friend who relays for them at 128 kbit/s', () => {
  let network: NatNetwork;
  let alice: Box;
  let bob: Box;
  let carol: Box;
  let serial = 0;
  const saveZone = (): string => {
    serial += 1;
    const addresses = { ns1: network.outside('carol'), ns2: network.outside('bob') };
    return alice.write('alice.zone', zoneText({ serial, ...addresses }));
  };
  /** Saves the zone and says how long bob took to answer with it. */
  const zoneChangeMs = async (): Promise<number> => {
    saveZone();
    const startMs = performance.now();
    const answers = () => authoritativeSerial(bob.dns, origin, { namespace: bob.namespace });
    await eventually(`bob answers ${serial}`, async () => (await answers()) === serial, 20_000);
    return performance.now() - startMs;
  };
  const sentBytes = async (): Promise<number> =>
    Number(await runWell(['cat', '/sys/class/net/eth0/statistics/tx_bytes'], { namespace: carol.namespace }));
  const pathToBob = async (): Promise<string | null | undefined> =>
    (await alice.status()).friends.find(({ name }) => name === 'bob')?.path;

  beforeAll(async () => {
    network = scene.use(
      await startNatNetwork([
        { box: 'alice', outside: '198.18.1.2', nat: true },
        { box: 'bob', outside: '198.19.1.2', nat: true },
        { box: 'carol', outside: '203.0.113.1', nat: false },
      ]),
    );
    [alice, bob, carol] = ['alice', 'bob', 'carol'].map((name) =>
      scene.box({ name, host: network.host(name), namespace: network.namespace(name) }),
    ) as [Box, Box, Box];
    for (const box of [alice, bob, carol]) await upAtHome(box);
    await joinWithRelay(alice, carol);
    await eventually('alice knows where friends see her', async () => {
      const { code } = await alice.peer(['invite', 'probe', '--json']);
      return code === 0;
    });
    await joinWithRelay(bob, alice);
    await carol.well(['friends', 'may', 'bob', '+dns', '+mail', '+relay']);
    await allTogether([alice, bob, carol], 60_000);
    await alice.well(['zone', 'add', origin, '--file', saveZone()]);
    // Mail for bob is kept by alice, behind her NAT, and by nobody else.
    await bob.well(['mail', 'add', 'bob.example', '--deliver', '127.0.0.1:2526']);
    await eventually('alice takes mail for bob', async () =>
      (await alice.status()).mail.some(({ domain, role }) => domain === 'bob.example' && role === 'backup'),
    );
    await zoneChangeMs();
    const config = carol.read('peer.toml');
    carol.write('peer.toml', config.replace('[line]', '[line]\nup = "128kbit"'));
    await carol.well(['reload']);
  }, 180_000);

  it('held mail of some MB passes at the pace of her line; beats and zone changes pass beside it, and nobody is doubted', {
    timeout: 300_000,
  }, async () => {
    await bob.stop();
    const held = await swaks({
      server: alice.smtp,
      namespace: alice.namespace,
      from: 'erika@outside.test',
      to: 'bob@bob.example',
      message: largeLetter(40_000),
    });
    expect(held.replies.at(-2) ?? held.replies.join()).toMatch(/^250|^221/);
    await bob.up();
    await allTogether([alice, bob, carol], 60_000);
    expect(await pathToBob()).toBe('relayed');
    const since = new Date().toISOString();
    const before = await sentBytes();
    await eventually(
      'the message passes the relay',
      async () => (await sentBytes()) > before + 60_000,
      30_000,
    );

    const [bytes, startMs] = [await sentBytes(), performance.now()];
    const changes: number[] = [];
    for (let i = 0; i < 5; i++) {
      changes.push(await zoneChangeMs());
      await pause(5000);
    }
    const rate = ((await sentBytes()) - bytes) / ((performance.now() - startMs) / 1000);
    process.stderr.write(
      `relay at 128 kbit/s: ${Math.round(rate)} B/s, zone changes ${changes.map(Math.round).join(', ')} ms\n`,
    );
    expect(Math.max(...changes)).toBeLessThan(5000);
    expect(rate / upBytesPerSecond).toBeGreaterThan(0.95);
    expect(rate / upBytesPerSecond).toBeLessThan(1.05);
    expect(await doubts([alice, bob, carol], since)).toEqual([]);
    const waiting = (await alice.status()).mail.find(({ domain }) => domain === 'bob.example');
    expect(waiting?.messages).toBeGreaterThan(0);
    const { friend } = await carol.json<{
      friend: { line: { class: string; sentBytes: number; receivedBytes: number }[] };
    }>(['friends', 'show', 'bob']);
    const passed = friend.line.find((one) => one.class === 'relayed');
    expect(passed?.sentBytes).toBeGreaterThan(100_000);
  });

  it('bulk passes her too, on a connection of its own, and beside it zone changes do', {
    timeout: 120_000,
  }, async () => {
    const since = new Date().toISOString();
    const bulk = alice.peer(['doctor', 'line', 'bob', '--for', '20s', '--json'], { limitMs: 100_000 });
    await pause(5000);
    const changes = [await zoneChangeMs(), await zoneChangeMs()];
    const ran = await bulk;
    process.stderr.write(
      `bulk through the relay: ${ran.stdout}${ran.stderr}zone changes ${changes.map(Math.round).join(', ')} ms\n`,
    );
    const answer = JSON.parse(ran.stdout) as LineAnswer;
    expect(answer.ownConnection).toBe(true);
    expect(answer.bytes).toBeGreaterThan(20_000);
    expect(Math.max(...changes)).toBeLessThan(5000);
    expect(await doubts([alice, bob, carol], since)).toEqual([]);
  });
});
