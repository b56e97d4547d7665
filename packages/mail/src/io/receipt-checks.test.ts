import type { FrameStream } from '@copain/core';
import { expect, it } from 'vitest';
import { acceptedKey, acceptedNumber, acceptedPrefix } from '../accepted-list.ts';
import { acceptedKeptMax, acceptedPageMax, questionsMax } from '../limits.ts';
import { encodeMailQuestionAnswer } from '../question-frames.ts';
import { AcceptedList } from './accepted-list.ts';
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
} from './testing.ts';
import { message, submit, talkTo } from './testing-client.ts';
import { startFakeMta } from './testing-mta.ts';

const key = await ageKey();
const used = disposedAfterEach();

async function bobHolding(stores: ReturnType<typeof memoryStores>, count: number): Promise<FriendBox> {
  const bob = used(await startFriend({ stores, recipient: key.recipient }));
  const talk = used(await talkTo(bob.address));
  for (let i = 1; i <= count; i++) expect(await submit(talk, { data: message(`${i}`) })).toMatch(/^250 /);
  return bob;
}

async function aliceBack(bob: FriendBox, stores = memoryStores()): Promise<OwnerBox> {
  const mta = used(await startFakeMta());
  const alice = used(await startOwner({ stores, ...key, mta: mta.address }));
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  await eventually(() => bob.mail.facts().domains[0]?.messages === 0);
  return alice;
}

/** What bob signs for, and a look at it by alice. */
async function look(alice: OwnerBox, bob: FriendBox): Promise<ReturnType<typeof factOf>> {
  const signed = bob.mail.tallies().get(aliceId) ?? { messages: 0, chain: new Uint8Array(32) };
  const open = async (): Promise<FrameStream> => {
    const [here, there] = framePair();
    void bob.mail.answerQuestions(there, { ownerId: aliceId, own: false });
    return here;
  };
  await alice.mail.receipts.look('bob', signed, open);
  return factOf(alice, bob);
}
const factOf = (alice: OwnerBox, bob: FriendBox) =>
  alice.mail.receipts.fact('bob', bob.mail.tallies().get(aliceId)?.messages ?? 0);

it('what a friend signed for waits while he holds it, and is there once it came, also after both started again', async () => {
  const [bobsDisk, alicesDisk] = [memoryStores(), memoryStores()];
  const bob = await bobHolding(bobsDisk, 3);
  const mta = used(await startFakeMta());
  const alice = used(await startOwner({ stores: alicesDisk, ...key, mta: mta.address }));
  expect(await look(alice, bob)).toMatchObject({
    accepted: 3,
    through: 3,
    waiting: 3,
    missing: [],
    gaps: [],
  });
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  expect(await mta.received(3)).toHaveLength(3);
  await bob[Symbol.asyncDispose]();
  await alice[Symbol.asyncDispose]();
  const bobAgain = used(await startFriend({ stores: bobsDisk, recipient: key.recipient }));
  const again = used(await startOwner({ stores: alicesDisk, ...key, mta: mta.address }));
  expect(factOf(again, bobAgain)).toMatchObject({ waiting: 3 });
  expect(again.mail.receipts.isDue('bob', { messages: 3, chain: new Uint8Array(32) })).toBe(true);
  expect(await look(again, bobAgain)).toMatchObject({
    through: 3,
    waiting: 0,
    missing: [],
    unfitAt: undefined,
  });
  expect(again.mail.receipts.isDue('bob', { messages: 3, chain: new Uint8Array(32) })).toBe(false);
});

it('a message that a friend accepted and lost is missing by its number, until its owner lets it go', async () => {
  const disk = memoryStores();
  const bob = await bobHolding(disk, 3);
  await bob[Symbol.asyncDispose]();
  const entries = [];
  for await (const entry of disk.segments.entries()) entries.push(entry.id);
  await disk.segments.remove(entries[1] ?? '');
  const again = used(await startFriend({ stores: disk, recipient: key.recipient }));
  const alice = await aliceBack(again);
  expect(await look(alice, again)).toMatchObject({ accepted: 3, waiting: 0, missing: [2], gaps: [] });
  expect(await look(alice, again)).toMatchObject({ missing: [2] });
  expect(await alice.mail.receipts.settle('bob')).toBe(true);
  expect(await look(alice, again)).toMatchObject({ missing: [], gaps: [] });
  expect(await alice.mail.receipts.settle('bob')).toBe(false);
});

