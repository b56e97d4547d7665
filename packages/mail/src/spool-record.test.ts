import { fromUtf8, toUtf8 } from '@copain/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { noMessageDsn, noRecipientDsn } from './dsn.ts';
import { decodeSealedContent, type Envelope, encodeSealedContent } from './envelope.ts';
import { dedupeTag, messageKey } from './message-key.ts';
import { decodeSpoolRecord, encodeSpoolRecord, type RecordHeader } from './spool-record.ts';

const header: RecordHeader = {
  ownerId: 'a1'.repeat(32),
  domain: 'alice.test',
  messageBytes: 7,
  receivedAtMs: 61_234,
  tags: [new Uint8Array(16).fill(3)],
  keyIds: ['0123456789abcdef'],
  hash: new Uint8Array(32),
};

it('a record comes back as it was, its time to the minute', () => {
  const sealed = toUtf8('age-encryption.org/v1\n…');
  const decoded = decodeSpoolRecord(encodeSpoolRecord(header, sealed));
  expect(decoded?.header).toEqual({ ...header, receivedAtMs: 60_000 });
  expect(decoded?.sealed).toEqual(sealed);
});

it('anything else is no record: cut at any byte, another version, random bytes', () => {
  const record = encodeSpoolRecord(header, new Uint8Array());
  for (let end = 0; end < record.length; end++)
    expect(decodeSpoolRecord(record.subarray(0, end))).toBeUndefined();
  expect(decodeSpoolRecord(Uint8Array.from(record, (byte, i) => (i === 4 ? 2 : byte)))).toBeUndefined();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(decodeSpoolRecord(bytes)).toBeUndefined();
    }),
  );
});

const envelope: Envelope = {
  from: 's@out.test',
  recipients: ['a@alice.test', 'é@alice.test'],
  client: { ip: '::1', port: 1, serverIp: '::1', serverPort: 25, helo: 'h"\n', tls: true, esmtp: true },
  receivedAtMs: 5,
  by: 'mx.bob.test',
  body: '8BITMIME',
  smtpUtf8: true,
  dsn: { ret: 'FULL', envid: 'QQ314159' },
  recipientDsn: [noRecipientDsn, { notify: 'SUCCESS,DELAY', orcpt: 'utf-8;é@alice.test' }],
};

it('what is sealed is one line of envelope and then the message, whatever its bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (message) => {
      expect(
        decodeSealedContent(encodeSealedContent(envelope, [message.slice(0, 5), message.slice(5)])),
      ).toEqual({
        envelope,
        message,
      });
    }),
  );
});

it('an envelope whose sender asked for no report has the form it always had', () => {
  const silent = { ...envelope, dsn: noMessageDsn, recipientDsn: [noRecipientDsn, noRecipientDsn] };
  const content = encodeSealedContent(silent, []);
  expect(fromUtf8(content)).not.toMatch(/ret|envid|notify|orcpt/);
  expect(decodeSealedContent(content)?.envelope).toEqual(silent);
});

it('a sealed envelope that a friend made up wrongly is refused', () => {
  const make = (change: Partial<Record<keyof Envelope, unknown>>) =>
    decodeSealedContent(encodeSealedContent({ ...envelope, ...change } as Envelope, [toUtf8('x\r\n')]));
  expect(make({})).toBeDefined();
  for (const change of [
    { from: 'a@b\r\nDATA' },
    { recipients: [] },
    { recipients: ['a@x', 'a@x'] },
    { recipients: Array.from({ length: 101 }, (_, i) => `${i}@alice.test`) },
    { body: 'X' },
    { receivedAtMs: 1.5 },
    { receivedAtMs: Number.MAX_SAFE_INTEGER },
    { client: { ...envelope.client, port: 25.5 } },
    { client: { ...envelope.client, ip: 'x' } },
    { client: null },
    { smtpUtf8: 1 },
    { dsn: { ret: 'ALL', envid: '' } },
    { dsn: { ret: '', envid: 'x y' } },
    { recipientDsn: [{ notify: 'NEVER', orcpt: '' }] },
    { recipientDsn: [noRecipientDsn, { notify: 'NEVER,SUCCESS', orcpt: '' }] },
    { recipientDsn: [noRecipientDsn, { notify: '', orcpt: 'rfc822;a\r\nb' }] },
  ])
    expect(make(change)).toBeUndefined();
  for (const text of ['', '{}\n', 'null\n', '[]\n', '{"copain":1\n', 'x'.repeat(200_000)])
    expect(decodeSealedContent(toUtf8(text))).toBeUndefined();
});

it('keys differ by sender, recipient and bytes, and tags by owner; nothing slides from one field to the next', () => {
  // A stand-in that shows what is hashed: its input itself.
  const bare = (bytes: Uint8Array) => bytes;
  const dataHash = new Uint8Array(32);
  const key = (from: string, recipient: string) => messageKey({ from, recipient, dataHash }, bare);
  expect(key('a', 'bc')).not.toEqual(key('ab', 'c'));
  expect(key('', 'a')).not.toEqual(key('a', ''));
  const tag = dedupeTag({ ownerId: 'o', key: key('a', 'b') }, bare);
  expect(tag).toHaveLength(16);
});
