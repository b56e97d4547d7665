import { describe, expect, it } from 'vitest';
import { tsigCrypto } from './io/tsig-crypto.ts';
import { decodeMessage, encodeMessage, Flag } from './message.ts';
import { nameKey, nameOf, nameToText } from './name.ts';
import { classAny, classIn, Opcode, RecordType } from './record-types.ts';
import { TsigSigner, verifyTsigQuery } from './tsig.ts';
import type { TsigKey } from './tsig-record.ts';
import { askUpdate, readUpdateReply } from './update-message.ts';

const nowS = 1_800_000_000;
const context = { crypto: tsigCrypto, nowS };
const key: TsigKey = {
  name: nameOf('home'),
  algorithm: 'hmac-sha256',
  secret: Uint8Array.from({ length: 32 }, (_, at) => at),
};
const update = {
  zone: nameOf('dyn.example'),
  names: [nameOf('home.dyn.example'), nameOf('dyn.example')],
  ipv4: Uint8Array.of(198, 51, 100, 7),
  ipv6: undefined,
  ttlS: 300,
};
const answer = (rcode: number, more: { id?: number; zone?: string; opcode?: number } = {}): Uint8Array => {
  const { id = 7, zone = 'dyn.example', opcode = Opcode.update } = more;
  const message = encodeMessage({
    id,
    flags: Flag.response | (opcode << 11) | rcode,
    questions: [{ name: nameOf(zone), type: RecordType.SOA, class: classIn }],
    answers: [],
    authority: [],
    additional: [],
  });
  if (!message) throw new Error('too long');
  return message;
};

describe('an update of addresses', () => {
  it('takes away what the names have of a kind and gives them the address; other kinds stay (RFC 2136 §2.5)', () => {
    const { message } = askUpdate({ id: 7, update, key: undefined }, context);
    const read = decodeMessage(message);
    expect(read?.flags).toBe(5 << 11);
    expect(read?.questions).toMatchObject([{ type: RecordType.SOA, class: classIn }]);
    expect(read?.answers).toEqual([]);
    expect(
      read?.authority.map((record) => [
        nameToText(record.owner),
        record.type,
        record.class,
        record.ttl,
        [...record.rdata],
      ]),
    ).toEqual([
      ['home.dyn.example.', RecordType.A, classAny, 0, []],
      ['home.dyn.example.', RecordType.A, classIn, 300, [198, 51, 100, 7]],
      ['dyn.example.', RecordType.A, classAny, 0, []],
      ['dyn.example.', RecordType.A, classIn, 300, [198, 51, 100, 7]],
    ]);
  });

  it('of both kinds is one message, signed as a whole where there is a key', () => {
    const both = { ...update, ipv6: new Uint8Array(16).fill(1) };
    const { message } = askUpdate({ id: 7, update: both, key }, context);
    expect(decodeMessage(message)?.authority).toHaveLength(8);
    const keys = new Map([[nameKey(key.name), key]]);
    expect(verifyTsigQuery(message, { ...context, keys }).kind).toBe('verified');
    const changed = message.with(message.length - 100, (message.at(-100) ?? 0) ^ 1);
    expect(verifyTsigQuery(changed, { ...context, keys }).kind).not.toBe('verified');
  });
});

describe('the answer to an update', () => {
  const asked = askUpdate({ id: 7, update, key: undefined }, context);
  const signedAsk = askUpdate({ id: 7, update, key }, context);
  const signed = (bytes: Uint8Array, by: TsigKey = key): Uint8Array =>
    new TsigSigner({ key: by, crypto: tsigCrypto, queryMac: signedAsk.mac ?? new Uint8Array() }).sign(
      bytes,
      nowS,
    );

  it('says that it is done', () => {
    expect(readUpdateReply(answer(0), asked, context)).toEqual({ kind: 'done' });
    expect(readUpdateReply(signed(answer(0)), signedAsk, context)).toEqual({ kind: 'done' });
  });

  it('that is not signed, or with another secret, is no yes', () => {
    expect(readUpdateReply(answer(0), signedAsk, context)).toMatchObject({ kind: 'refused' });
    const other = { ...key, secret: new Uint8Array(32) };
    expect(readUpdateReply(signed(answer(0), other), signedAsk, context)).toMatchObject({ kind: 'refused' });
  });

  it('that refuses says why, signed or not', () => {
    for (const [rcode, text] of [
      [5, 'REFUSED'],
      [9, 'NOTAUTH'],
      [10, 'NOTZONE'],
      [2, 'SERVFAIL'],
    ] as const) {
      expect(readUpdateReply(answer(rcode), signedAsk, context)).toMatchObject({
        kind: 'refused',
        why: expect.stringContaining(text),
      });
    }
  });

  it('to something else is waited past', () => {
    for (const more of [{ id: 8 }, { zone: 'other.example' }, { opcode: 0 }])
      expect(readUpdateReply(answer(0, more), asked, context)).toEqual({ kind: 'unrelated' });
    expect(readUpdateReply(asked.message, asked, context)).toEqual({ kind: 'unrelated' });
    expect(readUpdateReply(new Uint8Array(5), asked, context)).toEqual({ kind: 'unrelated' });
  });
});
