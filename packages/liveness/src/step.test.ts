import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  emptyView,
  facts,
  friendsMax,
  heardNow,
  type LivenessEffect,
  type LivenessInput,
  type LivenessState,
  step,
} from './index.ts';

/** One box under test: time is moved second by second, as the agent does it. */
function box(friends: Record<string, string>, self = 'alice', selfNetwork = '') {
  let view: LivenessState = emptyView();
  let nowMs = 1_000_000;
  const seen: { atMs: number; effect: LivenessEffect }[] = [];
  const startMs = nowMs;
  const give = (input: LivenessInput): LivenessEffect[] => {
    const [next, effects] = step(view, input, nowMs);
    view = next;
    for (const effect of effects) seen.push({ atMs: nowMs - startMs, effect });
    return effects;
  };
  const roster = Object.entries(friends).map(([peer, network]) => ({ peer, network }));
  give({ kind: 'roster', self, selfNetwork, friends: roster });
  /** Seconds pass; each second those in `heard` are heard, every ten seconds they claim to hear those in `claims`. */
  const pass = (seconds: number, heard: string[] = [], claims: Record<string, string[]> = {}): void => {
    for (let second = 0; second < seconds; second++) {
      nowMs += 1000;
      for (const peer of heard) give({ kind: 'heard', peer });
      if (second % 10 === 0) {
        for (const [from, peers] of Object.entries(claims)) give({ kind: 'heard-bits', from, peers });
      }
      give({ kind: 'tick' });
    }
  };
  let sequence = 0;
  return {
    give,
    pass,
    stateOf: (peer: string) => facts(view).find((friend) => friend.peer === peer),
    line: () => view.line,
    view: () => view,
    all: <Kind extends LivenessEffect['kind']>(kind: Kind) =>
      seen.filter(
        (one): one is { atMs: number; effect: LivenessEffect & { kind: Kind } } => one.effect.kind === kind,
      ),
    vote: (from: string, about: string, silent = true) =>
      give({ kind: 'vote', from, about, heardAtMs: 0, silent, sequence: sequence++ }),
    jump: (byMs: number) => {
      nowMs += byMs;
    },
  };
}

const three = { bob: '', carol: '' };

it('calls a friend unknown until first heard, and up as soon as a connection stands', () => {
  const alice = box(three);
  alice.pass(5);
  expect(alice.stateOf('bob')).toMatchObject({
    state: 'unknown',
    confirmed: false,
    lastHeardAtMs: undefined,
  });
  alice.give({ kind: 'connected', peer: 'bob' });
  expect(alice.stateOf('bob')).toMatchObject({ state: 'up', confirmed: true, sinceAtMs: 1_005_000 });
  expect(alice.all('changed').map(({ effect }) => [effect.from, effect.to])).toEqual([['unknown', 'up']]);
});

it('suspects at once a friend whose connection was closed, dials again, and is glad at the first byte', () => {
  const alice = box(three);
  alice.pass(3, ['bob', 'carol']);
  const effects = alice.give({ kind: 'disconnected', peer: 'bob' });
  expect(effects).toEqual([
    { kind: 'dial-second', peer: 'bob' },
    { kind: 'changed', peer: 'bob', from: 'up', to: 'suspect', confirmed: false, seenDownBy: [] },
  ]);
  expect(alice.give({ kind: 'heard', peer: 'bob' })).toMatchObject([
    { kind: 'changed', from: 'suspect', to: 'up' },
  ]);
});

it('after a cut: dials at 20 s, suspects at 30 s, votes at 35 s', () => {
  const alice = box(three);
  alice.pass(1, ['bob', 'carol']);
  alice.pass(40, ['carol']);
  expect(alice.all('dial-second').map(({ atMs }) => atMs)).toEqual([21_000]);
  expect(alice.all('changed').filter(({ effect }) => effect.to === 'suspect')).toMatchObject([
    { atMs: 31_000 },
  ]);
  expect(alice.all('vote')).toEqual([
    { atMs: 36_000, effect: { kind: 'vote', about: 'bob', heardAtMs: 1_001_000, silent: true } },
  ]);
});

it('never votes when the silence began with a good-bye before 35 s are over', () => {
  const alice = box(three);
  alice.pass(1, ['bob', 'carol']);
  alice.give({ kind: 'disconnected', peer: 'bob' });
  alice.pass(34, ['carol']);
  expect(alice.all('vote')).toEqual([]);
  alice.pass(1, ['carol']);
  expect(alice.all('vote')).toHaveLength(1);
});

