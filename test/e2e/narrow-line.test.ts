import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
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
import { type Network, startNetwork } from './lib/network.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, openScene, takesMail, threeFriendsIn } from './lib/scene.ts';

const scene = openScene();
const origin = 'alice.example';

const programs = ['ip', 'bridge', 'tc', 'dig', 'swaks'];
const skip = whyNot({ programs, root: true }, 'the narrow line') !== undefined;

describe.skipIf(skip)('a box whose uplink is 128 kbit/s behind a modem that queues for 2 s', () => {
  let network: Network;
  let alice: Box;
  let bob: Box;
  let carol: Box;
  let zone: ChangingZone;
  const measure = async (friend: Box, span: string): Promise<LineAnswer> => {
    const out = await alice.well(['doctor', 'line', friend.name, '--for', span, '--json'], {
      limitMs: 100_000,
    });
    return JSON.parse(out) as LineAnswer;
  };
  beforeAll(async () => {
    network = scene.use(await startNetwork(['alice', 'bob', 'carol']));
    ({ alice, bob, carol } = await threeFriendsIn(scene, network));
    zone = changingZone({ origin, owner: alice, secondary: bob, ns1: bob.host, ns2: carol.host });
    await alice.well(['zone', 'add', origin, '--file', zone.save()]);
    await bob.well(['mail', 'add', 'bob.example', '--deliver', `${bob.host}:2526`]);
    await takesMail(alice, 'bob.example');
    await zone.changeMs();
  }, 120_000);

  /** What alice sends in `seconds` while bulk fills the line, in bytes per second at her interface. */
  const rateDuring = async (friend: Box, seconds: number): Promise<{ rate: number; line: LineAnswer }> => {
    const measuring = measure(friend, `${seconds + 5}s`);
    await pause(3000);
    const [before, startMs] = [await sentBytes(alice), performance.now()];
    await pause(seconds * 1000);
    const rate = ((await sentBytes(alice)) - before) / ((performance.now() - startMs) / 1000);
    return { rate, line: await measuring };
  };

  it('[line] up is kept within 5 % while bulk fills it, and so is [line] bulk', {
    timeout: 180_000,
  }, async () => {
    await setLine(alice, 'up = "120kbit"');
    const up = await rateDuring(bob, 20);
    expect(up.rate / 15_000).toBeGreaterThan(0.95);
    expect(up.rate / 15_000).toBeLessThan(1.05);
    expect(up.line).toMatchObject({ ownConnection: true, limitedBy: 'up' });

    await setLine(alice, 'bulk = "64kbit"');
    const bulk = await rateDuring(carol, 20);
    expect(bulk.rate / 8000).toBeGreaterThan(0.95);
    expect(bulk.rate / 8000).toBeLessThan(1.05);
    expect(bulk.line.limitedBy).toBe('bulk');
  });

  it('[line] up and bulk are kept within 5 % at once: bulk alone has its share, and mail beside it the whole line', {
    timeout: 240_000,
  }, async () => {
    await setLine(alice, 'up = "120kbit"', 'bulk = "64kbit"');
    await bob.stop();
    await holdLetter(alice, 'bob@bob.example', 66_000);
    // A friend's box lets itself be measured once a minute, and carol's just was; a new run of it has not been.
    await carol.stop();
    await carol.up();
    await allTogether([alice, carol]);
    const alone = await rateDuring(carol, 20);
    expect(alone.rate / 8000).toBeGreaterThan(0.95);
    expect(alone.rate / 8000).toBeLessThan(1.05);
    expect(alone.line.limitedBy).toBe('bulk');

    await bob.up();
    await allTogether([alice, bob, carol], 60_000);
    const before = await sentBytes(alice);
    await eventually(
      'the message is on its way',
      async () => (await sentBytes(alice)) > before + 60_000,
      30_000,
    );
    const bulk = alice.peer(['doctor', 'line', 'bob', '--for', '20s'], { limitMs: 100_000 });
    const [from, startMs] = [await sentBytes(alice), performance.now()];
    await pause(20_000);
    const rate = ((await sentBytes(alice)) - from) / ((performance.now() - startMs) / 1000);
    const ran = await bulk;
    process.stderr.write(
      `up and bulk at once: bulk alone ${Math.round(alone.rate)} B/s; with held mail ${Math.round(rate)} B/s\n`,
    );
    expect(rate / 15_000).toBeGreaterThan(0.95);
    expect(rate / 15_000).toBeLessThan(1.05);
    // Mail goes before bulk, and fills the line by itself.
    expect([ran.code, ran.stderr]).toEqual([
      1,
      expect.stringContaining('what is more urgent takes the whole line'),
    ]);
    const waiting = (await alice.status()).mail.find(({ domain }) => domain === 'bob.example');
    expect(waiting?.messages).toBeGreaterThan(0);
  });

  it.for([
    ['with no limit set', [], '128kbit'],
    ['with [line] up a little below it', ['up = "120kbit"'], '128kbit'],
  ] as const)(
    'bulk and a held message of 5 MB under way, %s: a zone change takes under 5 s and nobody is doubted',
    { timeout: 300_000 },
    async ([, line, rate]) => {
      await setLine(alice, ...line);
      await bob.stop();
      await holdLetter(alice, 'bob@bob.example', 66_000);
      await network.narrow('alice', rate, '2s');
      await bob.up();
      await allTogether([alice, bob, carol], 60_000);
      const since = new Date().toISOString();
      const before = await sentBytes(alice);
      await eventually(
        'the message is on its way',
        async () => (await sentBytes(alice)) > before + 60_000,
        30_000,
      );

      const bulk = alice.peer(['doctor', 'line', 'bob', '--for', '30s', '--json'], { limitMs: 100_000 });
      await pause(5000);
      const [bytes, startMs] = [await sentBytes(alice), performance.now()];
      const changes: number[] = [];
      for (let i = 0; i < 4; i++) {
        changes.push(await zone.changeMs());
        await pause(4000);
      }
      const carried = ((await sentBytes(alice)) - bytes) / ((performance.now() - startMs) / 1000);
      const ran = await bulk;
      process.stderr.write(
        `${['narrow line', ...line].join(', ')}: zone changes ${changes.map(Math.round).join(', ')} ms, ${Math.round(carried)} B/s; bulk: ${ran.stdout}${ran.stderr}\n`,
      );
      expect(Math.max(...changes)).toBeLessThan(5000);
      // The line was full all the while.
      expect(carried).toBeGreaterThan(0.8 * 15_000);
      expect(await doubts([alice, bob, carol], since)).toEqual([]);
      const waiting = (await alice.status()).mail.find(({ domain }) => domain === 'bob.example');
      expect(waiting?.messages).toBeGreaterThan(0);
    },
  );
});
