import fc from 'fast-check';
import { expect, it } from 'vitest';
import { maxSendWindowBytes, minSendWindowBytes, startSendWindowBytes } from './limits.ts';
import { chunkArrived, chunkWritten, roomBytes, type SendWindow, startSendWindow } from './send-window.ts';

/** A line of `bytesPerSecond(atMs)` with a queue that never drops, run for a while; what was under way, in ms of line. */
function transfer(
  bytesPerSecond: (atMs: number) => number,
  delayMs: number,
  forMs: number,
): { window: SendWindow; delivered: number; waits: { atMs: number; ms: number }[] } {
  let window = startSendWindow(0);
  let nowMs = 0;
  let lineFreeAtMs = 0;
  let written = 0;
  const acks: { atMs: number; total: number }[] = [];
  const waits: { atMs: number; ms: number }[] = [];
  while (nowMs < forMs) {
    for (let room = roomBytes(window); room > 0; room = roomBytes(window)) {
      written += room;
      lineFreeAtMs = Math.max(lineFreeAtMs, nowMs) + (room * 1000) / bytesPerSecond(nowMs);
      window = chunkWritten(window, room, nowMs);
      waits.push({ atMs: nowMs, ms: lineFreeAtMs - nowMs });
      acks.push({ atMs: lineFreeAtMs + delayMs, total: written });
    }
    const next = acks.shift();
    if (next === undefined) throw new Error('nothing under way and no room');
    nowMs = next.atMs;
    window = chunkArrived(window, next.total, nowMs);
  }
  return { window, delivered: window.arrivedBytes, waits };
}

it('keeps a slow line busy and never has more than half a second of it under way once it knows it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 8000, max: 500_000 }),
      fc.integer({ min: 1, max: 150 }),
      (rate, delayMs) => {
        const { delivered, waits } = transfer(() => rate, delayMs, 20_000);
        // What was under way when the time was up is not delivered yet.
        expect(delivered + startSendWindowBytes).toBeGreaterThan(rate * 20 * 0.92);
        const late = waits.filter(({ atMs }) => atMs > 5000).map(({ ms }) => ms);
        expect(Math.max(...late)).toBeLessThanOrEqual(500);
      },
    ),
    { numRuns: 60 },
  );
});

it('follows a line that becomes slower within seconds, and one that becomes faster', () => {
  const slower = transfer((atMs) => (atMs < 10_000 ? 100_000 : 20_000), 20, 30_000);
  const late = slower.waits.filter(({ atMs }) => atMs > 18_000).map(({ ms }) => ms);
  expect(Math.max(...late)).toBeLessThanOrEqual(500);
  const faster = transfer((atMs) => (atMs < 10_000 ? 20_000 : 100_000), 20, 30_000);
  expect(faster.delivered).toBeGreaterThan(200_000 + 100_000 * 20 * 0.85);
});

it('starts with a guess and stays within its bounds on any line', () => {
  expect(startSendWindow(0).windowBytes).toBe(startSendWindowBytes);
  const crawling = transfer(() => 300, 10, 600_000).window;
  expect(crawling.windowBytes).toBe(minSendWindowBytes);
  const fast = transfer(() => 20_000_000, 5, 500).window;
  expect(fast.windowBytes).toBe(maxSendWindowBytes);
});

it('an acknowledgement of what was never written, or once more of what is known, changes nothing', () => {
  const window = chunkWritten(startSendWindow(0), 4096, 0);
  expect(chunkArrived(window, 5000, 10)).toBe(window);
  expect(chunkArrived(window, 4000, 10)).toBe(window);
  const arrived = chunkArrived(window, 4096, 10);
  expect(chunkArrived(arrived, 4096, 20)).toBe(arrived);
  expect(arrived).toMatchObject({ arrivedBytes: 4096, rttMs: 10, inFlight: [] });
});