it('confirms down with votes from two networks, names the voters, and takes its vote back at the first byte', () => {
  const alice = box(three);
  alice.pass(1, ['bob', 'carol']);
  alice.pass(36, ['carol']);
  expect(alice.stateOf('bob')).toMatchObject({ state: 'suspect', seenDownBy: ['alice'] });
  expect(alice.vote('carol', 'bob')).toMatchObject([
    { kind: 'changed', from: 'suspect', to: 'down', confirmed: true, seenDownBy: ['alice', 'carol'] },
  ]);
  expect(alice.give({ kind: 'connected', peer: 'bob' })).toMatchObject([
    { kind: 'vote', about: 'bob', silent: false },
    { kind: 'changed', from: 'down', to: 'up', confirmed: true },
  ]);
  expect(alice.stateOf('bob')?.seenDownBy).toEqual(['carol']);
});

it('two voters in one network are one witness: down after 60 s, not confirmed', () => {
  const alice = box({ bob: 'isp', carol: 'home' }, 'alice', 'home');
  alice.pass(1, ['bob', 'carol']);
  alice.pass(40, ['carol']);
  alice.vote('carol', 'bob');
  expect(alice.stateOf('bob')).toMatchObject({ state: 'suspect' });
  alice.pass(20, ['carol']);
  expect(alice.stateOf('bob')).toMatchObject({ state: 'down', confirmed: false });
});

it('unconfirmed becomes confirmed when the second network votes, which is told as a change', () => {
  const alice = box(three);
  alice.pass(1, ['bob', 'carol']);
  alice.pass(61, ['carol']);
  expect(alice.stateOf('bob')).toMatchObject({ state: 'down', confirmed: false });
  expect(alice.vote('carol', 'bob')).toMatchObject([
    { kind: 'changed', from: 'down', to: 'down', confirmed: true },
  ]);
});

it('a vote withdrawn, a vote with an old number, and votes of strangers or about oneself do not count', () => {
  const alice = box(three);
  alice.pass(1, ['bob', 'carol']);
  alice.pass(40, ['carol']);
  alice.give({ kind: 'vote', from: 'carol', about: 'bob', heardAtMs: 0, silent: false, sequence: 9 });
  alice.give({ kind: 'vote', from: 'carol', about: 'bob', heardAtMs: 0, silent: true, sequence: 8 });
  alice.give({ kind: 'vote', from: 'carol', about: 'bob', heardAtMs: 0, silent: true, sequence: 9 });
  alice.vote('mallory', 'bob');
  alice.vote('bob', 'bob');
  alice.vote('bob', 'mallory');
  expect(alice.stateOf('bob')).toMatchObject({ state: 'suspect', seenDownBy: ['alice'] });
});

it('the vote of a friend who has fallen silent himself does not count', () => {
  const alice = box({ bob: '', carol: '', dave: '' });
  alice.pass(1, ['bob', 'carol', 'dave']);
  alice.vote('carol', 'bob');
  alice.pass(40, ['dave']);
  expect(alice.stateOf('bob')).toMatchObject({ state: 'suspect', seenDownBy: ['alice'] });
});

it('one friend who still hears him outweighs two votes: partial', () => {
  const alice = box({ bob: '', carol: '', dave: '' });
  alice.pass(1, ['bob', 'carol', 'dave']);
  alice.vote('carol', 'bob');
  alice.pass(60, ['carol', 'dave'], { dave: ['bob'] });
  expect(alice.stateOf('bob')).toMatchObject({ state: 'partial', seenDownBy: ['alice', 'carol'] });
  expect(alice.all('changed').filter(({ effect }) => effect.to === 'down')).toEqual([]);
});

it('a claim that may be older than the silence proves nothing, but keeps the verdict open', () => {
  const alice = box({ bob: '', carol: '', dave: '' });
  alice.pass(1, ['bob', 'carol', 'dave']);
  alice.vote('carol', 'bob');
  alice.pass(39, ['carol', 'dave'], { dave: ['bob'] });
  expect(alice.stateOf('bob')).toMatchObject({ state: 'suspect' });
  alice.vote('dave', 'bob');
  expect(alice.stateOf('bob')).toMatchObject({ state: 'down', confirmed: true });
});

