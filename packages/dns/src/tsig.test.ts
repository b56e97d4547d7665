import { fromHex, toHex } from '@copain/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tsigCrypto } from './io/tsig-crypto.ts';
import { encodeMessage } from './message.ts';
import { nameKey, nameOf } from './name.ts';
import {
  signTsigQuery,
  signTsigRefusal,
  TsigSigner,
  type TsigVerdict,
  TsigVerifier,
  verifyTsigQuery,
} from './tsig.ts';
import { findTsig, type TsigAlgorithm, type TsigKey, tsigRecordBytes, withTsig } from './tsig-record.ts';

const crypto = tsigCrypto;
const algorithms: TsigAlgorithm[] = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'];
const secret = new TextEncoder().encode('secretsecretsecretsecretsecretse');

function keyOf(algorithm: TsigAlgorithm = 'hmac-sha256'): TsigKey {
  return { name: nameOf('key.example'), algorithm, secret };
}

function keysOf(...keys: TsigKey[]): Map<string, TsigKey> {
  return new Map(keys.map((key) => [nameKey(key.name), key]));
}

function query(id = 0x1234): Uint8Array {
  const questions = [{ name: nameOf('example.test'), type: 6, class: 1 }];
  return encodeMessage({ id, flags: 0, questions, answers: [], authority: [], additional: [] }) as Uint8Array;
}

function answer(id = 0x1234): Uint8Array {
  const questions = [{ name: nameOf('example.test'), type: 6, class: 1 }];
  return encodeMessage({
    id,
    flags: 0x8009,
    questions,
    answers: [],
    authority: [],
    additional: [],
  }) as Uint8Array;
}

function verify(message: Uint8Array, nowS: number, key = keyOf()): TsigVerdict {
  return verifyTsigQuery(message, { keys: keysOf(key), crypto, nowS });
}

/** Made with BIND's dig 9.18: `dig -y ALGORITHM:Key.Example:… +noedns +qid=4660 example.test SOA`. */
const fromDig: Record<string, string> = {
  'hmac-sha256':
    '123401200001000000000001076578616d706c6504746573740000060001036b6579076578616d706c650000fa00ff00000000003d0b686d61632d7368613235360000006b08c158012c0020615fea0b1384e36f818c7cc12454746387b2278e1220638fb9e631ec7b97e40b123400000000',
  'hmac-sha384':
    '123401200001000000000001076578616d706c6504746573740000060001036b6579076578616d706c650000fa00ff00000000004d0b686d61632d7368613338340000006b08c159012c0030cb9cdf96e2dbdf6a63300cf05182b30d902524709d0ec5a842eebed00ca34173c26a2083cca6fc3080457da295c78f2d123400000000',
  'hmac-sha512':
    '123401200001000000000001076578616d706c6504746573740000060001036b6579076578616d706c650000fa00ff00000000005d0b686d61632d7368613531320000006b08c15a012c0040f1ab5be5e82d66467d32c334bdfde855060593639fbeab1d2fadd69e69d433a85bca0ccf19b4da906ac40d3d74e9121b84de95fa836a7fd4d916353045189b37123400000000',
};
const digTimeS = 0x6b08c158;

it('verifies what dig signed, whichever way the name of the key is spelled here', () => {
  for (const algorithm of algorithms) {
    const message = fromHex(fromDig[algorithm] ?? '') as Uint8Array;
    const key = { ...keyOf(algorithm), name: nameOf('KEY.Example') };
    expect(verify(message, digTimeS, key).kind).toBe('verified');
  }
});

it('verifies what lies anywhere in a larger Buffer, and leaves it as it was', () => {
  const message = fromHex(fromDig['hmac-sha256'] ?? '') as Uint8Array;
  const pool = Buffer.concat([Buffer.alloc(7, 0xee), message, Buffer.alloc(7, 0xee)]);
  const before = pool.toString('hex');
  expect(verify(pool.subarray(7, 7 + message.length), digTimeS).kind).toBe('verified');
  expect(pool.toString('hex')).toBe(before);
});

it('signs as dig does, octet for octet', () => {
  const message = fromHex(fromDig['hmac-sha256'] ?? '') as Uint8Array;
  const found = findTsig(message);
  if (found.kind !== 'found') throw new Error('dig signed it');
  const unsigned = message.slice(0, found.at);
  unsigned[11] = 0;
  expect(toHex(signTsigQuery(unsigned, keyOf(), { crypto, nowS: digTimeS }).message)).toBe(toHex(message));
});

