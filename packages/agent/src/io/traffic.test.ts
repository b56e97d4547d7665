import { expect, it } from 'vitest';
import { startTraffic } from './traffic.ts';

const clock = { nowMs: () => 1_000_000 };

it('counts each class with each friend, and strangers in the sums only', () => {
  const traffic = startTraffic(clock);
  traffic.count('bob', 'sent', 'bulk', 500);
  traffic.count('bob', 'sent', 'bulk', 200);
  traffic.count('bob', 'received', 'control', 60);
  traffic.count('carol', 'received', 'dns', 9);
  traffic.count(undefined, 'received', 'control', 1000);
  expect(traffic.withFriend('bob')).toEqual([
    { class: 'control', sentBytes: 0, receivedBytes: 60 },
    { class: 'bulk', sentBytes: 700, receivedBytes: 0 },
  ]);
  expect(traffic.withFriend('carol')).toEqual([{ class: 'dns', sentBytes: 0, receivedBytes: 9 }]);
  expect(traffic.withFriend('nobody')).toEqual([]);
  expect(traffic.totals()).toMatchObject({ sentBytes: 700, receivedBytes: 1069 });
  expect(traffic.byClass()).toContainEqual({ direction: 'received', class: 'control', bytes: 1060 });
});
