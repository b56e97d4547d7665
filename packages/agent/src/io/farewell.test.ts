import type { FrameStream } from '@copain/core';
import { frameStreamPair, manualClock } from '@copain/core/testing';
import { farewellEveryMs } from '@copain/mesh';
import { memoryTable } from '@copain/store';
import { encodeRemovalRecord } from '@copain/trust';
import { afterAll, expect, it } from 'vitest';
import { encodeJoinFrame } from '../join-frames.ts';
import { membershipOf } from '../membership.ts';
import { type Farewell, farewells } from './farewell.ts';
import type { Identity } from './identity.ts';
import { ownRecords } from './own-records.ts';
import { openRecordStore, type RecordStore } from './record-store.ts';
import { admit, alone, testPeople } from './testing.ts';

const clock = manualClock(1_000_000);
const { person, remove } = testPeople();
afterAll(remove);

interface Box {
  identity: Identity;
  records: RecordStore;
  farewell: Farewell;
  /** What became of the former friends who came, and who was hung up on. */
  ends: string[];
}

/** A box of alice's circle; `open` is where its streams lead. */
async function box(identity: Identity, circle: string, open: () => FrameStream = nowhere): Promise<Box> {
  const records = await openRecordStore({
    table: memoryTable(),
    clock,
    key: identity.box,
    ownerId: identity.ownerId,
    onChange: () => {},
    events: { refused: () => {}, damaged: () => {} },
  });
  await records.moveTo(circle);
  const ends: string[] = [];
  const farewell = farewells({
    records,
    clock,
    host: () => ({
      open: async () => ({ ...open(), version: 1 }),
      closeConnection: () => ends.push('closed'),
    }),
    told: () => ends.push('told'),
    failed: () => ends.push('failed'),
  });
  return { identity, records, farewell, ends };
}

const nowhere = (): FrameStream => {
  throw new Error('not in this test');
};

/** What one box knows, the other knows now. */
async function catchUp(from: Box, to: Box): Promise<void> {
  for (let round = 0; round < 3; round++)
    for (const { kind, envelope } of from.records.log().facts.values())
      await to.records.offer(kind, envelope);
}

/** Alice's circle, with Bob in it; `toBob` is where her streams lead. */
async function aliceAndBob(toBob: () => FrameStream): Promise<{ alice: Box; bob: Box }> {
  const [her, him] = [await person('alice'), await person('bob')];
  const alice = await box(her, her.ownerId, toBob);
  await ownRecords(her, alice.records, alone).found('alice', 1);
  await admit(her, alice.records, him, 'bob');
  const bob = await box(him, her.ownerId);
  await catchUp(alice, bob);
  return { alice, bob };
}

const remover = async (by: Box, whom: Box): Promise<void> => {
  const { circle } = by.records.knowledge();
  const record = { circle, ownerId: whom.identity.ownerId, seen: [], atMs: 1_764_240_000_000 };
  await by.records.publish('removal', encodeRemovalRecord(record));
};

const standingOf = ({ records, identity }: Box) => membershipOf(records.knowledge(), identity.box.peer);

it('a box that was off when it was removed is told by signed records, also by members whom it never heard of', async () => {
  const [here, there] = frameStreamPair();
  const { alice, bob } = await aliceAndBob(() => here);
  // Carol came in and removed Bob while he was off; Alice agreed.
  const carol = await box(await person('carol'), alice.identity.ownerId);
  await admit(alice.identity, alice.records, carol.identity, 'carol');
  await catchUp(alice, carol);
  await remover(carol, bob);
  await catchUp(carol, alice);
  const bobsBox = bob.identity.box.peer;
  expect(alice.farewell.isDue(bobsBox)).toBe(false);
  await remover(alice, bob);
  expect(alice.farewell.isDue(bobsBox)).toBe(true);

  alice.farewell.came(bobsBox, '1');
  await bob.farewell.hear(there);
  await expect.poll(() => alice.ends).toEqual(['told', 'closed']);
  const [her, third] = [alice.identity.ownerId, carol.identity.ownerId];
  const { state, by, atMs } = standingOf(bob);
  expect([state, by.toSorted(), atMs]).toEqual(['removed', [her, third].toSorted(), 1_764_240_000_000]);
  expect(bob.records.knowledge().names.get(third)).toBe('carol');
});

it('he is told once a minute at most, whatever he makes of it, and members are told nothing', async () => {
  const { alice, bob } = await aliceAndBob(nowhere);
  const bobsBox = bob.identity.box.peer;
  alice.farewell.came(bobsBox, '1');
  expect(alice.ends).toEqual([]);
  await remover(alice, bob);
  alice.farewell.came(bobsBox, '2');
  expect(alice.farewell.isDue(bobsBox)).toBe(true);
  await expect.poll(() => alice.ends).toEqual(['failed', 'closed']);
  expect(alice.farewell.isDue(bobsBox)).toBe(false);
  alice.farewell.came(bobsBox, '3');
  clock.advance(farewellEveryMs);
  expect(alice.farewell.isDue(bobsBox)).toBe(true);
  expect(alice.farewell.isDue('12D3KooWstranger')).toBe(false);
  expect(alice.ends).toEqual(['failed', 'closed']);
});

it('nobody is out on mere say-so: an altered record, one by a stranger, or another kind changes nothing', async () => {
  const { alice, bob } = await aliceAndBob(nowhere);
  const mallory = await box(await person('mallory'), alice.identity.ownerId);
  const said = encodeRemovalRecord({
    circle: alice.identity.ownerId,
    ownerId: bob.identity.ownerId,
    seen: [],
    atMs: 1,
  });
  const byStranger = await mallory.identity.box.seal('removal', said);
  const altered = (await alice.identity.box.seal('removal', said)).map((byte, i, all) =>
    i === all.length - 1 ? byte ^ 1 : byte,
  );
  const before = bob.records.log().digest;
  for (const envelope of [byStranger, altered]) {
    const [here, there] = frameStreamPair();
    const hearing = bob.farewell.hear(there);
    await here.send(encodeJoinFrame({ t: 'record', kind: 'removal', envelope }));
    await here.end();
    await hearing;
  }
  const [here, there] = frameStreamPair();
  const hearing = expect(bob.farewell.hear(there)).rejects.toThrow('not what takes a box out');
  await here.send(encodeJoinFrame({ t: 'record', kind: 'vote', envelope: byStranger }));
  await hearing;
  expect(bob.records.log().digest).toEqual(before);
  expect(standingOf(bob)).toMatchObject({ state: 'member', by: [] });
});
