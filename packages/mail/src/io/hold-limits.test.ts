import { expect, it } from 'vitest';
import { diskFloorBytes, messageMemoryBytes } from '../limits.ts';
import { ageKey, aliceId, eventually, memoryStores, startFriend, startOwner } from './testing.ts';
import { message, submit, talkTo, withoutTrace } from './testing-client.ts';
import { startFakeMta } from './testing-mta.ts';

const key = await ageKey();
const large = message('a line of a long message\r\n'.repeat(100_000));

it('a message that does not stay in memory is held, and reaches the MTA unchanged', async () => {
  expect(large.length).toBeGreaterThan(4 * messageMemoryBytes);
  await using mta = await startFakeMta();
  await using alice = await startOwner({ stores: memoryStores(), ...key, mta: mta.address });
  await using bob = await startFriend({ stores: memoryStores(), recipient: key.recipient });
  await using talk = await talkTo(bob.address);
  expect(await submit(talk, { data: large })).toMatch(/^250 2\.0\.0 /);
  expect(await submit(talk, { data: large })).toMatch(/^250 2\.0\.0 /);
  expect(await bob.mail.list()).toHaveLength(1);
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  const [arrived] = await mta.received(1);
  expect(withoutTrace(arrived?.data ?? '') === large).toBe(true);
  await eventually(async () => (await bob.mail.list()).length === 0);
}, 30_000);

it('a disk with too little room is 452 for what would be held, live mail goes on, and room ends it', async () => {
  let freeBytes = diskFloorBytes - 1;
  await using mta = await startFakeMta();
  await using alice = await startOwner({ stores: memoryStores(), ...key, mta: mta.address });
  const options = { stores: memoryStores(), recipient: key.recipient, freeBytes: async () => freeBytes };
  await using bob = await startFriend(options);
  const send = async (text: string): Promise<string> => {
    await using talk = await talkTo(bob.address);
    return await submit(talk, { data: message(text) });
  };
  expect(await send('held')).toMatch(/^452 4\.3\.1 /);
  bob.owner = alice.mail;
  expect(await send('live')).toContain('queued as FAKE');
  bob.owner = undefined;
  freeBytes = diskFloorBytes;
  await eventually(async () => (await send('later')).startsWith('250 2.0.0'));
}, 20_000);

it('where nothing can be written a large message is 452, a short one is held, and live ones pass', async () => {
  await using mta = await startFakeMta();
  await using alice = await startOwner({ stores: memoryStores(), ...key, mta: mta.address });
  const options = { stores: memoryStores(), recipient: key.recipient, arrivingDir: '/nowhere' };
  await using bob = await startFriend(options);
  await using talk = await talkTo(bob.address);
  expect(await submit(talk, { data: large })).toMatch(/^452 4\.3\.1 /);
  expect(await submit(talk)).toMatch(/^250 2\.0\.0 /);
  bob.owner = alice.mail;
  expect(await submit(talk, { data: large })).toContain('queued as FAKE');
}, 30_000);

it('large messages for a domain of ours whose MTA is away are in memory one at a time; short ones go past', async () => {
  const gone = await startFakeMta();
  await gone[Symbol.asyncDispose]();
  const disk = memoryStores();
  const append = disk.inbox.append.bind(disk.inbox);
  const released = Promise.withResolvers<void>();
  let larges = 0;
  disk.inbox.append = async (record) => {
    if (record instanceof Uint8Array && record.length > messageMemoryBytes) {
      larges += 1;
      await released.promise;
    }
    return await append(record);
  };
  const listen = [{ host: '127.0.0.1', port: 0 }];
  await using alice = await startOwner({ stores: disk, ...key, mta: gone.address, listen });
  const [address] = alice.mail.addresses;
  if (address === undefined) throw new Error('alice does not listen');
  const sent: Promise<string>[] = [];
  await using talks = new AsyncDisposableStack();
  for (const to of ['a@alice.test', 'b@alice.test'])
    sent.push(submit(talks.use(await talkTo(address)), { to: [to], data: large }));
  await eventually(() => larges > 0);
  const short = talks.use(await talkTo(address));
  for (let count = 0; count < 25; count += 1) {
    expect(await submit(short, { data: message(`short ${count}`) })).toMatch(/^250 2\.0\.0 /);
    expect(larges).toBe(1);
  }
  released.resolve();
  expect(await Promise.all(sent)).toEqual(Array(2).fill(expect.stringMatching(/^250 2\.0\.0 /)));
  expect(larges).toBe(2);
}, 30_000);
