import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial, dig } from './lib/dig.ts';
import { eventually, steadily } from './lib/eventually.ts';
import { freshBlock } from './lib/loopback.ts';
import { whyNot } from './lib/programs.ts';
import { allTogether, join as joinCircle, openScene } from './lib/scene.ts';
import { isHeard } from './lib/status-json.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip = whyNot({ programs: ['dig'] }, 'restored boxes') !== undefined;
const origin = 'alice.example';
const file = 'alice.example.zone';
const folders: string[] = [];
/** Boxes of the test that runs; one circle after the other is enough for one machine. */
const running = new Set<Box>();
afterEach(async () => {
  for (const box of running) if (box.pid() !== undefined) await box.stop();
  running.clear();
});
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

interface HistoryJson {
  versions: { sequence: number; serial: number; hash: string }[];
}

/** alice with these friends, all up. */
async function circleOf(...names: string[]): Promise<{ alice: Box; friends: Box[] }> {
  const block = await freshBlock();
  const boxes = ['alice', ...names].map((name, index) => scene.box({ name, host: block.of(index + 1) }));
  const [alice, ...friends] = boxes as [Box, ...Box[]];
  for (const box of boxes) {
    running.add(box);
    await box.init();
    await box.up();
  }
  for (const friend of friends) await joinCircle(friend, alice);
  await allTogether(boxes);
  return { alice, friends };
}

/** A copy of everything of a box, as a backup tool would make it. The box is stopped. */
function backUp(box: Box): string {
  const folder = mkdtempSync(join(tmpdir(), `copain-e2e-backup-${box.name}-`));
  folders.push(folder);
  cpSync(box.home, folder, { recursive: true });
  return folder;
}

/** Puts a backup in the place of what is there. The box is stopped. */
function putBack(box: Box, backup: string): void {
  for (const name of readdirSync(box.home)) rmSync(join(box.home, name), { recursive: true });
  cpSync(backup, box.home, { recursive: true });
}

const write = (alice: Box, friends: readonly Box[], serial: number, www?: string): string =>
  alice.write(
    file,
    zoneText({
      serial,
      ns1: friends[0]?.host ?? '',
      ns2: friends.at(-1)?.host ?? '',
      ...(www === undefined ? {} : { www }),
    }),
  );

const answers = async (boxes: readonly Box[], serial: number, withinMs = 5000): Promise<void> => {
  for (const box of boxes) {
    await eventually(
      `${box.name} answers ${serial}`,
      async () => (await authoritativeSerial(box.dns, origin)) === serial,
      withinMs,
    );
  }
};

const eventKinds = async (box: Box): Promise<string[]> => (await box.status()).events.map(({ kind }) => kind);
const todos = async (box: Box): Promise<string> =>
  (await box.status()).verdict.todo.map(({ text, command }) => `${text} ${command}`).join('\n');
const newestSequence = async (box: Box): Promise<number> =>
  (await box.json<HistoryJson>(['zone', 'history', origin])).versions[0]?.sequence ?? 0;

describe.skipIf(skip).each([[['bob']], [['bob', 'carol']]])(
  'alice put back from an old copy, with %s',
  (names) => {
    it('comes to know it, serves what friends have, holds her old file, and goes on above the old numbers', async () => {
      const { alice, friends } = await circleOf(...names);
      await alice.well(['zone', 'add', origin, '--file', write(alice, friends, 1)]);
      await answers(friends, 1);
      await alice.stop();
      const backup = backUp(alice);
      await alice.up();
      write(alice, friends, 2, '192.0.2.82');
      await answers(friends, 2);
      write(alice, friends, 3, '192.0.2.83');
      await answers(friends, 3);
      const numberBefore = await newestSequence(alice);
      await alice.stop();
      putBack(alice, backup);
      await alice.up();

      await eventually('alice learns that she was put back', async () =>
        (await eventKinds(alice)).includes('box.restored'),
      );
      await answers([alice], 3);
      expect((await dig(alice.dns, `www.${origin}`, 'A')).answers).toEqual([
        `www.${origin}. 300 IN A 192.0.2.83`,
      ]);
      await eventually('the old file is held', async () =>
        (await todos(alice)).includes(`peer zone diff ${origin}`),
      );
      expect(await todos(alice)).toContain(`peer zone push ${origin}`);
      await steadily(async () => {
        for (const friend of friends) expect(await authoritativeSerial(friend.dns, origin)).toBe(3);
      }, 1000);

      const diff = await alice.peer(['zone', 'diff', origin]);
      expect(diff.code).toBe(1);
      expect(diff.stdout).toContain(`- www.${origin}. 300 IN A 192.0.2.83`);
      expect(diff.stdout).toContain(`+ www.${origin}. 300 IN A 192.0.2.80`);
      // An edit of the old file is as old as the file.
      write(alice, friends, 4, '192.0.2.84');
      await steadily(async () => {
        expect(await authoritativeSerial(friends[0]?.dns ?? alice.dns, origin)).toBe(3);
      }, 1000);

      await alice.well(['zone', 'push', origin]);
      await answers([alice, ...friends], 4);
      expect(await newestSequence(alice)).toBeGreaterThan(numberBefore);
      expect((await alice.peer(['zone', 'diff', origin])).code).toBe(0);
      // From now on she edits as ever.
      write(alice, friends, 5);
      await answers([alice, ...friends], 5);
      expect(await todos(alice)).not.toContain('zone diff');
    }, 90_000);
  },
);

