import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type BootEffect,
  type BootHistory,
  maxKnownBoots,
  startBootHistory,
  stepBoot,
  withBoot,
} from './boot-history.ts';

/** A box with its disk: what a copy of it copies. */
interface Home {
  known: readonly string[];
}
interface Run {
  home: Home;
  state: BootHistory;
  effects: BootEffect[];
}

let count = 0;
/** Starts a home: a new boot id, kept before anybody hears of it. */
function start(home: Home): Run {
  count += 1;
  const current = `boot-${count}`;
  const state = startBootHistory(current, home.known);
  home.known = withBoot(home.known, current);
  return { home, state, effects: [] };
}

/** What friends keep: the run of our box that each saw last. Each friend has one run unless told otherwise. */
type Friends = Map<string, { boot: string; lastSeen: string }>;
const friendsNamed = (...names: string[]): Friends =>
  new Map(names.map((name) => [name, { boot: `${name}-1`, lastSeen: '' }]));

/** A running box says hello to a friend, who notes it and answers. */
function hello(run: Run, friends: Friends, name: string): void {
  const friend = friends.get(name);
  if (friend === undefined) return;
  const { lastSeen } = friend;
  friend.lastSeen = run.state.current;
  const [state, effects] = stepBoot(run.state, { friend: name, friendBoot: friend.boot, lastSeen }, 1);
  run.state = state;
  run.effects.push(...effects);
  for (const effect of effects) {
    if (effect.kind === 'remember') run.home.known = withBoot(effect.known, state.current);
  }
}

const anyFriend = fc.constantFrom('bob', 'carol', 'dave');
const anyStep = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('hello' as const), friend: anyFriend }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const), friend: anyFriend }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('friend-restarts' as const), friend: anyFriend }) },
);

it('a box that only starts, stops and meets friends is never called restored or cloned', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      const friends = friendsNamed('bob', 'carol', 'dave');
      const home: Home = { known: [] };
      let run = start(home);
      for (const { kind, friend } of steps) {
        if (kind === 'hello') hello(run, friends, friend);
        else if (kind === 'restart') run = start(home);
        else
          friends.set(friend, {
            boot: `${friend}-${++count}`,
            lastSeen: friends.get(friend)?.lastSeen ?? '',
          });
        expect(run.state.finding.kind).toBe('none');
      }
    }),
  );
});

it('a box put back from an older copy is told so by the first friend who saw it since, and never called cloned', () => {
  fc.assert(
    fc.property(
      fc.array(anyStep, { maxLength: 20 }),
      fc.array(anyFriend, { minLength: 1, maxLength: 20 }),
      fc.array(anyStep, { maxLength: 40 }),
      (before, since, after) => {
        const friends = friendsNamed('bob', 'carol', 'dave');
        const home: Home = { known: [] };
        let run = start(home);
        for (const { kind, friend } of before) {
          if (kind === 'restart') run = start(home);
          else hello(run, friends, friend);
        }
        const copy: Home = { known: home.known };
        for (const friend of since) {
          run = start(home);
          hello(run, friends, friend);
        }
        // The old copy is put back, and lives on alone.
        const [first = 'bob'] = since;
        run = start(copy);
        hello(run, friends, first);
        expect(run.state.finding).toEqual({ kind: 'restored', by: first, atMs: 1 });
        expect(run.effects).toContainEqual({ kind: 'doubt', friend: first });
        for (const { kind, friend } of after) {
          if (kind === 'hello') hello(run, friends, friend);
          else if (kind === 'restart') run = start(copy);
          expect(run.state.finding.kind).not.toBe('cloned');
        }
      },
    ),
  );
});

it('of two running boxes with one key both learn of the other as soon as a friend has met each twice', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 20 }), fc.boolean(), (before, running) => {
      const friends = friendsNamed('bob', 'carol', 'dave');
      const home: Home = { known: [] };
      let original = start(home);
      for (const { kind, friend } of before) {
        if (kind === 'restart') original = start(home);
        else hello(original, friends, friend);
      }
      const copy: Home = { known: home.known };
      // Copied while it ran, or while it was stopped.
      if (!running) original = start(home);
      const twin = start(copy);
      hello(original, friends, 'bob');
      hello(twin, friends, 'bob');
      hello(original, friends, 'bob');
      hello(twin, friends, 'bob');
      expect(original.state.finding).toMatchObject({ kind: 'cloned', by: 'bob' });
      expect(twin.state.finding).toMatchObject({ kind: 'cloned', by: 'bob' });
      const again = original.effects.length;
      hello(twin, friends, 'bob');
      hello(original, friends, 'bob');
      expect(original.effects.length, 'it is said once').toBe(again);
    }),
  );
});

it('a friend who was himself put back from an older copy causes no alarm', () => {
  const friends = friendsNamed('bob');
  const home: Home = { known: [] };
  let run = start(home);
  hello(run, friends, 'bob');
  const old = friends.get('bob')?.lastSeen ?? '';
  run = start(home);
  hello(run, friends, 'bob');
  friends.set('bob', { boot: 'bob-2', lastSeen: old });
  hello(run, friends, 'bob');
  expect(run.state.finding.kind).toBe('none');
});

it('as many runs are remembered as the limit says, the newest', () => {
  let known: readonly string[] = [];
  for (let i = 0; i < maxKnownBoots + 10; i++) known = withBoot(known, String(i));
  expect(known).toHaveLength(maxKnownBoots);
  expect([known[0], known.at(-1)]).toEqual(['10', String(maxKnownBoots + 9)]);
});
