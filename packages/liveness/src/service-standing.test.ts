import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Certified, type ServiceOrder, serviceStanding } from './service-standing.ts';

const dayMs = 86_400_000;
const obey = (number: number): ServiceOrder => ({ number, pin: 'obey', drill: undefined });
const at = (order: ServiceOrder, certified?: Certified, nowMs = 1000, reached = 0) =>
  serviceStanding(order, certified, { maxMs: dayMs, reached }, nowMs);

it('the higher of the owner’s word and the friends’ certificate counts', () => {
  expect(at(obey(0))).toEqual({ number: 0, onStandby: false, by: 'owner' });
  expect(at(obey(0), { number: 1, atMs: 0 })).toEqual({ number: 1, onStandby: true, by: 'friends' });
  expect(at(obey(2), { number: 1, atMs: 0 })).toEqual({ number: 2, onStandby: false, by: 'owner' });
});

it('a takeover that nobody ends is over after its time', () => {
  const certified = { number: 1, atMs: 0 };
  expect(at(obey(0), certified, dayMs - 1).onStandby).toBe(true);
  expect(at(obey(0), certified, dayMs)).toEqual({ number: 2, onStandby: false, by: 'friends' });
});

it('a pin of the owner counts whatever friends certified', () => {
  const certified = { number: 3, atMs: 0 };
  expect(at({ ...obey(2), pin: 'up' }, certified)).toEqual({ number: 4, onStandby: false, by: 'owner' });
  expect(at({ ...obey(2), pin: 'down' }, certified)).toEqual({ number: 3, onStandby: true, by: 'owner' });
  expect(at({ ...obey(2), pin: 'down' })).toEqual({ number: 3, onStandby: true, by: 'owner' });
});

it('a rehearsal goes there and back by itself', () => {
  const order: ServiceOrder = { number: 2, pin: 'obey', drill: { untilMs: 5000 } };
  expect(at(order, undefined, 4999)).toEqual({ number: 3, onStandby: true, by: 'drill' });
  expect(at(order, undefined, 5000)).toEqual({ number: 4, onStandby: false, by: 'drill' });
});

it('what was answered by once is never fallen below, whatever is known later', () => {
  expect(at(obey(0), undefined, 1000, 3)).toEqual({ number: 3, onStandby: true, by: 'friends' });
  fc.assert(
    fc.property(
      fc.nat(20),
      fc.constantFrom('obey' as const, 'up' as const, 'down' as const),
      fc.option(fc.nat(10_000), { nil: undefined }),
      fc.option(fc.record({ number: fc.nat(20), atMs: fc.nat(10_000) }), { nil: undefined }),
      fc.nat(20),
      fc.nat(20_000),
      (number, pin, untilMs, certified, reached, nowMs) => {
        const drill = untilMs === undefined ? undefined : { untilMs };
        const now = serviceStanding({ number, pin, drill }, certified, { maxMs: 5000, reached }, nowMs);
        expect(now.number).toBeGreaterThanOrEqual(Math.max(reached, number));
        expect(now.onStandby).toBe(now.number % 2 === 1);
        if (pin !== 'obey') expect(now.onStandby).toBe(pin === 'down');
        // Time alone never takes it back.
        const later = serviceStanding(
          { number, pin, drill },
          certified,
          { maxMs: 5000, reached: now.number },
          nowMs + 9999,
        );
        expect(later.number).toBeGreaterThanOrEqual(now.number);
      },
    ),
  );
});
