import fc from 'fast-check';
import { expect, it } from 'vitest';
import { noMessageDsn, noRecipientDsn } from '../dsn.ts';
import type { Envelope } from '../envelope.ts';
import { recordHeadBytes } from '../limits.ts';
import { sealMessage, sha256, tagsOf } from './seal.ts';
import { openRecordHead } from './sealed-head.ts';
import { ageKey, aliceId } from './testing.ts';

const envelope: Envelope = {
  from: 's@out.test',
  recipients: ['a@alice.test', 'b@alice.test'],
  client: {
    ip: '192.0.2.7',
    port: 40_000,
    serverIp: '192.0.2.1',
    serverPort: 25,
    helo: 'out',
    tls: true,
    esmtp: true,
  },
  receivedAtMs: 1_800_000_000_000,
  by: 'mx.bob.test',
  body: '',
  smtpUtf8: false,
  dsn: noMessageDsn,
  recipientDsn: [noRecipientDsn, noRecipientDsn],
};

async function sealed(message: Uint8Array, sealTo: string[]): Promise<Uint8Array> {
  const { record } = await sealMessage({
    ownerId: aliceId,
    domain: 'alice.test',
    sealTo,
    envelope,
    message: [message],
    messageBytes: message.length,
    tags: tagsOf(aliceId, envelope, sha256(message)),
  });
  return record;
}

it('opens the envelope and the beginning of a message of any size, around every chunk of age', async () => {
  const [mine, other] = [await ageKey(), await ageKey()];
  const sizes = fc.oneof(
    fc.integer({ min: 0, max: 6000 }),
    fc.integer({ min: 64_900, max: 66_000 }),
    fc.constant(140_000),
  );
  await fc.assert(
    fc.asyncProperty(sizes, async (sizeBytes) => {
      const message = new Uint8Array(sizeBytes).map((_, i) => 32 + (i % 90));
      const record = await sealed(message, [other.recipient, mine.recipient]);
      const head = record.slice(0, recordHeadBytes);
      const opened = await openRecordHead(head, record.length, [mine.identity]);
      if (opened.kind !== 'opened') throw new Error(opened.why);
      expect(opened.envelope).toEqual(envelope);
      expect(opened.begin.length).toBeGreaterThan(Math.min(sizeBytes, 2000) - 1);
      expect(opened.begin).toEqual(message.slice(0, opened.begin.length));
    }),
    { numRuns: 40 },
  );
});

it('says so where no key fits, where the head is cut inside the seal, and where a stanza was changed', async () => {
  const [mine, other] = [await ageKey(), await ageKey()];
  const record = await sealed(new Uint8Array(100).fill(65), [mine.recipient]);
  expect(await openRecordHead(record, record.length, [other.identity])).toMatchObject({ kind: 'unreadable' });
  for (const cut of [0, 11, 200, 420])
    expect(await openRecordHead(record.slice(0, cut), record.length, [mine.identity])).toMatchObject({
      kind: 'unreadable',
    });
  const text = Buffer.from(record);
  text[text.indexOf('\n--- ') + 8] = 65 + ((text[text.indexOf('\n--- ') + 8] ?? 0) % 2);
  expect(await openRecordHead(new Uint8Array(text), record.length, [mine.identity])).toMatchObject({
    kind: 'unreadable',
  });
});
