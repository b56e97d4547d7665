import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Candidate, watchersOf } from './watchers.ts';

const circle = fc.uniqueArray(
  fc.record({
    peer: fc.string({ minLength: 1, maxLength: 12 }),
    network: fc.constantFrom('', 'a', 'b', 'c'),
  }),
  { minLength: 1, maxLength: 40, selector: ({ peer }) => peer },
);
const count = fc.integer({ min: 1, max: 8 });
const boxes = (many: number, network: (index: number) => string = () => ''): Candidate[] =>
  Array.from({ length: many }, (_, index) => ({ peer: `12D3KooWbox${index}`, network: network(index) }));

it('are as many as asked for where there are so many, never the box itself, in whatever order they are known', () => {
  fc.assert(
    fc.property(circle, count, (candidates, most) => {
      const about = candidates[0]?.peer ?? '';
      const watchers = watchersOf(about, candidates, most);
      expect(watchers).toHaveLength(Math.min(most, candidates.length - 1));
      expect(watchers).not.toContain(about);
      expect(watchersOf(about, candidates.toReversed(), most)).toEqual(watchers);
    }),
  );
});

it('whoever joins or leaves changes one watcher at most', () => {
  fc.assert(
    fc.property(circle, count, fc.nat(), (candidates, most, at) => {
      const gone = candidates[at % candidates.length];
      const before = watchersOf('about', candidates, most);
      const after = watchersOf(
        'about',
        candidates.filter((one) => one !== gone),
        most,
      );
      const lost = before.filter((peer) => !after.includes(peer));
      const found = after.filter((peer) => !before.includes(peer));
      expect(lost.length).toBeLessThanOrEqual(1);
      expect(found.length).toBeLessThanOrEqual(1);
    }),
    { numRuns: 500 },
  );
});

it('sit in as many networks as there can be', () => {
  fc.assert(
    fc.property(circle, count, (candidates, most) => {
      const networkOf = ({ peer, network }: Candidate): string => network || `only ${peer}`;
      const watchers = watchersOf('about', candidates, most);
      const chosen = candidates.filter(({ peer }) => watchers.includes(peer)).map(networkOf);
      const all = new Set(candidates.filter(({ peer }) => peer !== 'about').map(networkOf));
      expect(new Set(chosen).size).toBe(Math.min(most, all.size));
    }),
  );
});

it('everybody watches about as many as anybody else', () => {
  const candidates = boxes(64);
  const load = new Map<string, number>();
  for (const { peer } of candidates)
    for (const watcher of watchersOf(peer, candidates, 8)) load.set(watcher, (load.get(watcher) ?? 0) + 1);
  const loads = candidates.map(({ peer }) => load.get(peer) ?? 0);
  expect(loads.reduce((sum, one) => sum + one, 0)).toBe(64 * 8);
  expect(Math.max(...loads)).toBeLessThanOrEqual(18);
  expect(Math.min(...loads)).toBeGreaterThanOrEqual(1);
});
