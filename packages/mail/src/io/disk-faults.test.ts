import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { ageKey, aliceId, eventually, startFriend, startOwner, temporaryFolder } from './testing.ts';
import { message, submit, talkTo, withoutTrace } from './testing-client.ts';
import { startFakeMta } from './testing-mta.ts';
import { openStores, startFriendProcess } from './testing-process.ts';

const strace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;
if (!strace)
  console.warn('skipped: strace is not installed or may not trace, so no fault of the disk can be made');

/** Calls are counted for each thread, so there is one alone that does the work of files. */
const env = { UV_THREADPOOL_SIZE: '1' };

it.skipIf(!strace).each([
  ['fdatasync answers EIO', 'fdatasync:error=EIO:when=24..29'],
  ['writing answers EIO', 'pwritev,pwrite64:error=EIO:when=12..15'],
  ['writing answers ENOSPC', 'pwritev,pwrite64:error=ENOSPC:when=20..30'],
])(
  'while %s mail is put off, it is taken again by itself afterwards, and nothing that was accepted is lost',
  async (_name, inject) => {
    const key = await ageKey();
    await using folder = await temporaryFolder();
    const [calls = ''] = inject.split(':');
    const under = [
      'strace',
      '-f',
      '-qq',
      '-o',
      '/dev/null',
      '-e',
      `trace=${calls}`,
      '-e',
      `inject=${inject}`,
    ];
    const bob = await startFriendProcess(folder.dir, key.recipient, { under, env });
    const accepted: string[] = [];
    const answers: string[] = [];
    // Some before it, some while it lasts, and the most afterwards.
    for (let i = 0; i < 60; i += 1) {
      await using talk = await talkTo({ host: '127.0.0.1', port: bob.port });
      const text = message(`number ${i}`);
      const answer = await submit(talk, { data: text });
      if (answer.startsWith('250')) accepted.push(text);
      answers.push(answer);
    }
    await bob.kill();
    expect(accepted.length).toBeLessThan(60);
    expect(answers.slice(-20).every((answer) => answer.startsWith('250'))).toBe(true);
    expect(answers.filter((answer) => !/^(?:250|45[12]) /.test(answer))).toEqual([]);
    expect(answers[0]).toMatch(/^250 /);

    await using stores = await openStores(folder.dir);
    await using ownerFolder = await temporaryFolder();
    await using ownerStores = await openStores(ownerFolder.dir);
    await using mta = await startFakeMta();
    await using alice = await startOwner({ stores: ownerStores, ...key, mta: mta.address });
    await using again = await startFriend({ stores, recipient: key.recipient });
    again.owner = alice.mail;
    again.mail.ownerReachable(aliceId);
    await mta.received(accepted.length);
    await eventually(async () => (await again.mail.list()).length === 0);
    const arrived = mta.messages.map(({ data }) => withoutTrace(data));
    expect(accepted.filter((text) => !arrived.includes(text))).toEqual([]);
    expect(new Set(arrived).size).toBe(arrived.length);
  },
  60_000,
);
