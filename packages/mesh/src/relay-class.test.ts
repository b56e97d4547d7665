import { expect, it } from 'vitest';
import { relayedUrgent } from './limits.ts';
import { classOfRelayed, startRelayedUrgent } from './relay-class.ts';

it('beats that are relayed are as urgent as our own, and a bulk transfer is not, however small its pieces', () => {
  let beats = startRelayedUrgent(0);
  for (let nowMs = 0; nowMs < 3_600_000; nowMs += 10_000) {
    const [next, trafficClass] = classOfRelayed(beats, 120, nowMs);
    beats = next;
    expect(trafficClass).toBe('control');
  }
  let bulk = startRelayedUrgent(0);
  let urgentBytes = 0;
  for (let nowMs = 0; nowMs < 60_000; nowMs += 10) {
    const [next, trafficClass] = classOfRelayed(bulk, 160, nowMs);
    bulk = next;
    if (trafficClass === 'control') urgentBytes += 160;
    else expect(trafficClass).toBe('relayed');
  }
  expect(urgentBytes).toBeLessThanOrEqual(relayedUrgent.burst + 60 * relayedUrgent.perSecond);
});

it('what is larger than the allowance is never urgent, and takes nothing from it', () => {
  const full = startRelayedUrgent(0);
  const [after, trafficClass] = classOfRelayed(full, relayedUrgent.burst + 1, 0);
  expect(trafficClass).toBe('relayed');
  expect(classOfRelayed(after, relayedUrgent.burst, 0)[1]).toBe('control');
});