it('any octet changed on the way is noticed', () => {
  const { message } = signTsigQuery(query(), keyOf(), { crypto, nowS: 1000 });
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: message.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      (at, change) => {
        const changed = message.slice();
        changed[at] = (changed[at] ?? 0) ^ change;
        const { kind } = verify(changed, 1000);
        // The case of the key's and the algorithm's name does not count, in the MAC neither (RFC 8945 §4.3.3).
        if (kind === 'verified') expect(change).toBe(0x20);
        else expect(['refused', 'malformed', 'unsigned']).toContain(kind);
      },
    ),
    { numRuns: 2000 },
  );
});

it('a forwarder may change the id: the original one is signed (RFC 8945 §5.4)', () => {
  const { message } = signTsigQuery(query(), keyOf(), { crypto, nowS: 1000 });
  message[0] = 0xff;
  expect(verify(message, 1000).kind).toBe('verified');
});

it('refuses an unknown key with BADKEY, a wrong secret with BADSIG: without a MAC (RFC 8945 §5.3.2)', () => {
  const { message, mac } = signTsigQuery(query(), keyOf(), { crypto, nowS: 1000 });
  const cases = [
    { key: { ...keyOf(), name: nameOf('other.example') }, error: 17 },
    { key: keyOf('hmac-sha512'), error: 17 },
    { key: { ...keyOf(), secret: secret.slice(1) }, error: 16 },
  ];
  for (const { key, error } of cases) {
    const verdict = verify(message, 1000, key);
    if (verdict.kind !== 'refused') throw new Error(verdict.kind);
    expect(verdict.error).toBe(error);
    const refusal = signTsigRefusal(answer(), verdict, { crypto, nowS: 1000 });
    const found = findTsig(refusal);
    expect(found).toMatchObject({
      kind: 'found',
      tsig: { error, mac: new Uint8Array(), originalId: 0x1234 },
    });
    const verifier = new TsigVerifier({ key: keyOf(), crypto, queryMac: mac });
    expect(verifier.verify(refusal, 1000)).toEqual({
      kind: 'refused',
      error,
      isProven: false,
      serverTimeS: undefined,
    });
  }
});

it('refuses what was signed more than 300 s away with BADTIME, signed, and tells its own time (RFC 8945 §5.2.3)', () => {
  const { message, mac } = signTsigQuery(query(), keyOf(), { crypto, nowS: 1000 });
  expect(verify(message, 1300).kind).toBe('verified');
  expect(verify(message, 700).kind).toBe('verified');
  expect(verify(message, 699)).toMatchObject({ kind: 'refused', error: 18 });
  const verdict = verify(message, 1301);
  if (verdict.kind !== 'refused') throw new Error(verdict.kind);
  const refusal = signTsigRefusal(answer(), verdict, { crypto, nowS: 5_000_000_000 });
  const found = findTsig(refusal);
  expect(found).toMatchObject({ kind: 'found', tsig: { error: 18, timeS: 1000, fudgeS: 300 } });
  const verifier = new TsigVerifier({ key: keyOf(), crypto, queryMac: mac });
  // The client can check it although its clock is the one that is wrong.
  expect(verifier.verify(refusal, 1000)).toEqual({
    kind: 'refused',
    error: 18,
    isProven: true,
    serverTimeS: 5_000_000_000,
  });
});

it('nobody is let in by a fudge of his own choice', () => {
  const { message } = signTsigQuery(query(), keyOf(), { crypto, nowS: 1000 });
  const found = findTsig(message);
  if (found.kind !== 'found') throw new Error('it was signed');
  const body = message.slice(0, found.at);
  body[11] = 0;
  const fudged = withTsig(body, { ...found.tsig, fudgeS: 65_535 });
  expect(verify(fudged, 1000)).toMatchObject({ kind: 'refused', error: 16 });
});

it('takes a MAC cut to half, none that is shorter or longer (RFC 8945 §5.2.2.1)', () => {
  for (const algorithm of algorithms) {
    const key = keyOf(algorithm);
    const { message, mac } = signTsigQuery(query(), key, { crypto, nowS: 1000 });
    const found = findTsig(message);
    if (found.kind !== 'found') throw new Error('it was signed');
    const body = message.slice(0, found.at);
    body[11] = 0;
    const cutTo = (length: number) => {
      const cut = new Uint8Array(length);
      cut.set(mac.subarray(0, length));
      return verify(withTsig(body, { ...found.tsig, mac: cut }), 1000, key).kind;
    };
    expect(cutTo(mac.length / 2)).toBe('verified');
    expect(cutTo(mac.length / 2 - 1)).toBe('malformed');
    expect(cutTo(0)).toBe('malformed');
    expect(cutTo(mac.length + 1)).toBe('malformed');
  }
});

