import fc from 'fast-check';
import { expect, it } from 'vitest';
import { seededRandom, simulatedNet } from './testing.ts';

function recorded(options: { loss?: number; seed?: number } = {}) {
  const arrived: string[] = [];
  const net = simulatedNet<string>({
    random: seededRandom(options.seed ?? 1),
    delayMs: [10, 20],
    loss: options.loss ?? 0,
    deliver: (to, from, message) => arrived.push(`${from}>${to} ${message} ${Math.round(net.nowMs())}`),
  });
  return { net, arrived };
}

it('delivers after a delay within the range, and not before', () => {
  const { net, arrived } = recorded();
  net.send('a', 'b', 'hello');
  net.runUntil(9);
  expect(arrived).toEqual([]);
  net.runUntil(20);
  expect(arrived).toHaveLength(1);
  expect(net.nowMs()).toBe(20);
});

it('runs events by time, and events of one instant in the order of planning', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }), (delays) => {
      const { net } = recorded();
      const ran: [number, number][] = [];
      delays.forEach((delayMs, index) => {
        net.after(delayMs, () => ran.push([delayMs, index]));
      });
      net.runUntil(20);
      expect(ran).toEqual(
        delays.map((delayMs, index) => [delayMs, index]).toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0)),
      );
    }),
  );
});

it('loses about the given fraction', () => {
  const { net, arrived } = recorded({ loss: 0.25 });
  for (let i = 0; i < 1000; i++) net.send('a', 'b', `${i}`);
  net.runUntil(100);
  expect(arrived.length).toBeGreaterThan(650);
  expect(arrived.length).toBeLessThan(850);
});

it('cuts one direction, also for what is under way, until healed as often as cut', () => {
  const { net, arrived } = recorded();
  net.send('a', 'b', 'under way');
  net.cut('a', 'b');
  net.cut('a', 'b');
  net.send('b', 'a', 'other direction');
  net.runUntil(30);
  net.heal('a', 'b');
  net.send('a', 'b', 'still cut');
  net.runUntil(60);
  net.heal('a', 'b');
  net.send('a', 'b', 'healed');
  net.runUntil(90);
  expect(arrived.map((line) => line.replace(/ \d+$/, ''))).toEqual(['b>a other direction', 'a>b healed']);
});

it('separates groups both ways and heals only what it cut', () => {
  const { net } = recorded();
  net.cut('a', 'c');
  const heal = net.separate(['a', 'b'], ['c', 'd']);
  expect([net.reaches('a', 'b'), net.reaches('b', 'd'), net.reaches('d', 'b')]).toEqual([true, false, false]);
  heal();
  heal();
  expect([net.reaches('a', 'c'), net.reaches('c', 'a'), net.reaches('b', 'd')]).toEqual([false, true, true]);
});

it('gives the same run for the same seed, and another for another', () => {
  const run = (seed: number) => {
    const { net, arrived } = recorded({ loss: 0.1, seed });
    for (let i = 0; i < 50; i++) net.after(i * 7, () => net.send('a', 'b', `${i}`));
    net.runUntil(1000);
    return arrived;
  };
  expect(run(7)).toEqual(run(7));
  expect(run(7)).not.toEqual(run(8));
});
