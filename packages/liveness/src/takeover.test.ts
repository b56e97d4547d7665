import { expect, it } from 'vitest';
import {
  holdOf,
  type KnownSwapVote,
  startTakeovers,
  stepTakeover,
  type TakeoverEffect,
  type TakeoverState,
  type WatchedService,
} from './takeover.ts';

const minuteMs = 60_000;
const web: WatchedService = {
  key: 'alice/web',
  isMine: false,
  afterMs: 180_000,
  holdMs: 10 * minuteMs,
  number: 0,
  sinceMs: 0,
  isCertified: true,
  orderNumber: 0,
  isFixed: false,
  swapsInDay: 0,
  box: { state: 'up', confirmed: true, sinceMs: 0, silentSinceMs: 0 },
  votes: [],
};
const vote = (voter: string, more: Partial<KnownSwapVote> = {}): KnownSwapVote => ({
  voter,
  owner: voter,
  network: '',
  number: 1,
  stands: true,
  atMs: 0,
  ...more,
});

/** One box's memory over several steps. */
function box(self = 'carol') {
  let state: TakeoverState = startTakeovers();
  return {
    tick(service: Partial<WatchedService>, nowMs: number, canJudge = true): TakeoverEffect[] {
      const isQuorum = (_key: string, _number: number, votes: readonly KnownSwapVote[]) => votes.length >= 2;
      const situation = { self, canJudge, services: [{ ...web, ...service }], isQuorum };
      const [next, effects] = stepTakeover(state, { kind: 'tick', situation }, nowMs);
      state = next;
      return effects;
    },
    probed(where: 'primary' | 'standby', kind: 'up' | 'down' | 'unknown', nowMs: number): void {
      const result = kind === 'up' ? { kind, tookMs: 1 } : { kind, why: 'no answer' };
      [state] = stepTakeover(state, { kind: 'probed', key: web.key, where, result }, nowMs);
    },
  };
}

const votes = (effects: readonly TakeoverEffect[]) =>
  effects.flatMap((one) => (one.kind === 'vote' ? [`${one.number} ${one.stands}`] : []));
const down = (silentSinceMs: number): Pick<WatchedService, 'box'> => ({
  box: { state: 'down', confirmed: true, sinceMs: 40_000, silentSinceMs },
});

/** A watcher who found the site dead and the standby well, just before `nowMs`. */
function convinced(nowMs: number): ReturnType<typeof box> {
  const one = box();
  one.tick(down(0), nowMs - 20_000);
  one.probed('primary', 'down', nowMs - 15_000);
  one.probed('primary', 'down', nowMs - 5000);
  one.probed('standby', 'up', nowMs - 5000);
  return one;
}

it('is for the standby 11 s after the time has passed since the last word, and not before', () => {
  expect(votes(convinced(190_000).tick(down(0), 190_000))).toEqual([]);
  expect(votes(convinced(191_000).tick(down(0), 191_000))).toEqual(['1 true']);
});

it('is not for it without its own fresh tries of both, nor while it cannot judge, nor against a pin', () => {
  const nowMs = 400_000;
  const unless = (spoil: (one: ReturnType<typeof box>) => TakeoverEffect[]) => votes(spoil(convinced(nowMs)));
  expect(unless((one) => one.tick(down(0), nowMs))).toEqual(['1 true']);
  expect(unless((one) => one.tick(down(0), nowMs, false))).toEqual([]);
  expect(unless((one) => one.tick({ ...down(0), isFixed: true }, nowMs))).toEqual([]);
  expect(unless((one) => one.tick({ box: { ...down(0).box, confirmed: false } }, nowMs))).toEqual([]);
  expect(unless((one) => one.tick({ box: { ...down(0).box, state: 'partial' } }, nowMs))).toEqual([]);
  expect(unless((one) => one.tick(down(0), nowMs + 40_000))).toEqual([]);
  const after = (where: 'primary' | 'standby', kind: 'up' | 'down') =>
    unless((one) => {
      one.probed(where, kind, nowMs);
      return one.tick(down(0), nowMs);
    });
  expect(after('primary', 'up')).toEqual([]);
  expect(after('standby', 'down')).toEqual([]);
});

