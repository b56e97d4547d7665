import { expect, it } from 'vitest';
import { decodeQueueRow, queuePrefix } from '../queue-row.ts';
import {
  ageKey,
  aliceId,
  disposedAfterEach,
  eventually,
  memoryStores,
  startFriend,
  startOwner,
} from './testing.ts';
import { submit, talkTo } from './testing-client.ts';
import { startFakeMta } from './testing-mta.ts';

const key = await ageKey();
const used = disposedAfterEach();

it('a stop waits for the answer to a dot, so that nothing is delivered twice', async () => {
  const mta = used(await startFakeMta({ script: (line) => (line === '.' ? 'late' : undefined) }));
  const aliceStores = memoryStores();
  const alice = used(await startOwner({ stores: aliceStores, ...key, mta: mta.address }));
  const bob = used(await startFriend({ stores: memoryStores(), recipient: key.recipient }));
  await submit(used(await talkTo(bob.address)));
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  await mta.received(1);
  await alice[Symbol.asyncDispose]();
  const again = used(await startOwner({ stores: aliceStores, ...key, mta: mta.address }));
  expect(await again.mail.list()).toEqual([]);
  expect(mta.messages).toHaveLength(1);
});

it('an MTA of one of several domains that is away is not tried without a pause', async () => {
  const gone = await startFakeMta();
  await gone[Symbol.asyncDispose]();
  const aliceStores = memoryStores();
  const { inbox } = aliceStores;
  let reads = 0;
  const counting = {
    ...inbox,
    read: async (id: string) => {
      reads += 1;
      return await inbox.read(id);
    },
  };
  const mta = used(await startFakeMta());
  const alice = used(
    await startOwner({ stores: { ...aliceStores, inbox: counting }, ...key, mta: mta.address }),
  );
  const bob = used(await startFriend({ stores: memoryStores(), recipient: key.recipient }));
  for (const { domains } of [alice, bob]) {
    const [first] = domains;
    if (first) domains.push({ ...first, domain: 'alice2.test' });
  }
  const [, second] = alice.domains;
  if (second) second.deliver = gone.address;
  await submit(used(await talkTo(bob.address)), { to: ['a@alice.test', 'a@alice2.test'] });
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  await mta.received(1);
  await alice.until('deferred');
  await alice.mail.flush('alice.test');
  await eventually(() => alice.told.filter(({ kind }) => kind === 'trouble').length > 0);
  // While other mail goes its way, a delivery without a pause would come round again and again.
  const passOther = async (n: number): Promise<void> => {
    await submit(used(await talkTo(bob.address)), { to: [`b${n}@alice.test`] });
    await mta.received(n);
  };
  await passOther(2);
  expect(reads).toBeLessThan(5);
  // Nor is one whose domain is gone from the configuration.
  alice.domains.pop();
  await alice.mail.flush('alice.test');
  await passOther(3);
  expect(reads).toBeLessThan(6);
  expect(await alice.mail.list()).toMatchObject([{ state: 'queued', recipients: ['a@alice2.test'] }]);
});

it('what is released while the rest of it is on its way is tried alone: nobody gets it twice', async () => {
  let isFirst = true;
  const mta = used(
    await startFakeMta({
      script: (line) => {
        if (!isFirst || !line.startsWith('RCPT')) return undefined;
        return line.includes('<a@') ? '451 4.2.1 later' : '550 5.1.1 no';
      },
    }),
  );
  const disk = memoryStores();
  const write = disk.table.write.bind(disk.table);
  const alice = used(await startOwner({ stores: disk, ...key, mta: mta.address }));
  const bob = used(await startFriend({ stores: memoryStores(), recipient: key.recipient }));
  await submit(used(await talkTo(bob.address)), { to: ['a@alice.test', 'b@alice.test'] });
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  await alice.until('deferred');
  isFirst = false;
  // A disk on which the release takes longer than the whole delivery.
  disk.table.write = async (changes) => {
    const [change] = changes;
    const isRow = change?.key.startsWith(queuePrefix) === true;
    const row = isRow ? decodeQueueRow('', change.value ?? new Uint8Array()) : undefined;
    if (row?.recipients.some(({ address, state }) => address.startsWith('b') && state === 'waiting'))
      await alice.until('delivered');
    await write(changes);
  };
  const [message] = await alice.mail.list();
  await alice.mail.flush();
  expect(await alice.mail.decide(message?.id ?? '', 'release')).toBe(true);
  const messages = await mta.received(2);
  expect(messages.map(({ recipients }) => recipients)).toEqual([['a@alice.test'], ['b@alice.test']]);
  await eventually(async () => (await alice.mail.list()).length === 0);
});
