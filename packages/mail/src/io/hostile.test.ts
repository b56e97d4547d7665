import { type FrameStream, toUtf8 } from '@copain/core';
import { expect, it } from 'vitest';
import {
  type DrainAnswer,
  type DrainRequest,
  decodeDrainAnswer,
  decodeDrainRequest,
  drainVersion,
  encodeDrainAnswer,
  encodeDrainRequest,
} from '../drain-frames.ts';
import { noMessageDsn, noRecipientDsn } from '../dsn.ts';
import type { Envelope } from '../envelope.ts';
import {
  decodeLiveAnswer,
  encodeLiveRequest,
  type LiveAnswer,
  type LiveRequest,
  liveVersion,
} from '../live-frames.ts';
import { framePair } from './frame-pair.ts';
import { sealMessage, sha256, tagsOf } from './seal.ts';
import {
  ageKey,
  aliceId,
  disposedAfterEach,
  eventually,
  memoryStores,
  type OwnerBox,
  startFriend,
  startOwner,
} from './testing.ts';
import { message, submit, talkTo } from './testing-client.ts';
import { type FakeMta, startFakeMta } from './testing-mta.ts';

const key = await ageKey();
const used = disposedAfterEach();

async function alice(): Promise<{ mta: FakeMta; box: OwnerBox }> {
  const mta = used(await startFakeMta());
  return { mta, box: used(await startOwner({ stores: memoryStores(), ...key, mta: mta.address })) };
}

const client = {
  ip: '203.0.113.9',
  port: 1,
  serverIp: '192.0.2.1',
  serverPort: 25,
  helo: 'h',
  tls: false,
  esmtp: true,
};
const hello: LiveRequest = { t: 'hello', version: liveVersion, by: 'mx.bob.test', client, receivedAtMs: 1 };
const mail: LiveRequest & { t: 'mail' } = {
  t: 'mail',
  from: 's@out.test',
  domain: 'alice.test',
  sizeBytes: 0,
  body: '',
  smtpUtf8: false,
  dsn: noMessageDsn,
};
const rcpt: LiveRequest & { t: 'rcpt' } = { t: 'rcpt', to: 'a@alice.test', dsn: noRecipientDsn };

/** Says all of it to alice and collects every answer until she ends the stream. */
async function sayLive(
  box: OwnerBox,
  requests: (LiveRequest | Uint8Array)[],
): Promise<(LiveAnswer | undefined)[]> {
  const [here, there] = framePair();
  const served = box.mail.handleLive(there, 'bob-peer', 'bob');
  const answers: (LiveAnswer | undefined)[] = [];
  const reading = (async () => {
    for (let frame = await here.receive(); frame; frame = await here.receive())
      answers.push(decodeLiveAnswer(frame));
  })().catch(() => {});
  for (const request of requests)
    await here.send(request instanceof Uint8Array ? request : encodeLiveRequest(request)).catch(() => {});
  await here.end();
  await served;
  await reading;
  return answers;
}

it.each<[string, (LiveRequest | Uint8Array)[]]>([
  ['another version', [{ ...hello, version: 2 } as LiveRequest]],
  ['no hello', [mail]],
  ['no mail', [hello, rcpt]],
  ['nonsense', [hello, mail, Uint8Array.of(1, 2, 3)]],
  ['data without a recipient', [hello, mail, { t: 'data' }]],
  ['a domain that is not hers', [hello, { ...mail, domain: 'elsewhere.test' } as LiveRequest, rcpt]],
  ['a dot without data', [hello, mail, rcpt, { t: 'dot' }]],
  [
    'a smuggled end',
    [hello, mail, rcpt, { t: 'data' }, { t: 'chunk', bytes: toUtf8('a\n.\r\nQUIT\r\n') }, { t: 'dot' }],
  ],
  [
    'a last line without CRLF',
    [hello, mail, rcpt, { t: 'data' }, { t: 'chunk', bytes: toUtf8('a') }, { t: 'dot' }],
  ],
])('a friend that says %s is told "away", and the MTA gets no message', async (_name, requests) => {
  const { mta, box } = await alice();
  const answers = await sayLive(box, requests);
  expect(answers.at(-1)?.t).toBe('away');
  expect(mta.messages).toEqual([]);
});

