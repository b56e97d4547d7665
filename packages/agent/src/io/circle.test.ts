import type { FrameStream } from '@copain/core';
import { frameStreamPair, manualClock } from '@copain/core/testing';
import { factsInOrder } from '@copain/mesh';
import { type Host, signingKeyFromSeed } from '@copain/mesh/io';
import { memoryTable } from '@copain/store';
import { afterAll, expect, it } from 'vitest';
import { farewellRecords } from '../farewell-records.ts';
import { decodeJoinFrame, encodeJoinFrame } from '../join-frames.ts';
import { membershipOf } from '../membership.ts';
import { type CircleService, circleService } from './circle.ts';
import { adoptOwner, createIdentity, loadIdentity, newSecret, openSecret, sealSecret } from './identity.ts';
import { ownRecords } from './own-records.ts';
import { type OwnerKeys, ownerKeys } from './owner-keys.ts';
import { openRecordStore, type RecordStore } from './record-store.ts';
import type { Standing } from './standing.ts';
import { alone, testPeople } from './testing.ts';

const clock = manualClock(1_000_000);
const { folder, remove } = testPeople();
afterAll(remove);

interface Box {
  peer: string;
  circle: CircleService;
  records: RecordStore;
  members(): string[];
  /** Why joiners were sent away. */
  refused: string[];
  keys: OwnerKeys;
  paperKey: string;
  stateDir: string;
}

