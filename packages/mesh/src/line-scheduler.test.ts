import { seededRandom } from '@copain/core/testing';
import { expect, it } from 'vitest';
import { maxLineQueue } from './limits.ts';
import {
  acknowledgementCost,
  type LineInput,
  type LineState,
  openLine,
  pieceBytes,
  stepLine,
  type TrafficClass,
  trafficClasses,
  wireCost,
} from './line-scheduler.ts';

/** A line that is asked and remembers what went out when. */
function line(bytesPerSecond: number | undefined, bulkBytesPerSecond?: number) {
  let state: LineState = openLine(0);
  const sizes = new Map<number, { class: TrafficClass; sizeBytes: number; atMs: number }>();
  const sent: { id: number; class: TrafficClass; costBytes: number; waitedMs: number; atMs: number }[] = [];
  let nowMs = 0;
  let wakeAtMs: number | undefined;
  const step = (input: LineInput): void => {
    const [next, effects] = stepLine(state, input, nowMs);
    state = next;
    wakeAtMs = undefined;
    for (const effect of effects) {
      if (effect.kind === 'wake') wakeAtMs = nowMs + effect.afterMs;
      if (effect.kind !== 'permit') continue;
      const piece = sizes.get(effect.id);
      if (piece === undefined) throw new Error('a permit for nobody');
      const costBytes = wireCost(piece.sizeBytes);
      sent.push({ id: effect.id, class: piece.class, costBytes, waitedMs: nowMs - piece.atMs, atMs: nowMs });
    }
  };
  step({ kind: 'limits', bytesPerSecond, bulkBytesPerSecond });
  let ids = 0;
  return {
    sent,
    want: (one: TrafficClass, sizeBytes: number): void => {
      ids += 1;
      sizes.set(ids, { class: one, sizeBytes, atMs: nowMs });
      step({ kind: 'want', id: ids, class: one, sizeBytes });
    },
    forget: (id: number): void => step({ kind: 'forget', id }),
    /** Time passes; the line is looked at exactly when it asked to be. */
    until: (toMs: number): void => {
      while (wakeAtMs !== undefined && wakeAtMs <= toMs) {
        nowMs = wakeAtMs;
        step({ kind: 'tick' });
      }
      nowMs = toMs;
    },
    waiting: (): number => state.waiting.length,
  };
}

it('without a limit everything goes at once, in the order it came', () => {
  const open = line(undefined);
  open.want('bulk', 50_000);
  open.want('control', 64);
  expect(open.sent.map((piece) => [piece.id, piece.waitedMs])).toEqual([
    [1, 0],
    [2, 0],
  ]);
});

it('a busy line carries its rate, within 5 % and never more over any 10 seconds', () => {
  const slow = line(16_000);
  for (let i = 0; i < 600; i++) slow.want('held-mail', 4000);
  slow.until(60_000);
  const total = slow.sent.reduce((sum, piece) => sum + piece.costBytes, 0);
  expect(total / 60).toBeGreaterThan(16_000 * 0.95);
  for (let fromMs = 0; fromMs < 50_000; fromMs += 1000) {
    const window = slow.sent.filter((piece) => piece.atMs >= fromMs && piece.atMs < fromMs + 10_000);
    expect(window.reduce((sum, piece) => sum + piece.costBytes, 0)).toBeLessThan(16_000 * 10 * 1.05);
  }
});

it('a beat waits for at most one piece of anything else, however much is queued', () => {
  const slow = line(16_000);
  for (let i = 0; i < 500; i++) slow.want('bulk', pieceBytes(16_000));
  for (let atMs = 1000; atMs <= 60_000; atMs += 1000) {
    slow.until(atMs);
    slow.want('control', 64);
  }
  slow.until(61_000);
  const beats = slow.sent.filter((piece) => piece.class === 'control');
  expect(beats.length).toBe(60);
  expect(Math.max(...beats.map((piece) => piece.waitedMs))).toBeLessThan(300);
});

it('classes go in order of urgency, and each class in its own order', () => {
  const slow = line(1000);
  slow.want('control', 2000);
  const random = seededRandom(4);
  const count = trafficClasses.length;
  for (let i = 0; i < 100; i++)
    slow.want(trafficClasses[Math.floor(random.fraction() * count)] ?? 'bulk', 100);
  slow.until(600_000);
  const order = slow.sent.slice(1);
  expect(order.length).toBe(100);
  // What is relayed and our own held mail take turns.
  const rankOf = (one: TrafficClass): number => trafficClasses.indexOf(one === 'relayed' ? 'held-mail' : one);
  const ranks = order.map((piece) => rankOf(piece.class));
  expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
  for (const one of trafficClasses) {
    const ids = order.filter((piece) => piece.class === one).map((piece) => piece.id);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  }
});

