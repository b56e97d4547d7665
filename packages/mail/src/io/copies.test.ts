import type { FrameStream } from '@copain/core';
import { manualClock } from '@copain/core/testing';
import { memorySegments } from '@copain/store';
import { describe, expect, it } from 'vitest';
import { decodeCopyAnswer, decodeCopyRequest, encodeCopyAnswer, encodeCopyRequest } from '../copy-frames.ts';
import { copiesArrivingMax, copyDoubtMs, giveUpAfterMs, notesPerStreamMax, secondCopyMs } from '../limits.ts';
import { decodeSpoolRecord } from '../spool-record.ts';
import { framePair } from './frame-pair.ts';
import {
  ageKey,
  aliceId,
  disposedAfterEach,
  eventually,
  type FriendBox,
  friendId,
  memoryStores,
  type Stores,
  startFriend,
  startOwner,
} from './testing.ts';
import { meet, part, wishCopies } from './testing-circle.ts';
import { message, submit, talkTo, withoutTrace } from './testing-client.ts';
import { startFakeMta } from './testing-mta.ts';

const key = await ageKey();
const used = disposedAfterEach();
const clock = manualClock(Date.UTC(2026, 10, 27));

/** A friend of alice who was told her wish. */
async function friend(
  peer: string,
  {
    stores = memoryStores(),
    copies = 2,
    ...options
  }: Partial<Parameters<typeof startFriend>[0]> & { copies?: 1 | 2 } = {},
): Promise<FriendBox> {
  const box = used(await startFriend({ stores, recipient: key.recipient, peer, clock, ...options }));
  await wishCopies(box, copies);
  return box;
}

async function owner() {
  const mta = used(await startFakeMta());
  const alice = used(await startOwner({ stores: memoryStores(), ...key, mta: mta.address }));
  return { mta, alice };
}

/** Alice's box can be reached by these. */
function comeBack(alice: Awaited<ReturnType<typeof owner>>['alice'], ...friends: FriendBox[]): void {
  for (const one of friends) {
    one.owner = alice.mail;
    one.mail.ownerReachable(aliceId);
  }
}

const idIn = (frame: Uint8Array): string => {
  const request = decodeCopyRequest(frame);
  return request?.t === 'offer' ? request.id : '';
};

/** His grant ends, and stays ended for long enough. */
function end(box: FriendBox): void {
  const look = (): void => box.mail.friendHeard({ peer: 'nobody', ownerId: 'nobody' });
  box.domains.splice(0, 1);
  look();
  clock.advance(giveUpAfterMs);
  look();
}

const held = async ({ mail }: FriendBox): Promise<number> => (await mail.list()).length;
const say = async (box: FriendBox, data = message('x')): Promise<string> =>
  await submit(used(await talkTo(box.address)), { data });

/** Segments whose appends wait until they are let on. */
function slowSegments(): { segments: Stores['segments']; letOn: () => void; waiting: () => number } {
  const inner = memorySegments();
  const waiting: (() => void)[] = [];
  let isOpen = false;
  return {
    segments: {
      ...inner,
      append: async (record) => {
        if (!isOpen) await new Promise<void>((resolve) => waiting.push(resolve));
        return await inner.append(record);
      },
    },
    letOn: () => {
      isOpen = true;
      for (const one of waiting.splice(0)) one();
    },
    waiting: () => waiting.length,
  };
}

