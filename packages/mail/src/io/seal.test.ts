import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toUtf8 } from '@copain/core';
import { expect, it } from 'vitest';
import { noMessageDsn, noRecipientDsn } from '../dsn.ts';
import type { Envelope } from '../envelope.ts';
import { decodeSpoolRecord, encodeSpoolRecord } from '../spool-record.ts';
import { keyId, openSpoolRecord, sealMessage, sha256, tagsOf } from './seal.ts';
import { ageKey, aliceId, temporaryFolder } from './testing.ts';
import { message } from './testing-client.ts';

const envelope: Envelope = {
  from: 'sender@out.test',
  recipients: ['a@alice.test', 'b@alice.test'],
  client: {
    ip: '203.0.113.9',
    port: 1,
    serverIp: '192.0.2.1',
    serverPort: 25,
    helo: 'h',
    tls: false,
    esmtp: true,
  },
  receivedAtMs: 1_700_000_000_000,
  by: 'mx.bob.test',
  body: '',
  smtpUtf8: false,
  dsn: noMessageDsn,
  recipientDsn: [noRecipientDsn, noRecipientDsn],
};

async function sealed(sealTo: string[], text: string = message('secret words')): Promise<Uint8Array> {
  const bytes = toUtf8(text);
  const tags = tagsOf(aliceId, envelope, sha256(bytes));
  const { record } = await sealMessage({
    ownerId: aliceId,
    domain: 'alice.test',
    sealTo,
    envelope,
    message: [bytes],
    messageBytes: bytes.length,
    tags,
  });
  return record;
}

it('any one of the keys it was sealed to opens it, another does not', async () => {
  const [one, two, stranger] = await Promise.all([ageKey(), ageKey(), ageKey()]);
  const record = await sealed([one.recipient, two.recipient]);
  for (const { identity } of [one, two])
    expect(await openSpoolRecord(record, [stranger.identity, identity])).toMatchObject({
      kind: 'opened',
      envelope,
      message: toUtf8(message('secret words')),
      header: { keyIds: [keyId(one.recipient), keyId(two.recipient)] },
    });
  expect(await openSpoolRecord(record, [stranger.identity])).toMatchObject({ kind: 'unreadable' });
  expect(await openSpoolRecord(record, [])).toMatchObject({ kind: 'unreadable' });
});

it('what lies on the disk shows no address and no word of the message', async () => {
  const { recipient } = await ageKey();
  const text = Buffer.from(await sealed([recipient])).toString('latin1');
  for (const secret of ['sender', 'out.test', 'a@alice', 'secret', 'Subject', '203.0.113'])
    expect(text).not.toContain(secret);
});

it('without a key, or with something that is no key, nothing is sealed', async () => {
  await expect(sealed([])).rejects.toThrow('no key');
  await expect(sealed(['age1nonsense'])).rejects.toThrow();
});

it('a changed byte, tags of another message and smuggled line ends are found when it is opened', async () => {
  const { identity, recipient } = await ageKey();
  const record = await sealed([recipient]);
  const decoded = decodeSpoolRecord(record);
  if (!decoded) throw new Error('no record');
  const flipped = record.slice();
  flipped[record.length - 1] = (flipped[record.length - 1] ?? 0) ^ 1;
  expect(await openSpoolRecord(flipped, [identity])).toMatchObject({ why: 'damaged' });
  const lying = encodeSpoolRecord(
    { ...decoded.header, tags: [new Uint8Array(16), new Uint8Array(16)] },
    decoded.sealed,
  );
  expect(await openSpoolRecord(lying, [identity])).toMatchObject({ why: 'tags of another message' });
  const fewer = encodeSpoolRecord(
    { ...decoded.header, tags: decoded.header.tags.slice(0, 1) },
    decoded.sealed,
  );
  expect(await openSpoolRecord(fewer, [identity])).toMatchObject({ why: 'tags of another message' });
  expect(await openSpoolRecord(await sealed([recipient], 'a\n.\r\nb\r\n'), [identity])).toMatchObject({
    why: 'bare CR or LF inside',
  });
  expect(await openSpoolRecord(toUtf8('nonsense'), [identity])).toMatchObject({ why: 'not a spool record' });
});

const age = spawnSync('age', ['--version']).status === 0;
if (!age) console.warn('skipped: the command age is not installed, so the seal is not tried with it');
it.skipIf(!age)('the stock command age opens a record cut at the beginning of its age file', async () => {
  const { identity, recipient } = await ageKey();
  await using folder = await temporaryFolder();
  const record = Buffer.from(await sealed([recipient]));
  await writeFile(join(folder.dir, 'key'), `${identity}\n`);
  await writeFile(join(folder.dir, 'record.age'), record.subarray(record.indexOf('age-encryption.org/v1')));
  const opened = spawnSync('age', ['-d', '-i', join(folder.dir, 'key'), join(folder.dir, 'record.age')]);
  expect(opened.stderr.toString()).toBe('');
  const [line, ...rest] = opened.stdout.toString().split('\n');
  expect(JSON.parse(line ?? '')).toMatchObject({
    copain: 1,
    from: 'sender@out.test',
    to: envelope.recipients,
  });
  expect(rest.join('\n')).toBe(message('secret words'));
});