it('partial turns into down when the last one who heard him votes too', () => {
  const alice = box(three);
  alice.pass(1, ['bob', 'carol']);
  alice.pass(60, ['carol'], { carol: ['bob'] });
  expect(alice.stateOf('bob')).toMatchObject({ state: 'partial' });
  alice.give({ kind: 'heard-bits', from: 'carol', peers: [] });
  alice.pass(5, ['carol']);
  expect(alice.stateOf('bob')).toMatchObject({ state: 'partial' });
  alice.vote('carol', 'bob');
  expect(alice.stateOf('bob')).toMatchObject({ state: 'down', confirmed: true });
});

it('whoever hears nobody is cut off itself: no vote, no verdict, and every silence starts anew afterwards', () => {
  const alice = box(three);
  alice.pass(1, ['bob', 'carol']);
  alice.pass(300);
  expect(alice.line()).toBe('cut');
  alice.vote('carol', 'bob');
  expect(alice.stateOf('bob')).toMatchObject({ state: 'suspect' });
  expect(alice.all('vote')).toEqual([]);
  alice.give({ kind: 'connected', peer: 'carol' });
  expect(alice.line()).toBe('ok');
  alice.pass(34, ['carol']);
  expect(alice.all('vote')).toEqual([]);
  alice.pass(1, ['carol']);
  expect(alice.all('vote')).toHaveLength(1);
  expect(alice.all('line').map(({ effect }) => effect.state)).toEqual(['ok', 'cut', 'ok']);
});

it('friends who all said good-bye leave the line unknown, and are down after 60 s without confirmation', () => {
  const alice = box(three);
  alice.pass(1, ['bob', 'carol']);
  alice.give({ kind: 'disconnected', peer: 'bob' });
  alice.give({ kind: 'disconnected', peer: 'carol' });
  expect(alice.line()).toBe('unknown');
  alice.pass(60);
  expect(alice.stateOf('bob')).toMatchObject({ state: 'down', confirmed: false });
});

it('a connection given up after a silence is no good-bye', () => {
  const alice = box(three);
  alice.pass(1, ['bob', 'carol']);
  alice.pass(25);
  alice.give({ kind: 'disconnected', peer: 'bob' });
  alice.give({ kind: 'disconnected', peer: 'carol' });
  alice.pass(100);
  expect(alice.line()).toBe('cut');
  expect(alice.stateOf('bob')).toMatchObject({ state: 'suspect' });
});

it('a box whose own line was just cut does not vote against the friend whom it heard first', () => {
  const alice = box(three);
  alice.pass(1, ['bob', 'carol']);
  alice.pass(9, ['carol']);
  alice.pass(300);
  expect(
    alice
      .all('changed')
      .filter(({ effect }) => effect.to === 'suspect')
      .map(({ atMs }) => atMs),
  ).toEqual([31_000, 40_000]);
  expect(alice.all('vote')).toEqual([]);
});

it('two of five who hear only each other vote against nobody and confirm nothing', () => {
  const alice = box({ bob: '', carol: '', dave: '', eve: '' });
  alice.pass(1, ['bob', 'carol', 'dave', 'eve']);
  for (const voter of ['bob', 'dave']) alice.vote(voter, 'carol');
  alice.pass(59, ['bob']);
  expect(alice.stateOf('carol')).toMatchObject({ state: 'suspect' });
  alice.pass(60, ['bob']);
  expect(alice.stateOf('carol')).toMatchObject({ state: 'down', confirmed: false });
  expect(alice.all('vote')).toEqual([]);
});

it('of two equal halves the one with the lowest id judges', () => {
  const run = (self: string, friends: string[], heard: string) => {
    const one = box(Object.fromEntries(friends.map((peer) => [peer, ''])), self);
    one.pass(1, friends);
    one.pass(40, [heard]);
    return one.all('vote').length;
  };
  expect(run('alice', ['bob', 'carol', 'dave'], 'bob')).toBe(2);
  expect(run('bob', ['alice', 'carol', 'dave'], 'alice')).toBe(2);
  expect(run('carol', ['alice', 'bob', 'dave'], 'dave')).toBe(0);
});

it('a circle of two: suspect without proof, down without confirmation once the line check answers', () => {
  const alice = box({ bob: '' });
  alice.pass(1, ['bob']);
  alice.pass(120);
  expect(alice.stateOf('bob')).toMatchObject({ state: 'suspect' });
  expect(alice.line()).toBe('unknown');
  expect(alice.all('check-line').map(({ atMs }) => atMs)).toEqual([0, 31_000, 61_000, 91_000, 121_000]);
  alice.give({ kind: 'line-check', answered: false });
  expect(alice.line()).toBe('cut');
  expect(alice.stateOf('bob')).toMatchObject({ state: 'suspect' });
  alice.give({ kind: 'line-check', answered: true });
  expect(alice.line()).toBe('ok');
  expect(alice.stateOf('bob')).toMatchObject({ state: 'down', confirmed: false });
  expect(alice.all('vote')).toEqual([]);
});

