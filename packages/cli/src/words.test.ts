import fc from 'fast-check';
import { expect, it } from 'vitest';
import { changeRights, knownRights, readListenOption, readSince } from './index.ts';

it('reads one or more addresses to listen on, or none', () => {
  expect(readListenOption('127.0.0.1:53, [::1]:53')).toEqual({
    kind: 'addresses',
    addresses: ['127.0.0.1:53', '[::1]:53'],
  });
  expect(readListenOption('none')).toEqual({ kind: 'addresses', addresses: [] });
  expect(readListenOption('53')).toMatchObject({ kind: 'bad', why: /"53"/ });
});

it('adds, removes or replaces rights', () => {
  const rights = (current: string[], ...words: string[]) => {
    const changed = changeRights(current, words);
    return changed.kind === 'rights' ? changed.rights : changed.why;
  };
  expect(rights(['dns', 'backup'], '+mail', '-backup')).toEqual(['dns', 'mail']);
  expect(rights(['dns'], 'witness,mail')).toEqual(['mail', 'witness']);
  expect(rights(['dns'], 'none')).toEqual([]);
  expect(rights(['dns'], '+fly')).toMatch(/"fly" is no right/);
  expect(rights(['dns'], '+mail', 'dns')).toMatch(/either/);
  expect(rights(['dns'])).toMatch(/say what/);
});

it('adding and taking away again changes nothing', () => {
  fc.assert(
    fc.property(fc.subarray([...knownRights]), fc.constantFrom(...knownRights), (current, right) => {
      fc.pre(!current.includes(right));
      const more = changeRights(current, [`+${right}`]);
      const back = more.kind === 'rights' ? changeRights(more.rights, [`-${right}`]) : more;
      expect(back).toEqual({ kind: 'rights', rights: knownRights.filter((one) => current.includes(one)) });
    }),
  );
});

it('a time is so long ago, or a date', () => {
  expect(readSince('2h', 10_000_000)).toBe(2_800_000);
  expect(readSince('1970-01-01T00:00:01Z', 5)).toBe(1000);
  expect(readSince('yesterday', 5)).toBeUndefined();
});
