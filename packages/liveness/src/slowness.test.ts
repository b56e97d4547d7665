import fc from 'fast-check';
import { expect, it } from 'vitest';
import { roundTripsJudged } from './limits.ts';
import { noSlowness, withRoundTrip } from './slowness.ts';

const after = (...rtts: number[]) =>
  rtts.reduce((state, rttMs, index) => withRoundTrip(state, rttMs, index * 10_000), noSlowness);

it('three slow answers in a row make a friend slow, three quick ones quick again, and nothing between', () => {
  expect(after(1200, 1500).slowSinceMs).toBeUndefined();
  expect(after(1200, 1500, 1000).slowSinceMs).toBe(20_000);
  expect(after(1200, 1500, 900, 1300, 999).slowSinceMs).toBeUndefined();
  expect(after(1200, 1500, 1100, 100, 100, 600).slowSinceMs).toBe(20_000);
  expect(after(1200, 1500, 1100, 100, 100, 100).slowSinceMs).toBeUndefined();
  expect(after(1200, 1500, 1100, 100, 100, 100, 2000, 2000).slowSinceMs).toBeUndefined();
});

it('remembers a few round trips, whatever comes, and changes at most every third', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 60 }), (rtts) => {
      let state = noSlowness;
      let changedAt = -roundTripsJudged;
      rtts.forEach((rttMs, index) => {
        const next = withRoundTrip(state, rttMs, index);
        expect(next.roundTripsMs.length).toBeLessThanOrEqual(roundTripsJudged);
        if ((next.slowSinceMs === undefined) !== (state.slowSinceMs === undefined)) {
          expect(index - changedAt).toBeGreaterThanOrEqual(roundTripsJudged);
          changedAt = index;
        }
        state = next;
      });
    }),
  );
});
