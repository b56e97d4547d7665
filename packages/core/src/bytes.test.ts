import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  base32Decode,
  base32Encode,
  compareBytes,
  concatBytes,
  fromHex,
  fromUtf8,
  toHex,
  toUtf8,
} from './bytes.ts';

it('base32 and hex come back as they went in', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
      expect(base32Decode(base32Encode(bytes))).toEqual(bytes);
      expect(fromHex(toHex(bytes))).toEqual(bytes);
    }),
  );
});

it('hex is two lower-case characters for every byte there is', () => {
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const text = [...all].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  expect(toHex(all)).toBe(text);
  expect(toHex(concatBytes(...Array.from({ length: 40 }, () => all)))).toBe(text.repeat(40));
});

it('base32 follows the examples of RFC 4648 §10', () => {
  expect(base32Encode(toUtf8('foobar'))).toBe('mzxw6ytboi');
  expect(base32Encode(toUtf8('f'))).toBe('my');
});

it('base32 has one text per value: left-over bits must be zero, other characters are refused', () => {
  expect(base32Decode('mz')).toBeUndefined();
  expect(base32Decode('m1')).toBeUndefined();
  expect(base32Decode('myaaaaaaa')).toBeUndefined();
});

it('bytes that are no UTF-8 are undefined, not replaced', () => {
  expect(fromUtf8(Uint8Array.of(0xff, 0xfe))).toBeUndefined();
  expect(fromUtf8(toUtf8('é'))).toBe('é');
});

it('compares like unsigned bytes, prefix first', () => {
  expect(compareBytes(Uint8Array.of(1), Uint8Array.of(1, 0))).toBeLessThan(0);
  expect(compareBytes(Uint8Array.of(255), Uint8Array.of(1))).toBeGreaterThan(0);
  expect(concatBytes(Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3))).toEqual(Uint8Array.of(1, 2, 3));
});