describe('a domain that is to be kept twice', () => {
  it('is answered 250 only when the second friend has the message on disk', async () => {
    const slow = slowSegments();
    const bob = await friend('bob');
    const carol = await friend('carol', { stores: { ...memoryStores(), segments: slow.segments } });
    meet({ bob, carol });
    let answered = false;
    const answer = say(bob).then((text) => {
      answered = true;
      return text;
    });
    await eventually(() => slow.waiting() === 1);
    expect(answered).toBe(false);
    slow.letOn();
    expect(await answer).toMatch(/^250 2\.0\.0 .*by two friends/);
    expect(await held(carol)).toBe(1);
    expect(bob.mail.facts().domains[0]).toMatchObject({ alsoAt: [friendId('carol')] });
    expect((await carol.mail.list())[0]).toMatchObject({ copyAt: friendId('bob') });
  });

  it('is not copied where its owner wants one copy', async () => {
    const [bob, carol] = [await friend('bob', { copies: 1 }), await friend('carol')];
    meet({ bob, carol });
    expect(await say(bob)).toMatch(/^250 2\.0\.0 Ok: held for the owner\r?$/m);
    expect([await held(bob), await held(carol)]).toEqual([1, 0]);
    expect(bob.copyStreams).toEqual([]);
  });

  it('takes the next friend where the first refuses, or speaks no copies', async () => {
    const [bob, carol, dave] = [await friend('bob'), await friend('carol'), await friend('dave')];
    meet({ bob, carol, dave });
    carol.domains.splice(0, 1);
    expect(await say(bob)).toMatch(/by two friends/);
    expect([await held(carol), await held(dave)]).toEqual([0, 1]);
    part({ bob, carol, dave }, 'dave');
    const old = { ownerId: friendId('old'), mail: undefined as unknown as FriendBox['mail'] };
    bob.friends.set('old', old);
    expect(await say(bob, message('y'))).toMatch(/^250 2\.0\.0 Ok: held for the owner\r?$/m);
  });

  it('takes mail with one copy while no second friend is there, tells the owner, and makes the copy when one comes', async () => {
    const [bob, carol] = [await friend('bob'), await friend('carol')];
    expect(await say(bob)).toMatch(/^250 2\.0\.0 Ok: held for the owner\r?$/m);
    meet({ bob, carol });
    await eventually(async () => (await held(carol)) === 1);
    await eventually(() => bob.mail.facts().domains[0]?.alsoAt.length === 1);
    const { alice, mta } = await owner();
    comeBack(alice, bob, carol);
    expect(await alice.until('noted')).toMatchObject({
      fromId: friendId('bob'),
      domain: 'alice.test',
      what: 'single',
      messages: 1,
    });
    await eventually(async () => (await held(bob)) + (await held(carol)) === 0);
    await mta.received(1);
    expect(mta.messages).toHaveLength(1);
  });

  it('keeps no client waiting for a friend who says nothing', async () => {
    const bob = await friend('bob');
    const silent = {
      ownerId: friendId('mute'),
      mail: { handleCopy: async () => {} } as unknown as FriendBox['mail'],
    };
    bob.friends.set('mute', silent);
    const begun = performance.now();
    expect(await say(bob)).toMatch(/^250 2\.0\.0 Ok: held for the owner\r?$/m);
    // The one bound of a duration: that the client is answered at all, and not before the friend had his time.
    expect(performance.now() - begun).toBeGreaterThan(secondCopyMs - 100);
    const { alice } = await owner();
    comeBack(alice, bob);
    expect(await alice.until('noted')).toMatchObject({ what: 'single', messages: 1 });
  });

  it('what a sender brings again after a lost reply is one message, at whichever friend', async () => {
    const [bob, carol] = [await friend('bob'), await friend('carol')];
    meet({ bob, carol });
    for (const box of [bob, bob, carol, carol]) expect(await say(box)).toMatch(/by two friends/);
    expect([await held(bob), await held(carol)]).toEqual([1, 1]);
    const { alice, mta } = await owner();
    comeBack(alice, bob, carol);
    await eventually(async () => (await held(bob)) + (await held(carol)) === 0);
    await eventually(() => mta.messages.length > 0);
    expect(mta.messages.map(({ data }) => withoutTrace(data))).toEqual([message('x')]);
  });

  it('large messages and many at once are copied byte by byte', async () => {
    const [bob, carol] = [await friend('bob'), await friend('carol')];
    meet({ bob, carol });
    const texts = Array.from({ length: 14 }, (_, i) => message(`${i} ${'z'.repeat(i * 20_000)}`));
    const answers = await Promise.all(texts.map(async (text) => await say(bob, text)));
    expect(answers.filter((answer) => !answer.includes('by two friends'))).toEqual([]);
    const { alice, mta } = await owner();
    comeBack(alice, carol);
    await mta.received(texts.length);
    expect(mta.messages.map(({ data }) => withoutTrace(data)).toSorted()).toEqual(texts.toSorted());
  });

  it('crosses the owner’s line once, however many friends bring it', async () => {
    const [bob, carol] = [await friend('bob'), await friend('carol')];
    meet({ bob, carol });
    const texts = Array.from({ length: 12 }, (_, i) => message(`${i} ${'z'.repeat(60_000)}`));
    const answers = await Promise.all(texts.map(async (text) => await say(bob, text)));
    expect(answers.filter((answer) => !answer.includes('by two friends'))).toEqual([]);
    const [listed] = [await bob.mail.list()];
    const totalBytes = listed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const { alice, mta } = await owner();
    comeBack(alice, bob, carol);
    await mta.received(texts.length);
    await eventually(async () => (await held(bob)) + (await held(carol)) === 0);
    expect([...bob.parts, ...carol.parts].reduce((sum, bytes) => sum + bytes, 0)).toBe(totalBytes);
    expect([bob.parts.length, carol.parts.length].every((count) => count > 0)).toBe(true);
  });

  it('is asked about anew when a friend was away for long, and not after a moment', async () => {
    const [bob, carol] = [await friend('bob'), await friend('carol')];
    meet({ bob, carol });
    expect(await say(bob)).toMatch(/by two friends/);
    const carolBox = { peer: 'carol', ownerId: friendId('carol') };
    bob.friends.clear();
    for (const [awayMs, isKnown] of [
      [1000, true],
      [copyDoubtMs, false],
    ] as const) {
      bob.mail.friendSilent(carolBox);
      clock.advance(awayMs);
      bob.mail.friendHeard(carolBox);
      // Whatever is to be forgotten is forgotten within this turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
      expect(bob.mail.facts().domains[0]?.alsoAt.length === 1).toBe(isKnown);
    }
  });

  it('outlives a friend who breaks every stream, at any word', async () => {
    const bob = await friend('bob');
    for (const words of [0, 1, 2, 3]) {
      const breaking = async (stream: FrameStream): Promise<void> => {
        for (let i = 0; i < words; i++) {
          const frame = await stream.receive();
          const id = (await bob.mail.list()).length > 0 && i === 1 ? frame : undefined;
          if (id) await stream.send(encodeCopyAnswer({ t: 'want', id: idIn(id) }));
        }
        stream.abort(new Error('broken'));
      };
      bob.friends.clear();
      bob.friends.set(`breaker ${words}`.replace(' ', '-'), {
        ownerId: friendId('breaker'),
        mail: { handleCopy: breaking } as unknown as FriendBox['mail'],
      });
      expect(await say(bob, message(`broken ${words}`))).toMatch(/^250 2\.0\.0 Ok: held for the owner\r?$/m);
    }
    expect(await held(bob)).toBe(4);
  });

  it('asks anew after a restart who has what, and sends nothing twice', async () => {
    const stores = memoryStores();
    const before = await startFriend({ stores, recipient: key.recipient, peer: 'bob' });
    await wishCopies(before, 2);
    const carol = await friend('carol');
    meet({ bob: before, carol });
    expect(await say(before)).toMatch(/by two friends/);
    await before[Symbol.asyncDispose]();
    const bob = await friend('bob', { stores });
    expect(bob.mail.facts().domains[0]?.alsoAt).toEqual([]);
    meet({ bob, carol });
    await eventually(() => bob.mail.facts().domains[0]?.alsoAt.length === 1);
    expect(await held(carol)).toBe(1);
    expect(carol.told.filter(({ kind }) => kind === 'copyTaken')).toHaveLength(1);
  });
});

