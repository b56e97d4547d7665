import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  canonicalSortKey,
  compareNames,
  isAtOrBelow,
  isBelow,
  nameKey,
  nameOf,
  nameToText,
  parseName,
  readName,
  sameName,
} from './name.ts';

const label = fc.uint8Array({ minLength: 1, maxLength: 63 });
const anyName = fc
  .array(label, { maxLength: 5 })
  .map((labels) => Uint8Array.from([...labels.flatMap((one) => [one.length, ...one]), 0]))
  .filter((name) => name.length <= 255);

it('gives every name, whatever its octets, a text that reads back as the same octets', () => {
  fc.assert(
    fc.property(anyName, (name) => {
      expect(nameOf(nameToText(name))).toEqual(name);
    }),
  );
});

it('orders names as in the example of RFC 4034 §6.1', () => {
  const sorted = [
    'example.',
    'a.example.',
    'yljkjljk.a.example.',
    'Z.a.example.',
    'zABC.a.EXAMPLE.',
    'z.example.',
    '\\001.z.example.',
    '*.z.example.',
    '\\200.z.example.',
  ];
  const shuffled = sorted.map((text) => nameOf(text)).reverse();
  expect(shuffled.sort(compareNames).map(nameToText)).toEqual(sorted);
});

it('sorts by the sort key exactly as by comparing', () => {
  fc.assert(
    fc.property(anyName, anyName, (a, b) => {
      const [left, right] = [canonicalSortKey(a), canonicalSortKey(b)];
      const byKey = left < right ? -1 : left > right ? 1 : 0;
      expect(Math.sign(compareNames(a, b))).toBe(byKey);
    }),
  );
});

it('ignores case and nothing else (RFC 4343)', () => {
  expect(sameName(nameOf('WWW.Example'), nameOf('www.eXAMPLE'))).toBe(true);
  expect(sameName(nameOf('a.example'), nameOf('b.example'))).toBe(false);
  expect(nameKey(nameOf('[.example'))).not.toBe(nameKey(nameOf('{.example')));
});

it('keeps a dot inside a label apart from a dot between labels', () => {
  expect(sameName(nameOf('a\\.b.example'), nameOf('a.b.example'))).toBe(false);
  expect(isBelow(nameOf('a\\.example'), nameOf('example'))).toBe(false);
});

it('knows what lies at and below a name', () => {
  expect(isAtOrBelow(nameOf('Example'), nameOf('example'))).toBe(true);
  expect(isBelow(nameOf('example'), nameOf('example'))).toBe(false);
  expect(isBelow(nameOf('a.b.example'), nameOf('example'))).toBe(true);
  expect(isBelow(nameOf('notexample'), nameOf('example'))).toBe(false);
});

it.each([
  ['a..b', 'empty'],
  ['.a', 'empty'],
  [`${'x'.repeat(64)}.example`, 'longer than 63'],
  [`${'a.'.repeat(128)}`, 'longer than 255'],
  ['a\\25', 'backslash'],
  ['a\\256', 'backslash'],
  ['a\\', 'backslash'],
])('refuses %s', (text, why) => {
  const parsed = parseName(text);
  expect(parsed).toMatchObject({ kind: 'problem', text: expect.stringContaining(why) });
});

it('takes labels of 63 and names of 255 octets', () => {
  expect(parseName('x'.repeat(63)).kind).toBe('name');
  expect(nameOf('a.'.repeat(127)).length).toBe(255);
});

it('completes relative names with the origin', () => {
  const origin = nameOf('alice.example');
  const text = (name: string) => {
    const parsed = parseName(name, origin);
    return parsed.kind === 'name' ? nameToText(parsed.name) : parsed.text;
  };
  expect([text('www'), text('www.'), text('@'), text('.')]).toEqual([
    'www.alice.example.',
    'www.',
    'alice.example.',
    '.',
  ]);
});

it('follows compression pointers backwards only, so that no message makes it loop', () => {
  const header = Array.from({ length: 12 }, () => 0);
  const loop = Uint8Array.from([...header, 0xc0, 12]);
  const forward = Uint8Array.from([...header, 0xc0, 14, 0]);
  const intoHeader = Uint8Array.from([...header, 0xc0, 0]);
  const good = Uint8Array.from([...header, 1, 0x61, 0, 1, 0x62, 0xc0, 12]);
  expect([readName(loop, 12), readName(forward, 12), readName(intoHeader, 12)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(readName(good, 15)).toEqual({ name: nameOf('b.a'), next: 19 });
});
