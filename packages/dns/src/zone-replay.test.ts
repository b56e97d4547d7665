import fc from 'fast-check';
import { expect, it } from 'vitest';
import { zoneOf } from './testing.ts';
import type { Zone } from './zone.ts';
import { changeBetween } from './zone-changes.ts';
import { encodeZone } from './zone-encoding.ts';
import { replayChanges } from './zone-replay.ts';

const line = fc
  .tuple(fc.constantFrom('a', 'b', 'c.d', 'x.c.d', '*.w'), fc.integer({ min: 1, max: 9 }))
  .map(([name, host]) => `${name} A 192.0.2.${host}`);
const lines = fc.uniqueArray(line, { maxLength: 12 });

it('any changes lead to the zone that they were made from, and leave the old one as it was', () => {
  fc.assert(
    fc.property(lines, lines, lines, (a, b, c) => {
      const zones = [a, b, c].map((some, index) => zoneOf(index + 1, ...some)) as [Zone, Zone, Zone];
      const before = encodeZone(zones[0]);
      const steps = [changeBetween(zones[0], zones[1]), changeBetween(zones[1], zones[2])];
      const replayed = replayChanges(zones[0], steps);
      if (replayed.kind !== 'zone') throw new Error(replayed.why);
      expect(encodeZone(replayed.zone)).toEqual(encodeZone(zones[2]));
      expect(encodeZone(zones[0])).toEqual(before);
    }),
  );
});

it('changes that do not fit what is here are a misfit: then the whole zone is asked for', () => {
  const [one, two] = [zoneOf(1, 'a A 192.0.2.2'), zoneOf(2, 'b A 192.0.2.3')];
  const change = changeBetween(one, two);
  expect(replayChanges(zoneOf(1), [change])).toEqual({
    kind: 'misfit',
    why: expect.stringContaining('takes away'),
  });
  expect(replayChanges(two, [change])).toEqual({
    kind: 'misfit',
    why: expect.stringContaining('another version'),
  });
});

it('a record that is there already may come again, as NSD sends them', () => {
  const [one, two] = [zoneOf(1, 'a A 192.0.2.2', 'b A 192.0.2.3'), zoneOf(2, 'b A 192.0.2.3')];
  const replayed = replayChanges(one, [changeBetween(zoneOf(1, 'a A 192.0.2.2'), two)]);
  if (replayed.kind !== 'zone') throw new Error(replayed.why);
  expect(encodeZone(replayed.zone)).toEqual(encodeZone(two));
});

it('names in data are the same in upper and lower case, as some primaries send them back', () => {
  const [one, two] = [zoneOf(1, 'm MX 10 Mail'), zoneOf(2)];
  const change = changeBetween(zoneOf(1, 'm MX 10 mail'), two);
  expect(replayChanges(one, [change]).kind).toBe('zone');
});
