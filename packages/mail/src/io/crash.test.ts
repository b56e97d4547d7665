import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openSpoolRecord } from './seal.ts';
import { ageKey, aliceId, eventually, startFriend, startOwner, temporaryFolder } from './testing.ts';
import { message, submit, talkTo, withoutTrace } from './testing-client.ts';
import { startFakeMta } from './testing-mta.ts';
import { openStores, startFriendProcess } from './testing-process.ts';

it('kill -9 of the friend loses nothing he said 250 to; it reaches the MTA when both are back', async () => {
  const key = await ageKey();
  await using folder = await temporaryFolder();
  const accepted: string[] = [];
  for (const round of [1, 2, 3]) {
    const friend = await startFriendProcess(folder.dir, key.recipient);
    const { port, child } = friend;
    const client = async (lane: number): Promise<void> => {
      await using talk = await talkTo({ host: '127.0.0.1', port });
      for (let i = 0; ; i++) {
        const text = `${round}.${lane}.${i}`;
        const answer = await submit(talk, { data: message(text) });
        if (!answer.startsWith('250')) return;
        accepted.push(message(text));
        if (accepted.length === round * 25) void friend.kill();
      }
    };
    await Promise.all([0, 1, 2, 3].map(client));
    if (child.signalCode === null) await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');
  }
  await using stores = await openStores(folder.dir);
  await using ownerFolder = await temporaryFolder();
  await using ownerStores = await openStores(ownerFolder.dir);
  await using mta = await startFakeMta();
  await using alice = await startOwner({ stores: ownerStores, ...key, mta: mta.address });
  await using bob = await startFriend({ stores, recipient: key.recipient });
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  await eventually(
    async () => (await bob.mail.list()).length === 0 && (await alice.mail.list()).length === 0,
  );
  const arrived = mta.messages.map(({ data }) => withoutTrace(data));
  expect(accepted.filter((text) => !arrived.includes(text))).toEqual([]);
  expect(new Set(arrived).size).toBe(arrived.length);
}, 60_000);

it('a record on a real disk opens with the key of the owner only', async () => {
  const [key, other] = await Promise.all([ageKey(), ageKey()]);
  await using folder = await temporaryFolder();
  await using stores = await openStores(folder.dir);
  await using bob = await startFriend({ stores, recipient: key.recipient });
  await using talk = await talkTo(bob.address);
  expect(await submit(talk)).toMatch(/^250 /);
  for await (const { id } of stores.segments.entries()) {
    const record = (await stores.segments.read(id)) ?? new Uint8Array();
    expect(await openSpoolRecord(record, [other.identity])).toMatchObject({ kind: 'unreadable' });
    expect(await openSpoolRecord(record, [key.identity])).toMatchObject({ kind: 'opened' });
  }
});

const tools = ['swaks', 'smtp-source'].filter((tool) => spawnSync('which', [tool]).status !== 0);
if (tools.length > 0) console.warn(`skipped: not installed: ${tools.join(', ')}`);

/** Runs a program to its end. */
async function run(command: string, args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

it.skipIf(tools.length > 0)(
  'swaks and smtp-source are served, held and live',
  async () => {
    const key = await ageKey();
    await using folder = await temporaryFolder();
    await using stores = await openStores(join(folder.dir));
    await using mta = await startFakeMta();
    await using ownerFolder = await temporaryFolder();
    await using ownerStores = await openStores(ownerFolder.dir);
    await using alice = await startOwner({ stores: ownerStores, ...key, mta: mta.address });
    await using bob = await startFriend({ stores, recipient: key.recipient });
    const server = `127.0.0.1:${bob.address.port}`;
    const swaks = (to: string) =>
      run('swaks', ['--server', server, '--from', 's@out.test', '--to', to, '--helo', 'c.test']);
    expect(await swaks('a@alice.test')).toMatchObject({
      code: 0,
      output: expect.stringContaining('held for the owner'),
    });
    expect(await swaks('a@elsewhere.test')).toMatchObject({
      code: 24,
      output: expect.stringContaining('550 5.7.1'),
    });
    const source = [
      '-s',
      '10',
      '-m',
      '60',
      '-d',
      '-l',
      '4096',
      '-f',
      's@out.test',
      '-t',
      'a@alice.test',
      server,
    ];
    expect(await run('smtp-source', source)).toMatchObject({ code: 0 });
    expect(await bob.mail.list()).toHaveLength(61);
    bob.owner = alice.mail;
    bob.mail.ownerReachable(aliceId);
    await mta.received(61);
    await eventually(async () => (await bob.mail.list()).length === 0);
    expect(await swaks('a@alice.test')).toMatchObject({
      code: 0,
      output: expect.stringContaining('queued as FAKE'),
    });
  },
  60_000,
);