it('a TSIG that is not the last record, or of another class or TTL, is malformed (RFC 8945 §5.2)', () => {
  const { message } = signTsigQuery(query(), keyOf(), { crypto, nowS: 1000 });
  const found = findTsig(message);
  if (found.kind !== 'found') throw new Error('it was signed');
  const twice = withTsig(message, found.tsig);
  expect(findTsig(twice).kind).toBe('malformed');
  const typeAt = found.at + nameOf('key.example').length;
  for (const at of [typeAt + 3, typeAt + 7]) {
    const odd = message.slice();
    odd[at] = 1;
    expect(verify(odd, 1000).kind).toBe('malformed');
  }
});

it('looks at any octets without an exception', () => {
  const { message } = signTsigQuery(query(), keyOf(), { crypto, nowS: 1000 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat({ max: message.length - 1 }), (tail, cut) => {
      for (const octets of [tail, Uint8Array.of(...message.subarray(0, cut), 255, ...tail)]) {
        expect(verify(octets, 1000).kind).not.toBe('verified');
      }
    }),
  );
});

it('unsigned is unsigned, and signing adds as many octets as announced', () => {
  expect(verify(query(), 1000)).toEqual({ kind: 'unsigned' });
  for (const algorithm of algorithms) {
    const key = keyOf(algorithm);
    const { message } = signTsigQuery(query(), key, { crypto, nowS: 1000 });
    expect(message.length - query().length).toBe(tsigRecordBytes(key));
  }
});

/** A signed exchange: the query's MAC, and what signs and checks its answers. */
function exchange(): { signer: TsigSigner; verifier: TsigVerifier } {
  const key = keyOf();
  const { message, mac } = signTsigQuery(query(), key, { crypto, nowS: 1000 });
  const verdict = verify(message, 1000);
  if (verdict.kind !== 'verified') throw new Error(verdict.kind);
  return {
    signer: new TsigSigner({ key, crypto, queryMac: verdict.tsig.mac }),
    verifier: new TsigVerifier({ key, crypto, queryMac: mac }),
  };
}

it('the messages of a transfer are bound to the query and to each other (RFC 8945 §5.3.1)', () => {
  const { signer, verifier } = exchange();
  const signed = [1, 2, 3].map((id) => signer.sign(answer(id), 1000 + id));
  expect(verifier.isCovered).toBe(false);
  for (const message of signed) expect(verifier.verify(message, 1002)).toEqual({ kind: 'verified' });
  expect(verifier.isCovered).toBe(true);

  const leftOut = exchange().verifier;
  expect(leftOut.verify(signed[0] as Uint8Array, 1002)).toEqual({ kind: 'verified' });
  expect(leftOut.verify(signed[2] as Uint8Array, 1002)).toEqual({ kind: 'failed', why: 'bad-mac' });
  const doubled = exchange().verifier;
  doubled.verify(signed[0] as Uint8Array, 1002);
  expect(doubled.verify(signed[0] as Uint8Array, 1002)).toEqual({ kind: 'failed', why: 'bad-mac' });
  const late = exchange().verifier;
  expect(late.verify(signed[0] as Uint8Array, 1400)).toEqual({ kind: 'failed', why: 'bad-time' });
});

it('takes 99 unsigned messages between two signed ones, covered by the later; not the first, not a hundred', () => {
  const signedBehind = (unsigned: Uint8Array[]) => {
    const { signer, verifier } = exchange();
    const first = signer.sign(answer(), 1000);
    const { mac } = (findTsig(first) as Extract<ReturnType<typeof findTsig>, { kind: 'found' }>).tsig;
    expect(verifier.verify(first, 1000)).toEqual({ kind: 'verified' });
    // RFC 8945 §5.3.1: prior MAC, the unsigned messages, the signed one, its timers.
    const timers = Uint8Array.of(0, 0, 0, 0, 3, 0xe8, 1, 44);
    const octets = [0, mac.length, ...mac, ...unsigned.flatMap((one) => [...one]), ...answer(), ...timers];
    const tsig = (findTsig(first) as Extract<ReturnType<typeof findTsig>, { kind: 'found' }>).tsig;
    const last = withTsig(answer(), {
      ...tsig,
      mac: crypto.hmac('hmac-sha256', secret, Uint8Array.from(octets)),
    });
    return { verifier, last };
  };
  const many = Array.from({ length: 99 }, (_, i) => answer(i));
  const { verifier, last } = signedBehind(many);
  for (const message of many) expect(verifier.verify(message, 1000)).toEqual({ kind: 'unsigned' });
  expect(verifier.isCovered).toBe(false);
  expect(verifier.verify(last, 1000)).toEqual({ kind: 'verified' });
  expect(verifier.isCovered).toBe(true);

  const more = signedBehind(many).verifier;
  for (const message of many) more.verify(message, 1000);
  expect(more.verify(answer(), 1000)).toEqual({ kind: 'failed', why: 'not-signed' });
  expect(exchange().verifier.verify(answer(), 1000)).toEqual({ kind: 'failed', why: 'not-signed' });
});
