import { describe, expect, it } from 'vitest';
import { tsigCrypto } from './io/tsig-crypto.ts';
import { decodeMessage, encodeMessage, Flag, type Message } from './message.ts';
import { nameKey, nameOf } from './name.ts';
import { answerNotify, type NotifyVerdict } from './notify-in.ts';
import { notifyAnswer, notifyMessage } from './notify-message.ts';
import { Opcode, RecordType } from './record-types.ts';
import type { TsigKey } from './tsig-record.ts';

const origin = nameOf('alice.example');
const key: TsigKey = { name: nameOf('home'), algorithm: 'hmac-sha512', secret: new Uint8Array(32).fill(7) };
const context = { crypto: tsigCrypto, nowS: 1_800_000_000 };
const soa = { owner: origin, type: 6, ttl: 60, rdata: new Uint8Array(22) };

function told(query: Uint8Array, { from = '192.0.2.1', hasKey = true } = {}): NotifyVerdict {
  const find = (name: string) =>
    name === nameKey(origin)
      ? { key: hasKey ? key : undefined, isPrimary: (address: string) => address === '192.0.2.1' }
      : undefined;
  return answerNotify(query, { address: from }, find, context);
}
const rcodeOf = (verdict: NotifyVerdict): number | undefined =>
  'answer' in verdict ? (decodeMessage(verdict.answer)?.flags ?? 0) & 15 : undefined;
const plain = notifyMessage({ id: 9, soa, key: undefined }, context).message;

describe('a NOTIFY', () => {
  it('is believed from an address of the primary, and answered as RFC 1996 §3.7 says', () => {
    const verdict = told(plain);
    expect(verdict.kind).toBe('accepted');
    if (verdict.kind !== 'accepted') return;
    expect(notifyAnswer(verdict.answer, { id: 9, soa, key: undefined, mac: undefined }, context)).toBe(0);
    expect((decodeMessage(verdict.answer)?.flags ?? 0) & Flag.authoritative).not.toBe(0);
  });

  it('is believed from anywhere with the key, and the answer is signed', () => {
    const { message, mac } = notifyMessage({ id: 9, soa, key }, context);
    const verdict = told(message, { from: '198.51.100.9' });
    if (verdict.kind !== 'accepted') throw new Error(verdict.kind);
    expect(notifyAnswer(verdict.answer, { id: 9, soa, key, mac }, context)).toBe(0);
  });

  it('of a stranger is REFUSED, of a zone that is not here NOTAUTH, with a wrong key NOTAUTH', () => {
    const stranger = told(plain, { from: '198.51.100.9' });
    expect([stranger.kind, rcodeOf(stranger)]).toEqual(['refused', 5]);
    const other = notifyMessage(
      { id: 9, soa: { ...soa, owner: nameOf('b.example') }, key: undefined },
      context,
    );
    expect(rcodeOf(told(other.message))).toBe(9);
    const wrong = notifyMessage({ id: 9, soa, key: { ...key, secret: new Uint8Array(32) } }, context).message;
    expect(told(wrong)).toMatchObject({ kind: 'refused', why: 'bad-signature' });
    const late = notifyMessage({ id: 9, soa, key }, { ...context, nowS: context.nowS - 301 }).message;
    expect(told(late)).toMatchObject({ kind: 'refused', why: 'bad-signature' });
    expect(told(notifyMessage({ id: 9, soa, key }, context).message, { hasKey: false }).kind).toBe('refused');
  });

  it('is never answered with more octets than it has, and an answer to one never', () => {
    for (const query of [plain, plain.slice(0, 12), plain.slice(0, 20)]) {
      const verdict = told(query, { from: '198.51.100.9' });
      expect('answer' in verdict && verdict.answer.length).toBeLessThanOrEqual(query.length);
    }
    const response = plain.slice();
    response[2] = (response[2] ?? 0) | 0x80;
    expect(told(response).kind).toBe('ignored');
  });

  it('about anything but a SOA of class IN is not one', () => {
    const about = (type: number, count: number, inClass = 1) =>
      encodeMessage({
        id: 9,
        flags: Opcode.notify << 11,
        questions: Array.from({ length: count }, () => ({ name: origin, type, class: inClass })),
        answers: [],
        authority: [],
        additional: [],
      }) as Uint8Array;
    expect(rcodeOf(told(about(1, 1)))).toBe(4);
    expect(rcodeOf(told(about(6, 2)))).toBe(1);
    expect(rcodeOf(told(about(6, 0)))).toBe(1);
    expect(rcodeOf(told(about(6, 1, 3)))).toBe(1);
  });

  it('with EDNS is answered with EDNS (RFC 6891 §6.1.1)', () => {
    const opt = { owner: nameOf('.'), type: RecordType.OPT, class: 1232, ttl: 0, rdata: new Uint8Array() };
    const query = encodeMessage({ ...(decodeMessage(plain) as Message), additional: [opt] }) as Uint8Array;
    const opts = [plain, query].map((one) => {
      const verdict = told(one);
      return 'answer' in verdict && decodeMessage(verdict.answer)?.additional.map(({ type }) => type);
    });
    expect(opts).toEqual([[], [RecordType.OPT]]);
  });
});