describe('a friend who keeps mail no more', () => {
  it('gives it to another friend, who keeps it for the owner, and tells her', async () => {
    const [bob, carol] = [await friend('bob', { copies: 1 }), await friend('carol', { copies: 1 })];
    meet({ bob, carol });
    expect(await say(bob)).toMatch(/^250/);
    end(bob);
    await eventually(async () => (await held(bob)) === 0);
    expect(await held(carol)).toBe(1);
    expect(bob.told.find(({ kind }) => kind === 'moved')).toMatchObject({ toId: friendId('carol') });
    const { alice, mta } = await owner();
    comeBack(alice, bob, carol);
    expect(await alice.until('noted')).toMatchObject({ what: 'moved', to: friendId('carol'), messages: 1 });
    await mta.received(1);
    await eventually(async () => (await held(carol)) === 0);
    expect(mta.messages).toHaveLength(1);
  });

  it('drops nothing while nobody takes it, shows it, and drops it when somebody does', async () => {
    const bob = await friend('bob', { copies: 1 });
    expect(await say(bob)).toMatch(/^250/);
    end(bob);
    const carol = await friend('carol', { copies: 1, maxBytes: 100 });
    meet({ bob, carol });
    await eventually(() => bob.told.some(({ kind, why }) => kind === 'copyRefused' && why === 'no room'));
    expect([await held(bob), await held(carol)]).toEqual([1, 0]);
    expect(bob.mail.facts().domains.find(({ ended }) => ended)).toMatchObject({
      domain: 'alice.test',
      messages: 1,
    });
    const dave = await friend('dave', { copies: 1 });
    meet({ bob, carol, dave });
    await eventually(async () => (await held(bob)) === 0);
    expect(await held(dave)).toBe(1);
    expect(bob.mail.facts().domains.some(({ ended }) => ended)).toBe(false);
  });

  it('gives what is above a lowered quota, the newest, and keeps the rest', async () => {
    const [bob, carol] = [await friend('bob', { copies: 1 }), await friend('carol', { copies: 1 })];
    for (const text of ['old', 'new']) expect(await say(bob, message(text))).toMatch(/^250/);
    const [oldest, newest] = await bob.mail.list();
    const domain = bob.domains[0];
    if (!domain || !oldest || !newest) throw new Error('not held');
    domain.maxBytes = oldest.sizeBytes + 10;
    meet({ bob, carol });
    await eventually(async () => (await held(bob)) === 1);
    expect((await bob.mail.list())[0]?.id).toBe(oldest.id);
    expect((await carol.mail.list())[0]?.id).toBe(newest.id);
  });

  it('two who give each other the same message do not both drop it', async () => {
    const [bob, carol] = [await friend('bob', { copies: 1 }), await friend('carol', { copies: 1 })];
    for (const box of [bob, carol]) expect(await say(box)).toMatch(/^250/);
    for (const { domains } of [bob, carol]) {
      const [domain] = domains;
      if (domain) domain.maxBytes = 1;
    }
    meet({ bob, carol });
    await eventually(() => [bob, carol].every(({ copyStreams }) => copyStreams.length > 0));
    await eventually(async () =>
      [bob, carol].some(({ told }) => told.some(({ kind }) => kind === 'moved' || kind === 'copyRefused')),
    );
    expect((await held(bob)) + (await held(carol))).toBeGreaterThan(0);
  });

  it('is not believed about a copy that is damaged where it lies', async () => {
    const stores = memoryStores();
    const [bob, carol] = [await friend('bob', { copies: 1 }), await friend('carol', { copies: 1, stores })];
    for (const box of [bob, carol]) expect(await say(box)).toMatch(/^250/);
    const readPart = stores.segments.readPart.bind(stores.segments);
    stores.segments.readPart = async (id, offset, lengthBytes) => {
      const bytes = await readPart(id, offset, lengthBytes);
      if (bytes && bytes.length > 300) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      return bytes;
    };
    meet({ bob, carol });
    end(bob);
    await eventually(() => bob.told.some(({ kind, why }) => kind === 'copyRefused' && why === 'damaged'));
    expect(await held(bob)).toBe(1);
  });
});

