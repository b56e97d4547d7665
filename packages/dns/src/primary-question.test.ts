import { describe, expect, it } from 'vitest';
import { tsigCrypto } from './io/tsig-crypto.ts';
import { encodeMessage, Flag } from './message.ts';
import { askPrimary, readSoaReply } from './primary-question.ts';
import { zoneOf } from './testing.ts';
import { soaOf } from './zone-changes.ts';

const next = zoneOf(3);
const { origin } = next;
const context = { crypto: tsigCrypto, nowS: 1_800_000_000 };

describe('the answer to a SOA question', () => {
  const asked = askPrimary({ id: 5, origin, question: { type: 'SOA' }, key: undefined }, context);
  const reply = (id: number, flags: number): Uint8Array =>
    encodeMessage({
      id,
      flags: Flag.response | flags,
      questions: [{ name: origin, type: 6, class: 1 }],
      answers: [{ ...soaOf(next), class: 1 }],
      authority: [],
      additional: [],
    }) as Uint8Array;

  it('counts with authority and our id alone', () => {
    expect(readSoaReply(reply(5, Flag.authoritative), asked, context).kind).toBe('soa');
    expect(readSoaReply(reply(6, Flag.authoritative), asked, context).kind).toBe('unrelated');
    expect(readSoaReply(reply(5, 0), asked, context)).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining('without authority'),
    });
    expect(readSoaReply(reply(5, Flag.truncated), asked, context).kind).toBe('truncated');
  });
});
