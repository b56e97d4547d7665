import { expect, it } from 'vitest';
import { answersPerSecondDefault, loopbackRateFactor } from './limits.ts';
import { AnswerKind, loopbackNetwork, networkOf, RateLimiter, type RateVerdict } from './rate-limit.ts';

/** Verdicts on `count` answers that are asked for evenly over a second. */
function flood(
  limiter: RateLimiter,
  { from, count, sizeBytes = 60, kind = AnswerKind.data, question = 1, startMs = 1000 }: Flood,
): Record<RateVerdict, number> {
  const verdicts = { send: 0, slip: 0, drop: 0 };
  for (let i = 0; i < count; i++) {
    verdicts[limiter.judge(networkOf(from), kind, question, sizeBytes, startMs + (1000 * i) / count)]++;
  }
  return verdicts;
}

interface Flood {
  from: string;
  count: number;
  sizeBytes?: number;
  kind?: number;
  question?: number;
  startMs?: number;
}

it('lets an honest resolver alone', () => {
  expect(flood(new RateLimiter(200), { from: '198.51.100.7', count: 200 })).toEqual({
    send: 200,
    slip: 0,
    drop: 0,
  });
});

it('answers a flood at its rate, and every second of the rest shortened', () => {
  const { send, slip, drop } = flood(new RateLimiter(200), { from: '198.51.100.7', count: 8000 });
  // The bucket was full: one second's worth, and what runs in during the second.
  expect(send).toBeGreaterThanOrEqual(399);
  expect(send).toBeLessThanOrEqual(400);
  expect(Math.abs(slip - drop)).toBeLessThanOrEqual(1);
});

it('never sends a victim more octets than came in his name, at 8,000 queries a second, whatever the size', () => {
  for (const sizeBytes of [60, 127, 128, 255, 256, 511, 512, 1232]) {
    const limiter = new RateLimiter(answersPerSecondDefault);
    flood(limiter, { from: '203.0.113.9', count: 8000, sizeBytes });
    const { send, slip } = flood(limiter, { from: '203.0.113.9', count: 8000, sizeBytes, startMs: 2000 });
    const queryBytes = 40;
    expect((send * sizeBytes + slip * queryBytes) / (8000 * queryBytes)).toBeLessThan(1);
  }
});

it('counts a /24 and a /56 as one, and what lies beside them not', () => {
  expect(networkOf('192.0.2.1')).toBe(networkOf('192.0.2.254'));
  expect(networkOf('192.0.2.1')).not.toBe(networkOf('192.0.3.1'));
  expect(networkOf('2001:db8:1:2300::1')).toBe(networkOf('2001:db8:1:23ff:1:2:3:4'));
  expect(networkOf('2001:db8:1:2300::1')).not.toBe(networkOf('2001:db8:1:2400::1'));
  expect(networkOf('2001:db8::1')).toBe(networkOf('2001:db8:0:0:1::'));
  expect([networkOf('127.0.0.1'), networkOf('127.200.3.4'), networkOf('::1')]).toEqual([
    loopbackNetwork,
    loopbackNetwork,
    loopbackNetwork,
  ]);
});

it('a flood of one kind leaves the other kinds, and other networks', () => {
  const limiter = new RateLimiter(200);
  flood(limiter, { from: '198.51.100.7', count: 8000, kind: AnswerKind.noData });
  const others = { count: 200, startMs: 2000 };
  expect(flood(limiter, { from: '198.51.100.7', ...others })).toEqual({ send: 200, slip: 0, drop: 0 });
  const kind = AnswerKind.noData;
  expect(flood(limiter, { from: '198.51.101.7', kind, ...others })).toEqual({ send: 200, slip: 0, drop: 0 });
});

it('recovers within a second', () => {
  const limiter = new RateLimiter(200);
  flood(limiter, { from: '198.51.100.7', count: 8000 });
  expect(flood(limiter, { from: '198.51.100.7', count: 200, startMs: 3000 }).send).toBe(200);
});

it('from loopback limits repeats of one question only', () => {
  const limiter = new RateLimiter(200);
  let sent = 0;
  for (let question = 0; question < 8000; question++) {
    if (limiter.judge(loopbackNetwork, AnswerKind.noData, question, 60, 1000 + question / 8) === 'send')
      sent++;
  }
  expect(sent).toBe(8000);
  // Twice: what the bucket held, and what ran in during the second.
  const most = 2 * 200 * loopbackRateFactor + 1;
  expect(flood(limiter, { from: '127.0.0.1', count: 16_000 }).send).toBeLessThanOrEqual(most);
});

it('keeps a busy network in mind while more pass by than it has room for', () => {
  const limiter = new RateLimiter(200, 1024);
  let sent = 0;
  for (let i = 0; i < 80_000; i++) {
    const nowMs = 1000 + i / 80;
    const passing = `${1 + (i % 97)}.${(i >> 3) & 255}.${(i * 7) & 255}.1`;
    limiter.judge(networkOf(passing), AnswerKind.data, 1, 60, nowMs);
    if (limiter.judge(networkOf('198.51.100.7'), AnswerKind.data, 1, 60, nowMs) === 'send') sent++;
  }
  expect(sent).toBeLessThan(1000);
});

it('limits nothing at rate 0, and a clock that goes back costs nobody anything', () => {
  expect(new RateLimiter(0).isOn).toBe(false);
  const limiter = new RateLimiter(200);
  expect(limiter.judge(networkOf('198.51.100.7'), AnswerKind.data, 1, 60, 5000)).toBe('send');
  expect(flood(limiter, { from: '198.51.100.7', count: 150, startMs: 10 }).send).toBe(150);
});
