import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cutFile, type FilesRead, fileEnd, mayBeHalfWritten } from './half-written.ts';
import { loadZone } from './load-zone.ts';
import { nameOf } from './name.ts';

const origin = nameOf('alice.example');
const lines = (serial: number, hosts: number[]) => [
  '$TTL 300',
  `@ SOA ns host ${serial} 3600 600 3600000 300`,
  '@ NS ns',
  'ns A 192.0.2.1',
  ...hosts.map((host) => `h${host} A 192.0.2.${host}`),
];
const text = (serial: number, hosts: number[]): string => `${lines(serial, hosts).join('\n')}\n`;
const read = (content: string): FilesRead => ({
  ends: new Map([['z', fileEnd(content)]]),
  zone: loadZone({ text: content, file: 'z', origin }).zone,
});
const before = read(text(1, [10, 11, 123]));

it('any first part of a file, wherever it is cut, is never taken for the whole', () => {
  const whole = text(2, [10, 12, 123]);
  fc.assert(
    fc.property(fc.nat(whole.trimEnd().length - 1), (length) => {
      expect(mayBeHalfWritten(before, read(whole.slice(0, length)))).toBe(true);
    }),
  );
});

it.each([
  ['a changed address', text(2, [10, 11, 124]).replace('h124', 'h123')],
  ['records at the end', text(2, [10, 11, 123, 124])],
  ['a record less in the middle', text(2, [10, 123])],
  ['a mistake in the middle', text(2, [10, 11, 123]).replace('192.0.2.11', '192.0.2.777')],
])('%s is no half file', (_what, content) => {
  expect(mayBeHalfWritten(before, read(content))).toBe(false);
});

it('a file without its last record is one until it is known better, and is cut where it stops in a line', () => {
  const ended = read(text(2, [10, 11]));
  expect([mayBeHalfWritten(before, ended), cutFile(before, ended)]).toEqual([true, undefined]);
  const cut = read(text(2, [10, 11]).trimEnd());
  expect([mayBeHalfWritten(before, cut), cutFile(before, cut)]).toEqual([true, 'z']);
  // Only its last line end is missing.
  expect(cutFile(before, read(text(2, [10, 11, 123]).trimEnd()))).toBeUndefined();
  // Who never ends his last line is not told to.
  const never = read(text(1, [10, 11, 123]).trimEnd());
  expect(cutFile(never, cut)).toBeUndefined();
});

it('of which only the zone is known, from the run before, what lacks records may be half of it', () => {
  const known = { ends: undefined, zone: before.zone };
  expect(mayBeHalfWritten(known, read(text(2, [10])))).toBe(true);
  expect(mayBeHalfWritten(known, read(text(2, [10, 11, 123])))).toBe(false);
});

it('an included file that is missing for a moment, or empty, is not whole', () => {
  const with2 = { ...before, ends: new Map([...(before.ends ?? []), ['part', fileEnd('x A 192.0.2.1\n')]]) };
  const empty = {
    ...read(text(2, [10, 11])),
    ends: new Map([...(before.ends ?? []), ['part', fileEnd('')]]),
  };
  expect(mayBeHalfWritten(with2, empty)).toBe(true);
  expect(mayBeHalfWritten(with2, { ...empty, ends: before.ends, zone: undefined })).toBe(true);
});