describe.skipIf(skip)('alice, while no friend can be reached', () => {
  it('queues an edit and says so, publishes it when forced, and by herself when a friend is back', async () => {
    const { alice, friends } = await circleOf('bob');
    const [bob] = friends as [Box];
    await alice.well(['zone', 'add', origin, '--file', write(alice, friends, 1)]);
    await answers([bob], 1);
    await bob.stop();
    await alice.stop();
    await alice.up();
    write(alice, friends, 2);
    await eventually('the edit is queued', async () => (await todos(alice)).includes('--force'));
    expect(await authoritativeSerial(alice.dns, origin)).toBe(1);

    const push = await alice.peer(['zone', 'push', origin]);
    expect(push.code).toBe(75);
    expect(push.stderr).toContain(`peer zone push ${origin} --force`);
    const removal = await alice.peer(['friends', 'remove', 'bob', '--yes']);
    expect(removal.code).toBe(75);
    expect((await alice.peer(['invite', 'carol'])).code).toBe(69);
    await alice.well(['zone', 'push', origin, '--force']);
    await answers([alice], 2);
    expect(await todos(alice)).toContain('the removal of bob');

    await bob.up();
    await eventually(
      'what waited is signed',
      async () => (await eventKinds(alice)).includes('later.done'),
      20_000,
    );
    await eventually('bob is no friend any more', async () => (await alice.status()).friends.length === 0);
  }, 90_000);

  it('edits that waited are published as soon as a friend has told what she signed', async () => {
    const { alice, friends } = await circleOf('bob');
    const [bob] = friends as [Box];
    await alice.well(['zone', 'add', origin, '--file', write(alice, friends, 1)]);
    await answers([bob], 1);
    await bob.stop();
    await alice.stop();
    await alice.up();
    write(alice, friends, 2);
    await eventually('the edit is queued', async () => (await todos(alice)).includes('--force'));
    await bob.up();
    await answers([alice, bob], 2, 40_000);
  }, 90_000);
});

describe.skipIf(skip)('a copy of alice that runs beside her', () => {
  it('is noticed on both, and neither signs anything more', async () => {
    const { alice, friends } = await circleOf('bob');
    const [bob] = friends as [Box];
    await alice.well(['zone', 'add', origin, '--file', write(alice, friends, 1)]);
    await answers([bob], 1);
    await alice.stop();
    const backup = backUp(alice);
    await alice.up();
    await eventually('bob hears alice again', async () => isHeard((await bob.status()).friends[0]?.state));
    // The copy listens elsewhere, as it would on a second machine.
    const elsewhere = (await freshBlock()).of(1);
    const copy = scene.box({ name: 'alice', host: elsewhere });
    running.add(copy);
    putBack(copy, backup);
    copy.write('peer.toml', copy.read('peer.toml').replaceAll(alice.host, elsewhere));
    await copy.up();
    for (const box of [alice, copy]) {
      await eventually('both are told', async () => (await eventKinds(box)).includes('box.cloned'), 60_000);
      const { verdict } = await box.status();
      expect(verdict.level).toBe('danger');
      expect(verdict.todo[0]?.text).toContain("Another box runs with this box's key");
    }
    write(alice, friends, 9);
    expect((await alice.peer(['zone', 'push', origin])).code).toBe(75);
    expect(await authoritativeSerial(bob.dns, origin)).toBe(1);

    // The other one stopped for good, and this one started again: she asks, and goes on.
    await copy.stop();
    await alice.stop();
    await alice.up();
    await answers([alice, bob], 9, 30_000);
  }, 150_000);
});