it('a box that forgot what came to it misses nothing of before, and all of what is lost from then on', async () => {
  const [bobsDisk, alicesDisk] = [memoryStores(), memoryStores()];
  const bob = await bobHolding(bobsDisk, 2);
  const alice = await aliceBack(bob, alicesDisk);
  expect(await look(alice, bob)).toMatchObject({ through: 2, missing: [] });
  // Her index is gone: tags, and what she had counted.
  for await (const [key] of alicesDisk.table.entries(''))
    await alicesDisk.table.write([{ key, value: undefined }]);
  await alice[Symbol.asyncDispose]();
  const mta = used(await startFakeMta());
  const again = used(await startOwner({ stores: alicesDisk, ...key, mta: mta.address }));
  await again.mail.receipts.forget(5);
  expect(await look(again, bob)).toMatchObject({ first: 3, through: 2, missing: [], gaps: [] });
  bob.owner = undefined;
  bob.mail.ownerGone(aliceId);
  const talk = used(await talkTo(bob.address));
  expect(await submit(talk, { data: message('later') })).toMatch(/^250 /);
  expect(await look(again, bob)).toMatchObject({ first: 3, through: 3, waiting: 1, unfitAt: undefined });
  await again.mail.receipts.forget(5);
  expect(factOf(again, bob)).toMatchObject({ waiting: 1 });
  await again.mail.receipts.forget(6);
  expect(factOf(again, bob)).toBeUndefined();
});

it('a friend who lost his index counts on from what he signed: nothing is missing that is there, and what is lost then is', async () => {
  const disk = memoryStores();
  const bob = await bobHolding(disk, 3);
  const mta = used(await startFakeMta());
  const alice = used(await startOwner({ stores: memoryStores(), ...key, mta: mta.address }));
  expect(await look(alice, bob)).toMatchObject({ through: 3, waiting: 3 });
  const signed = bob.mail.tallies().get(aliceId) ?? { messages: 0, bytes: 0, chain: new Uint8Array(32) };
  await bob[Symbol.asyncDispose]();
  for await (const [name] of disk.table.entries(''))
    await disk.table.write([{ key: name, value: undefined }]);
  const entries = [];
  for await (const { id } of disk.segments.entries()) entries.push(id);
  await disk.segments.remove(entries[0] ?? '');

  const again = used(await startFriend({ stores: disk, recipient: key.recipient }));
  expect(again.mail.tallies().get(aliceId)?.messages).toBe(2);
  expect(await again.mail.countFrom(aliceId, signed)).toBe(true);
  expect(await again.mail.countFrom(aliceId, signed)).toBe(false);
  expect(again.mail.tallies().get(aliceId)?.messages).toBe(5);
  // The first is lost; the others wait, under their new numbers and their old.
  expect(await look(alice, again)).toMatchObject({ through: 5, missing: [1], gaps: [], unfitAt: undefined });
  const talk = used(await talkTo(again.address));
  expect(await submit(talk, { data: message('later') })).toMatch(/^250 /);
  expect(await look(alice, again)).toMatchObject({ through: 6, missing: [1], unfitAt: undefined });
  again.owner = alice.mail;
  again.mail.ownerReachable(aliceId);
  await eventually(() => again.mail.heldCount() === 0);
  expect(await look(alice, again)).toMatchObject({
    through: 6,
    missing: [1],
    waiting: 0,
    unfitAt: undefined,
  });

  // A message that he loses from now on is missed by its number.
  again.owner = undefined;
  again.mail.ownerGone(aliceId);
  expect(await submit(talk, { data: message('lost') })).toMatch(/^250 /);
  await again[Symbol.asyncDispose]();
  for await (const { id } of disk.segments.entries()) await disk.segments.remove(id);
  const last = used(await startFriend({ stores: disk, recipient: key.recipient }));
  expect(await look(alice, last)).toMatchObject({ through: 7, missing: [1, 7], unfitAt: undefined });
});

it('what a friend lists while he does not know its number any more is not missing', async () => {
  const disk = memoryStores();
  const bob = await bobHolding(disk, 2);
  const mta = used(await startFakeMta());
  const alice = used(await startOwner({ stores: memoryStores(), ...key, mta: mta.address }));
  await look(alice, bob);
  const signed = bob.mail.tallies().get(aliceId) ?? { messages: 0, bytes: 0, chain: new Uint8Array(32) };
  const open = async (): Promise<FrameStream> => {
    const [here, there] = framePair();
    void bob.mail.answerQuestions(there, { ownerId: aliceId, own: false });
    return here;
  };
  for (const number of [1, 2])
    await disk.table.write([{ key: acceptedKey(aliceId, number), value: undefined }]);
  await alice.mail.receipts.look('bob', signed, open);
  expect(factOf(alice, bob)).toMatchObject({ waiting: 2, missing: [] });
  for await (const { id } of disk.segments.entries()) await disk.segments.remove(id);
  await bob[Symbol.asyncDispose]();
  const again = used(await startFriend({ stores: disk, recipient: key.recipient }));
  expect(await look(alice, again)).toMatchObject({ waiting: 0, missing: [1, 2] });
});

