import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type FreshnessState, stepFreshness } from './freshness.ts';

const hour = 3_600_000;
const expiresAfterMs = 1000 * hour;

/** What is told hour by hour about one copy, last prolonged at hour zero and at each hour in `words`. */
function toldOver(hours: number, words: readonly number[] = []): string[] {
  let state: FreshnessState = new Map();
  const told: string[] = [];
  let heardAtMs = 0;
  for (let at = 0; at <= hours; at += 1) {
    if (words.includes(at)) heardAtMs = at * hour;
    const copies = new Map([['a', { freshUntilMs: heardAtMs + expiresAfterMs, expiresAfterMs }]]);
    const [next, effects] = stepFreshness(state, copies, at * hour);
    state = next;
    for (const effect of effects)
      told.push(`${at} h: ${effect.kind === 'aged' ? effect.stage : effect.kind}`);
  }
  return told;
}

it('a copy that is not refreshed is told of at a quarter, a half and three quarters of its time, and at its end', () => {
  expect(toldOver(2000)).toEqual(['250 h: 25', '500 h: 50', '750 h: 75', '1000 h: 100']);
});

it('a word of the owner ends it, and it begins anew; a word in time says nothing', () => {
  expect(toldOver(1100, [600])).toEqual([
    '250 h: 25',
    '500 h: 50',
    '600 h: renewed',
    '850 h: 25',
    '1100 h: 50',
  ]);
  expect(toldOver(700, [200, 400, 600])).toEqual([]);
});

it('a word that comes late and prolongs but a little is no news, and a stage after it is told again', () => {
  const term = (freshUntil: number) => new Map([['a', { freshUntilMs: freshUntil * hour, expiresAfterMs }]]);
  const [aged, first] = stepFreshness(new Map(), term(1000), 800 * hour);
  expect(first).toEqual([{ kind: 'aged', key: 'a', stage: 75 }]);
  const [prolonged, second] = stepFreshness(aged, term(1400), 801 * hour);
  expect(second).toEqual([]);
  expect(stepFreshness(prolonged, term(1400), 1150 * hour)[1]).toEqual([
    { kind: 'aged', key: 'a', stage: 75 },
  ]);
});

it('a clock that is set back and forth tells nothing twice, and a copy that is given up is forgotten', () => {
  const copies = new Map([['a', { freshUntilMs: expiresAfterMs, expiresAfterMs }]]);
  const [aged] = stepFreshness(new Map(), copies, 300 * hour);
  const [back, effects] = stepFreshness(aged, copies, 10 * hour);
  expect(effects).toEqual([]);
  expect(stepFreshness(back, copies, 301 * hour)[1]).toEqual([]);
  expect(stepFreshness(aged, new Map(), 301 * hour)).toEqual([new Map(), []]);
});

it('whatever is heard when: what is told is the stage, rises from one word to the next, and every stage is told', () => {
  const words = fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 8 });
  fc.assert(
    fc.property(words, (heard) => {
      const expected: string[] = [];
      let stage = 0;
      for (let at = 0, heardAt = 0; at <= 3000; at += 1) {
        if (heard.includes(at)) {
          if (stage > 0) expected.push(`${at} h: renewed`);
          [heardAt, stage] = [at, 0];
        }
        const now = Math.min(Math.floor((at - heardAt) / 250) * 25, 100);
        if (now > stage) expected.push(`${at} h: ${now}`);
        stage = now;
      }
      expect(toldOver(3000, heard)).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});
