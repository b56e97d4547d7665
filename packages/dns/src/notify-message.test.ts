import { decode } from 'dns-packet';
import { expect, it } from 'vitest';
import { tsigCrypto } from './io/tsig-crypto.ts';
import { loadZone } from './load-zone.ts';
import { nameKey, nameOf } from './name.ts';
import { notifyAnswer, notifyMessage } from './notify-message.ts';
import { signTsigRefusal, TsigSigner, verifyTsigQuery } from './tsig.ts';
import type { TsigKey } from './tsig-record.ts';
import { soaOf } from './zone-changes.ts';

const text = '@ 300 SOA ns.alice.example. host 7 4h 1h 2w 60\n@ 300 NS ns.bob.example.\n';
const { zone } = loadZone({ text, file: 'z', origin: nameOf('alice.example') });
if (!zone) throw new Error('no zone');
const soa = soaOf(zone);
const key: TsigKey = { name: nameOf('home'), algorithm: 'hmac-sha512', secret: new Uint8Array(32).fill(7) };
const context = { crypto: tsigCrypto, nowS: 1000 };

/** As a server answers: the question, QR, the rcode; without the SOA. */
function answerTo(message: Uint8Array, rcode: number): Uint8Array {
  const answer = message.slice(0, 12 + nameOf('alice.example').length + 4);
  answer.set([0xa4, rcode, 0, 1, 0, 0, 0, 0, 0, 0], 2);
  return answer;
}

it('has the new SOA in its answer section, and AA (RFC 1996 §3.7)', () => {
  const { message } = notifyMessage({ id: 5, soa, key: undefined }, context);
  const read = decode(Buffer.from(message));
  expect(read).toMatchObject({ id: 5, type: 'query', opcode: 'NOTIFY', flag_aa: true });
  expect(read.questions).toMatchObject([{ name: 'alice.example', type: 'SOA' }]);
  expect(read.answers).toMatchObject([{ name: 'alice.example', data: { serial: 7 } }]);
});

it('takes the answer to this NOTIFY and to no other', () => {
  const { message, mac } = notifyMessage({ id: 5, soa, key: undefined }, context);
  const sent = { id: 5, soa, key: undefined, mac };
  expect(notifyAnswer(answerTo(message, 0), sent, context)).toBe(0);
  expect(notifyAnswer(answerTo(message, 9), sent, context)).toBe(9);
  const changed = (at: number, octet: number) => {
    const answer = answerTo(message, 0);
    answer[at] = octet;
    return notifyAnswer(answer, sent, context);
  };
  // Another id, a query, another opcode, another name, cut off.
  expect([changed(1, 6), changed(2, 0x24), changed(2, 0x84), changed(13, 0x78)]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(notifyAnswer(answerTo(message, 0).slice(0, -1), sent, context)).toBeUndefined();
});

it('with a key only what is signed counts as a yes', () => {
  const { message, mac } = notifyMessage({ id: 5, soa, key }, context);
  const sent = { id: 5, soa, key, mac };
  const verdict = verifyTsigQuery(message, { ...context, keys: new Map([[nameKey(key.name), key]]) });
  if (verdict.kind !== 'verified') throw new Error(verdict.kind);
  const signer = new TsigSigner({ key, crypto: tsigCrypto, queryMac: verdict.tsig.mac });
  expect(notifyAnswer(signer.sign(answerTo(message, 0), 1000), sent, context)).toBe(0);
  expect(notifyAnswer(answerTo(message, 0), sent, context)).toBeUndefined();
  expect(notifyAnswer(answerTo(message, 4), sent, context)).toBe(4);
  const other = verifyTsigQuery(message, { ...context, keys: new Map() });
  if (other.kind !== 'refused') throw new Error(other.kind);
  expect(notifyAnswer(signTsigRefusal(answerTo(message, 9), other, context), sent, context)).toBe(9);
});
