import { expect, it } from 'vitest';
import { dataGraceMs, dataMinBytesPerSecond, sessionProgressMs } from './limits.ts';
import { overdue } from './session-deadlines.ts';

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
