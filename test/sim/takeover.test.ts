import { expect, it } from 'vitest';
import { afflict } from './liveness-circle.ts';
import { type TakeoverCircle, takeoverCircle } from './takeover-circle.ts';

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const times = { afterMs: 180_000, holdMs: 10 * minuteMs, maxMs: 30 * dayMs };

/** Where each running box answers a service from. */
const answers = (run: TakeoverCircle, service: string): string[] =>
  run.names
    .filter((name) => run.boxes.get(name)?.on === true)
    .map((name) => (run.standing(name, service).onStandby ? 'standby' : 'home'));
const allAt = (run: TakeoverCircle, service: string): string => [...new Set(answers(run, service))].join();
const swapsTo = (run: TakeoverCircle, service: string): number =>
  new Set(
    run.swaps.filter((one) => one.service === service && one.number % 2 === 1).map(({ number }) => number),
  ).size;

/** The box and its site lose their line together, as a home does. */
function cutHome(run: TakeoverCircle, name: string, forMs: number): void {
  const heal = run.net.separate(
    [name],
    run.names.filter((other) => other !== name),
  );
  run.net.after(forMs, heal);
}

it('a home that is cut off is answered from its standby by all others between 180 and 200 s, and is home after the hold', () => {
  const lateMs: number[] = [];
  for (const boxes of [3, 4, 5, 10]) {
    const run = takeoverCircle({ boxes, seed: boxes, services: 1, times });
    run.net.runUntil(5 * minuteMs + run.random.fraction() * 20_000);
    const cutAtMs = run.net.nowMs();
    cutHome(run, 'box0', 20 * minuteMs);
    run.net.runUntil(cutAtMs + 19 * minuteMs);
    const moved = run.swaps.filter(({ service }) => service === 'box0');
    expect(moved.map(({ number }) => number)).toEqual(Array(boxes - 1).fill(1));
    lateMs.push(...moved.map(({ atMs }) => atMs - cutAtMs));
    expect(run.standing('box0', 'box0').onStandby).toBe(false);
    run.net.runUntil(cutAtMs + 20 * minuteMs + 9 * minuteMs);
    expect(allAt(run, 'box0')).toBe('standby');
    run.net.runUntil(cutAtMs + 20 * minuteMs + 12 * minuteMs);
    expect(allAt(run, 'box0')).toBe('home');
    expect(run.broken).toEqual([]);
  }
  expect(Math.min(...lateMs)).toBeGreaterThanOrEqual(180_000);
  expect(Math.max(...lateMs)).toBeLessThanOrEqual(200_000);
});

it('a cut of 40 s, ten times, moves nothing', () => {
  const run = takeoverCircle({ boxes: 4, seed: 2, services: 1, times });
  for (let round = 0; round < 10; round++) {
    run.net.runUntil(run.net.nowMs() + 2 * minuteMs);
    cutHome(run, 'box0', 40_000);
  }
  run.net.runUntil(run.net.nowMs() + 10 * minuteMs);
  expect(run.swaps).toEqual([]);
  expect(run.broken).toEqual([]);
});

it('one observer alone moves nothing, nor do two of one half, nor does whoever is cut off himself', () => {
  const run = takeoverCircle({ boxes: 5, seed: 3, services: 1, times });
  run.net.runUntil(5 * minuteMs);
  const heals = [run.net.separate(['box0'], ['box1']), run.net.separate(['box0'], ['box2'])];
  run.net.runUntil(30 * minuteMs);
  for (const heal of heals) heal();
  run.net.runUntil(40 * minuteMs);
  const heal = run.net.separate(['box3', 'box4'], ['box0', 'box1', 'box2']);
  run.net.runUntil(70 * minuteMs);
  heal();
  run.net.runUntil(80 * minuteMs);
  expect(run.swaps.filter(({ number }) => number % 2 === 1)).toEqual([]);
  expect(run.broken).toEqual([]);
});

it('two friends never decide alone', () => {
  const run = takeoverCircle({ boxes: 2, seed: 4, services: 1, times });
  run.net.runUntil(5 * minuteMs);
  run.stop('box0', 'silent');
  run.site.isUp('box0', false);
  run.net.runUntil(60 * minuteMs);
  expect(run.swaps).toEqual([]);
});

