import { createSecretKey } from 'node:crypto';
import { concatBytes, toHex, toUtf8 } from '@copain/core';
import {
  type CopyAnswer,
  type CopyRequest,
  encodeCopyAnswer,
  encodeCopyRequest,
} from '../../packages/mail/src/copy-frames.ts';
import {
  type DrainAnswer,
  type DrainRequest,
  encodeDrainAnswer,
  encodeDrainRequest,
} from '../../packages/mail/src/drain-frames.ts';
import { noMessageDsn, noRecipientDsn } from '../../packages/mail/src/dsn.ts';
import { recipientDigest } from '../../packages/mail/src/io/friend-policies.ts';
import {
  encodeLiveAnswer,
  encodeLiveRequest,
  type LiveAnswer,
  type LiveRequest,
} from '../../packages/mail/src/live-frames.ts';
import {
  encodePolicyAnswer,
  encodePolicyRequest,
  type PolicyAnswer,
  type PolicyRequest,
} from '../../packages/mail/src/policy-frames.ts';
import {
  encodeMailQuestion,
  encodeMailQuestionAnswer,
  type MailQuestion,
  type MailQuestionAnswer,
} from '../../packages/mail/src/question-frames.ts';
import { encodeRawFrame, type RawFrame } from '../../packages/mail/src/raw-frames.ts';
import { bytes16, vectorOf } from './frames.ts';
import { seedOf } from './people.ts';
import { atMs } from './records.ts';

