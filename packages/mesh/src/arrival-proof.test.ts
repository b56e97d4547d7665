import { assert, property, uint8Array } from 'fast-check';
import { expect, it } from 'vitest';
import {
  type ArrivalProof,
  maxFirstBytes,
  readFirstBytes,
  withoutRefusal,
  withProof,
} from './arrival-proof.ts';

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const greeting = '\u0013/multistream/1.0.0\n';
const proof: ArrivalProof = {
  tag: new Uint8Array(8).fill(0x0a),
  nonce: new Uint8Array(8).fill(0xbb),
  mac: new Uint8Array(16).fill(0xcc),
};

it('a proof is a proposed protocol between greeting and Noise, and is read as soon as it is whole', () => {
  const said = withProof(bytes(`${greeting}\u0007/noise\n`), proof) ?? new Uint8Array();
  const hex = `${'0a'.repeat(8)}${'bb'.repeat(8)}${'cc'.repeat(16)}`;
  expect(String.fromCharCode(...said)).toBe(`${greeting}R/copain/friend/1/${hex}\n\u0007/noise\n`);
  for (let length = 0; length < said.length; length++) {
    const whole = length >= maxFirstBytes;
    expect(readFirstBytes(said.slice(0, length))).toEqual(
      whole ? { kind: 'proof', proof } : { kind: 'more' },
    );
  }
});

it('other first bytes are no proof, at the byte that tells', () => {
  expect(readFirstBytes(bytes(`${greeting}\u0007`))).toEqual({ kind: 'none' });
  expect(readFirstBytes(bytes('GET / HTTP/1.1'))).toEqual({ kind: 'none' });
  const said = withProof(bytes(greeting), proof) ?? new Uint8Array();
  said[maxFirstBytes - 2] = 0x47;
  expect(readFirstBytes(said)).toEqual({ kind: 'none' });
  expect(withProof(bytes('\u0013/other/1.0.0'), proof)).toBeUndefined();
});

it('the answer to a proof is taken out, whether it comes whole or byte by byte', () => {
  const answer = bytes(`${greeting}\u0003na\n\u0007/noise\n`);
  expect(withoutRefusal(answer)).toEqual(bytes(`${greeting}\u0007/noise\n`));
  for (let length = 0; length < 24; length++) expect(withoutRefusal(answer.slice(0, length))).toBeUndefined();
  expect(withoutRefusal(answer.slice(0, 24))).toEqual(bytes(greeting));
  const other = bytes('\u0013/multistream/2.0.0\n');
  expect(withoutRefusal(other)).toEqual(other);
});

it('no bytes throw', () => {
  assert(
    property(uint8Array({ maxLength: 200 }), (any) => {
      readFirstBytes(any);
      readFirstBytes(Uint8Array.from([...bytes(greeting), ...any]));
      withoutRefusal(any);
    }),
  );
});
