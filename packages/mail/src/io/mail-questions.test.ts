import type { FrameStream } from '@copain/core';
import { expect, it } from 'vitest';
import { chunkBytes } from '../limits.ts';
import { framePair } from './frame-pair.ts';
import { askFlush, askList, askRecord } from './mail-questions.ts';
import { openSpoolRecord } from './seal.ts';
import { openRecordHead } from './sealed-head.ts';
import {
  ageKey,
  aliceId,
  disposedAfterEach,
  eventually,
  type FriendBox,
  memoryStores,
  startFriend,
  startOwner,
} from './testing.ts';
import { message, submit, talkTo } from './testing-client.ts';
import { startFakeMta } from './testing-mta.ts';

const key = await ageKey();
const used = disposedAfterEach();

/** A stream to this box's answers, as somebody whose owner is `ownerId`. */
function ask(box: Pick<FriendBox, 'mail'>, ownerId = aliceId, own = false): FrameStream {
  const [here, there] = framePair();
  void box.mail.answerQuestions(there, { ownerId, own });
  return here;
}

async function bobHolding(...subjects: string[]): Promise<FriendBox> {
  const bob = used(await startFriend({ stores: memoryStores(), recipient: key.recipient }));
  const talk = used(await talkTo(bob.address));
  for (const subject of subjects) expect(await submit(talk, { data: message(subject) })).toMatch(/^250 /);
  return bob;
}

it('an owner lists and reads what a friend holds, as often as he likes; it stays, and is handed over later', async () => {
  const bob = await bobHolding('one', 'two');
  for (const _ of [1, 2]) {
    const stream = ask(bob);
    const { entries, count } = await askList(stream);
    expect(count).toBe(2);
    const texts: string[] = [];
    for (const entry of entries) {
      const head = await openRecordHead(entry.head, entry.sizeBytes, [key.identity]);
      expect(head).toMatchObject({
        kind: 'opened',
        envelope: { from: 'sender@out.test', recipients: ['a@alice.test'] },
      });
      const record = await askRecord(stream, entry);
      const opened = record && (await openSpoolRecord(record, [key.identity]));
      if (opened?.kind === 'opened') texts.push(Buffer.from(opened.message).toString());
    }
    await stream.end();
    expect(texts.sort()).toEqual([message('one'), message('two')]);
  }
  const mta = used(await startFakeMta());
  const alice = used(await startOwner({ stores: memoryStores(), ...key, mta: mta.address }));
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  expect(await mta.received(2)).toHaveLength(2);
});

it('nobody is told of another owner’s mail, nor given its record by its name', async () => {
  const bob = await bobHolding('secret');
  const own = ask(bob);
  const [entry] = (await askList(own)).entries;
  if (entry === undefined) throw new Error('nothing is held');
  const foreign = ask(bob, 'ee'.repeat(32));
  expect(await askList(foreign)).toEqual({ entries: [], count: 0 });
  expect(await askRecord(foreign, entry)).toBeUndefined();
  expect(await askFlush(foreign)).toBe(0);
  expect(await askFlush(own)).toBe(1);
});

it('the newest come first, and what is beyond the limit is counted', async () => {
  const bob = await bobHolding('1', '2', '3');
  const { entries, count } = await askList(ask(bob), 2);
  const subjects = entries.map(async ({ head, sizeBytes }) => {
    const opened = await openRecordHead(head, sizeBytes, [key.identity]);
    return opened.kind === 'opened' && /Subject: (.)/.exec(Buffer.from(opened.begin).toString())?.[1];
  });
  expect([await Promise.all(subjects), count]).toEqual([['3', '2'], 3]);
});