/** Frames of every protocol that mail has. */
export function mailFrames(circle: { aliceId: string; bobId: string }) {
  const liveRequests: LiveRequest[] = [
    {
      t: 'hello',
      version: 1,
      by: 'mx.bob.example',
      client: {
        ip: '192.0.2.77',
        port: 50_123,
        serverIp: '2001:db8::2',
        serverPort: 25,
        helo: 'mail.sender.example',
        tls: true,
        esmtp: true,
      },
      receivedAtMs: atMs,
    },
    {
      t: 'mail',
      from: 'carol@sender.example',
      domain: 'alice.example',
      sizeBytes: 1234,
      body: '8BITMIME',
      smtpUtf8: false,
      dsn: noMessageDsn,
    },
    {
      t: 'mail',
      from: '',
      domain: 'alice.example',
      sizeBytes: 0,
      body: '',
      smtpUtf8: true,
      dsn: { ret: 'HDRS', envid: 'QQ314+2B159' },
    },
    { t: 'rcpt', to: 'alice@alice.example', dsn: noRecipientDsn },
    {
      t: 'rcpt',
      to: 'alice@alice.example',
      dsn: { notify: 'SUCCESS,FAILURE', orcpt: 'rfc822;old+3Dname@sender.example' },
    },
    { t: 'data' },
    { t: 'chunk', bytes: toUtf8('Subject: hello\r\n\r\nhello\r\n') },
    { t: 'dot' },
  ];
  const liveAnswers: LiveAnswer[] = [
    { t: 'reply', reply: { code: 250, lines: ['2.0.0 queued'] } },
    { t: 'away', why: 'the mail server does not answer' },
  ];
  const client = {
    ip: '2001:db8::77',
    port: 50_124,
    serverIp: '2001:db8::25',
    serverPort: 25,
    helo: '',
    tls: false,
    esmtp: false,
  };
  const rawFromFriend: RawFrame[] = [
    { t: 'hello', version: 1, client },
    { t: 'bytes', bytes: toUtf8('EHLO mail.sender.example\r\n') },
  ];
  const rawFromOwner: RawFrame[] = [
    { t: 'ready' },
    { t: 'bytes', bytes: toUtf8('220 alice.example ESMTP\r\n') },
    { t: 'away', why: 'the mail server does not answer' },
  ];
  const drainRequests: DrainRequest[] = [
    { t: 'hello', version: 1 },
    { t: 'offer', items: [{ id: '00000001-7', sizeBytes: 3, receivedAtMs: atMs, tags: [bytes16(0x7a)] }] },
    { t: 'part', id: '00000001-7', offset: 0, bytes: Uint8Array.of(1, 2, 3), last: true },
    { t: 'gone', id: '00000001-7' },
  ];
  const drainAnswers: DrainAnswer[] = [
    { t: 'pull', id: '00000001-7', offset: 0 },
    { t: 'ack', id: '00000001-7', duplicate: false },
    { t: 'later', id: '00000001-7', why: '451 try again' },
    { t: 'next' },
  ];
  const held = { id: '00000001-7', ownerId: circle.aliceId, domain: 'alice.example', sizeBytes: 3 };
  const copyRequests: CopyRequest[] = [
    { t: 'hello', version: 1 },
    { t: 'offer', ...held, tags: [bytes16(0x7a), bytes16(0x7b)], give: false },
    { t: 'offer', ...held, tags: [bytes16(0x7a)], give: true },
    { t: 'part', id: held.id, offset: 0, bytes: Uint8Array.of(1, 2, 3), last: true },
    { t: 'gone', id: held.id },
    ...(['single', 'moved'] as const).map(
      (what): CopyRequest => ({
        t: 'note',
        domain: 'alice.example',
        what,
        to: what === 'moved' ? circle.bobId : '',
        messages: 2,
        bytes: 1234,
        sinceMs: atMs,
        untilMs: atMs + 60_000,
      }),
    ),
  ];
  const whyNot = ['no backup', 'no room', 'leaving', 'too large', 'disk trouble', 'busy', 'damaged'] as const;
  const copyAnswers: CopyAnswer[] = [
    { t: 'want', id: held.id },
    { t: 'have', id: held.id },
    ...whyNot.map((why): CopyAnswer => ({ t: 'not', id: held.id, why })),
    { t: 'noted' },
  ];
  const policyKey = seedOf(0x9a);
  const digestKey = createSecretKey(policyKey);
  const digests = concatBytes(
    ...['anna', 'postmaster'].map((form) => recipientDigest(digestKey, 'alice.example', form)),
  );
  const policy = { domain: 'alice.example', version: seedOf(0x9b), key: policyKey, any: false, copies: 2 };
  const policyRequests: PolicyRequest[] = [
    { t: 'hello', version: 1 },
    { t: 'policy', ...policy, unknown: 'defer' },
    { t: 'known', digests },
    { t: 'refused', digests: digests.subarray(0, 16) },
    { t: 'done' },
  ];
  const policyAnswers: PolicyAnswer[] = [
    { t: 'have' },
    { t: 'want' },
    { t: 'not', why: 'not a domain that I take mail for' },
  ];
  const questions: MailQuestion[] = [
    { t: 'list', limit: 500 },
    { t: 'fetch', id: 'held-00000001-7', offset: 0 },
    { t: 'flush' },
    { t: 'accepted', after: 3, upTo: 5 },
    { t: 'door' },
    { t: 'canary', token: '00112233445566778899', hash: seedOf(0xca) },
  ];
  const entry = { id: 'held-00000001-7', sizeBytes: 3, receivedAtMs: atMs, tags: [bytes16(0x7a)] };
  const questionAnswers: MailQuestionAnswer[] = [
    { t: 'entry', entry: { ...entry, state: 'held', head: Uint8Array.of(1, 2), reply: '', nextTryAtMs: 0 } },
    {
      t: 'entry',
      entry: { ...entry, state: 'quarantined', head: Uint8Array.of(1), reply: '550 no', nextTryAtMs: atMs },
    },
    { t: 'listed', count: 2 },
    { t: 'part', offset: 0, bytes: Uint8Array.of(1, 2, 3), last: true },
    { t: 'gone' },
    { t: 'flushed', count: 1 },
    {
      t: 'accepted',
      from: 4,
      before: seedOf(0xcb),
      items: [
        { tags: [bytes16(0x7a), bytes16(0x7b)], held: true },
        { tags: [bytes16(0x7c)], held: false },
      ],
    },
    { t: 'door', hostname: 'mx.bob.example', shared: ['0.0.0.0:25'], raw: ['[2001:db8::25]:25'] },
    { t: 'canary', mine: true },
  ];
  return {
    liveRequests: liveRequests.map(encodeLiveRequest).map(vectorOf('/copain/live/1', 'friend')),
    liveAnswers: liveAnswers.map(encodeLiveAnswer).map(vectorOf('/copain/live/1', 'owner')),
    rawFromFriend: rawFromFriend.map(encodeRawFrame).map(vectorOf('/copain/raw/1', 'friend')),
    rawFromOwner: rawFromOwner.map(encodeRawFrame).map(vectorOf('/copain/raw/1', 'owner')),
    drainRequests: drainRequests.map(encodeDrainRequest).map(vectorOf('/copain/drain/1', 'friend')),
    drainAnswers: drainAnswers.map(encodeDrainAnswer).map(vectorOf('/copain/drain/1', 'owner')),
    copyRequests: copyRequests.map(encodeCopyRequest).map(vectorOf('/copain/copy/1', 'holder')),
    copyAnswers: copyAnswers.map(encodeCopyAnswer).map(vectorOf('/copain/copy/1', 'friend')),
    policyRequests: policyRequests.map(encodePolicyRequest).map(vectorOf('/copain/policy/1', 'owner')),
    policyAnswers: policyAnswers.map(encodePolicyAnswer).map(vectorOf('/copain/policy/1', 'friend')),
    questions: questions.map(encodeMailQuestion).map(vectorOf('/copain/mail/1', 'asker')),
    questionAnswers: questionAnswers.map(encodeMailQuestionAnswer).map(vectorOf('/copain/mail/1', 'holder')),
    recipientDigest: {
      key: toHex(policyKey),
      domain: 'alice.example',
      form: 'anna',
      digest: toHex(recipientDigest(digestKey, 'alice.example', 'anna')),
    },
  };
}
