import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeCanonical } from '@copain/trust';
import { expect, it } from 'vitest';
import { recipientsKnownMax } from '../limits.ts';
import { decodePolicyAnswer, encodePolicyRequest, policyVersion } from '../policy-frames.ts';
import type { RecipientWish } from '../recipient-policy.ts';
import { framePair } from './frame-pair.ts';
import {
  ageKey,
  aliceId,
  disposedAfterEach,
  eventually,
  type FriendBox,
  memoryStores,
  type OwnerBox,
  startFriend,
  startOwner,
  temporaryFolder,
} from './testing.ts';
import { message, submit, talkTo } from './testing-client.ts';
import { startFakeMta } from './testing-mta.ts';

const key = await ageKey();
const used = disposedAfterEach();

/** Alice with this wish, whose MTA knows anna and ben only; bob, whom she tells, and who reaches her live at first. */
async function circle(
  wish: RecipientWish,
  bobStores = memoryStores(),
): Promise<{ alice: OwnerBox; bob: FriendBox; isTold: () => boolean }> {
  const mta = used(
    await startFakeMta({
      script: (line) => (/^RCPT TO:<(?!anna|ben)/i.test(line) ? '550 5.1.1 no such user' : undefined),
    }),
  );
  const bob = used(await startFriend({ stores: bobStores, recipient: key.recipient }));
  const alice = used(
    await startOwner({
      stores: memoryStores(),
      ...key,
      mta: mta.address,
      wish,
      backups: () => [{ peer: 'bob-peer', ownerId: 'bob', domain: 'alice.test' }],
      openPolicy: async () => {
        const [here, there] = framePair();
        void bob.mail.handlePolicy(there, aliceId);
        return here;
      },
    }),
  );
  bob.owner = alice.mail;
  return { alice, bob, isTold: () => alice.mail.recipients('alice.test')?.friends[0]?.isCurrent === true };
}

async function answerFor(bob: FriendBox, to: string): Promise<string> {
  await using talk = await talkTo(bob.address);
  return await submit(talk, { to: [to], data: message(to) });
}

const defer: RecipientWish = { recipients: { kind: 'learn' }, unknown: 'defer', copies: 1 };

it('who was learnt from live mail is held for, others come again, and that is known after a restart too', async () => {
  const bobStores = memoryStores();
  const { bob, isTold } = await circle(defer, bobStores);
  expect(await answerFor(bob, 'Anna+shop@alice.test')).toMatch(/^250 /);
  expect(await answerFor(bob, 'nobody@alice.test')).toMatch(/^550 5\.1\.1 /);
  await eventually(() => isTold() && bob.mail.recipients('alice.test')?.known === 1);
  expect(bob.mail.recipients('alice.test')).toMatchObject({ refused: 1, unknown: 'defer', addresses: [] });
  bob.owner = undefined;
  const again = used(await startFriend({ stores: bobStores, recipient: key.recipient }));
  for (const box of [bob, again]) {
    expect(await answerFor(box, 'anna@alice.test')).toMatch(/^250 2\.0\.0 /);
    expect(await answerFor(box, 'POSTMASTER@alice.test')).toMatch(/^250 2\.0\.0 /);
    for (const other of ['ben', 'nobody'])
      expect(await answerFor(box, `${other}@alice.test`)).toMatch(/^451 4\.1\.1 .*away/);
  }
  for await (const [, value] of bobStores.table.entries(''))
    expect(Buffer.from(value).includes('anna')).toBe(false);
}, 20_000);

it('a file is the list: read again when it changes, its last good state kept when it is gone', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.dir, 'recipients');
  await writeFile(path, 'anna@alice.test\n');
  const { alice, bob, isTold } = await circle({ ...defer, recipients: { kind: 'file', path } });
  await eventually(isTold);
  bob.owner = undefined;
  expect(await answerFor(bob, 'anna@alice.test')).toMatch(/^250 /);
  expect(await answerFor(bob, 'ben@alice.test')).toMatch(/^451 /);
  await writeFile(`${path}.new`, 'ben\n');
  await rename(`${path}.new`, path);
  await eventually(async () => (await answerFor(bob, 'ben@alice.test')).startsWith('250'));
  expect(await answerFor(bob, 'anna@alice.test')).toMatch(/^451 /);
  await rename(path, `${path}.gone`);
  await alice.until('trouble');
  expect(alice.mail.recipients('alice.test')).toMatchObject({
    known: 1,
    addresses: [{ local: 'ben', source: 'file' }],
  });
}, 30_000);