it('what could not be tried says nothing', () => {
  const one = convinced(400_000);
  one.probed('primary', 'unknown', 400_000);
  expect(votes(one.tick(down(0), 400_000))).toEqual(['1 true']);
});

it('failures of the time in which the box was out of reach are not held against its site once the box is back', () => {
  const nowMs = 400_000;
  const failing = box();
  failing.tick({}, 0);
  for (let atMs = 1000; atMs <= nowMs; atMs += 10_000) failing.probed('primary', 'down', atMs);
  failing.probed('standby', 'up', nowMs - 1000);
  const up = (sinceMs: number) => ({ box: { state: 'up', confirmed: true, sinceMs, silentSinceMs: nowMs } });
  expect(votes(failing.tick(up(nowMs - 1000), nowMs))).toEqual([]);
  expect(votes(failing.tick(up(nowMs - web.afterMs + 1), nowMs))).toEqual([]);
  expect(votes(failing.tick(up(nowMs - web.afterMs), nowMs))).toEqual(['1 true']);
});

it('a site that went on while its box was off has its whole time once it fails', () => {
  const one = box();
  one.tick(down(0), 500_000);
  one.probed('primary', 'up', 600_000);
  const due = (nowMs: number) => {
    one.probed('primary', 'down', nowMs - 10_000);
    one.probed('primary', 'down', nowMs - 5000);
    one.probed('standby', 'up', nowMs - 5000);
    return votes(one.tick(down(0), nowMs));
  };
  expect(due(779_000)).toEqual([]);
  expect(due(780_000)).toEqual(['1 true']);
});

it('takes its word back when it is not convinced any more, and says it again while it is', () => {
  const mine = [vote('carol', { atMs: 300_000 })];
  expect(votes(convinced(400_000).tick({ ...down(0), votes: mine }, 400_000))).toEqual([]);
  expect(votes(convinced(600_000).tick({ ...down(0), votes: mine }, 600_000))).toEqual(['1 true']);
  expect(votes(box().tick({ votes: mine }, 400_000))).toEqual(['1 false']);
  expect(votes(box().tick({ ...down(0), number: 1, votes: mine }, 400_000))).toEqual([]);
});

it('votes are put together by the lowest voter at once, and by the others when he does not', () => {
  const given = [vote('bob', { atMs: 1000 }), vote('carol', { atMs: 2000 })];
  const certified = (effects: readonly TakeoverEffect[]) => effects.filter(({ kind }) => kind === 'certify');
  const expected = [{ kind: 'certify', key: web.key, number: 1, voters: ['bob', 'carol'] }];
  expect(certified(box('bob').tick({ ...down(0), votes: given }, 3000))).toEqual(expected);
  const carol = box('carol');
  expect(certified(carol.tick({ ...down(0), votes: given }, 3000))).toEqual([]);
  expect(certified(carol.tick({ ...down(0), votes: given }, 5999))).toEqual([]);
  expect(certified(carol.tick({ ...down(0), votes: given }, 6000))).toEqual(expected);
  expect(certified(carol.tick({ ...down(0), votes: given }, 7000))).toEqual([]);
});

it('a vote that was given in vain is passed over by the owner’s next number', () => {
  const orders = (service: Partial<WatchedService>) =>
    box('alice')
      .tick({ isMine: true, ...service }, 1000)
      .filter(({ kind }) => kind === 'order');
  expect(orders({ votes: [vote('bob', { stands: false })] })).toEqual([
    { kind: 'order', key: web.key, number: 2 },
  ]);
  expect(orders({ votes: [vote('bob')] })).toEqual([]);
  expect(orders({ number: 4, orderNumber: 2 })).toEqual([{ kind: 'order', key: web.key, number: 4 }]);
  expect(orders({ number: 3, orderNumber: 2, votes: [vote('bob', { stands: false, number: 4 })] })).toEqual(
    [],
  );
  expect(orders({ number: 2, orderNumber: 2 })).toEqual([]);
});

