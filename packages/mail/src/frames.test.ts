import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type CopyAnswer,
  type CopyRequest,
  decodeCopyAnswer,
  decodeCopyRequest,
  encodeCopyAnswer,
  encodeCopyRequest,
} from './copy-frames.ts';
import {
  type DrainAnswer,
  type DrainRequest,
  decodeDrainAnswer,
  decodeDrainRequest,
  encodeDrainAnswer,
  encodeDrainRequest,
} from './drain-frames.ts';
import { noMessageDsn, noRecipientDsn } from './dsn.ts';
import { chunkBytes, instantMaxMs } from './limits.ts';
import {
  decodeLiveAnswer,
  decodeLiveRequest,
  encodeLiveAnswer,
  encodeLiveRequest,
  type LiveRequest,
} from './live-frames.ts';
import {
  decodePolicyAnswer,
  decodePolicyRequest,
  encodePolicyAnswer,
  encodePolicyRequest,
  type PolicyAnswer,
  type PolicyRequest,
} from './policy-frames.ts';
import {
  decodeMailQuestion,
  decodeMailQuestionAnswer,
  encodeMailQuestion,
  encodeMailQuestionAnswer,
  type HeldEntry,
  type MailQuestion,
  type MailQuestionAnswer,
} from './question-frames.ts';
import { decodeRawFrame, encodeRawFrame, type RawFrame } from './raw-frames.ts';

const client = {
  ip: '203.0.113.9',
  port: 1,
  serverIp: '192.0.2.1',
  serverPort: 25,
  helo: 'h',
  tls: false,
  esmtp: true,
};
const mail: LiveRequest & { t: 'mail' } = {
  t: 'mail',
  from: 'a@b.test',
  domain: 'alice.test',
  sizeBytes: 5,
  body: '8BITMIME',
  smtpUtf8: true,
  dsn: { ret: 'HDRS', envid: 'QQ314+2B159' },
};
const liveRequests: LiveRequest[] = [
  { t: 'hello', version: 1, by: 'mx.bob.test', client, receivedAtMs: 1 },
  mail,
  { ...mail, dsn: noMessageDsn },
  { t: 'rcpt', to: 'a@alice.test', dsn: noRecipientDsn },
  { t: 'rcpt', to: 'a@alice.test', dsn: { notify: 'SUCCESS,DELAY', orcpt: 'rfc822;old+3Dname@alice.test' } },
  { t: 'data' },
  { t: 'chunk', bytes: Uint8Array.of(1, 2, 3) },
  { t: 'chunk', bytes: new Uint8Array(chunkBytes) },
  { t: 'dot' },
];
const drainRequests: DrainRequest[] = [
  { t: 'hello', version: 1 },
  { t: 'offer', items: [{ id: 'x-1', sizeBytes: 10, receivedAtMs: 5, tags: [new Uint8Array(16)] }] },
  { t: 'part', id: 'x-1', offset: 3, bytes: Uint8Array.of(9), last: true },
  { t: 'gone', id: 'x-1' },
];
const drainAnswers: DrainAnswer[] = [
  { t: 'pull', id: 'x-1', offset: 7 },
  { t: 'ack', id: 'x-1', duplicate: false },
  { t: 'later', id: 'x-1', why: 'full' },
  { t: 'next' },
];