it('a file that the disk could not keep is taken over once it can, and told once', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.dir, 'recipients');
  await writeFile(path, 'anna\n');
  const disk = memoryStores();
  const write = disk.table.write.bind(disk.table);
  let failed = 0;
  disk.table.write = async (changes) => {
    if (failed < 3 && changes.some(({ key }) => key.startsWith('mail/recipient-file/'))) {
      failed += 1;
      throw new Error('ENOSPC');
    }
    await write(changes);
  };
  const mta = used(await startFakeMta());
  const wish: RecipientWish = { ...defer, recipients: { kind: 'file', path } };
  const alice = used(await startOwner({ stores: disk, ...key, mta: mta.address, wish }));
  await eventually(() => alice.mail.recipients('alice.test')?.known === 1);
  expect(alice.told.filter(({ kind }) => kind === 'trouble')).toHaveLength(1);
}, 10_000);

it('what is added by hand counts, and what is removed does not', async () => {
  const { alice, bob, isTold } = await circle(defer);
  await eventually(isTold);
  expect(await alice.mail.changeRecipient('Ben@alice.test', 'add')).toBe(true);
  await eventually(() => bob.mail.recipients('alice.test')?.known === 1);
  bob.owner = undefined;
  expect(await answerFor(bob, 'ben@alice.test')).toMatch(/^250 /);
  expect(await alice.mail.changeRecipient('ben@alice.test', 'remove')).toBe(true);
  expect(await alice.mail.changeRecipient('ben@alice.test', 'remove')).toBe(false);
  await eventually(() => bob.mail.recipients('alice.test')?.known === 0);
}, 20_000);

it('where too many are known the one that was learnt first makes room, also after a restart', async () => {
  const { table } = memoryStores();
  const rows = Array.from({ length: recipientsKnownMax }, (_, i) => ({
    key: `mail/known/alice.test/${String(i).padStart(6, '0')}`,
    value: encodeCanonical({ a: `r${i}`, s: i === 5000 ? 'added' : 'learned', at: Math.abs(5000 - i) + 1 }),
  }));
  await table.write(rows);
  const mta = used(await startFakeMta());
  const alice = used(
    await startOwner({ stores: { ...memoryStores(), table }, ...key, mta: mta.address, wish: defer }),
  );
  expect(await alice.mail.changeRecipient('new@alice.test', 'add')).toBe(true);
  const names = alice.mail.recipients('alice.test')?.addresses.map(({ local }) => local) ?? [];
  expect(names).toHaveLength(recipientsKnownMax);
  expect(['new', 'r0', 'r4999', 'r5000', 'r9999'].map((name) => names.includes(name))).toEqual([
    true,
    true,
    false,
    true,
    true,
  ]);
});

it('a friend forgets the list with the grant, and takes none from anybody but the owner', async () => {
  const bobStores = memoryStores();
  const { bob, isTold } = await circle(defer, bobStores);
  await eventually(isTold);
  const [here, there] = framePair();
  void bob.mail.handlePolicy(there, 'c3'.repeat(32));
  const [version, key] = [new Uint8Array(32), new Uint8Array(32)];
  const wanted = { domain: 'alice.test', version, key, any: true, unknown: 'accept', copies: 1 } as const;
  await here.send(encodePolicyRequest({ t: 'hello', version: policyVersion }));
  await here.send(encodePolicyRequest({ t: 'policy', ...wanted }));
  expect(decodePolicyAnswer((await here.receive()) ?? new Uint8Array())).toMatchObject({ t: 'not' });
  const row = async () => await bobStores.table.get('policy/alice.test');
  const before = await row();
  expect(before).toBeDefined();
  here.abort(new Error('enough'));
  bob.domains.splice(0, 1);
  await eventually(async () => (await row()) === undefined);
}, 20_000);

it('a stop does not wait for a friend who is to be told and says nothing', async () => {
  const mta = used(await startFakeMta());
  const opened = Promise.withResolvers<void>();
  const alice = await startOwner({
    stores: memoryStores(),
    ...key,
    mta: mta.address,
    wish: defer,
    backups: () => [{ peer: 'bob-peer', ownerId: 'bob', domain: 'alice.test' }],
    openPolicy: async () => {
      const [here, there] = framePair();
      void there.receive().then(() => opened.resolve());
      return here;
    },
  });
  await opened.promise;
  await alice[Symbol.asyncDispose]();
}, 10_000);
