import { once } from 'node:events';
import {
  createWriteStream,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { authoritativeSerial, dig } from './lib/dig.ts';
import { eventually, steadily } from './lib/eventually.ts';
import { freshBlock } from './lib/loopback.ts';
import { whyNot } from './lib/programs.ts';
import { run } from './lib/run.ts';
import { openScene } from './lib/scene.ts';
import { zoneText } from './lib/zone-text.ts';

const scene = openScene();
const skip =
  whyNot({ programs: ['dig', 'vim', 'ed', 'sed', 'git', 'cp', 'ln'] }, 'zone-editors') !== undefined;
const origin = 'alice.example';
let alice: Box;
let folder: string;
let file: string;
let serial = 100;

/** Records enough for several reads and writes of the file system; the last one is www. */
const text = (ofSerial: number, more: string[] = []): string => {
  const hosts = Array.from({ length: 200 }, (_, index) => `h${index} IN A 192.0.2.${index}`);
  return zoneText({
    serial: ofSerial,
    ns1: alice.host,
    ns2: alice.host,
    more: [...hosts, ...more, 'last IN A 192.0.2.200'],
  });
};
const served = (): Promise<number | undefined> => authoritativeSerial(alice.dns, origin);
const statusOfLast = async (): Promise<string> => (await dig(alice.dns, `last.${origin}`, 'A')).status;

/** What was published and told from now on. */
async function watched(work: () => Promise<void> | void, wanted: number): Promise<string[]> {
  const before = (await alice.status()).events.length;
  await work();
  await eventually(`${wanted} is served`, async () => (await served()) === wanted);
  const { events } = await alice.status();
  expect(await statusOfLast()).toBe('NOERROR');
  return events.slice(0, events.length - before).map(({ kind }) => kind);
}
async function ran(command: string[]): Promise<void> {
  const { code, stdout, stderr } = await run(command);
  expect({ command, code, out: code === 0 ? '' : stdout + stderr }).toEqual({ command, code: 0, out: '' });
}
const vim = (settings: string) => async (): Promise<void> =>
  await ran([
    'vim',
    '-u',
    'NONE',
    '-n',
    '-es',
    '-c',
    `set ${settings}`,
    '-c',
    `%s/hostmaster ${serial - 1}/hostmaster ${serial}/`,
    '-c',
    'wq',
    file,
  ]);

describe.skipIf(skip)('the file of a zone', () => {
  beforeAll(async () => {
    const block = await freshBlock();
    alice = scene.box({ name: 'alice', host: block.of(1) });
    await alice.init();
    await alice.up();
    folder = join(alice.home, 'zones');
    mkdirSync(join(folder, 'parts'), { recursive: true });
    file = join(folder, 'alice.zone');
    writeFileSync(file, text(serial));
    await alice.well(['zone', 'add', origin, '--file', file]);
    await eventually('it is served', async () => (await served()) === serial);
  });

  it.each([
    ['vim that writes a backup and renames', vim('backup writebackup backupcopy=no')],
    ['vim that writes in place', vim('nobackup writebackup backupcopy=yes')],
    ['vim without any backup', vim('nobackup nowritebackup')],
    [
      'ed',
      () =>
        ran([
          'sh',
          '-c',
          `printf 'g/hostmaster ${serial - 1}/s//hostmaster ${serial}/\\nw\\nq\\n' | ed -s ${file}`,
        ]),
    ],
    ['sed -i', () => ran(['sed', '-i', `s/hostmaster ${serial - 1}/hostmaster ${serial}/`, file])],
    [
      'cp over it',
      async () => {
        writeFileSync(join(folder, 'other'), text(serial));
        await ran(['cp', join(folder, 'other'), file]);
      },
    ],
    [
      'being moved away and put back',
      async () => {
        renameSync(file, `${file}.bak`);
        await eventually('that it is gone is said', async () =>
          (await alice.well(['status'])).includes('there is no such file'),
        );
        expect(await served()).toBe(serial - 1);
        writeFileSync(`${file}.bak`, text(serial));
        renameSync(`${file}.bak`, file);
      },
    ],
  ])('is published once when it is changed by %s', async (how, change) => {
    serial++;
    const kinds = await watched(change, serial);
    const isGone = how.startsWith('being moved');
    expect(kinds.filter((kind) => kind !== 'zone.updated')).toEqual(isGone ? ['zone.mistake'] : []);
    expect(kinds.filter((kind) => kind === 'zone.updated')).toHaveLength(1);
  });

  it('is published when git checks out another commit', async () => {
    const git = (...args: string[]) =>
      ran(['git', '-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@alice.example', ...args]);
    await git('init', '-q');
    for (const commit of [1, 2]) {
      serial++;
      await watched(() => writeFileSync(file, text(serial, [`g${commit} IN A 192.0.2.1`])), serial);
      await git('add', 'alice.zone');
      await git('commit', '-qm', `${commit}`);
    }
    // Its serial is older, its content another: it is published with a higher serial.
    const kinds = await watched(() => git('checkout', '-q', 'HEAD~1'), serial + 1);
    expect(kinds.toSorted()).toEqual(['zone.note', 'zone.updated']);
    serial++;
  });

  it('is published when an included file alone changes, and when links on the way to it are swapped', async () => {
    serial++;
    const part = join(folder, 'parts', 'hosts');
    writeFileSync(part, 'p IN A 192.0.2.1\n');
    await watched(() => writeFileSync(file, text(serial, ['$INCLUDE parts/hosts'])), serial);
    serial++;
    await watched(() => writeFileSync(part, 'p IN A 192.0.2.2\n'), serial);
    for (const version of ['one', 'two']) {
      mkdirSync(join(folder, `..${version}`));
      writeFileSync(join(folder, `..${version}`, 'alice.zone'), text(serial + (version === 'one' ? 1 : 2)));
    }
    serial++;
    await watched(async () => {
      symlinkSync('..one', join(folder, '..data'));
      await ran(['ln', '-sfn', '..data/alice.zone', file]);
    }, serial);
    serial++;
    await watched(() => {
      symlinkSync('..two', join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    }, serial);
    rmSync(file);
    await watched(() => writeFileSync(file, text(++serial)), serial + 1);
  });

  it('is never published half, however slowly it is written', async () => {
    serial++;
    const whole = text(serial, ['new IN A 192.0.2.9']);
    // As scp writes: emptied, then in parts, of which the first ends in the middle of an address, the next with a line.
    const cuts = [0, whole.indexOf('192.0.2.13') + 9, whole.indexOf('h150'), whole.length];
    const stream = createWriteStream(file);
    await once(stream, 'open');
    for (const [index, cut] of cuts.entries()) {
      stream.write(whole.slice(cuts[index - 1] ?? 0, cut));
      if (cut < whole.length)
        await steadily(async () => {
          expect(await served()).toBe(serial - 1);
          expect(await statusOfLast()).toBe('NOERROR');
        }, 700);
    }
    stream.end();
    await eventually('the whole is served', async () => (await served()) === serial);
    expect(await statusOfLast()).toBe('NOERROR');
    const { verdict } = await alice.status();
    expect(verdict.todo.map(({ text: told }) => told).join()).not.toContain(file);
  });

  it('of which the writing broke off is not published, and that is said until it is whole', async () => {
    serial++;
    const whole = text(serial);
    writeFileSync(file, whole.slice(0, whole.indexOf('192.0.2.13') + 9));
    await eventually('it is said', async () =>
      (await alice.well(['status'])).includes(`${file}:1:1: the file stops in the middle of a line`),
    );
    expect(await served()).toBe(serial - 1);
    writeFileSync(file, whole);
    await eventually('the whole is served', async () => (await served()) === serial);
    expect(await alice.well(['status'])).not.toContain('stops in the middle');
  });

  it('that lost its last record is published as soon as it is asked for, and soon by itself', async () => {
    const shorter = (of: number): string => text(of).replace('last IN A 192.0.2.200\n', '');
    serial++;
    writeFileSync(file, shorter(serial));
    await alice.well(['zone', 'push', origin]);
    expect(await served()).toBe(serial);
    expect(readFileSync(file, 'utf8')).not.toContain('last');
    serial++;
    writeFileSync(file, shorter(serial).replace(/h199 .*\n/, ''));
    await eventually('it is served', async () => (await served()) === serial);
    expect(await dig(alice.dns, `h199.${origin}`, 'A')).toMatchObject({ status: 'NXDOMAIN' });
  });
});