it('a large message comes whole, in parts', async () => {
  const bob = used(await startFriend({ stores: memoryStores(), recipient: key.recipient }));
  const talk = used(await talkTo(bob.address));
  const data = message(`${'x'.repeat(70)}\r\n`.repeat(4000));
  expect(await submit(talk, { data })).toMatch(/^250 /);
  const stream = ask(bob);
  const [entry] = (await askList(stream)).entries;
  const record = entry && (await askRecord(stream, entry));
  expect(record?.length).toBeGreaterThan(5 * chunkBytes);
  const opened = record && (await openSpoolRecord(record, [key.identity]));
  expect(opened?.kind === 'opened' && Buffer.from(opened.message).toString()).toBe(data);
});

it('a record that cannot be read hides no other one, and is told at its holder', async () => {
  const disk = memoryStores();
  const readPart = disk.segments.readPart.bind(disk.segments);
  const rotten: string[] = [];
  disk.segments.readPart = async (id, ...where) => {
    if (rotten.includes(id)) throw new Error('EIO');
    return await readPart(id, ...where);
  };
  const bob = used(await startFriend({ stores: disk, recipient: key.recipient }));
  const talk = used(await talkTo(bob.address));
  for (const subject of ['rotten', 'good']) await submit(talk, { data: message(subject) });
  const [good, bad] = (await askList(ask(bob))).entries;
  if (good === undefined || bad === undefined) throw new Error('two are held');
  rotten.push(bad.id.replace('held-', ''));
  expect(await askList(ask(bob))).toEqual({ entries: [good], count: 2 });
  expect(bob.told.filter(({ kind }) => kind === 'trouble')).toMatchObject([{ where: `message ${bad.id}` }]);
  expect(await askRecord(ask(bob), bad)).toBeUndefined();
});

it('what is no question ends the stream, and an answer that was not asked for is refused', async () => {
  const bob = await bobHolding('x');
  const stream = ask(bob);
  await stream.send(new Uint8Array([0xa0]));
  await expect(stream.receive()).rejects.toThrow('not a question');
  const [here, there] = framePair();
  void there.send(new Uint8Array([0xa0]));
  await expect(askList(here)).rejects.toThrow('not a frame');
});

it('another box of the same owner sees the queue; what the MTA refused is released, or let go for good', async () => {
  const bob = await bobHolding('first');
  const talk = used(await talkTo(bob.address));
  await submit(talk, { to: ['b@alice.test'], data: message('second') });
  const mta = used(
    await startFakeMta({ script: (line) => (line.startsWith('RCPT') ? '550 5.7.1 no' : undefined) }),
  );
  const disk = memoryStores();
  const alice = used(await startOwner({ stores: disk, ...key, mta: mta.address }));
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  await eventually(() => alice.mail.facts().domains[0]?.quarantined === 2);
  const read = disk.inbox.read.bind(disk.inbox);
  disk.inbox.read = () => Promise.reject(new Error('a list reads no message whole'));
  const { entries } = await askList(ask(alice, aliceId, true));
  disk.inbox.read = read;
  expect(entries.map(({ state, reply }) => [state, reply])).toEqual(
    Array(2).fill(['quarantined', '550 5.7.1 no']),
  );
  expect((await askList(ask(alice, aliceId, false))).count).toBe(0);

  const [one, two] = await alice.mail.list();
  expect(await alice.mail.decide(two?.id ?? '', 'discard')).toBe(true);
  expect(await alice.mail.decide(two?.id ?? '', 'discard')).toBe(false);
  expect(await alice.mail.list()).toHaveLength(1);
  mta.script = () => undefined;
  expect(await alice.mail.decide(one?.id ?? '', 'release')).toBe(true);
  const [delivered] = await mta.received(1);
  expect(delivered?.data).toContain('Subject: first');
  await eventually(async () => (await alice.mail.list()).length === 0);

  // A sender that comes again with what was let go is not heard a second time, also after a restart.
  await submit(talk, { to: ['b@alice.test'], data: message('second') });
  await eventually(async () => (await bob.mail.list()).length === 0);
  await alice[Symbol.asyncDispose]();
  const again = used(await startOwner({ stores: disk, ...key, mta: mta.address }));
  expect(await again.mail.list()).toEqual([]);
  expect(mta.messages).toHaveLength(1);
});
