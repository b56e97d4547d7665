import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type DrainAnswer,
  type DrainRequest,
  decodeDrainAnswer,
  decodeDrainRequest,
  encodeDrainAnswer,
  encodeDrainRequest,
} from './drain-frames.ts';
import { chunkBytes } from './limits.ts';
import {
  decodeLiveAnswer,
  decodeLiveRequest,
  encodeLiveAnswer,
  encodeLiveRequest,
  type LiveRequest,
} from './live-frames.ts';

const client = {
  ip: '203.0.113.9',
  port: 1,
  serverIp: '192.0.2.1',
  serverPort: 25,
  helo: 'h',
  tls: false,
  esmtp: true,
};
const mail: LiveRequest = {
  t: 'mail',
  from: 'a@b.test',
  domain: 'alice.test',
  sizeBytes: 5,
  body: '8BITMIME',
  smtpUtf8: true,
};
const liveRequests: LiveRequest[] = [
  { t: 'hello', version: 1, by: 'mx.bob.test', client, receivedAtMs: 1 },
  mail,
  { t: 'rcpt', to: 'a@alice.test' },
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

it('every frame comes back as it went in', () => {
  for (const request of liveRequests) expect(decodeLiveRequest(encodeLiveRequest(request))).toEqual(request);
  for (const request of drainRequests)
    expect(decodeDrainRequest(encodeDrainRequest(request))).toEqual(request);
  for (const answer of drainAnswers) expect(decodeDrainAnswer(encodeDrainAnswer(answer))).toEqual(answer);
  const reply = { code: 550, lines: ['5.1.1 no such', '5.1.1 user'] };
  expect(decodeLiveAnswer(encodeLiveAnswer({ t: 'reply', reply }))).toEqual({ t: 'reply', reply });
  expect(decodeLiveAnswer(encodeLiveAnswer({ t: 'away', why: 'x' }))).toEqual({ t: 'away', why: 'x' });
});

it('what is no frame is undefined and never throws: any bytes, and any frame with a byte changed', () => {
  const decoders = [decodeLiveRequest, decodeLiveAnswer, decodeDrainRequest, decodeDrainAnswer];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const decode of decoders) decode(bytes);
    }),
  );
  const frames = [...liveRequests.map(encodeLiveRequest), ...drainRequests.map(encodeDrainRequest)].filter(
    (frame) => frame.length < 1000,
  );
  for (const frame of frames)
    for (let at = 0; at < frame.length; at++) {
      const bad = frame.slice();
      bad[at] = (bad[at] ?? 0) ^ 1;
      for (const decode of decoders) decode(bad);
    }
});

it('refuses what could hurt: addresses that break a line, false clients, chunks and offers beyond the limit', () => {
  const bad: LiveRequest[] = [
    { ...mail, from: 'a@b\r\nRCPT TO:<x@y>' },
    { ...mail, body: 'BINARY' },
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
