import { fromHex } from '@copain/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeCanonical, encodeCanonical, readFields } from './canonical.ts';

const hex = (text: string): Uint8Array => fromHex(text) as Uint8Array;

it('comes back as it went in, and one value has one encoding', () => {
  const leaf = fc.oneof(fc.maxSafeInteger(), fc.string(), fc.boolean(), fc.constant(null), fc.uint8Array());
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.oneof(leaf, fc.array(leaf))), (value) => {
      const bytes = encodeCanonical(value);
      const decoded = decodeCanonical(bytes, 1e6);
      expect(decoded).toBeDefined();
      expect(encodeCanonical(decoded ?? null)).toEqual(bytes);
    }),
  );
});

it.each([
  ['an integer in more bytes than needed', '1801'],
  ['an indefinite length', '9f01ff'],
  ['a key twice', 'a2616101616102'],
  ['keys in the wrong order', 'a2616201616101'],
  ['a float', 'f93c00'],
  ['minus zero', 'f98000'],
  ['not a number', 'f97e00'],
  ['undefined', 'f7'],
  ['a tag', 'c001'],
  ['an integer key', 'a10101'],
  ['a number above 2^53', '1b7fffffffffffffff'],
  ['a byte too many', '0000'],
  ['nothing', ''],
])('refuses %s', (_, text) => {
  expect(decodeCanonical(hex(text), 100)).toBeUndefined();
});

it('refuses 20 kB of nesting and anything over its size, without throwing', () => {
  expect(decodeCanonical(new Uint8Array(20_000).fill(0x81), 100_000)).toBeUndefined();
  expect(decodeCanonical(encodeCanonical('x'.repeat(100)), 100)).toBeUndefined();
});

it('a __proto__ key is a key like any other', () => {
  const decoded = decodeCanonical(hex('a1695f5f70726f746f5f5f01'), 100) as Record<string, unknown>;
  expect(Object.keys(decoded)).toEqual(['__proto__']);
  expect(({} as Record<string, unknown>)['1']).toBeUndefined();
});

it('a reader accepts a record only when every field is right', () => {
  const fields = readFields(decodeCanonical(encodeCanonical({ serial: 7, name: 'x' }), 100));
  expect(fields.integer('serial', 0, 10)).toBe(7);
  expect(fields.ok).toBe(true);
  expect(fields.text('name', 0)).toBe('');
  expect(fields.ok).toBe(false);
  expect(readFields(null).ok).toBe(false);
});

it('an unknown field is ignored, unless the record calls it critical', () => {
  const read = (value: Parameters<typeof encodeCanonical>[0]): boolean => {
    const fields = readFields(value);
    fields.integer('v', 1, 1);
    fields.checkCritical();
    return fields.ok;
  };
  expect(read({ v: 1, later: true })).toBe(true);
  expect(read({ v: 1, later: true, crit: ['later'] })).toBe(false);
  expect(read({ v: 1, crit: ['v'] })).toBe(true);
});
