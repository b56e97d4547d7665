import { expect, it } from 'vitest';
import { type DeltaShelf, type DeltaStep, deltaBetween, shelveDelta } from './delta-shelf.ts';
import { deltaBytesMax, deltasKeptBytesMax, deltasPerZoneMax } from './limits.ts';
import { nameOf } from './name.ts';
import { decodeZoneDelta } from './zone-delta.ts';
import { encodeRecords } from './zone-encoding.ts';

const hash = (number: number): Uint8Array => new Uint8Array(32).fill(number);
const record = (host: number): Uint8Array =>
  encodeRecords([{ owner: nameOf('a.example'), type: 1, ttl: 1, rdata: Uint8Array.of(192, 0, 2, host) }]);
const step = (from: number, to: number, key = 'zone'): DeltaStep => ({
  key,
  from: hash(from),
  to: hash(to),
  delta: { removed: record(from), added: record(to) },
});
const shelfOf = (...steps: DeltaStep[]): DeltaShelf =>
  steps.reduce<DeltaShelf>((shelf, one) => shelveDelta(shelf, one, 1_000_000), []);
const between = (shelf: DeltaShelf, from: number, to: number, key = 'zone') => {
  const bytes = deltaBetween(shelf, { key, from: hash(from), to: hash(to) });
  return bytes && decodeZoneDelta(bytes);
};

it('leads from any known version to the newest, in one delta', () => {
  const shelf = shelfOf(step(1, 2), step(2, 3), step(3, 4));
  expect(between(shelf, 3, 4)).toEqual(step(3, 4).delta);
  expect(between(shelf, 1, 4)).toEqual({ removed: record(1), added: record(4) });
  expect(between(shelf, 2, 3)).toEqual(step(2, 3).delta);
  expect(between(shelf, 9, 4)).toBeUndefined();
  expect(between(shelf, 4, 4)).toBeUndefined();
  expect(between(shelf, 1, 4, 'another')).toBeUndefined();
});

it('a zone that went back to an older content ends the search', () => {
  const shelf = shelfOf(step(1, 2), step(2, 1), step(1, 2));
  expect(between(shelf, 7, 2)).toBeUndefined();
  expect(between(shelf, 1, 2)).toEqual(step(1, 2).delta);
});

it('keeps the last steps of a zone, and of all zones no more than fits', () => {
  const steps = Array.from({ length: deltasPerZoneMax + 3 }, (_, index) => step(index, index + 1));
  const shelf = shelfOf(step(1, 2, 'another'), ...steps);
  expect(shelf.filter(({ key }) => key === 'zone')).toHaveLength(deltasPerZoneMax);
  expect(between(shelf, 2, deltasPerZoneMax + 3)).toBeUndefined();
  expect(between(shelf, 3, deltasPerZoneMax + 3)).toBeDefined();
  expect(between(shelf, 1, 2, 'another')).toBeDefined();

  const large = { removed: new Uint8Array(0), added: new Uint8Array(deltaBytesMax - 100) };
  const many = Array.from({ length: deltasKeptBytesMax / deltaBytesMax + 5 }, (_, index) => ({
    ...step(1, 2, `zone ${index}`),
    delta: large,
  }));
  const full = shelfOf(...many);
  expect(full.length).toBeLessThanOrEqual(deltasKeptBytesMax / (deltaBytesMax - 100));
  expect(full.at(-1)?.key).toBe(many.at(-1)?.key);
});

it('does not keep what the content itself answers better', () => {
  expect(shelveDelta([], step(1, 2), 50)).toEqual([]);
  const tooLarge = {
    ...step(1, 2),
    delta: { removed: new Uint8Array(deltaBytesMax), added: new Uint8Array() },
  };
  expect(shelveDelta([], tooLarge, 10_000_000)).toEqual([]);
});
