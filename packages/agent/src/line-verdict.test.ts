import { expect, it } from 'vitest';
import { whatLimits } from './line-verdict.ts';

const sent = { bytes: 150_000, tookMs: 10_000, windowBytes: 6000, limits: { maxBytes: 50_000_000 } };
const none = { upBytesPerSecond: undefined, bulkBytesPerSecond: undefined };
const mib = 1_048_576;

it('names our own limit where the rate is near it, and the lower of the two', () => {
  expect(whatLimits(sent, { ...none, upBytesPerSecond: 16_000 }, mib)).toBe('up');
  expect(whatLimits(sent, { ...none, bulkBytesPerSecond: 16_000 }, mib)).toBe('bulk');
  expect(whatLimits(sent, { upBytesPerSecond: 16_000, bulkBytesPerSecond: 15_500 }, mib)).toBe('bulk');
  expect(whatLimits(sent, { upBytesPerSecond: 16_000, bulkBytesPerSecond: 99_000 }, mib)).toBe('up');
});

it('names the path where the rate is far below our limits, the friend where he took no more', () => {
  expect(whatLimits(sent, { ...none, upBytesPerSecond: 99_000 }, mib)).toBe('path');
  expect(whatLimits(sent, none, mib)).toBe('path');
  expect(whatLimits({ ...sent, bytes: 50_000_000 }, none, mib)).toBe('friend');
  expect(whatLimits({ ...sent, windowBytes: mib }, none, mib)).toBe('round-trip');
});