it('a circle of two: a friend who closed the connection is down after 60 s, and never confirmed', () => {
  const alice = box({ bob: '' });
  alice.pass(1, ['bob']);
  alice.give({ kind: 'disconnected', peer: 'bob' });
  alice.pass(59);
  expect(alice.stateOf('bob')).toMatchObject({ state: 'suspect' });
  alice.pass(1);
  expect(alice.stateOf('bob')).toMatchObject({ state: 'down', confirmed: false });
});

it('an answer of the line check counts for a minute', () => {
  const alice = box({ bob: '' });
  alice.pass(1, ['bob']);
  alice.give({ kind: 'line-check', answered: true });
  alice.pass(100);
  expect(alice.line()).toBe('unknown');
  expect(alice.stateOf('bob')).toMatchObject({ state: 'suspect' });
});

it('somebody never heard stays unknown alone, is partial when others hear him, down when two networks say so', () => {
  const alice = box({ bob: '', carol: '', dave: '' });
  alice.pass(90, ['carol', 'dave']);
  expect(alice.stateOf('bob')).toMatchObject({ state: 'unknown', seenDownBy: ['alice'] });
  alice.pass(2, ['carol', 'dave'], { dave: ['bob'] });
  expect(alice.stateOf('bob')).toMatchObject({ state: 'partial' });
  const other = box(three);
  other.vote('carol', 'bob');
  other.pass(40, ['carol']);
  expect(other.stateOf('bob')).toMatchObject({ state: 'down', confirmed: true });
});

it('sleep of this box and a stepped clock are nobody’s silence', () => {
  for (const jumpMs of [3_600_000, -3_600_000]) {
    const alice = box(three);
    alice.pass(10, ['bob', 'carol']);
    alice.pass(15, ['carol']);
    alice.jump(jumpMs);
    alice.pass(13, ['carol']);
    expect(alice.stateOf('bob')).toMatchObject({ state: 'up' });
    alice.pass(4, ['carol']);
    expect(alice.stateOf('bob')).toMatchObject({ state: 'suspect' });
  }
});

it('a stepped clock is nobody’s silence either when something else comes before the next tick', () => {
  for (const jumpMs of [40_000, 3_600_000, -3_600_000]) {
    const alice = box(three);
    alice.pass(10, ['bob', 'carol']);
    alice.jump(jumpMs);
    alice.vote('carol', 'bob');
    alice.give({ kind: 'line-check', answered: true });
    expect([alice.stateOf('bob')?.state, alice.stateOf('carol')?.state]).toEqual(['up', 'up']);
    alice.pass(29, ['carol']);
    expect(alice.stateOf('bob')).toMatchObject({ state: 'up' });
    alice.pass(2, ['carol']);
    expect(alice.stateOf('bob')).toMatchObject({ state: 'suspect' });
  }
});

it('a vote of its own from before a restart is taken back when the friend is heard', () => {
  const alice = box(three);
  alice.give({ kind: 'vote', from: 'alice', about: 'bob', heardAtMs: 0, silent: true, sequence: 4 });
  expect(alice.give({ kind: 'connected', peer: 'bob' })).toContainEqual({
    kind: 'vote',
    about: 'bob',
    heardAtMs: 1_000_000,
    silent: false,
  });
});

it('a new roster keeps what is known of those who stay and forgets those who left', () => {
  const alice = box(three);
  alice.pass(1, ['bob', 'carol']);
  alice.vote('carol', 'bob');
  alice.give({ kind: 'roster', self: 'alice', selfNetwork: '', friends: [{ peer: 'bob', network: '' }] });
  expect(facts(alice.view()).map(({ peer, state, seenDownBy }) => [peer, state, seenDownBy])).toEqual([
    ['bob', 'up', []],
  ]);
  alice.give({ kind: 'heard', peer: 'carol' });
  expect(heardNow(alice.view()).map(({ peer }) => peer)).toEqual(['bob']);
});

