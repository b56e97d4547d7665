import { array, assert, integer, property } from 'fast-check';
import { expect, it } from 'vitest';
import { clockSkew } from './clock-skew.ts';

it('knows nothing without friends', () => {
  expect(clockSkew([])).toBeUndefined();
});

it('of one friend, either clock may be the wrong one: the difference is told', () => {
  expect(clockSkew([90_000])).toEqual({ aheadMs: -90_000, friends: 1 });
  expect(clockSkew([-90_000])).toEqual({ aheadMs: 90_000, friends: 1 });
});

it('of two friends both must differ, and the nearer one counts', () => {
  expect(clockSkew([0, 3_600_000])).toEqual({ aheadMs: 0, friends: 2 });
  expect(clockSkew([-5000, 3_600_000])).toEqual({ aheadMs: 0, friends: 2 });
  expect(clockSkew([400_000, 3_600_000])).toEqual({ aheadMs: -400_000, friends: 2 });
});

it('one liar among three changes nothing', () => {
  expect(clockSkew([10, -20, 8.64e15])).toEqual({ aheadMs: -10, friends: 3 });
});

it('lies between the least and the greatest of what friends told, in whatever order they told it', () => {
  assert(
    property(array(integer(), { minLength: 1, maxLength: 30 }), (offsets) => {
      const skew = clockSkew(offsets);
      expect(skew).toEqual(clockSkew(offsets.toReversed()));
      expect(-(skew?.aheadMs ?? Number.NaN)).toBeGreaterThanOrEqual(Math.min(...offsets, 0));
      expect(-(skew?.aheadMs ?? Number.NaN)).toBeLessThanOrEqual(Math.max(...offsets, 0));
    }),
  );
});