const entry: HeldEntry = {
  id: 'held-1',
  state: 'held',
  sizeBytes: 10,
  receivedAtMs: instantMaxMs,
  tags: [new Uint8Array(16)],
  head: Uint8Array.of(1),
  reply: '',
  nextTryAtMs: 0,
};
const questions: MailQuestion[] = [
  { t: 'list', limit: 1 },
  { t: 'fetch', id: 'held-1', offset: 0 },
  { t: 'flush' },
  { t: 'accepted', after: 0, upTo: 7 },
  { t: 'door' },
];
const questionAnswers: MailQuestionAnswer[] = [
  { t: 'entry', entry },
  { t: 'listed', count: 3 },
  { t: 'part', offset: 3, bytes: Uint8Array.of(9), last: true },
  { t: 'gone' },
  { t: 'flushed', count: 0 },
  {
    t: 'accepted',
    from: 3,
    before: new Uint8Array(32),
    items: [{ tags: [new Uint8Array(16)], held: true }],
  },
  { t: 'door', hostname: 'mx.bob.test', shared: ['0.0.0.0:25'], raw: [] },
];
const policyRequests: PolicyRequest[] = [
  { t: 'hello', version: 1 },
  {
    t: 'policy',
    domain: 'alice.test',
    version: new Uint8Array(32),
    key: new Uint8Array(32),
    any: false,
    unknown: 'defer',
    copies: 2,
  },
  { t: 'known', digests: new Uint8Array(32) },
  { t: 'refused', digests: new Uint8Array() },
  { t: 'done' },
];
const copyOffer = {
  t: 'offer',
  id: 'x-1',
  ownerId: 'a1',
  domain: 'alice.test',
  sizeBytes: 10,
  tags: [new Uint8Array(16)],
  give: false,
} as const;
const note = {
  t: 'note',
  domain: 'alice.test',
  what: 'moved',
  to: 'c3',
  messages: 2,
  bytes: 20,
  sinceMs: 1,
  untilMs: instantMaxMs,
} as const;
const copyRequests: CopyRequest[] = [
  { t: 'hello', version: 1 },
  { ...copyOffer, tags: [new Uint8Array(16)] },
  { t: 'part', id: 'x-1', offset: 3, bytes: Uint8Array.of(9), last: true },
  { t: 'gone', id: 'x-1' },
  note,
];
const copyAnswers: CopyAnswer[] = [
  { t: 'want', id: 'x-1' },
  { t: 'have', id: 'x-1' },
  { t: 'not', id: 'x-1', why: 'no room' },
  { t: 'noted' },
];
const policyAnswers: PolicyAnswer[] = [{ t: 'have' }, { t: 'want' }, { t: 'not', why: 'x' }];
const rawFrames: RawFrame[] = [
  { t: 'hello', version: 1, client },
  { t: 'ready' },
  { t: 'away', why: 'x' },
  { t: 'bytes', bytes: Uint8Array.of(0, 255) },
  { t: 'bytes', bytes: new Uint8Array(chunkBytes) },
];

/** Each kind of frame: examples as they are sent, and what reads them. */
const kinds: { decode: (frame: Uint8Array) => unknown; sent: { value: unknown; frame: Uint8Array }[] }[] = [
  kind(decodeLiveRequest, encodeLiveRequest, liveRequests),
  kind(decodeLiveAnswer, encodeLiveAnswer, [
    { t: 'reply', reply: { code: 550, lines: ['5.1.1 no such', '5.1.1 user'] } },
    { t: 'away', why: 'x' },
  ]),
  kind(decodeDrainRequest, encodeDrainRequest, drainRequests),
  kind(decodeDrainAnswer, encodeDrainAnswer, drainAnswers),
  kind(decodeCopyRequest, encodeCopyRequest, copyRequests),
  kind(decodeCopyAnswer, encodeCopyAnswer, copyAnswers),
  kind(decodeMailQuestion, encodeMailQuestion, questions),
  kind(decodeMailQuestionAnswer, encodeMailQuestionAnswer, questionAnswers),
  kind(decodePolicyRequest, encodePolicyRequest, policyRequests),
  kind(decodePolicyAnswer, encodePolicyAnswer, policyAnswers),
  kind(decodeRawFrame, encodeRawFrame, rawFrames),
];

function kind<T>(decode: (frame: Uint8Array) => unknown, encode: (value: T) => Uint8Array, values: T[]) {
  return { decode, sent: values.map((value) => ({ value, frame: encode(value) })) };
}

it('every frame comes back as it went in', () => {
  for (const { decode, sent } of kinds)
    for (const { value, frame } of sent) expect(decode(frame)).toEqual(value);
});

it('what is no frame is undefined and never throws: any bytes, and any frame with a byte changed', () => {
  const decodeAll = (bytes: Uint8Array): void => {
    for (const { decode } of kinds) decode(bytes);
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodeAll));
  const frames = kinds.flatMap(({ sent }) => sent.map(({ frame }) => frame));
  for (const frame of frames.filter(({ length }) => length < 1000))
    for (let at = 0; at < frame.length; at++) {
      const bad = frame.slice();
      bad[at] = (bad[at] ?? 0) ^ 1;
      decodeAll(bad);
    }
});

