import { expect, it } from 'vitest';
import { inTurns } from './turns.ts';

it('does a few at a time for each key, in order, and goes on after one that failed', async () => {
  const turns = inTurns(2);
  const done: string[] = [];
  let now = 0;
  let most = 0;
  const work = (name: string) => async (): Promise<void> => {
    most = Math.max(most, ++now);
    await Promise.resolve();
    now--;
    done.push(name);
    if (name === 'a2') throw new Error('a2');
  };
  const all = ['a1', 'a2', 'a3', 'a4', 'a5'].map((name) => turns.run('a', work(name)));
  const settled = await Promise.allSettled(all);
  expect(settled.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
    'fulfilled',
  ]);
  expect(done).toEqual(['a1', 'a2', 'a3', 'a4', 'a5']);
  expect(most).toBe(2);
});

it('lets no key wait for another', async () => {
  const turns = inTurns(1);
  const held = Promise.withResolvers<void>();
  const first = turns.run('a', () => held.promise);
  expect(await turns.run('b', async () => await Promise.resolve('b'))).toBe('b');
  held.resolve();
  await first;
});
