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
  expect(zones({ a: 2, b: 7 })).toMatchObject([
    { kind: 'send', origin: 'a' },
    { kind: 'send', origin: 'a' },
  ]);
  expect(zones({ a: 2, b: 7 })).toEqual([]);
});

it('a serial that went back is news too', () => {
  const { zones } = notifier(1);
  zones({ a: 5 });
  expect(zones({ a: 4 })).toHaveLength(1);
});

it('sends again after 1, 2, 4, 8, 16 s, then every minute until there is an answer, however long it takes (RFC 1996 §3.6)', () => {
  const { zones, sentAt, take, pending } = notifier(1);
  zones({ a: 1 });
  expect(sentAt(1, 250)).toEqual([1, 3, 7, 15, 31, 91, 151, 211]);
  take(answered(1), 251_000);
  expect(pending()).toBe(0);
  expect(sentAt(252, 400)).toEqual([]);
});

it('says once that a peer is silent, and once that he is back', () => {
  const { zones, take } = notifier(1);
  zones({ a: 1 });
  const told = Array.from({ length: 200 }, (_, i) => take({ kind: 'tick' }, i * 1000)).flat();
  expect(told.filter(({ kind }) => kind === 'silent')).toHaveLength(1);
  expect(take(answered(1), 200_000)).toEqual([{ kind: 'back', peer: 0 }]);
  expect(take(answered(1), 200_001)).toEqual([]);
});

it('a silent peer gets one datagram a minute however many zones wait for him, and all at once when he answers', () => {
  const { zones, take } = notifier(1);
  zones({ a: 1, b: 1, c: 1 });
  const sends = (fromS: number, untilS: number) =>
    Array.from({ length: untilS - fromS + 1 }, (_, i) => take({ kind: 'tick' }, (fromS + i) * 1000))
      .flat()
      .filter(({ kind }) => kind === 'send').length;
  // 1, 3, 7, 15 and 31 s, for three zones; then, silent, at 91, 151 and 211 s for one.
  expect(sends(1, 30)).toBe(3 * 4);
  expect(sends(31, 240)).toBe(1 + 3);
  expect(take(answered(1), 241_000).map(({ kind }) => kind)).toEqual(['back', 'send', 'send']);
});

it('what is new is told to a silent peer at once', () => {
  const { zones, take } = notifier(1);
  zones({ a: 1 });
  for (let s = 1; s < 40; s++) take({ kind: 'tick' }, s * 1000);
  expect(zones({ a: 2 }, 40_500)).toEqual([{ kind: 'send', peer: 0, origin: 'a', serial: 2 }]);
});

it('a peer that answers for other zones is not silent', () => {
  const { zones, take, sentAt } = notifier(1);
  zones({ a: 1, b: 1 });
  take({ kind: 'answered', peer: 0, origin: 'b', serial: 1, rcode: 0 }, 500);
  const told = Array.from({ length: 100 }, (_, i) => take({ kind: 'tick' }, (i + 1) * 1000)).flat();
  expect(told.map(({ kind }) => kind)).toEqual(Array.from({ length: 6 }, () => 'send'));
  expect(sentAt(101, 130)).toEqual([123]);
});

it('to who says no it comes back later and later, and says so once: he may know the zone by then', () => {
  const { zones, sentAt, take, pending } = notifier(1);
  zones({ a: 1 });
  expect(take(answered(1, 9), 100)).toEqual([]);
  expect(sentAt(1, 11)).toEqual([11]);
  expect(take(answered(1, 9), 11_100)).toEqual([]);
  expect(sentAt(12, 32)).toEqual([32]);
  expect(take(answered(1, 9), 32_100)).toEqual([{ kind: 'refused', peer: 0, origin: 'a', rcode: 9 }]);
  expect(sentAt(33, 73)).toEqual([73]);
  expect(take(answered(1, 9), 73_100)).toEqual([]);
  take(answered(1), 74_000);
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