it('goes home by the box itself, and by whoever saw it well for the hold; after three times in a day by nobody', () => {
  const away = { number: 1, sinceMs: 0 };
  const nowMs = 30 * minuteMs;
  expect(votes(box('alice').tick({ ...away, isMine: true }, nowMs))).toEqual(['2 true']);
  expect(votes(box('alice').tick({ ...away, isMine: true, swapsInDay: 3 }, nowMs))).toEqual([]);
  const seen = (upSinceMs: number, goodSinceMs: number, swapsInDay = 1) => {
    const one = box();
    const service = {
      ...away,
      swapsInDay,
      box: { state: 'up', confirmed: true, sinceMs: upSinceMs, silentSinceMs: nowMs },
    };
    one.tick(service, 0);
    for (const atMs of [goodSinceMs, nowMs - 2000, nowMs - 1000]) one.probed('primary', 'up', atMs);
    return votes(one.tick(service, nowMs));
  };
  expect(seen(nowMs - 10 * minuteMs, nowMs - 10 * minuteMs)).toEqual(['2 true']);
  expect(seen(nowMs - 9 * minuteMs, nowMs - 10 * minuteMs)).toEqual([]);
  expect(seen(nowMs - 10 * minuteMs, nowMs - 9 * minuteMs)).toEqual([]);
  expect(seen(nowMs - 10 * minuteMs, nowMs - 10 * minuteMs, 2)).toEqual([]);
  expect(seen(nowMs - 20 * minuteMs, nowMs - 20 * minuteMs, 2)).toEqual(['2 true']);
  expect(seen(0, 0, 3)).toEqual([]);
});

it('the hold doubles up to six hours, or what its owner set where that is longer', () => {
  expect([0, 1, 2, 3, 9].map((swaps) => holdOf(10 * minuteMs, swaps) / minuteMs)).toEqual([
    10, 10, 20, 40, 360,
  ]);
  expect(holdOf(12 * 60 * minuteMs, 5)).toBe(12 * 60 * minuteMs);
});

it('a calm service is tried once a minute, one in doubt every five seconds and its standby just before it is needed', () => {
  const one = box();
  const tries = (service: Partial<WatchedService>, fromMs: number, untilMs: number) => {
    const found: string[] = [];
    for (let atMs = fromMs; atMs < untilMs; atMs += 1000)
      for (const effect of one.tick(service, atMs)) if (effect.kind === 'probe') found.push(effect.where);
    return found;
  };
  expect(tries({}, 0, 3 * minuteMs)).toEqual(['primary', 'primary', 'primary']);
  expect(tries(down(3 * minuteMs), 4 * minuteMs, 5 * minuteMs)).toEqual(Array(12).fill('primary'));
  expect(tries(down(3 * minuteMs), 6 * minuteMs, 6 * minuteMs + 5000)).toEqual(['primary', 'standby']);
});

it('a vote by a clock that is days ahead does not keep those from counting that are together without it', () => {
  const early = [vote('bob', { atMs: 10_000 }), vote('carol', { atMs: 12_000 })];
  const ahead = vote('dave', { atMs: 3 * 86_400_000 });
  expect(box('bob').tick({ ...down(0), votes: [ahead, ...early] }, 13_000)).toContainEqual({
    kind: 'certify',
    key: 'alice/web',
    number: 1,
    voters: ['bob', 'carol'],
  });
  expect(
    box('bob').tick({ ...down(0), votes: [ahead, vote('bob', { atMs: 10_000 })] }, 13_000),
  ).not.toContainEqual(expect.objectContaining({ kind: 'certify' }));
});

it('a clock that was set back by an hour does not stop the tries, nor the count of an outage', () => {
  const hourMs = 60 * minuteMs;
  const one = box();
  one.tick({}, 2 * hourMs);
  one.probed('primary', 'up', 2 * hourMs + 500);
  const backMs = hourMs + 1000;
  one.tick({}, backMs);
  const tries = (nowMs: number) =>
    one.tick(down(backMs), nowMs).filter(({ kind }) => kind === 'probe').length;
  expect(tries(backMs + 6000)).toBe(1);
  one.probed('primary', 'down', backMs + 7000);
  one.probed('primary', 'down', backMs + 180_000);
  expect(tries(backMs + 180_000)).toBeGreaterThan(0);
  one.probed('primary', 'down', backMs + 190_000);
  one.probed('standby', 'up', backMs + 190_000);
  expect(votes(one.tick(down(backMs), backMs + 192_000))).toEqual(['1 true']);
});