describe('whoever offers a copy', () => {
  it('is not believed that a record is whole: a changed byte is found before it is stored', async () => {
    const [bob, carol] = [await friend('bob'), await friend('carol')];
    expect(await say(carol)).toMatch(/^250/);
    const [listed] = await carol.mail.list();
    const record = listed && (await carol.mail.record(listed));
    const header = record && decodeSpoolRecord(record)?.header;
    if (!record || !header) throw new Error('not held');
    const bytes = record.slice();
    for (const [change, expected] of [
      [1, { t: 'not', why: 'damaged' }],
      [0, { t: 'have' }],
    ] as const) {
      bytes[bytes.length - 1] = (record.at(-1) ?? 0) ^ change;
      const stream = await open(bob);
      const { tags } = header;
      expect(await ask(stream, { sizeBytes: bytes.length, tags })).toMatchObject({ t: 'want' });
      await stream.send(encodeCopyRequest({ t: 'part', id: 'x', offset: 0, bytes, last: true }));
      expect(decodeCopyAnswer((await stream.receive()) ?? new Uint8Array())).toMatchObject(expected);
      stream.abort(new Error('done'));
    }
    expect(await held(bob)).toBe(1);
  });

  const offer = {
    id: 'x',
    ownerId: aliceId,
    domain: 'alice.test',
    sizeBytes: 40_000,
    tags: [new Uint8Array(16)],
  };
  const open = async (box: FriendBox): Promise<FrameStream> => {
    const [here, there] = framePair();
    void box.mail.handleCopy(there, { peer: 'mallory', ownerId: friendId('mallory') });
    await here.send(encodeCopyRequest({ t: 'hello', version: 1 }));
    return here;
  };
  const ask = async (stream: FrameStream, change: object = {}) => {
    await stream.send(encodeCopyRequest({ t: 'offer', ...offer, give: false, ...change }));
    return decodeCopyAnswer((await stream.receive()) ?? new Uint8Array());
  };

  it('is heard about an owner’s own domains only, and so many times on one stream', async () => {
    const { alice } = await owner();
    const [here, there] = framePair();
    void alice.mail.handleCopy(there, { peer: 'mallory', ownerId: friendId('mallory') });
    await here.send(encodeCopyRequest({ t: 'hello', version: 1 }));
    const note = {
      t: 'note',
      what: 'single',
      to: '',
      messages: 1,
      bytes: 1,
      sinceMs: 1,
      untilMs: 1,
    } as const;
    for (let i = 0; i < notesPerStreamMax; i++) {
      const domain = i % 2 === 0 ? 'alice.test' : 'other.test';
      await here.send(encodeCopyRequest({ ...note, domain }));
      expect(decodeCopyAnswer((await here.receive()) ?? new Uint8Array())).toEqual({ t: 'noted' });
    }
    expect(alice.told.filter(({ kind }) => kind === 'noted')).toHaveLength(notesPerStreamMax / 2);
    await here.send(encodeCopyRequest({ ...note, domain: 'alice.test' }));
    await expect(here.receive()).rejects.toThrow();
  });

  it('must keep mail for that owner himself, or leave half of the room', async () => {
    const bob = await friend('bob', { isStranger: () => true, maxBytes: 100_000 });
    const stream = await open(bob);
    expect(await ask(stream)).toMatchObject({ t: 'not', why: 'no backup' });
    expect(await ask(stream, { give: true })).toMatchObject({ t: 'want' });
    expect(await ask(stream, { id: 'y', give: true, sizeBytes: 60_000 })).toMatchObject({ why: 'no room' });
    expect(await ask(stream, { id: 'z', ownerId: 'c3'.repeat(32) })).toMatchObject({ why: 'no backup' });
    stream.abort(new Error('done'));
  });

  it('is asked for no more than may be on its way at once, nor for what is too large', async () => {
    const bob = await friend('bob');
    const stream = await open(bob);
    expect(await ask(stream, { id: 'big', sizeBytes: 60_000_000 })).toMatchObject({ why: 'too large' });
    for (let i = 0; i < copiesArrivingMax; i++)
      expect(await ask(stream, { id: `${i}` })).toMatchObject({ t: 'want' });
    expect(await ask(stream, { id: 'more' })).toMatchObject({ t: 'not', why: 'busy' });
    stream.abort(new Error('done'));
  });

  it('gets nothing stored that is not the message he offered, nor more of it than he said', async () => {
    const bob = await friend('bob');
    const stream = await open(bob);
    expect(await ask(stream, { sizeBytes: 100 })).toMatchObject({ t: 'want' });
    const bytes = new Uint8Array(100).fill(7);
    await stream.send(encodeCopyRequest({ t: 'part', id: 'x', offset: 0, bytes, last: true }));
    expect(decodeCopyAnswer((await stream.receive()) ?? new Uint8Array())).toMatchObject({ why: 'damaged' });
    expect(await ask(stream, { sizeBytes: 50 })).toMatchObject({ t: 'want' });
    await stream.send(encodeCopyRequest({ t: 'part', id: 'x', offset: 0, bytes, last: true }));
    await expect(stream.receive()).rejects.toThrow();
    expect(await held(bob)).toBe(0);
  });
});
