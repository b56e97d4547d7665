import { expect, it } from 'vitest';
import { type MailCopy, mergeCopies } from './listed-mail.ts';

const copy = (more: Partial<MailCopy>): MailCopy => ({
  id: 'aabbccddeeff',
  domain: 'alice.test',
  from: 's@out.test',
  recipients: ['a@alice.test'],
  sizeBytes: 100,
  receivedAtMs: 5000,
  state: 'held',
  holder: 'bob',
  reply: undefined,
  nextTryAtMs: undefined,
  ...more,
});

it('two friends and the owner with one message are one line, as far as it has come', () => {
  const merged = mergeCopies([
    copy({ from: undefined, recipients: [] }),
    copy({ holder: 'alice', state: 'queued', receivedAtMs: 6000, reply: '451 later', nextTryAtMs: 9000 }),
    copy({ holder: 'carol', from: undefined, recipients: [] }),
  ]);
  expect(merged).toEqual([
    {
      id: 'aabbccddeeff',
      domain: 'alice.test',
      from: 's@out.test',
      recipients: ['a@alice.test'],
      sizeBytes: 100,
      receivedAt: '1970-01-01T00:00:05.000Z',
      heldBy: ['bob', 'alice', 'carol'],
      state: 'queued',
      nextTryAt: '1970-01-01T00:00:09.000Z',
      lastReply: '451 later',
    },
  ]);
});

it('whom a holder knows to have it too is a holder as well, once', () => {
  const merged = mergeCopies([copy({ alsoAt: 'carol' }), copy({ holder: 'carol', alsoAt: 'bob' })]);
  expect(merged.map(({ heldBy }) => heldBy)).toEqual([['bob', 'carol']]);
});

it('different messages stay apart, oldest first', () => {
  const merged = mergeCopies([
    copy({ receivedAtMs: 7000 }),
    copy({ id: '001122334455', receivedAtMs: 1000 }),
  ]);
  expect(merged.map(({ id }) => id)).toEqual(['001122334455', 'aabbccddeeff']);
});
