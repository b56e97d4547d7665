import { expect, it } from 'vitest';
import { dataGraceMs, dataMinBytesPerSecond, drainMinBytesPerSecond, sessionProgressMs } from './limits.ts';
import { handOverTooSlow, overdue } from './session-deadlines.ts';

it('a session that gets nothing done ends, however many bytes it sends', () => {
  expect(overdue({ progressAtMs: 0, data: undefined }, sessionProgressMs)).toBeUndefined();
  expect(overdue({ progressAtMs: 0, data: undefined }, sessionProgressMs + 1)).toBe(
    'nothing done for too long',
  );
});

it('DATA of a byte a second ends after the grace, DATA at the lowest speed never', () => {
  const at = (seconds: number, bytesPerSecond: number) =>
    overdue(
      { progressAtMs: 0, data: { startedAtMs: 0, sizeBytes: seconds * bytesPerSecond } },
      seconds * 1000,
    );
  expect(at(dataGraceMs / 1000, 1)).toBeUndefined();
  expect(at(dataGraceMs / 1000 + 1, 1)).toBe('message too slow');
  expect(at(100_000, dataMinBytesPerSecond)).toBeUndefined();
});

it('held mail that comes byte by byte is not waited for, however steadily it comes', () => {
  expect(handOverTooSlow(1, dataGraceMs)).toBe(false);
  expect(handOverTooSlow(61, dataGraceMs + 1)).toBe(true);
  expect(handOverTooSlow(60 * drainMinBytesPerSecond + 1, dataGraceMs + 1)).toBe(false);
});