it('watches no more friends than the limit', () => {
  const crowd = Object.fromEntries(Array.from({ length: friendsMax + 5 }, (_, i) => [`peer${1000 + i}`, '']));
  expect(facts(box(crowd).view())).toHaveLength(friendsMax);
});

it('whatever comes in whatever order: only being heard makes up, confirmed down has two networks, frozen votes nothing', () => {
  const peers = ['bob', 'carol', 'dave', 'mallory'];
  const peer = fc.constantFrom(...peers);
  const input = fc.oneof(
    fc.record({ kind: fc.constantFrom('connected', 'heard', 'disconnected'), peer }),
    fc.record({
      kind: fc.constant('vote'),
      from: fc.constantFrom('alice', ...peers),
      about: peer,
      heardAtMs: fc.constant(0),
      silent: fc.boolean(),
      sequence: fc.nat(20),
    }),
    fc.record({ kind: fc.constant('heard-bits'), from: peer, peers: fc.subarray(peers) }),
    fc.record({ kind: fc.constant('line-check'), answered: fc.boolean() }),
    fc.record({ kind: fc.constant('tick') }),
  ) as fc.Arbitrary<LivenessInput>;
  const events = fc.array(fc.tuple(input, fc.constantFrom(0, 900, 4000, 30_000)), { maxLength: 120 });
  fc.assert(
    fc.property(events, (script) => {
      let nowMs = 0;
      let [view] = step(
        emptyView(),
        {
          kind: 'roster',
          self: 'alice',
          selfNetwork: 'n1',
          friends: [
            { peer: 'bob', network: 'n1' },
            { peer: 'carol', network: 'n2' },
            { peer: 'dave', network: '' },
          ],
        },
        nowMs,
      );
      for (const [one, afterMs] of script) {
        nowMs += afterMs;
        const [next, effects] = step(view, one, nowMs);
        view = next;
        for (const effect of effects) {
          if (effect.kind === 'vote' && effect.silent) expect(view.frozen).toBe(false);
          if (effect.kind !== 'changed') continue;
          if (effect.to === 'up') expect(one).toMatchObject({ peer: effect.peer });
          if (effect.to === 'down' && effect.confirmed) {
            const networks = effect.seenDownBy.map(
              (voter) => ({ alice: 'n1', bob: 'n1', carol: 'n2' })[voter] ?? voter,
            );
            expect(new Set(networks).size).toBeGreaterThan(1);
          }
        }
      }
      expect(facts(view).map((friend) => friend.peer)).toEqual(['bob', 'carol', 'dave']);
    }),
  );
});

const circleOf = (many: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: many - 1 }, (_, index) => [`box${index}`, '']));

it('up to eight friends all watch all; with more, eight watch each, and nobody else votes about him', () => {
  expect([...box(circleOf(9)).view().friends.values()].map(({ watchers }) => watchers)).toEqual(
    Array(8).fill(undefined),
  );
  const large = box(circleOf(20));
  const all = Object.keys(circleOf(20));
  large.pass(5, all);
  const heard = all.slice(0, 11);
  // More than half go on being heard, so that this box may judge the others.
  large.pass(60, heard);
  const silent = all.slice(11);
  const watchedHere = silent.filter((peer) => large.view().friends.get(peer)?.watchers?.has('alice'));
  expect(watchedHere.length).toBeGreaterThan(0);
  expect(watchedHere.length).toBeLessThan(silent.length);
  expect(
    large
      .all('vote')
      .map(({ effect }) => effect.about)
      .toSorted(),
  ).toEqual(watchedHere.toSorted());
});

it('in a large circle only the votes of his watchers make a friend down for sure', () => {
  const about = 'box0';
  const votedBy = (isWatcher: boolean) => {
    const large = box(circleOf(20));
    const all = Object.keys(circleOf(20));
    large.pass(5, all);
    large.pass(
      50,
      all.filter((peer) => peer !== about),
    );
    const { watchers } = large.view().friends.get(about) ?? {};
    const voters = all.filter((peer) => peer !== about && watchers?.has(peer) === isWatcher).slice(0, 2);
    for (const voter of voters) large.vote(voter, about);
    return large.stateOf(about);
  };
  expect(votedBy(true)).toMatchObject({ state: 'down', confirmed: true });
  const { state, seenDownBy = [] } = votedBy(false) ?? {};
  expect(state).toBe('suspect');
  // What this box itself says counts where it is one of them.
  expect(seenDownBy.filter((voter) => voter !== 'alice')).toEqual([]);
});
