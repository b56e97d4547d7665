import { expect, it } from 'vitest';
import { syncLimits } from './limits.ts';
import type { SyncEffect } from './sync.ts';
import type { SyncFrame } from './sync-frames.ts';
import { paceAnswers, paceFrame, type SyncPace, startPace } from './sync-pace.ts';

const push: SyncFrame = { t: 'push', kind: 'vote', reached: new Uint8Array(), envelope: Uint8Array.of(1) };
const have: SyncFrame = { t: 'have', hashes: new Uint8Array() };
const ack: SyncFrame = { t: 'ack', counter: 1, digest: new Uint8Array(8), heard: new Uint8Array() };

/** Takes `count` such frames at `nowMs`: how many were taken, and how long the last one waits. */
function take(pace: SyncPace, frame: SyncFrame, count: number, nowMs: number) {
  let [current, taken, waitMs] = [pace, 0, 0];
  for (let i = 0; i < count; i++) {
    const [next, turn] = paceFrame(current, frame, nowMs);
    current = next;
    if (turn.kind === 'pass-over') continue;
    taken += 1;
    waitMs = turn.waitMs;
  }
  return { pace: current, taken, waitMs };
}

it('records beyond what a circle says wait, and none is dropped', () => {
  const { burst, perSecond } = syncLimits.pushes;
  const full = take(startPace(0), push, burst, 0);
  expect([full.taken, full.waitMs]).toEqual([burst, 0]);
  const more = take(full.pace, push, 1, 0);
  expect([more.taken, more.waitMs]).toEqual([1, 1000 / perSecond]);
  expect(take(more.pace, push, 1, 10_000).waitMs).toBe(0);
});

it('questions and beats beyond what a friend needs are passed over, and records still taken', () => {
  const asked = take(startPace(0), have, 1000, 0);
  expect(asked.taken).toBe(syncLimits.exchanges.burst);
  const beaten = take(asked.pace, ack, 1000, 0);
  expect(beaten.taken).toBe(syncLimits.talk.burst);
  expect(take(beaten.pace, push, 1, 0)).toMatchObject({ taken: 1, waitMs: 0 });
  // What a friend who behaves says in ten seconds is taken again ten seconds later.
  expect(take(beaten.pace, ack, 1, 10_000).taken).toBe(1);
  expect(take(beaten.pace, have, 1, 10_000).taken).toBe(1);
});

it('a short question does not make this box say everything again and again, nor say that it did', () => {
  const answer: SyncEffect[] = [
    ...Array.from(
      { length: syncLimits.answers.burst - 10 },
      (): SyncEffect => ({ kind: 'send', frame: push }),
    ),
    { kind: 'send', frame: { t: 'own-done' } },
  ];
  const [pace, whole] = paceAnswers(startPace(0), answer, 0);
  expect(whole).toEqual(answer);
  const [later, cut] = paceAnswers(pace, answer, 0);
  expect(cut.length).toBe(10);
  expect(cut.some((effect) => effect.kind === 'send' && effect.frame.t === 'own-done')).toBe(false);
  const [, again] = paceAnswers(later, answer, 1000);
  expect(again.length).toBe(syncLimits.answers.perSecond);
});

it('whoever lies about his digest with every beat is asked what he has a few times, not each time', () => {
  let pace = startPace(0);
  let asked = 0;
  for (let i = 0; i < 500; i++) {
    const [next, kept] = paceAnswers(pace, [{ kind: 'send', frame: have }], i * 200);
    pace = next;
    asked += kept.length;
  }
  expect(asked).toBeLessThanOrEqual(syncLimits.asks.burst + 100 * syncLimits.asks.perSecond + 1);
});
