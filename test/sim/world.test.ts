import { expect, it } from 'vitest';
import { agenda } from './world/agenda.ts';
import { chance } from './world/chance.ts';
import { disk } from './world/disk.ts';
import { net } from './world/net.ts';

it('actions come in order of time, those of one instant in order of planning, and none that was taken back', () => {
  const plan = agenda();
  const done: string[] = [];
  plan.at(20, () => done.push('c'));
  plan.at(10, () => {
    done.push('a');
    plan.after(0, () => done.push('after'));
  });
  plan.at(10, () => done.push('b'));
  plan.at(15, () => done.push('never')).cancel();
  plan.runUntil(19);
  expect([done, plan.nowMs()]).toEqual([['a', 'b', 'after'], 19]);
  plan.runUntil(30);
  expect(done.at(-1)).toBe('c');
});

it('a crash loses what is not synced, cuts a torn tail, and keeps the rest', () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const plan = agenda();
    const store = disk({ box: 0, agenda: plan, chance: chance(seed) });
    const told: string[] = [];
    store.append(Uint8Array.of(1, 2, 3), (id) => told.push(`first ${id}`));
    store.write([['a', 1]], (kept) => told.push(`row ${kept}`));
    plan.runUntil(100);
    expect(told.toSorted()).toEqual(['first 00000001', 'row true']);
    store.append(new Uint8Array(500).fill(9), () => told.push('second'));
    store.write([['a', 2]], () => told.push('row again'));
    store.crash();
    plan.runUntil(300);
    expect(told).toHaveLength(2);
    expect(store.rows.get('a')).toBe(1);
    expect(store.recover()).toEqual([{ id: '00000001', body: Uint8Array.of(1, 2, 3) }]);
  }
});

it('a full disk takes nothing, and says so', () => {
  const plan = agenda();
  const store = disk({ box: 0, agenda: plan, chance: chance(1) });
  const told: unknown[] = [];
  store.setFull(true);
  store.append(Uint8Array.of(1), (id) => told.push(id));
  store.write([['a', 1]], (kept) => told.push(kept));
  plan.runUntil(100);
  expect(told).toHaveLength(2);
  expect(new Set(told)).toEqual(new Set([false, undefined]));
  expect([store.rows.size, store.recover()]).toEqual([0, []]);
});

it('paths are cut by line and by direction, cuts add up, and bulk waits for a line of 128 kbit/s', () => {
  const plan = agenda();
  const roads = net({ boxes: 3, loss: 0, agenda: plan, chance: chance(1) });
  const changes: string[] = [];
  roads.onChange((a, b) => changes.push(`${a} ${b}`));
  roads.cut(0, 1);
  roads.cut(0, 1);
  roads.heal(0, 1);
  expect([roads.reaches(0, 1), roads.reaches(1, 0), roads.connects(0, 1)]).toEqual([false, true, false]);
  roads.heal(0, 1);
  expect(roads.connects(0, 1)).toBe(true);
  expect(changes).toEqual(['0 1', '0 1']);
  roads.cutLine(2);
  expect([roads.reaches(2, 0), roads.reaches(1, 2), roads.reaches(0, 1)]).toEqual([false, false, true]);
  roads.restoreLine(2);
  expect(roads.connects(1, 2)).toBe(true);
  expect(roads.bulkLeavesMs(0, 16_000)).toBe(1000);
  expect(roads.bulkLeavesMs(0, 16_000)).toBe(2000);
  expect(roads.bulkLeavesMs(1, 16_000)).toBe(1000);
});

it('a lost packet comes late, and a full uplink delays what is sent', () => {
  const delays = (loss: number, queueMs: number): number[] => {
    const roads = net({ boxes: 2, loss, agenda: agenda(), chance: chance(3) });
    roads.setQueue(0, queueMs);
    return Array.from({ length: 400 }, (_, count) => roads.delayMs({ from: 0, to: 1, connection: 1, count }));
  };
  expect(Math.max(...delays(0, 0))).toBeLessThan(100);
  const late = delays(0.1, 0).filter((ms) => ms > 250).length;
  expect(late).toBeGreaterThan(20);
  expect(late).toBeLessThan(70);
  expect(Math.max(...delays(0, 2000))).toBeGreaterThan(1500);
});