/** A box that founded its own circle; `open` is where its streams lead. */
async function box(
  name: string,
  open: (self: string) => FrameStream,
  standing: Pick<Standing, 'maySign' | 'signable' | 'whenSignable'> = alone,
): Promise<Box> {
  const stateDir = await folder(name);
  const { paperKey } = await createIdentity({ stateDir, name });
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
  const refused: string[] = [];
  const keys = ownerKeys({ stateDir, identity, records, clock });
  const circle = circleService({
    standing,
    identity,
    records,
    host: () => host,
    clock,
    ownAddresses: () => ['127.0.0.1:1'],
    addressesOf: () => [],
    wasDialled: () => false,
    reachable: () => undefined,
    rememberContacts: async () => {},
    keys,
    refused: (_joiner, why) => refused.push(why),
    adopt: async (owner) => await adoptOwner(stateDir, owner),
  });
  const members = (): string[] => [...records.knowledge().roster.members.values()].map((one) => one.name);
  return { peer: identity.box.peer, circle, records, members, refused, keys, paperKey, stateDir };
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

it('an invite that has expired is refused at its time: no challenge is given, and no proof read', async () => {
  const alice = await box('alice', nobody);
  const heard: string[] = [];
  const bob = await box('bob', (self) => {
    const [here, there] = frameStreamPair();
    const counted: FrameStream = {
      ...there,
      receive: async () => {
        const frame = await there.receive();
        heard.push(decodeJoinFrame(frame ?? new Uint8Array())?.t ?? 'the end');
        return frame;
      },
    };
    alice.circle.answer(counted, self).catch(() => undefined);
    return here;
  });
  const before = alice.records.log().digest;
  const { code, id } = await alice.circle.invite({ name: 'bob', may: ['dns'], lifeMs: 60_000 });
  const withInvite = alice.records.log().digest;
  expect(withInvite).not.toEqual(before);
  clock.advance(60_001);
  await expect(bob.circle.join(code, () => {})).rejects.toThrow('expired');
  expect([heard, alice.refused]).toEqual([['ask'], ['expired']]);
  // Revoked, used and unknown come before: they stay so, whatever the clock says.
  await alice.circle.revoke(id);
  await expect(bob.circle.join(code, () => {})).rejects.toThrow('revoked');
  expect(alice.refused).toEqual(['expired', 'revoked']);
  expect(alice.members()).toEqual(['alice']);
});

it('an invite goes by the clock of the box that answers: one whose clock is behind lets in, and a wrong one breaks nothing else', async () => {
  const alice = await box('alice', nobody);
  const bob = await box('bob', (self) => {
    const [here, there] = frameStreamPair();
    alice.circle.answer(there, self).catch(() => undefined);
    return here;
  });
  const { code } = await alice.circle.invite({ name: 'bob', may: ['dns'], lifeMs: 60_000 });
  // Ten days back: what is dated in the future now is taken all the same, since nothing is ordered by a wall clock.
  clock.advance(-10 * 86_400_000);
  expect(await bob.circle.join(code, () => {})).toMatchObject({ name: 'bob' });
  expect(bob.records.log().digest).toEqual(alice.records.log().digest);
  clock.advance(20 * 86_400_000);
  expect(alice.members().sort()).toEqual(['alice', 'bob']);
});

/** `home`'s further box: joins by its code, and starts again from what is on the disk by then. */
async function joinAsBox(home: Box, further: Box, name: string): Promise<void> {
  const { code } = await home.circle.inviteBox({ name, roles: ['watch'], lifeMs: undefined });
  expect((await further.circle.preview(code)).roles).toEqual(['watch']);
  await further.circle.join(code, () => {});
}

it('a further box: the owner record names it once it has consented, and it takes on whose it is, durably', async () => {
  const alice = await box('alice', nobody);
  const toAlice = (self: string): FrameStream => {
    const [here, there] = frameStreamPair();
    alice.circle.answer(there, self).catch(() => undefined);
    return here;
  };
  const second = await box('second', toAlice);
  const before = await loadIdentity(second.stateDir);
  await joinAsBox(alice, second, 'second');
  const { ownerId } = await loadIdentity(alice.stateDir);
  const now = await loadIdentity(second.stateDir);
  expect([before.ownerId === ownerId, now.ownerId, now.box.peer]).toEqual([false, ownerId, second.peer]);
  expect(now.sealIdentities).toHaveLength(1);
  expect(second.records.log().digest).toEqual(alice.records.log().digest);
  for (const one of [alice, second]) {
    const { roster } = one.records.knowledge();
    expect([...roster.members.keys()]).toEqual([ownerId]);
    expect(roster.ownerOf.get(second.peer)).toBe(ownerId);
    expect(roster.members.get(ownerId)?.owner.record.epoch).toBe(1);
  }
});

it('the code of a further box works once, and only where the owner key is', async () => {
  const alice = await box('alice', nobody);
  const toAlice = (self: string): FrameStream => {
    const [here, there] = frameStreamPair();
    alice.circle.answer(there, self).catch((error: Error) => there.abort(error));
    return here;
  };
  const [second, eve] = [await box('second', toAlice), await box('eve', toAlice)];
  const { code } = await alice.circle.inviteBox({ name: 'second', roles: ['watch'], lifeMs: undefined });
  await second.circle.join(code, () => {});
  await expect(eve.circle.join(code, () => {})).rejects.toThrow('used already');
  // Cut off after it was taken in, it comes with the same code again.
  await second.circle.join(code, () => {}).catch((error: Error) => expect(error.message).toContain('member'));
  await expect(alice.circle.inviteBox({ name: 'second', roles: [], lifeMs: undefined })).rejects.toThrow(
    'already',
  );
  const other = await alice.circle.inviteBox({ name: 'third', roles: [], lifeMs: undefined });
  await alice.keys.remove();
  await expect(eve.circle.join(other.code, () => {})).rejects.toThrow();
  expect(eve.members()).toEqual(['eve']);
  await expect(
    alice.circle.inviteBox({ name: 'fourth', roles: [], lifeMs: undefined }),
  ).rejects.toMatchObject({ exit: 78, hint: expect.stringContaining('peer key import') });
});

it('a further box that was off when it was revoked is out by the records that members keep ready for it', async () => {
  const alice = await box('alice', nobody);
  const second = await box('second', (self) => {
    const [here, there] = frameStreamPair();
    alice.circle.answer(there, self).catch((error: Error) => there.abort(error));
    return here;
  });
  const { code } = await alice.circle.inviteBox({ name: 'second', roles: ['watch'], lifeMs: undefined });
  await second.circle.join(code, () => {});
  expect(farewellRecords(alice.records.knowledge(), second.peer).size).toBe(0);
  await alice.keys.revokeBox('second', undefined);
  const keys = farewellRecords(alice.records.knowledge(), second.peer);
  for (const { key, kind, envelope } of factsInOrder(alice.records.log().facts.values()))
    if (keys.has(key)) await second.records.offer(kind, envelope);
  expect(membershipOf(second.records.knowledge(), second.peer).state).toBe('revoked');
});

it('a further box is let in by its own consent alone: none, or one that does not hold, is no proof', async () => {
  const alice = await box('alice', nobody);
  const stranger = await signingKeyFromSeed(new Uint8Array(32).fill(3));
  let consents: (said: Uint8Array) => Promise<Uint8Array | undefined> = async () => undefined;
  const second = await box('second', (self) => {
    const [here, there] = frameStreamPair();
    alice.circle.answer(there, self).catch((error: Error) => there.abort(error));
    return {
      ...here,
      send: async (bytes) => {
        const frame = decodeJoinFrame(bytes);
        if (frame?.t !== 'proof') return await here.send(bytes);
        await here.send(encodeJoinFrame({ ...frame, consent: await consents(bytes) }));
      },
    };
  });
  const { code } = await alice.circle.inviteBox({ name: 'second', roles: ['watch'], lifeMs: undefined });
  await expect(second.circle.join(code, () => {})).rejects.toMatchObject({ exit: 65 });
  consents = async (said) => await stranger.sign(said);
  await expect(second.circle.join(code, () => {})).rejects.toMatchObject({ exit: 65 });
  expect(alice.refused).toEqual(['bad-proof', 'bad-proof']);
  expect(alice.keys.state().current.record.epoch).toBe(0);
});

it('a box that may not sign yet lets nobody in, and does once it may', async () => {
  let maySign = true;
  const alice = await box('alice', nobody, { ...alone, maySign: () => maySign });
  const toAlice = (self: string): FrameStream => {
    const [here, there] = frameStreamPair();
    alice.circle.answer(there, self).catch((error: Error) => there.abort(error));
    return here;
  };
  const [bob, second] = [await box('bob', toAlice), await box('second', toAlice)];
  const { code } = await alice.circle.invite({ name: 'bob', may: ['dns'], lifeMs: undefined });
  const further = await alice.circle.inviteBox({ name: 'second', roles: ['watch'], lifeMs: undefined });
  maySign = false;
  const before = alice.records.log().digest;
  await expect(bob.circle.join(code, () => {})).rejects.toThrow();
  await expect(second.circle.join(further.code, () => {})).rejects.toThrow();
  expect([alice.records.log().digest, alice.refused]).toEqual([before, []]);
  maySign = true;
  await bob.circle.join(code, () => {});
  expect(alice.members().sort()).toEqual(['alice', 'bob']);
});

it('owner and paper key: who may replace which, and what is kept to open old mail', async () => {
  const alice = await box('alice', nobody);
  const { keys, paperKey } = alice;
  const epoch = (): number => keys.state().current.record.epoch;
  const first = await keys.secret();
  await keys.rotate({ newPaper: undefined, by: undefined });
  expect(epoch()).toBe(1);
  const second = await keys.secret();
  expect(second).not.toBe(first);
  const { sealIdentities } = await loadIdentity(alice.stateDir);
  expect(sealIdentities).toEqual(expect.arrayContaining([first, second]));
  await expect(keys.take(first)).rejects.toMatchObject({ exit: 65 });
  await expect(keys.rotate({ newPaper: await newSecret(), by: undefined })).rejects.toMatchObject({
    exit: 77,
  });
  await expect(keys.rotate({ newPaper: undefined, by: first })).rejects.toMatchObject({ exit: 78 });
  // Lost: the paper key makes a new one.
  await keys.remove();
  await expect(keys.rotate({ newPaper: undefined, by: undefined })).rejects.toMatchObject({ exit: 78 });
  await keys.rotate({ newPaper: undefined, by: paperKey });
  expect(epoch()).toBe(65);
  const paper = await newSecret();
  await keys.rotate({ newPaper: paper, by: paperKey });
  expect(epoch()).toBe(130);
  await expect(keys.rotate({ newPaper: undefined, by: paperKey })).rejects.toMatchObject({ exit: 78 });
  expect(await keys.take(paper)).toBe('paper');
  expect(await keys.places()).toEqual([
    { use: 'owner', here: true },
    { use: 'paper', here: true },
  ]);
});

it('a sealed key file opens with its passphrase alone', async () => {
  const text = `# a comment\n${await newSecret()}\n`;
  const sealed = await sealSecret(text, 'a passphrase');
  expect(sealed).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----/);
  expect(await openSecret(sealed, 'a passphrase')).toBe(text);
  expect(await openSecret(sealed, 'another')).toBeUndefined();
  expect(await openSecret('no such file', 'a passphrase')).toBeUndefined();
}, 20_000);
