import fc from 'fast-check';
import { expect, it } from 'vitest';
import { relayAnswerMs, relayRenewMs, relayRetryMs, relaysPerBox } from './limits.ts';
import { heldRelays, type RelayInput, type RelayState, relaysTowards, stepRelay } from './relay-plan.ts';

const candidates = ['carol', 'dave', 'erin'].map((peer) => ({ peer, connectionId: `${peer}-1` }));
const tick = (over: Partial<Extract<RelayInput, { kind: 'tick' }>> = {}): RelayInput => ({
  kind: 'tick',
  reachable: false,
  candidates,
  ...over,
});

function run(state: RelayState, input: RelayInput, nowMs: number): { state: RelayState; asked: string[] } {
  const [next, effects] = stepRelay(state, input, nowMs);
  return { state: next, asked: effects.map((effect) => effect.peer) };
}

function held(): RelayState {
  let { state } = run(new Map(), tick(), 0);
  for (const { peer, connectionId } of candidates.slice(0, relaysPerBox))
    ({ state } = run(state, { kind: 'reserved', peer, connectionId }, 10));
  return state;
}

it('a box that cannot be dialled, or does not know, reserves with two friends; one that can be dialled with nobody', () => {
  expect(run(new Map(), tick(), 0).asked).toEqual(['carol', 'dave']);
  expect(run(new Map(), tick({ reachable: undefined }), 0).asked).toEqual(['carol', 'dave']);
  expect(run(new Map(), tick({ reachable: true }), 0).asked).toEqual([]);
  expect(heldRelays(run(held(), tick({ reachable: true }), 20).state)).toEqual([]);
});

it('a held reservation is left alone until it is time to renew it, and stays in use while that is asked', () => {
  const state = held();
  expect(run(state, tick(), relayRenewMs).asked).toEqual([]);
  const renewing = run(state, tick(), relayRenewMs + 10);
  expect(renewing.asked).toEqual(['carol', 'dave']);
  expect(heldRelays(renewing.state)).toEqual(['carol', 'dave']);
  expect(run(renewing.state, tick(), relayRenewMs + 1010).asked).toEqual([]);
  expect(heldRelays(run(renewing.state, tick(), relayRenewMs + 10 + relayAnswerMs).state)).toEqual([]);
});

it('who holds after all, when another was asked in his place, is one of two all the same', () => {
  let { state } = run(new Map(), tick(), 0);
  ({ state } = run(state, { kind: 'refused', peer: 'carol', connectionId: 'carol-1' }, 10));
  expect(run(state, tick(), 20).asked).toEqual(['erin']);
  ({ state } = run(state, tick(), 20));
  for (const peer of ['carol', 'dave'])
    ({ state } = run(state, { kind: 'reserved', peer, connectionId: `${peer}-1` }, 30));
  ({ state } = run(state, tick(), 40));
  expect(heldRelays(state)).toEqual(['carol', 'dave']);
  ({ state } = run(state, { kind: 'reserved', peer: 'erin', connectionId: 'erin-1' }, 50));
  expect(heldRelays(state)).toEqual(['carol', 'dave']);
});

it('a relay that comes back on a new connection is asked again at once', () => {
  const without = run(held(), tick({ candidates: candidates.slice(1, 2) }), 1000).state;
  expect(heldRelays(without)).toEqual(['dave']);
  const back = [{ peer: 'carol', connectionId: 'carol-2' }, ...candidates.slice(1, 2)];
  expect(run(without, tick({ candidates: back }), 2000).asked).toEqual(['carol']);
  expect(run(held(), tick({ candidates: back }), 2000).asked).toEqual(['carol']);
});

it('whoever refuses makes room for another, and is asked again later; an answer for an old connection says nothing', () => {
  const asked = run(new Map(), tick({ candidates: candidates.slice(0, 2) }), 0).state;
  const refused = run(asked, { kind: 'refused', peer: 'carol', connectionId: 'carol-1' }, 10).state;
  expect(run(refused, tick(), 20).asked).toEqual(['erin']);
  expect(run(refused, tick({ candidates: candidates.slice(0, 1) }), relayRetryMs).asked).toEqual([]);
  expect(run(refused, tick({ candidates: candidates.slice(0, 1) }), relayRetryMs + 10).asked).toEqual([
    'carol',
  ]);
  const stale = run(asked, { kind: 'reserved', peer: 'carol', connectionId: 'carol-0' }, 10).state;
  expect(heldRelays(stale)).toEqual([]);
  expect(run(asked, tick({ candidates: candidates.slice(0, 2) }), relayAnswerMs).asked).toEqual([
    'carol',
    'dave',
  ]);
});

it('never more than two are held or asked, and with two who accept both are held after any history', () => {
  const peers = fc.constantFrom('carol', 'dave', 'erin');
  const step = fc.oneof(
    fc.record({ kind: fc.constant('tick' as const), present: fc.subarray(candidates) }),
    fc.record({ kind: fc.constantFrom('reserved' as const, 'refused' as const), peer: peers }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let state: RelayState = new Map();
      let nowMs = 0;
      for (const one of steps) {
        nowMs += 7000;
        const input =
          one.kind === 'tick'
            ? tick({ candidates: one.present })
            : { kind: one.kind, peer: one.peer, connectionId: `${one.peer}-1` };
        [state] = stepRelay(state, input, nowMs);
        const inUse = [...state.values()].filter(({ state: how }) => how !== 'refused');
        if (one.kind === 'tick') expect(inUse.length).toBeLessThanOrEqual(relaysPerBox);
      }
      for (let round = 0; round < 10; round++) {
        nowMs += relayRetryMs;
        const [next, effects] = stepRelay(state, tick(), nowMs);
        state = next;
        for (const { peer, connectionId } of effects)
          [state] = stepRelay(state, { kind: 'reserved', peer, connectionId }, nowMs);
      }
      expect(heldRelays(state).length).toBeGreaterThanOrEqual(relaysPerBox);
    }),
  );
});

it('a friend is dialled through those who are reached directly and offer him to relay, never through himself', () => {
  const offers = new Set(['carol bob', 'dave alice', 'bob bob']);
  const towards = relaysTowards('bob', ['carol', 'dave', 'bob'], (relay, peer) =>
    offers.has(`${relay} ${peer}`),
  );
  expect(towards).toEqual(['carol']);
});