it('a friend cannot make the owner relay: foreign recipients are refused at her side too', async () => {
  const { mta, box } = await alice();
  const answers = await sayLive(box, [
    hello,
    mail,
    { ...rcpt, to: 'x@elsewhere.test' },
    { ...rcpt, to: 'a%b@alice.test' },
  ]);
  expect(answers.slice(1)).toMatchObject([{ reply: { code: 550 } }, { reply: { code: 550 } }]);
  expect(mta.messages).toEqual([]);
});

it('a stream that ends before the dot leaves nothing at the MTA', async () => {
  const { mta, box } = await alice();
  await sayLive(box, [hello, mail, rcpt, { t: 'data' }, { t: 'chunk', bytes: toUtf8('half\r\n') }]);
  await eventually(() => mta.broken.length === 1);
  expect(mta.messages).toEqual([]);
});

const envelope: Envelope = {
  from: 's@out.test',
  recipients: ['a@alice.test'],
  client,
  receivedAtMs: 1,
  by: 'mx.bob.test',
  body: '',
  smtpUtf8: false,
  dsn: noMessageDsn,
  recipientDsn: [noRecipientDsn],
};

async function record(
  change: Partial<Envelope> = {},
  text: string = message('x'),
  domain = 'alice.test',
): Promise<Uint8Array> {
  const bytes = toUtf8(text);
  const changed = { ...envelope, ...change };
  const tags = tagsOf(aliceId, changed, sha256(bytes));
  const { record } = await sealMessage({
    ownerId: aliceId,
    domain,
    sealTo: [key.recipient],
    envelope: changed,
    message: [bytes],
    messageBytes: bytes.length,
    tags,
  });
  return record;
}

const tag = new Uint8Array(16);
const send = (stream: FrameStream, request: DrainRequest) => stream.send(encodeDrainRequest(request));
const hear = async (stream: FrameStream): Promise<DrainAnswer | undefined> => {
  const frame = await stream.receive();
  return frame && decodeDrainAnswer(frame);
};

/** Offers one record whose tags in the offer are made up, gives it in two parts when it is pulled, returns the verdict. */
async function offer(box: OwnerBox, bytes: Uint8Array): Promise<DrainAnswer | undefined> {
  const [here, there] = framePair();
  const served = box.mail.handleDrain(there, 'bob-peer', 'bob');
  await send(here, { t: 'hello', version: drainVersion });
  await send(here, {
    t: 'offer',
    items: [{ id: 'x', sizeBytes: bytes.length, receivedAtMs: 1, tags: [tag] }],
  });
  expect(await hear(here)).toEqual({ t: 'pull', id: 'x', offset: 0 });
  await send(here, { t: 'part', id: 'x', offset: 0, bytes: bytes.subarray(0, 100), last: false });
  await send(here, { t: 'part', id: 'x', offset: 100, bytes: bytes.subarray(100), last: true });
  const answer = await hear(here);
  expect(await hear(here)).toEqual({ t: 'next' });
  await here.end();
  await served;
  return answer;
}

it('the owner takes what is hers and says "later" to what is not: no friend can fill her queue with anything else', async () => {
  const { mta, box } = await alice();
  expect(await offer(box, await record())).toEqual({ t: 'ack', id: 'x', duplicate: false });
  expect(await offer(box, await record())).toEqual({ t: 'ack', id: 'x', duplicate: true });
  for (const [bad, why] of [
    [await record({}, message('y'), 'elsewhere.test'), 'not my domain'],
    [await record({ recipients: ['a@elsewhere.test'] }), 'a recipient is not mine'],
    [await record({ recipients: ['A@ALICE.test'] }), 'a recipient is not mine'],
    [await record({}, 'a\n.\r\nb\r\n'), 'bare CR or LF inside'],
    [new Uint8Array(500), 'not a spool record'],
  ] as const)
    expect(await offer(box, bad)).toEqual({ t: 'later', id: 'x', why });
  await mta.received(1);
  await eventually(async () => (await box.mail.list()).length === 0);
  expect(mta.messages).toHaveLength(1);
});

