import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './lib/box.ts';
import { eventually } from './lib/eventually.ts';
import { whyNot } from './lib/programs.ts';
import { type RecordingMta, startRecordingMta } from './lib/recording-mta.ts';
import { run } from './lib/run.ts';
import { openScene, seesUp, type Trio, threeFriends } from './lib/scene.ts';
import type { MessageJson } from './lib/status-json.ts';
import { letter, swaks } from './lib/swaks.ts';

const scene = openScene();
const skip = whyNot({ programs: ['swaks', 'age'] }, 'reading mail') !== undefined;
const anna = 'anna@alice.example';
const erika = 'erika@outside.test';

describe.skipIf(skip)('mail that friends hold while the owner’s server is off', () => {
  let trio: Trio;
  let laptop: Box;
  let mta: RecordingMta;
  let wanted = false;
  let keyFile = '';
  const listed = async (box: Box): Promise<MessageJson[]> =>
    (await box.json<{ messages: MessageJson[] }>(['mail', 'list'])).messages;
  const send = async (box: Box, message: string): Promise<void> => {
    expect(await swaks({ server: box.smtp, from: erika, to: anna, message })).toMatchObject({
      accepted: true,
    });
  };

  beforeAll(async () => {
    trio = await threeFriends(scene);
    const { alice, bob, carol, address } = trio;
    mta = scene.use(
      await startRecordingMta({
        address: { host: address(9), port: 2500 },
        refuseData: (data) =>
          data.includes('lottery') && !wanted ? '554 5.7.1 we do not want this' : undefined,
      }),
    );
    await alice.well([
      'mail',
      'add',
      'alice.example',
      '--deliver',
      `${mta.address.host}:${mta.address.port}`,
    ]);
    for (const box of [bob, carol])
      await eventually(`${box.name} takes mail for alice`, async () =>
        (await box.status()).mail.some(({ domain, role }) => domain === 'alice.example' && role === 'backup'),
      );
    laptop = scene.box({ name: 'laptop', host: address(4) });
    await laptop.init();
    await laptop.up();
    const code = (await alice.well(['box', 'add', 'laptop'])).trimEnd().split('\n').at(-1) ?? '';
    await laptop.well(['join', '--code-file', '-', '--yes'], { stdin: `${code}\n`, limitMs: 60_000 });
    await eventually('laptop sees both friends', () => seesUp(laptop, ['bob', 'carol']));
    keyFile = join(laptop.home, 'owner.key');
    await alice.well(['key', 'export', keyFile]);
    await alice.stop();
  });

  it('is listed on the laptop, sealed, and read there with the owner key in a file', async () => {
    await send(trio.bob, letter('code 4711'));
    await send(trio.carol, letter('from carol'));
    await eventually('both are listed', async () => (await listed(laptop)).length === 2);
    const first = (await listed(laptop)).find(({ heldBy }) => heldBy.includes('bob'));
    expect(first).toMatchObject({ domain: 'alice.example', from: '', state: 'held', heldBy: ['bob'] });
    const id = first?.id ?? '';
    const refused = await laptop.peer(['mail', 'read', id]);
    expect([refused.code, refused.stderr]).toEqual([65, expect.stringContaining('--key-file')]);
    const shown = await laptop.well(['mail', 'read', id.slice(0, 6), '--key-file', keyFile]);
    expect(shown).toContain('Subject   code 4711');
    const raw = await laptop.well(['mail', 'read', id, '--raw', '--key-file', keyFile]);
    expect(raw).toBe(letter('code 4711').replaceAll('\n', '\r\n'));
  });

  it('is read with the key imported, exported as Maildir and mbox, and by bob only sealed', async () => {
    await laptop.well(['key', 'import', keyFile]);
    const both = await listed(laptop);
    const first = both.find(({ heldBy }) => heldBy.includes('bob'));
    const second = both.find(({ heldBy }) => heldBy.includes('carol'));
    expect(first).toMatchObject({ from: erika, recipients: [anna], heldBy: ['bob'] });
    expect(second).toMatchObject({ from: erika, recipients: [anna], heldBy: ['carol'] });
    const folder = join(laptop.home, 'rescued');
    await laptop.well(['mail', 'export', '--out', folder]);
    const files = readdirSync(join(folder, 'new')).map((name) =>
      readFileSync(join(folder, 'new', name), 'utf8'),
    );
    expect(files).toHaveLength(2);
    for (const file of files)
      expect(file).toMatch(/^Return-Path: <erika@outside\.test>\nEnvelope-To: anna@alice\.example\n/);
    const missing = await laptop.peer(['mail', 'export', '--out', join(laptop.home, 'no'), 'ffffffffffff']);
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('ffffffffffff')]);
    const mbox = join(laptop.home, 'rescued.mbox');
    await laptop.well(['mail', 'export', '--format', 'mbox', '--out', mbox]);
    expect(readFileSync(mbox, 'utf8').match(/^From erika@outside\.test /gm)).toHaveLength(2);

    const { bob } = trio;
    const here = await listed(bob);
    expect(here).toMatchObject([{ id: first?.id, from: '', recipients: [] }]);
    expect((await bob.peer(['mail', 'read', first?.id ?? ''])).code).toBe(65);
    const sealed = join(bob.home, 'for-alice');
    expect((await bob.peer(['mail', 'export', '--out', join(bob.home, 'none')])).code).toBe(1);
    await bob.well(['mail', 'export', '--format', 'age', '--out', sealed]);
    const opened = await run(['age', '-d', '-i', keyFile, join(sealed, `${first?.id}.age`)]);
    expect(opened.stdout).toContain('Subject: code 4711');
  });

  it('says who cannot be asked, and does not say that a message is not there while somebody is silent', async () => {
    await trio.carol.stop();
    await eventually('the laptop misses carol', async () => {
      const { stderr } = await laptop.peer(['mail', 'list']);
      return stderr.includes('carol');
    });
    expect((await laptop.peer(['mail', 'show', 'ffffffffffff'])).code).toBe(69);
    await trio.carol.up();
  });

  it('reaches the mail server once and unchanged, however often it was read; what it refuses is decided by hand', async () => {
    await send(trio.bob, `${letter('you won')}lottery\n`);
    await trio.alice.up();
    await eventually('the first two are delivered', () => mta.messages.length === 2);
    const inQuarantine = async (): Promise<MessageJson[]> =>
      (await trio.alice.json<{ messages: MessageJson[] }>(['mail', 'quarantine', 'list'])).messages;
    await eventually('the third is in quarantine', async () => (await inQuarantine()).length === 1);
    const [refused] = await inQuarantine();
    const id = refused?.id ?? '';
    expect(await trio.alice.well(['mail', 'quarantine', 'show', id])).toContain(
      '554 5.7.1 we do not want this',
    );
    expect(await trio.alice.well(['mail', 'read', id])).toContain('lottery');
    await eventually('the laptop reads it there', async () =>
      (await laptop.peer(['mail', 'read', id])).stdout.includes('lottery'),
    );
    expect((await trio.alice.peer(['mail', 'quarantine', 'delete', id, '--no-input'])).code).toBe(64);
    wanted = true;
    await trio.alice.well(['mail', 'quarantine', 'release', id]);
    await eventually('it is delivered', () => mta.messages.length === 3);
    await eventually('nothing is left', async () => (await listed(trio.alice)).length === 0);
    wanted = false;
    await send(trio.bob, letter('still live'));
    expect(mta.messages).toHaveLength(4);
  });

  it('and is held by one who is removed: the owner is told, and takes in the files that he writes, each once', async () => {
    const { alice, bob } = trio;
    await alice.stop();
    await send(bob, letter('left behind'));
    await eventually(
      'bob’s signed word of it is with others',
      async () => (await laptop.well(['friends', 'show', 'bob'])).includes('3 messages'),
      20_000,
    );
    await bob.stop();
    await alice.up();
    await eventually('alice knows of it', async () =>
      (await alice.well(['mail', 'receipts', 'bob'])).includes(' 3 '),
    );
    await alice.well(['friends', 'remove', 'bob', '--yes']);
    const todo = async (): Promise<string> =>
      (await alice.status()).verdict.todo.map(({ text }) => text).join('\n');
    await eventually('alice is told', async () =>
      (await todo()).includes('bob, who is in the circle no more'),
    );

    await bob.up();
    const files = join(bob.home, 'left');
    await bob.well(['mail', 'export', '--format', 'age', '--out', files]);
    expect(await alice.well(['mail', 'import', files])).toContain('1 taken in, 0 had come before');
    await eventually('it is delivered', () => mta.messages.length === 5);
    expect(mta.messages[4]?.data.includes('Subject: left behind')).toBe(true);
    expect(await alice.well(['mail', 'import', files])).toContain('0 taken in, 1 had come before');
    await alice.well(['mail', 'receipts', 'bob', '--settle', '--yes']);
    await eventually(
      'nothing is left to do about bob',
      async () => !(await todo()).includes('in the circle no more'),
    );
    expect(mta.messages).toHaveLength(5);
  });
});
