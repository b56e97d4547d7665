import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  ageKey,
  aliceId,
  disposedAfterEach,
  eventually,
  startFriend,
  startOwner,
  temporaryFolder,
} from './testing.ts';
import { message, submit, talkTo } from './testing-client.ts';
import { startFakeMta } from './testing-mta.ts';
import { openStores } from './testing-process.ts';

const key = await ageKey();
const used = disposedAfterEach();
const never = async (): Promise<void> => {
  throw new Error('nothing is to be kept');
};

/** Changes one byte in the last record of the newest file that has any. */
async function rot(dir: string): Promise<void> {
  for (const name of (await readdir(dir)).sort().reverse()) {
    const bytes = await readFile(join(dir, name));
    if (bytes.length < 100) continue;
    bytes[bytes.length - 5] = (bytes.at(-5) ?? 0) ^ 1;
    await writeFile(join(dir, name), bytes);
    return;
  }
}

it('a held record that rots is set aside with all its bytes, the others stay, and the rest is handed over', async () => {
  const { dir } = used(await temporaryFolder());
  const stores = used(await openStores(dir));
  const bob = used(await startFriend({ stores, recipient: key.recipient }));
  const talk = used(await talkTo(bob.address));
  for (const text of ['one', 'two']) expect(await submit(talk, { data: message(text) })).toMatch(/^250 /);
  const ids: string[] = [];
  for await (const { id } of stores.segments.entries()) ids.push(id);
  const [good = '', bad = ''] = ids;
  const kept: Uint8Array[] = [];
  const keep = async (bytes: Uint8Array): Promise<void> => void kept.push(bytes);
  expect(await bob.mail.setAside({ store: 'held', id: bad }, never)).toBe('readable');
  await rot(join(dir, 'held'));
  await expect(bob.mail.setAside({ store: 'held', id: bad }, never)).rejects.toThrow('nothing is to be kept');
  expect(bob.mail.heldCount()).toBe(2);
  expect(await bob.mail.setAside({ store: 'held', id: bad }, keep)).toBe('set aside');
  expect(await bob.mail.setAside({ store: 'held', id: good }, never)).toBe('readable');
  expect([
    bob.mail.heldCount(),
    Buffer.from(kept[0] ?? [])
      .toString('latin1')
      .slice(0, 4),
  ]).toEqual([1, 'CPML']);
  const mta = used(await startFakeMta());
  const aliceStores = used(await openStores(join(dir, 'alice')));
  const alice = used(await startOwner({ stores: aliceStores, ...key, mta: mta.address }));
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  await eventually(() => bob.mail.heldCount() === 0);
  expect(await mta.received(1)).toHaveLength(1);
});

it('a queued record that rots makes room for a copy, which is no duplicate then', async () => {
  const { dir } = used(await temporaryFolder());
  const gone = await startFakeMta();
  await gone[Symbol.asyncDispose]();
  const stores = used(await openStores(join(dir, 'alice')));
  const alice = used(await startOwner({ stores, ...key, mta: gone.address }));
  const bob = used(
    await startFriend({ stores: used(await openStores(join(dir, 'bob'))), recipient: key.recipient }),
  );
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  const send = async (): Promise<void> => {
    const talk = used(await talkTo(bob.address));
    expect(await submit(talk)).toMatch(/^250 /);
    await eventually(() => bob.mail.heldCount() === 0);
  };
  await send();
  const ids: string[] = [];
  for await (const { id } of stores.inbox.entries()) ids.push(id);
  await rot(join(dir, 'alice', 'inbox'));
  const kept: Uint8Array[] = [];
  const keep = async (bytes: Uint8Array): Promise<void> => void kept.push(bytes);
  expect(await alice.mail.setAside({ store: 'queued', id: ids[0] ?? '' }, keep)).toBe('set aside');
  expect([kept.length, await alice.mail.list()]).toEqual([1, []]);
  await send();
  expect(await alice.mail.list()).toHaveLength(1);
});
