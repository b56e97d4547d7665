import { expect, it } from 'vitest';
import { notifiesPerStepMax } from './limits.ts';
import { type NotifyEffect, type NotifyInput, startNotifyState, stepNotify } from './notify-out.ts';

/** A notifier with a clock. */
function notifier(peers: number) {
  let state = startNotifyState(peers);
  const take = (input: NotifyInput, nowMs: number): NotifyEffect[] => {
    const [next, effects] = stepNotify(state, input, nowMs);
    state = next;
    return effects;
  };
  return {
    take,
    zones: (serials: Record<string, number>, nowMs = 0) =>
      take({ kind: 'zones', serials: new Map(Object.entries(serials)) }, nowMs),
    /** The seconds, up to `untilS`, at which something is sent. */
    sentAt: (fromS: number, untilS: number) =>
      Array.from({ length: untilS - fromS + 1 }, (_, i) => fromS + i).filter((second) =>
        take({ kind: 'tick' }, second * 1000).some(({ kind }) => kind === 'send'),
      ),
    pending: () => state.pending.size,
  };
}

const answered = (serial: number, rcode = 0, peer = 0): NotifyInput => ({
  kind: 'answered',
  peer,
  origin: 'a',
  serial,
  rcode,
});

it('tells every peer of every zone at the start, and of what changed at each change', () => {
  const { zones } = notifier(2);
  expect(zones({ a: 1, b: 7 })).toEqual([
    { kind: 'send', peer: 0, origin: 'a', serial: 1 },
    { kind: 'send', peer: 1, origin: 'a', serial: 1 },
    { kind: 'send', peer: 0, origin: 'b', serial: 7 },
    { kind: 'send', peer: 1, origin: 'b', serial: 7 },
  ]);
  expect(zones({ a: 2, b: 7 }).map((effect) => `${effect.kind} ${effect.origin}`)).toEqual([
    'send a',
    'send a',
  ]);
  expect(zones({ a: 2, b: 7 })).toEqual([]);
});

it('a serial that went back is news too', () => {
  const { zones } = notifier(1);
  zones({ a: 5 });
  expect(zones({ a: 4 })).toHaveLength(1);
});

it('sends again after 1, 2, 4, … 60 s until there is an answer, however long it takes (RFC 1996 §3.6)', () => {
  const { zones, sentAt, take, pending } = notifier(1);
  zones({ a: 1 });
  expect(sentAt(1, 250)).toEqual([1, 3, 7, 15, 31, 63, 123, 183, 243]);
  take(answered(1), 251_000);
  expect(pending()).toBe(0);
  expect(sentAt(252, 400)).toEqual([]);
});

it('says once that a peer is silent', () => {
  const { zones, take } = notifier(1);
  zones({ a: 1 });
  const told = Array.from({ length: 200 }, (_, i) => take({ kind: 'tick' }, i * 1000)).flat();
  expect(told.filter(({ kind }) => kind === 'silent')).toHaveLength(1);
});

it('to who says no it comes back later and later, and says so once: he may know the zone by then', () => {
  const { zones, sentAt, take, pending } = notifier(1);
  zones({ a: 1 });
  expect(take(answered(1, 9), 100)).toEqual([{ kind: 'refused', peer: 0, origin: 'a', rcode: 9 }]);
  expect(sentAt(1, 11)).toEqual([11]);
  expect(take(answered(1, 9), 11_100)).toEqual([]);
  expect(sentAt(12, 32)).toEqual([32]);
  take(answered(1), 32_100);
  expect(pending()).toBe(0);
});

it('an answer to what was sent before the last change does not count, nor one that nobody waits for', () => {
  const { zones, take, pending } = notifier(1);
  zones({ a: 1 });
  zones({ a: 2 });
  take(answered(1), 10);
  expect(pending()).toBe(1);
  take(answered(2, 0, 7), 10);
  expect(pending()).toBe(1);
  take(answered(2), 10);
  expect(pending()).toBe(0);
  expect(take(answered(2, 5), 20)).toEqual([]);
});

it('a zone that is gone is not told of any more', () => {
  const { zones, sentAt, pending } = notifier(1);
  zones({ a: 1, b: 1 });
  zones({ b: 1 });
  expect(pending()).toBe(1);
  expect(zones({}, 100)).toEqual([]);
  expect(sentAt(1, 60)).toEqual([]);
});

it('a thousand zones are told in portions', () => {
  const { zones, take } = notifier(1);
  const serials = Object.fromEntries(Array.from({ length: 2 * notifiesPerStepMax }, (_, i) => [`z${i}`, 1]));
  expect(zones(serials)).toHaveLength(notifiesPerStepMax);
  expect(take({ kind: 'tick' }, 500)).toHaveLength(notifiesPerStepMax);
  expect(take({ kind: 'tick' }, 900)).toEqual([]);
});
