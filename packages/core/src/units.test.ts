import { expect, it } from 'vitest';
import {
  formatSize,
  humanDuration,
  isDue,
  isoTime,
  parseDuration,
  parseIsoTime,
  parseSize,
} from './units.ts';

it('reads durations with a unit, seconds without', () => {
  expect(parseDuration('72h')).toBe(259_200_000);
  expect(parseDuration('90')).toBe(90_000);
  expect(parseDuration('500ms')).toBe(500);
  expect(parseDuration('1.5h')).toBeUndefined();
  expect(parseDuration('-1s')).toBeUndefined();
});

it('reads sizes in decimal units', () => {
  expect(parseSize('20GB')).toBe(20e9);
  expect(parseSize('1.5MB')).toBe(1.5e6);
  expect(parseSize('20')).toBeUndefined();
});

it('writes what people read', () => {
  expect(formatSize(512)).toBe('512 B');
  expect(formatSize(4096)).toBe('4.1 kB');
  expect(humanDuration(89_999)).toBe('89 s');
  expect(humanDuration(12 * 60_000)).toBe('12 min');
  expect(humanDuration(-5)).toBe('0 s');
});

it('times are RFC 3339 in UTC and come back', () => {
  expect(isoTime(0)).toBe('1970-01-01T00:00:00.000Z');
  expect(parseIsoTime('1970-01-01T01:00:00+01:00')).toBe(0);
  expect(parseIsoTime('yesterday')).toBeUndefined();
});

it('a wait ends at its time, and at once where the clock was set back by more than anybody waits', () => {
  expect(isDue(1000, 999, 60_000)).toBe(false);
  expect(isDue(1000, 1000, 60_000)).toBe(true);
  expect(isDue(61_000, 1000, 60_000)).toBe(false);
  expect(isDue(61_001, 1000, 60_000)).toBe(true);
});