it('numbers that a friend cannot tell of any more are a gap, and so is a list that is not what he signed', async () => {
  const disk = memoryStores();
  const bob = await bobHolding(disk, 4);
  const alice = await aliceBack(bob);
  const [second, fourth] = [2, 4].map((number) => acceptedKey(aliceId, number));
  const lost = await disk.table.get(fourth ?? '');
  await disk.table.write([{ key: second ?? '', value: undefined }]);
  expect(await look(alice, bob)).toMatchObject({
    gaps: [{ from: 2, to: 2 }],
    missing: [],
    unfitAt: undefined,
  });

  const other = memoryStores();
  const dan = await bobHolding(other, 4);
  await other.table.write([{ key: acceptedKey(aliceId, 3), value: lost }]);
  const danSees = await aliceBack(dan);
  expect((await look(danSees, dan))?.unfitAt).toBe(4);
});

it('more numbers than one stream has questions for are looked at all the same', async () => {
  const bob = await bobHolding(memoryStores(), 1);
  const alice = await aliceBack(bob);
  const many = questionsMax * 2 + 1;
  let streams = 0;
  const open = async (): Promise<FrameStream> => {
    streams += 1;
    const [here, there] = framePair();
    const held = {
      acceptedPage: async (_owner: string, after: number) => ({
        from: after + 1,
        before: new Uint8Array(32),
        items: [{ tags: [new Uint8Array(16)], held: true }],
      }),
    };
    const { answerMailQuestions } = await import('./mail-questions.ts');
    void answerMailQuestions(there, { held, ownerId: aliceId } as never);
    return here;
  };
  await alice.mail.receipts.look('carol', { messages: many, chain: new Uint8Array(32) }, open);
  expect(alice.mail.receipts.fact('carol', many)).toMatchObject({ through: many, waiting: many });
  expect(streams).toBe(3);
});

it('an answer beyond what was asked, or of an older version, changes nothing', async () => {
  const alice = await aliceBack(await bobHolding(memoryStores(), 0));
  const old = async (): Promise<FrameStream> => {
    const [here, there] = framePair();
    void there.receive().then(() => there.abort(new Error('not a question of this protocol')));
    return here;
  };
  const items = [1, 2, 3].map(() => ({ tags: [new Uint8Array(16)], held: false }));
  const saying = (from: number) => async (): Promise<FrameStream> => {
    const [here, there] = framePair();
    const frame = encodeMailQuestionAnswer({ t: 'accepted', from, before: new Uint8Array(32), items });
    void there.receive().then(() => there.send(frame));
    return here;
  };
  const signed = { messages: 2, chain: new Uint8Array(32) };
  for (const open of [old, saying(1), saying(9)])
    await expect(alice.mail.receipts.look('old', signed, open)).rejects.toThrow();
  expect(alice.mail.receipts.fact('old', 2)).toBeUndefined();
});

it('a friend keeps the newest numbers, and older ones only while he holds their messages', async () => {
  const { table } = memoryStores();
  const tagOf = (number: number): Uint8Array => new Uint8Array(16).fill(number);
  const held = tagOf(2).join();
  const list = new AcceptedList(table, (tags) => tags.some((tag) => tag.join() === held));
  const { encodeAcceptedRow } = await import('../accepted-list.ts');
  const rows = Array.from({ length: acceptedPageMax + 5 }, (_, i) => ({
    key: acceptedKey(aliceId, i + 1),
    value: encodeAcceptedRow({ before: new Uint8Array(32), tags: [tagOf(i + 1)] }),
  }));
  await table.write(rows);
  expect((await list.page(aliceId, 0, 1e6)).items).toHaveLength(acceptedPageMax);
  expect(await list.page(aliceId, 3, 4)).toMatchObject({ from: 4, items: [{ held: false }] });
  await list.forgetOld(aliceId, acceptedKeptMax + 4);
  const left: number[] = [];
  for await (const [at] of table.entries(acceptedPrefix(aliceId))) left.push(acceptedNumber(at));
  expect(left.slice(0, 3)).toEqual([2, 5, 6]);
  expect(await list.page(aliceId, 2, 1e6)).toMatchObject({ from: 5 });
});
