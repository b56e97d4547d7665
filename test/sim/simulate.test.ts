import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { mutants } from './mutants/mutants.ts';
import type { MixName } from './scenarios/mixes.ts';
import { simulate } from './simulate.ts';

// Simulated weeks take real seconds, and more of them on a busy machine.
vi.setConfig({ testTimeout: 180_000 });

for (const [boxes, days, seed] of [
  [2, 20, 4002],
  [3, 20, 4003],
  [5, 15, 4005],
  [8, 4, 4008],
] as const) {
  it(`${boxes} boxes through ${days} days of faults, edits, mail and lies break no rule`, () => {
    const { broken, figures } = simulate({ boxes, days, seed });
    expect(broken, `seed ${seed}`).toEqual([]);
    const seen = ['mailAcked', 'mailDelivered', 'zoneVersions', 'records'];
    if (boxes > 2) seen.push('verdicts', 'outagesOver10Min', 'refused', 'forged');
    if (boxes >= 5) seen.push('removed', 'mailHeld', 'takeovers', 'handBacks', 'swappedLeastMs');
    for (const figure of seen) expect(figures[figure], figure).toBeGreaterThan(0);
    expect(figures.downAgreedMedianMs).toBeLessThan(45_000);
    const { swappedLeastMs = 0, swappedMedianMs = 0 } = figures;
    if (swappedMedianMs > 0) expect(swappedLeastMs).toBeGreaterThanOrEqual(180_000);
    expect(swappedMedianMs).toBeLessThanOrEqual(200_000);
  });
}

for (const [boxes, mix, seed] of [
  [3, 'harsh', 4101],
  [4, 'shared', 4102],
  [5, 'harsh', 4103],
] as [number, MixName, number][]) {
  it(`leaving out beats and ticks that change nothing decides nothing otherwise (${boxes} boxes, ${mix})`, () => {
    const options = { boxes, days: 0.4, seed, mixes: [mix], healingMs: 3_600_000 };
    const [all, some] = [simulate({ ...options, full: true }), simulate(options)];
    expect(some.digest).toBe(all.digest);
    expect(some.figures).toEqual(all.figures);
    expect(some.events).toBeLessThan(all.events / 10);
  });
}

it('the same seed gives the same run, another seed another', () => {
  const digest = (seed: number): string => simulate({ boxes: 4, days: 1, seed }).digest;
  expect(digest(11)).toBe(digest(11));
  expect(digest(11)).not.toBe(digest(12));
});

it('every fault that is to be planted still has its place in the sources, and a name of its own', () => {
  for (const { name, file, from, to } of mutants) {
    expect(readFileSync(file, 'utf8').split(from), name).toHaveLength(2);
    expect(to, name).not.toBe(from);
  }
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
});