it('a site that goes on while its box is off is no reason, nor is one whose standby fails too', () => {
  const run = takeoverCircle({ boxes: 4, seed: 5, services: 1, times });
  run.net.runUntil(5 * minuteMs);
  run.stop('box0', 'silent');
  run.net.runUntil(30 * minuteMs);
  expect(run.swaps).toEqual([]);
  run.site.isUp('box0', false);
  run.site.standbyIsUp('box0', false);
  run.net.runUntil(60 * minuteMs);
  expect(run.swaps).toEqual([]);
  run.site.standbyIsUp('box0', true);
  run.net.runUntil(65 * minuteMs);
  expect(allAt(run, 'box0')).toBe('standby');
  expect(run.broken).toEqual([]);
});

it('a site that fails while its box is up moves too, and comes home once it works again', () => {
  const run = takeoverCircle({ boxes: 4, seed: 6, services: 1, times });
  run.net.runUntil(5 * minuteMs);
  run.site.isUp('box0', false);
  run.net.runUntil(5 * minuteMs + 170_000);
  expect(run.swaps).toEqual([]);
  run.net.runUntil(12 * minuteMs);
  expect(allAt(run, 'box0')).toBe('standby');
  run.site.isUp('box0', true);
  run.net.runUntil(25 * minuteMs);
  expect(allAt(run, 'box0')).toBe('home');
  expect(run.broken).toEqual([]);
});

it('the hold doubles with each takeover, and after three within a day the owner decides', () => {
  const run = takeoverCircle({ boxes: 4, seed: 7, services: 1, times });
  run.net.runUntil(5 * minuteMs);
  for (const [round, holdMs] of [1, 2].map((times) => 10 * times * minuteMs).entries()) {
    const cutAtMs = run.net.nowMs();
    cutHome(run, 'box0', 5 * minuteMs);
    run.net.runUntil(cutAtMs + 5 * minuteMs + holdMs - minuteMs);
    expect(allAt(run, 'box0'), `round ${round}`).toBe('standby');
    run.net.runUntil(cutAtMs + 5 * minuteMs + holdMs + 2 * minuteMs);
    expect(allAt(run, 'box0'), `round ${round}`).toBe('home');
  }
  cutHome(run, 'box0', 5 * minuteMs);
  run.net.runUntil(run.net.nowMs() + 8 * 60 * minuteMs);
  expect(allAt(run, 'box0')).toBe('standby');
  run.order('box0', { pin: 'up', drill: undefined });
  run.net.runUntil(run.net.nowMs() + minuteMs);
  expect(allAt(run, 'box0')).toBe('home');
  expect(run.broken).toEqual([]);
});

it('while its owner pins it, nothing that friends see moves a service; let go, it does again', () => {
  const run = takeoverCircle({ boxes: 4, seed: 8, services: 1, times });
  run.net.runUntil(minuteMs);
  run.order('box0', { pin: 'up', drill: undefined });
  run.net.runUntil(5 * minuteMs);
  run.site.isUp('box0', false);
  run.net.runUntil(30 * minuteMs);
  expect(allAt(run, 'box0')).toBe('home');
  run.order('box0', { pin: 'obey', drill: undefined });
  run.net.runUntil(40 * minuteMs);
  expect(allAt(run, 'box0')).toBe('standby');
  expect(run.broken).toEqual([]);
});

it.each([
  [3, 2],
  [4, 1],
  [5, 0.5],
])(
  '%i boxes, %f days of faults: no swap that nobody needed, one answer, numbers that only rise',
  (boxes, days) => {
    const seed = 2000 + boxes;
    const run = takeoverCircle({ boxes, seed, services: 2, times });
    const untilMs = days * dayMs;
    afflict(run, { untilMs, meanGapMs: 45 * minuteMs });
    // Sites fail by themselves too.
    const fail = (): void => {
      if (run.net.nowMs() >= untilMs) return;
      const service = run.names[Math.floor(2 * run.random.fraction())] ?? '';
      run.site.isUp(service, false);
      run.net.after(run.random.fraction() * 20 * minuteMs, () => run.site.isUp(service, true));
      run.net.after(-Math.log(1 - run.random.fraction()) * 3 * 60 * minuteMs, fail);
    };
    run.net.after(minuteMs, fail);
    run.net.runUntil(untilMs + 4 * 60 * minuteMs);
    expect(run.broken.slice(0, 5), `seed ${seed}`).toEqual([]);
    expect(swapsTo(run, 'box0') + swapsTo(run, 'box1')).toBeGreaterThan(1);
    for (const service of ['box0', 'box1']) expect(allAt(run, service)).toMatch(/^(home|standby)$/);
  },
  120_000,
);
