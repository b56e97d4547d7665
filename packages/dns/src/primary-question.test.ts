import { describe, expect, it } from 'vitest';
import { tsigCrypto } from './io/tsig-crypto.ts';
import { decodeMessage, encodeMessage, Flag, type Message } from './message.ts';
import { nameOf } from './name.ts';
import { askPrimary, readSoaReply } from './primary-question.ts';
import { RecordType } from './record-types.ts';
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

  it('is awaited on where what comes answers another question, or is none', () => {
    const good = decodeMessage(reply(5, Flag.authoritative)) as Message;
    const [question] = good.questions;
    if (!question) throw new Error('it has a question');
    for (const other of [
      { questions: [{ ...question, name: nameOf('bob.example') }] },
      { questions: [{ ...question, type: RecordType.NS }] },
      { flags: Flag.authoritative },
      { flags: good.flags | (4 << 11) },
    ]) {
      const bytes = encodeMessage({ ...good, ...other }) as Uint8Array;
      expect(readSoaReply(bytes, asked, context).kind).toBe('unrelated');
    }
    expect(readSoaReply(Uint8Array.of(0, 5), asked, context).kind).toBe('unrelated');
  });
});
