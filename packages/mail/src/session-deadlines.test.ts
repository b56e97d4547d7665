import { expect, it } from 'vitest';
import {
  dataGraceMs,
  dataMaxMs,
  dataMinBytesPerSecond,
  drainMinBytesPerSecond,
  sessionProgressMs,
} from './limits.ts';
import {
  handOverTooSlow,
  judgePace,
  pieceCame,
  pieceDone,
  type SessionPace,
  startData,
} from './session-deadlines.ts';

it('a session that gets nothing done ends, however many bytes it sends', () => {
  const idle: SessionPace = { progressAtMs: 0, data: undefined };
  expect(judgePace(idle, sessionProgressMs).overdue).toBeUndefined();
  expect(judgePace(idle, sessionProgressMs + 1).overdue).toBe('nothing done for too long');
});

/** Why a client ends that sends so many bytes in each of these seconds, we being at work for `oursMs` of each, or undefined. */
function sends(bytesPerSecond: readonly number[], oursMs = 0): string | undefined {
  let pace: SessionPace = { progressAtMs: 0, data: startData(0) };
  for (const [second, sizeBytes] of bytesPerSecond.entries()) {
    const atMs = second * 1000;
    if (!pace.data) throw new Error('no data');
    pace = { ...pace, data: pieceDone(pieceCame(pace.data, sizeBytes, atMs + 1000 - oursMs), atMs + 1000) };
    const judged = judgePace(pace, atMs + 1000);
    if (judged.overdue !== undefined) return judged.overdue;
    pace = judged.next;
  }
  return undefined;
}
const graceSeconds = dataGraceMs / 1000;

it('DATA of a byte a second ends after the grace, DATA at the lowest speed never', () => {
  expect(sends(Array(graceSeconds).fill(1))).toBeUndefined();
  expect(sends(Array(graceSeconds + 1).fill(1))).toBe('message too slow');
  expect(sends(Array(6000).fill(dataMinBytesPerSecond))).toBeUndefined();
});

it('who sends 45 MB at once and then a byte a second ends as well', () => {
  expect(sends([45e6, ...Array(2 * graceSeconds + 2).fill(1)])).toBe('message too slow');
});

it('what we ourselves hold up is not held against the client', () => {
  expect(sends(Array(6000).fill(dataMinBytesPerSecond / 10), 950)).toBeUndefined();
});

it('no message takes for ever', () => {
  expect(sends(Array(dataMaxMs / 1000 + 1).fill(100_000))).toBe('message took too long');
});

it('held mail that comes byte by byte is not waited for, however steadily it comes', () => {
  expect(handOverTooSlow(1, dataGraceMs)).toBe(false);
  expect(handOverTooSlow(61, dataGraceMs + 1)).toBe(true);
  expect(handOverTooSlow(60 * drainMinBytesPerSecond + 1, dataGraceMs + 1)).toBe(false);
});
