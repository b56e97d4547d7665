import fc from 'fast-check';
import { expect, it } from 'vitest';
import { mapPatchesMax } from './limits.ts';
import { copiedMapMax, editableCopy } from './patched-map.ts';

const large = new Map(Array.from({ length: copiedMapMax + 1 }, (_, index) => [`n${index}`, { index }]));
const change = fc.record({
  key: fc.oneof(fc.constantFrom('n0', 'n1', 'n2', 'new', 'newer'), fc.string({ maxLength: 1 })),
  index: fc.option(fc.nat(9), { nil: undefined }),
});

it('is the map that a copy would be, through any changes made in any number of steps, and leaves those before alone', () => {
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 5 }), (steps) => {
      let copied: ReadonlyMap<string, { index: number }> = large;
      let patched: ReadonlyMap<string, { index: number }> = large;
      for (const changes of steps) {
        const [next, other] = [new Map(copied), editableCopy(patched)];
        const before = [...patched];
        for (const { key, index } of changes) {
          if (index === undefined) expect(other.delete(key)).toBe(next.delete(key));
          else for (const map of [next, other]) map.set(key, { index });
          expect(other.get(key)).toEqual(next.get(key));
          expect(other.has(key)).toBe(next.has(key));
        }
        expect(other.size).toBe(next.size);
        expect(new Map(other)).toEqual(next);
        expect(new Set(other.keys())).toEqual(new Set(next.keys()));
        expect([...other.values()]).toHaveLength(next.size);
        let seen = 0;
        other.forEach((value, key) => {
          expect(next.get(key)).toEqual(value);
          seen += 1;
        });
        expect(seen).toBe(next.size);
        expect([...patched]).toEqual(before);
        [copied, patched] = [next, other];
      }
    }),
    { numRuns: 30 },
  );
});

it('copies what is small, and what has been changed in more places than are looked at apart', () => {
  expect(editableCopy(new Map([['a', { index: 1 }]]))).toBeInstanceOf(Map);
  const patched = editableCopy(large);
  expect(patched).not.toBeInstanceOf(Map);
  for (let index = 0; index <= mapPatchesMax; index++) patched.set(`n${index}`, { index: -index });
  const copy = editableCopy(patched);
  expect(copy).toBeInstanceOf(Map);
  expect(copy.get('n1024')).toEqual({ index: -1024 });
});