it('refuses what could hurt: addresses that break a line, false clients, chunks and offers beyond the limit', () => {
  const bad: LiveRequest[] = [
    { ...mail, from: 'a@b\r\nRCPT TO:<x@y>' },
    { ...mail, body: 'BINARY' },
    { ...mail, dsn: { ret: 'FULL', envid: 'x\r\nRSET' } },
    { ...mail, dsn: { ret: 'ALL' as 'FULL', envid: '' } },
    { t: 'rcpt', to: 'a@alice.test', dsn: { notify: 'NEVER ORCPT=x', orcpt: '' } },
    { t: 'rcpt', to: 'a@alice.test', dsn: { notify: '', orcpt: 'rfc822;a@b NOTIFY=NEVER' } },
    { t: 'hello', version: 1, by: 'b', client: { ...client, ip: 'not an address' }, receivedAtMs: 1 },
    { t: 'chunk', bytes: new Uint8Array(chunkBytes + 1) },
    { t: 'chunk', bytes: new Uint8Array() },
  ];
  for (const request of bad) expect(decodeLiveRequest(encodeLiveRequest(request))).toBeUndefined();
  const item = { id: 'x', sizeBytes: 1, receivedAtMs: 1, tags: [new Uint8Array(16)] };
  for (const items of [
    Array.from({ length: 101 }, () => item),
    [{ ...item, tags: [new Uint8Array(15)] }],
    [{ ...item, tags: [] }],
    [{ ...item, id: 'x'.repeat(65) }],
  ])
    expect(decodeDrainRequest(encodeDrainRequest({ t: 'offer', items }))).toBeUndefined();
});

it('refuses copies without tags or size, parts without bytes, and notes of no calendar; any reason is a no', () => {
  const part = { t: 'part', id: 'x-1', offset: 0, last: true } as const;
  const bad: CopyRequest[] = [
    { ...copyOffer, tags: [] },
    { ...copyOffer, tags: [new Uint8Array(16)], sizeBytes: 0 },
    { ...copyOffer, tags: [new Uint8Array(16)], id: 'x'.repeat(65) },
    { ...part, bytes: new Uint8Array() },
    { ...part, bytes: new Uint8Array(chunkBytes + 1) },
    { ...note, untilMs: instantMaxMs + 1 },
    { ...note, messages: 0 },
  ];
  for (const request of bad) expect(decodeCopyRequest(encodeCopyRequest(request))).toBeUndefined();
  const later = encodeCopyAnswer({ t: 'not', id: 'x-1', why: 'a word of later' as 'busy' });
  expect(decodeCopyAnswer(later)).toEqual({ t: 'not', id: 'x-1', why: 'busy' });
});

it('refuses a listed message with a time that no calendar has, with false tags or too much of it', () => {
  for (const wrong of [
    { receivedAtMs: instantMaxMs + 1 },
    { nextTryAtMs: instantMaxMs + 1 },
    { tags: [] },
    { tags: [new Uint8Array(15)] },
    { head: new Uint8Array() },
    { head: new Uint8Array(4097) },
    { id: 'x'.repeat(65) },
  ]) {
    const frame = encodeMailQuestionAnswer({ t: 'entry', entry: { ...entry, ...wrong } });
    expect(decodeMailQuestionAnswer(frame)).toBeUndefined();
  }
});

it('refuses digests that are none, policies of another size, and clients without an address', () => {
  const policy = policyRequests.find(({ t }) => t === 'policy');
  for (const request of [
    { t: 'known', digests: new Uint8Array(15) },
    { ...policy, key: new Uint8Array(31) },
    { ...policy, copies: 3 },
    { ...policy, unknown: 'refuse' },
  ] as PolicyRequest[])
    expect(decodePolicyRequest(encodePolicyRequest(request))).toBeUndefined();
  for (const frame of [
    { t: 'hello', version: 1, client: { ...client, ip: 'not an address' } },
    { t: 'hello', version: 1, client: { ...client, serverIp: 'fe80::1%eth0' } },
    { t: 'hello', version: 1, client: {} },
    { t: 'hello', version: 0, client },
    { t: 'bytes', bytes: new Uint8Array() },
    { t: 'bytes', bytes: new Uint8Array(chunkBytes + 1) },
  ] as RawFrame[])
    expect(decodeRawFrame(encodeRawFrame(frame))).toBeUndefined();
});
