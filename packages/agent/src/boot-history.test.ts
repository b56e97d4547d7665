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

/**
 * Friends with open streams: whoever says hello is answered, and other runs that are connected are told of it, as
 * `sync-streams` does. Greetings that follow are said too, until nobody has any more to say; how many there were.
 */
function meet(run: Run, friends: Friends, name: string, connected: Set<Run>): number {
  connected.add(run);
  const waiting: Run[] = [run];
  let hellos = 0;
  for (let speaker = waiting.shift(); speaker !== undefined; speaker = waiting.shift()) {
    hellos += 1;
    const friend = friends.get(name);
    if (friend === undefined) break;
    const before = friend.lastSeen;
    friend.lastSeen = speaker.state.current;
    const told: [Run, string][] = [[speaker, before]];
    for (const other of connected) if (other !== speaker) told.push([other, speaker.state.current]);
    for (const [box, lastSeen] of told) {
      const [state, effects] = stepBoot(box.state, { friend: name, friendBoot: friend.boot, lastSeen }, 1);
      box.state = state;
      if (effects.some(({ kind }) => kind === 'greet')) waiting.push(box);
    }
  }
  return hellos;
}

it('of two running boxes with one key both learn of the other as soon as a friend has met both, and then are quiet', () => {
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
      const connected = new Set<Run>();
      meet(original, friends, 'bob', connected);
      expect(original.state.finding.kind).toBe('none');
      expect(meet(twin, friends, 'bob', connected)).toBeLessThan(20);
      expect(original.state.finding).toMatchObject({ kind: 'cloned', by: 'bob' });
      expect(twin.state.finding).toMatchObject({ kind: 'cloned', by: 'bob' });
    }),
  );
});

it('a hello of the last run that comes late, out of the buffers of a line that was cut, is no second box', () => {
  const friends = friendsNamed('bob');
  const home: Home = { known: [] };
  const last = start(home);
  hello(last, friends, 'bob');
  const run = start(home);
  const connected = new Set<Run>();
  meet(run, friends, 'bob', connected);
  friends.set('bob', { boot: 'bob-1', lastSeen: last.state.current });
  meet(run, friends, 'bob', connected);
  meet(run, friends, 'bob', connected);
  expect(run.state.finding.kind).toBe('none');
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
