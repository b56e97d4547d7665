import { manualClock } from '@copain/core/testing';
import { type Asker, encodeMessage, nameKey, nameOf, notifyRefusalsPerSecondMax } from '@copain/dns';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { receiveNotifies } from './notifies.ts';

const origin = nameOf('alice.example');
const notify = encodeMessage({
  id: 9,
  flags: 4 << 11,
  questions: [{ name: origin, type: 6, class: 1 }],
  answers: [],
  authority: [],
  additional: [],
}) as Uint8Array;

/** A zone whose primary is at 192.0.2.1. */
function started() {
  const clock = manualClock(1_800_000_000_000);
  let heard = 0;
  const receive = receiveNotifies({
    find: (name) =>
      name === nameKey(origin)
        ? { key: undefined, isPrimary: (address) => address === '192.0.2.1', notified: () => heard++ }
        : undefined,
    clock,
    log: pino({ level: 'silent' }),
  });
  const from = (address: string): Asker => ({ transport: 'udp', address, nowMs: clock.nowMs() });
  return { clock, receive, from, heard: () => heard };
}

it('a flood of strangers is answered up to a rate, and keeps no primary from being heard', () => {
  const { clock, receive, from, heard } = started();
  const flood = () =>
    Array.from({ length: 10 * notifyRefusalsPerSecondMax }, () => receive(notify, from('198.51.100.9')));
  expect(flood().filter((answer) => answer !== undefined)).toHaveLength(notifyRefusalsPerSecondMax);
  expect(heard()).toBe(0);
  expect(receive(notify, from('192.0.2.1'))).toBeDefined();
  expect(heard()).toBe(1);
  clock.advance(1000);
  expect(flood().filter((answer) => answer !== undefined)).toHaveLength(notifyRefusalsPerSecondMax);
});
