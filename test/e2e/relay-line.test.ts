import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { joinWithRelay, upAtHome } from './lib/at-home.ts';
import type { Box } from './lib/box.ts';
import { doubts } from './lib/doubts.ts';
import { eventually } from './lib/eventually.ts';
import {
  type ChangingZone,
  changingZone,
  holdLetter,
  type LineAnswer,
  sentBytes,
  setLine,
} from './lib/line.ts';
import { type NatNetwork, startNatNetwork } from './lib/nat-network.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, boxesIn, openScene, takesMail } from './lib/scene.ts';

const scene = openScene();
const origin = 'alice.example';
const programs = ['ip', 'nft', 'bridge', 'dig', 'swaks'];
const skip = whyNot({ programs, root: true }, 'a relay with a narrow line') !== undefined;
/** carol's `[line] up`, in bytes per second. */
const upBytesPerSecond = 16_000;

describe.skipIf(skip)('two boxes behind NAT, and a friend who relays for them at 128 kbit/s', () => {
  let network: NatNetwork;
  let alice: Box;
  let bob: Box;
  let carol: Box;
  let zone: ChangingZone;
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
    [alice, bob, carol] = boxesIn(scene, network, ['alice', 'bob', 'carol']);
    for (const box of [alice, bob, carol]) await upAtHome(box);
    await joinWithRelay(alice, carol);
    await eventually('alice knows where friends see her', async () => {
      const { code } = await alice.peer(['invite', 'probe', '--json']);
      return code === 0;
    });
    await joinWithRelay(bob, alice);
    await carol.well(['friends', 'may', 'bob', '+dns', '+mail', '+relay']);
    await allTogether([alice, bob, carol], 60_000);
    const addresses = { ns1: network.outside('carol'), ns2: network.outside('bob') };
    zone = changingZone({ origin, owner: alice, secondary: bob, ...addresses });
    await alice.well(['zone', 'add', origin, '--file', zone.save()]);
    // Mail for bob is kept by alice, behind her NAT, and by nobody else.
    await bob.well(['mail', 'add', 'bob.example', '--deliver', '127.0.0.1:2526']);
    await takesMail(alice, 'bob.example');
    await zone.changeMs();
    await setLine(carol, 'up = "128kbit"');
  }, 180_000);

  it('held mail of some MB passes at the pace of her line; beats and zone changes pass beside it, and nobody is doubted', {
    timeout: 300_000,
  }, async () => {
    await bob.stop();
    await holdLetter(alice, 'bob@bob.example', 40_000);
    await bob.up();
    await allTogether([alice, bob, carol], 60_000);
    expect(await pathToBob()).toBe('relayed');
    const since = new Date().toISOString();
    const before = await sentBytes(carol);
    await eventually(
      'the message passes the relay',
      async () => (await sentBytes(carol)) > before + 60_000,
      30_000,
    );

    const [bytes, startMs] = [await sentBytes(carol), performance.now()];
    const changes: number[] = [];
    for (let i = 0; i < 5; i++) {
      changes.push(await zone.changeMs());
      await pause(5000);
    }
    const rate = ((await sentBytes(carol)) - bytes) / ((performance.now() - startMs) / 1000);
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
    const changes = [await zone.changeMs(), await zone.changeMs()];
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
