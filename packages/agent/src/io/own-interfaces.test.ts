import { manualClock } from '@copain/core/testing';
import { expect, it } from 'vitest';
import { watchInterfaces } from './own-interfaces.ts';

it('a machine has moved when an address is gone, and again when another comes soon after; one more is no move', () => {
  const clock = manualClock(1_000_000);
  let addresses = ['192.0.2.1'];
  const hasMoved = watchInterfaces(clock, () => new Set(addresses));
  const look = (next: string[], laterMs = 1000): boolean => {
    clock.advance(laterMs);
    addresses = next;
    return hasMoved();
  };
  expect(look(['192.0.2.1'])).toBe(false);
  expect(look(['192.0.2.1', '172.17.0.1'])).toBe(false);
  expect(look(['192.0.2.7', '172.17.0.1'])).toBe(true);
  expect(look(['192.0.2.7', '172.17.0.1'])).toBe(false);
  expect(look(['172.17.0.1'])).toBe(true);
  expect(look(['192.0.2.8', '172.17.0.1'], 30_000)).toBe(true);
  expect(look(['192.0.2.8', '192.0.2.9', '172.17.0.1'], 3_600_000)).toBe(false);
});
