import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FrameStream } from '@copain/core';
import { frameStreamPair, manualClock } from '@copain/core/testing';
import type { Host } from '@copain/mesh/io';
import { memoryTable } from '@copain/store';
import { afterAll, expect, it } from 'vitest';
import { type CircleService, circleService } from './circle.ts';
import { createIdentity, loadIdentity } from './identity.ts';
import { ownRecords } from './own-records.ts';
import { openRecordStore, type RecordStore } from './record-store.ts';

/** A box without friends: it signs at once. */
const alone = { maySign: () => true, signable: async () => {}, whenSignable: () => {} };

const clock = manualClock(1_000_000);
const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

interface Box {
  peer: string;
  circle: CircleService;
  records: RecordStore;
  members(): string[];
}

/** A box that founded its own circle; `open` is where its streams lead. */
async function box(name: string, open: (self: string) => FrameStream): Promise<Box> {
  const stateDir = await mkdtemp(join(tmpdir(), `copain-${name}-`));
  folders.push(stateDir);
  await createIdentity({ stateDir, name });
  const identity = await loadIdentity(stateDir);
  const records = await openRecordStore({
    table: memoryTable(),
    clock,
    key: identity.box,
    ownerId: identity.ownerId,
    onChange: () => {},
    events: { refused: () => {}, damaged: () => {} },
  });
  await ownRecords(identity, records, alone).found(name, 1);
  const host = { dial: async () => {}, open: async () => open(identity.box.peer) } as unknown as Host;
  const circle = circleService({
    standing: alone,
    identity,
    records,
    host: () => host,
    clock,
    ownAddresses: () => ['127.0.0.1:1'],
    addressesOf: () => [],
    rememberContacts: async () => {},
  });
  const members = (): string[] => [...records.knowledge().roster.members.values()].map((one) => one.name);
  return { peer: identity.box.peer, circle, records, members };
}

const nobody = (): FrameStream => {
  throw new Error('not in this test');
};

it('whoever was cut off after he was admitted joins with the same code; anybody else finds it used', async () => {
  const alice = await box('alice', nobody);
  let framesUntilCut = Number.POSITIVE_INFINITY;
  const toAlice = (self: string): FrameStream => {
    const [here, there] = frameStreamPair();
    alice.circle.answer(there, self).catch(() => undefined);
    return {
      ...here,
      receive: async () => {
        if (framesUntilCut <= 0) throw new Error('connection lost');
        framesUntilCut -= 1;
        return await here.receive();
      },
    };
  };
  const bob = await box('bob', toAlice);
  const carol = await box('carol', toAlice);
  const { code } = await alice.circle.invite({ name: 'bob', may: ['dns'], lifeMs: undefined });

  framesUntilCut = 2;
  await expect(bob.circle.join(code, () => {})).rejects.toThrow('connection lost');
  expect(alice.members().sort()).toEqual(['alice', 'bob']);
  expect(bob.members()).toEqual(['bob']);

  framesUntilCut = Number.POSITIVE_INFINITY;
  await expect(carol.circle.join(code, () => {})).rejects.toThrow('used already');
  clock.advance(30 * 86_400_000);
  const joined = bob.circle.join(code, () => {});
  let ended = false;
  const end = bob.circle.joinEnded().then(() => {
    ended = true;
  });
  expect(ended).toBe(false);
  expect(await joined).toMatchObject({ name: 'bob', may: ['dns'] });
  await end;
  expect(bob.members().sort()).toEqual(['alice', 'bob']);
  expect(bob.records.log().digest).toEqual(alice.records.log().digest);
});
