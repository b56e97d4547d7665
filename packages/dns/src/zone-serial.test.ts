import fc from 'fast-check';
import { expect, it } from 'vitest';
import { addToSerial, isNewerSerial } from './zone-serial.ts';

const serial = fc.integer({ min: 0, max: 0xffffffff });

it('counts on and wraps round (RFC 1982 §3.1, §7)', () => {
  expect(addToSerial(2026112201, 1)).toBe(2026112202);
  expect(addToSerial(0xffffffff, 1)).toBe(0);
  expect(isNewerSerial(0, 0xffffffff)).toBe(true);
});

it('cannot tell serials apart that are 2^31 from each other (RFC 1982 §3.2)', () => {
  expect(isNewerSerial(0, 2 ** 31)).toBeUndefined();
  expect(isNewerSerial(2 ** 31 + 7, 7)).toBeUndefined();
});

it('a serial is newer after any addition, and the older one is not', () => {
  fc.assert(
    fc.property(serial, fc.integer({ min: 1, max: 2 ** 31 - 1 }), (start, steps) => {
      const later = addToSerial(start, steps);
      expect([isNewerSerial(later, start), isNewerSerial(start, later)]).toEqual([true, false]);
    }),
  );
});

it('is not newer than itself, and refuses steps that would not make it newer', () => {
  expect(isNewerSerial(5, 5)).toBe(false);
  expect(() => addToSerial(5, 2 ** 31)).toThrow(RangeError);
});