it('a friend hands over on one stream at a time, and in parts that have something in them', async () => {
  const { box } = await alice();
  const [first, firstThere] = framePair();
  const served = box.mail.handleDrain(firstThere, 'bob-peer', 'bob');
  await send(first, { t: 'hello', version: drainVersion });
  const [second, secondThere] = framePair();
  const servedToo = box.mail.handleDrain(secondThere, 'bob-peer', 'bob');
  await served;
  await expect(first.receive()).rejects.toThrow('newer stream');
  await send(second, { t: 'hello', version: drainVersion });
  await send(second, { t: 'offer', items: [{ id: 'x', sizeBytes: 10, receivedAtMs: 1, tags: [tag] }] });
  expect(await hear(second)).toEqual({ t: 'pull', id: 'x', offset: 0 });
  await send(second, { t: 'part', id: 'x', offset: 0, bytes: new Uint8Array(), last: false });
  await servedToo;
  await expect(second.receive()).rejects.toThrow('empty part');
});

it('goes on where a broken stream stopped', async () => {
  const { mta, box } = await alice();
  const bytes = await record({}, `Subject: long\r\n\r\n${'word '.repeat(20_000)}\r\n`);
  const item = { id: 'x', sizeBytes: bytes.length, receivedAtMs: 1, tags: [tag] };
  const [first, firstThere] = framePair();
  const served = box.mail.handleDrain(firstThere, 'bob-peer', 'bob');
  await send(first, { t: 'hello', version: drainVersion });
  await send(first, { t: 'offer', items: [item] });
  await hear(first);
  await send(first, { t: 'part', id: 'x', offset: 0, bytes: bytes.subarray(0, 30_000), last: false });
  await first.end();
  await served;
  const [second, secondThere] = framePair();
  void box.mail.handleDrain(secondThere, 'bob-peer', 'bob');
  await send(second, { t: 'hello', version: drainVersion });
  await send(second, { t: 'offer', items: [item] });
  expect(await hear(second)).toEqual({ t: 'pull', id: 'x', offset: 30_000 });
  for (let at = 30_000; at < bytes.length; at += 30_000)
    await send(second, {
      t: 'part',
      id: 'x',
      offset: at,
      bytes: bytes.subarray(at, at + 30_000),
      last: at + 30_000 >= bytes.length,
    });
  expect(await hear(second)).toEqual({ t: 'ack', id: 'x', duplicate: false });
  await second.end();
  await mta.received(1);
});

it.each<[string, DrainRequest]>([
  ['a part that was not pulled', { t: 'part', id: 'y', offset: 0, bytes: toUtf8('x'), last: true }],
  ['a part at another place', { t: 'part', id: 'x', offset: 5, bytes: toUtf8('x'), last: true }],
  ['more than it offered', { t: 'part', id: 'x', offset: 0, bytes: new Uint8Array(100), last: false }],
])('a friend that sends %s loses the stream', async (_name, part) => {
  const { box } = await alice();
  const [here, there] = framePair();
  const served = box.mail.handleDrain(there, 'bob-peer', 'bob');
  await send(here, { t: 'hello', version: drainVersion });
  await send(here, { t: 'offer', items: [{ id: 'x', sizeBytes: 50, receivedAtMs: 1, tags: [tag] }] });
  await hear(here);
  await send(here, part);
  await served;
  await expect(here.receive()).rejects.toThrow();
});

it('an owner that acknowledges what was not offered deletes nothing', async () => {
  const bobStores = memoryStores();
  const bob = used(await startFriend({ stores: bobStores, recipient: key.recipient }));
  const talk = used(await talkTo(bob.address));
  await submit(talk);
  const asked: (string | undefined)[] = [];
  bob.owner = {
    ...bob.mail,
    handleDrain: async (stream) => {
      await stream.receive();
      const frame = await stream.receive();
      asked.push(frame && decodeDrainRequest(frame)?.t);
      await stream.send(encodeDrainAnswer({ t: 'ack', id: 'something-else', duplicate: false }));
    },
  };
  bob.mail.ownerReachable(aliceId);
  await bob.until('trouble');
  expect(asked).toEqual(['offer']);
  expect(await bob.mail.list()).toHaveLength(1);
  expect(await bob.mail.list()).toMatchObject([{ state: 'held' }]);
});
