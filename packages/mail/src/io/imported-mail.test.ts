import { expect, it } from 'vitest';
import { noMessageDsn, noRecipientDsn } from '../dsn.ts';
import { encodeSealedContent } from '../envelope.ts';
import { decodeSpoolRecord } from '../spool-record.ts';
import { framePair } from './frame-pair.ts';
import { sealHere } from './sealing.ts';
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

const envelope = {
  from: 'sender@out.test',
  client: {
    ip: '192.0.2.1',
    port: 1,
    serverIp: '192.0.2.2',
    serverPort: 25,
    helo: 'x',
    tls: false,
    esmtp: true,
  },
  receivedAtMs: 1_800_000_000_000,
  by: 'mx.bob.test',
  body: '' as const,
  smtpUtf8: false,
  dsn: noMessageDsn,
};

async function bobHolding(stores: ReturnType<typeof memoryStores>, count: number): Promise<FriendBox> {
  const bob = used(await startFriend({ stores, recipient: key.recipient }));
  const talk = used(await talkTo(bob.address));
  for (let i = 1; i <= count; i++) expect(await submit(talk, { data: message(`${i}`) })).toMatch(/^250 /);
  return bob;
}

it('what a former friend holds is missing, with what nobody looked at, until it comes as a file or is let go', async () => {
  const disk = memoryStores();
  const bob = await bobHolding(disk, 3);
  const mta = used(await startFakeMta());
  const alice = used(await startOwner({ stores: memoryStores(), ...key, mta: mta.address }));
  const [here, there] = framePair();
  void bob.mail.answerQuestions(there, { ownerId: aliceId, own: false });
  const signed = bob.mail.tallies().get(aliceId) ?? { messages: 0, chain: new Uint8Array(32) };
  await alice.mail.receipts.look('bob', signed, async () => here);
  await alice.mail.receipts.left('bob', 5);
  const fact = () => alice.mail.receipts.fact('bob', 0, (peer) => peer === 'bob');
  expect(fact()).toMatchObject({ accepted: 5, missing: [1, 2, 3], gaps: [{ from: 4, to: 5 }], waiting: 0 });
  expect(alice.mail.receipts.unsettled()).toEqual(['bob']);

  // What `peer mail export --format age` writes.
  const files: Uint8Array[] = [];
  for await (const { id } of disk.segments.entries())
    files.push(
      decodeSpoolRecord((await disk.segments.read(id)) ?? new Uint8Array())?.sealed ?? new Uint8Array(),
    );
  const [first = new Uint8Array()] = files;
  expect(await alice.mail.takeFile(first)).toEqual({ kind: 'stored' });
  expect(await mta.received(1)).toHaveLength(1);
  expect(await alice.mail.takeFile(first)).toEqual({ kind: 'duplicate' });
  await alice.mail.receipts.lookHere('bob');
  expect(fact()?.missing).toHaveLength(2);
  for (const file of files) await alice.mail.takeFile(file);
  await alice.mail.receipts.lookHere('bob');
  expect(fact()).toMatchObject({ missing: [], gaps: [{ from: 4, to: 5 }] });
  expect(await mta.received(3)).toHaveLength(3);
  expect(await alice.mail.receipts.settle('bob', true)).toBe(true);
  expect(alice.mail.receipts.unsettled()).toEqual([]);
  // And a copy that comes another way after all is known.
  bob.owner = alice.mail;
  bob.mail.ownerReachable(aliceId);
  await eventually(() => bob.mail.heldCount() === 0);
  expect(mta.messages).toHaveLength(3);
});

it('a file that is sealed to somebody else, or is none, is refused and told', async () => {
  const mta = used(await startFakeMta());
  const alice = used(await startOwner({ stores: memoryStores(), ...key, mta: mta.address }));
  const other = await ageKey();
  const sealed = (recipient: string, to: string): Uint8Array =>
    sealHere(
      [recipient],
      encodeSealedContent({ ...envelope, recipients: [to], recipientDsn: [noRecipientDsn] }, [
        Buffer.from('Subject: x\r\n\r\nx\r\n'),
      ]),
    ).file;
  expect(await alice.mail.takeFile(sealed(other.recipient, 'a@alice.test'))).toMatchObject({
    kind: 'refused',
  });
  expect(await alice.mail.takeFile(Buffer.from('none'))).toMatchObject({ kind: 'refused' });
  expect(await alice.mail.takeFile(sealed(key.recipient, 'a@carol.test'))).toMatchObject({
    kind: 'refused',
    why: expect.stringContaining('carol.test'),
  });
});