it('what is relayed and held mail share the line evenly, and beats go before both', () => {
  const slow = line(16_000);
  for (let i = 0; i < 100; i++) {
    slow.want('relayed', 1024);
    slow.want('held-mail', 1024);
  }
  slow.until(5000);
  slow.want('control', 60);
  slow.until(6000);
  const count = (one: TrafficClass): number => slow.sent.filter((piece) => piece.class === one).length;
  expect(count('relayed')).toBeGreaterThan(20);
  expect(Math.abs(count('relayed') - count('held-mail'))).toBeLessThanOrEqual(1);
  expect(count('control')).toBe(1);
});

it('bulk keeps to its own limit and leaves the rest to the others', () => {
  const slow = line(16_000, 4000);
  for (let i = 0; i < 200; i++) slow.want('bulk', 1024);
  slow.until(30_000);
  const bulk = slow.sent.reduce((sum, piece) => sum + piece.costBytes, 0);
  expect(bulk / 30).toBeGreaterThan(4000 * 0.95);
  expect(bulk / 30).toBeLessThan(4000 * 1.05);
  slow.want('dns', 1000);
  expect(slow.sent.at(-1)).toMatchObject({ class: 'dns', waitedMs: 0 });
});

it.for([
  // A second of mail, what bulk may have beside it, and what all carry together.
  { mail: 4000, bulk: 8000, all: 12_000 },
  { mail: 7000, bulk: 8000, all: 15_000 },
  { mail: 12_000, bulk: 3000, all: 15_000 },
  { mail: 20_000, bulk: 0, all: 15_000 },
])('both limits hold at once within 5 %, whichever is met first: with $mail of mail a second', (wanted) => {
  const slow = line(15_000, 8000);
  for (let i = 0; i < 1000; i++) slow.want('bulk', 1000);
  for (let atMs = 500; atMs <= 60_000; atMs += 500) {
    // So large that with its headers it costs what is asked for.
    slow.want('live-mail', wanted.mail / 2 - (wireCost(wanted.mail / 2) - wanted.mail / 2));
    slow.until(atMs);
  }
  const rate = (of: (one: TrafficClass) => boolean): number =>
    slow.sent.reduce((sum, piece) => sum + (of(piece.class) ? piece.costBytes : 0), 0) / 60;
  const within = (value: number, expected: number): void => {
    expect(Math.abs(value - expected)).toBeLessThan(0.05 * Math.max(expected, 8000));
  };
  within(
    rate(() => true),
    wanted.all,
  );
  within(
    rate((one) => one === 'bulk'),
    wanted.bulk,
  );
});

it('whoever gives up is forgotten, and a queue that nobody empties has an end', () => {
  const slow = line(1);
  slow.want('bulk', 100_000);
  for (let i = 0; i < maxLineQueue; i++) slow.want('bulk', 1);
  expect(slow.waiting()).toBe(maxLineQueue);
  const state: LineState = { ...openLine(0), bytesPerSecond: 1, tokens: -1, waiting: [] };
  const full = {
    ...state,
    waiting: Array.from({ length: maxLineQueue }, (_, id) => ({ id, class: 'bulk' as const, costBytes: 1 })),
  };
  expect(stepLine(full, { kind: 'want', id: 99_999, class: 'control', sizeBytes: 1 }, 0)[1]).toEqual([
    { kind: 'full', id: 99_999 },
  ]);
  slow.forget(2);
  expect(slow.waiting()).toBe(maxLineQueue - 1);
});

it('a clock that jumps gives no burst and takes nothing away', () => {
  const busy: LineState = { ...openLine(1_000_000), bytesPerSecond: 1000, tokens: -500 };
  const [forward] = stepLine(busy, { kind: 'tick' }, 1_000_000 + 86_400_000);
  expect(forward.tokens).toBeLessThanOrEqual(100);
  const [back] = stepLine(busy, { kind: 'tick' }, 0);
  expect(back.tokens).toBe(-500);
});

it('what went out without asking is missed by what waits', () => {
  const [limited] = stepLine(
    openLine(0),
    { kind: 'limits', bytesPerSecond: 10_000, bulkBytesPerSecond: undefined },
    0,
  );
  const want = { kind: 'want', id: 1, class: 'control', sizeBytes: 100 } as const;
  const [, at50] = stepLine(limited, want, 50);
  expect(at50).toContainEqual({ kind: 'permit', id: 1 });
  const [spent] = stepLine(limited, { kind: 'spent', costBytes: 1000 }, 50);
  const [, later] = stepLine(spent, want, 50);
  expect(later).toEqual([{ kind: 'wake', afterMs: 51 }]);
});

it('TCP acknowledges two full packets with one bare one', () => {
  expect(acknowledgementCost(1)).toBe(70);
  expect(acknowledgementCost(28_000)).toBe(700);
});
