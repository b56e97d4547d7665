import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareWords } from './words.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));

it('both friends read the same four words, whoever reads them', () => {
  fc.assert(
    fc.property(id, id, (a, b) => {
      const words = compareWords([a, b], sha256);
      expect(compareWords([b, a], sha256)).toEqual(words);
      expect(words).toHaveLength(4);
      for (const word of words)
        expect(word).toMatch(/^[bdfghjklmnprstvz][aiou][bdfghjklmnprstvz][aiou][bdfghjklmnprstvz]$/);
    }),
  );
});

it('somebody in between reads other words to each of them', () => {
  fc.assert(
    fc.property(id, id, id, (alice, bob, eve) => {
      fc.pre(eve !== alice && eve !== bob && alice !== bob);
      expect(compareWords([alice, eve], sha256)).not.toEqual(compareWords([alice, bob], sha256));
    }),
  );
});

it('spells sixteen bits as the published examples do', () => {
  const fixed = (bytes: number[]) => compareWords(['', ''], () => Uint8Array.from(bytes));
  // 127.0.0.1 is lusab-babad, 63.84.220.193 is gutih-tugad.
  expect(fixed([127, 0, 0, 1, 63, 84, 220, 193])).toEqual(['lusab', 'babad', 'gutih', 'tugad']);
});
