import { expect, it } from 'vitest';
import { directRetryMaxMs, redialFirstMs, relayBackMs } from './limits.ts';
import { type RedialInput, type RedialState, stepRedial, waitingForDial } from './redial.ts';

const peer = 'bob';
const nobody: ReadonlySet<string> = new Set();
const onlyRelayed: ReadonlySet<string> = new Set([peer]);

function redialling(addresses: readonly string[]) {
  let state: RedialState = new Map();
  const run = (input: RedialInput, nowMs: number) => {
    const [next, effects] = stepRedial(state, input, 0.5, nowMs);
    state = next;
    return effects;
  };
  run({ kind: 'friends', boxes: [{ peer, addresses }] }, 0);
  return run;
}

it('the direct way is tried beside a relayed one, ever more seldom but for ever, and not once it stands', () => {
  const run = redialling(['192.0.2.1:1']);
  run({ kind: 'connected', peer }, 0);
  const dialledAt: number[] = [];
  const day = 86_400_000;
  for (let nowMs = 0; nowMs < day; nowMs += 1000) {
    for (const effect of run({ kind: 'tick', relayed: onlyRelayed }, nowMs)) {
      expect(effect).toMatchObject({ second: true, way: 'direct' });
      dialledAt.push(nowMs);
      run({ kind: 'dial-failed', peer, way: 'direct' }, nowMs + 500);
    }
  }
  expect(dialledAt[0]).toBeLessThanOrEqual(2 * redialFirstMs);
  const gaps = dialledAt.slice(1).map((atMs, i) => atMs - (dialledAt[i] ?? 0));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(directRetryMaxMs * 1.25 + 1000);
  expect(dialledAt.at(-1)).toBeGreaterThan(day - 2 * directRetryMaxMs);
  expect(run({ kind: 'tick', relayed: nobody }, 2 * day)).toEqual([]);
});

it('a new address of a friend behind a relay is tried at once', () => {
  const run = redialling(['192.0.2.1:1']);
  run({ kind: 'connected', peer }, 0);
  for (let i = 0; i < 20; i++) run({ kind: 'dial-failed', peer, way: 'direct' }, i);
  expect(run({ kind: 'tick', relayed: onlyRelayed }, 100_000)).toEqual([]);
  run({ kind: 'friends', boxes: [{ peer, addresses: ['192.0.2.2:1'] }] }, 100_000);
  expect(run({ kind: 'tick', relayed: onlyRelayed }, 100_000)).toMatchObject([
    { addresses: ['192.0.2.2:1'], way: 'direct' },
  ]);
});

it('looking for a direct way keeps nobody from a second dial when the relayed one falls silent or breaks', () => {
  const run = redialling(['192.0.2.1:1']);
  run({ kind: 'connected', peer }, 0);
  expect(run({ kind: 'tick', relayed: onlyRelayed }, 10_000)).toMatchObject([{ way: 'direct' }]);
  expect(run({ kind: 'dial-second', peer }, 11_000)).toMatchObject([{ way: 'any', second: true }]);
  run({ kind: 'disconnected', peer }, 12_000);
  expect(run({ kind: 'tick', relayed: nobody }, 15_000)).toMatchObject([{ way: 'any', second: false }]);
});

it('a clock that is set back while a dial is under way or waited for keeps nobody from being dialled', () => {
  const hour = 3_600_000;
  for (const whatCame of ['nothing', 'dial-failed'] as const) {
    const run = redialling(['192.0.2.1:1']);
    expect(run({ kind: 'tick', relayed: nobody }, hour)).toHaveLength(1);
    if (whatCame === 'dial-failed') run({ kind: 'dial-failed', peer }, hour + 1000);
    expect(run({ kind: 'tick', relayed: nobody }, 0), whatCame).toHaveLength(1);
  }
  const silent = redialling(['192.0.2.1:1']);
  silent({ kind: 'connected', peer }, hour);
  expect(silent({ kind: 'dial-second', peer }, 0)).toMatchObject([{ second: true }]);
});

it('a friend without any address is dialled for the sake of relays', () => {
  const run = redialling([]);
  expect(run({ kind: 'tick', relayed: nobody }, 0)).toMatchObject([{ peer, addresses: [], way: 'any' }]);
  run({ kind: 'connected', peer }, 13_000);
  expect(run({ kind: 'tick', relayed: onlyRelayed }, 500_000)).toEqual([]);
});

it('a relay that comes back is tried at once and every two seconds, beside dials that hang, until it leads to him', () => {
  const run = redialling(['192.0.2.1:1']);
  expect(run({ kind: 'tick', relayed: nobody }, 0)).toMatchObject([{ way: 'any' }]);
  const through = [{ peer, way: 'relayed', second: true }];
  expect(run({ kind: 'relay-back', peers: [peer], fresh: true }, 10_000)).toMatchObject(through);
  // That the relay takes calls for us now is no news while that dial is under way; another connection is.
  expect(run({ kind: 'relay-back', peers: [peer], fresh: false }, 10_100)).toEqual([]);
  expect(run({ kind: 'relay-back', peers: [peer], fresh: true }, 10_200)).toMatchObject(through);
  run({ kind: 'dial-failed', peer, way: 'relayed' }, 10_300);
  expect(run({ kind: 'relay-back', peers: [peer], fresh: false }, 10_400)).toMatchObject(through);
  run({ kind: 'dial-failed', peer, way: 'relayed' }, 10_500);
  expect(run({ kind: 'tick', relayed: nobody }, 11_000)).toEqual([]);
  expect(run({ kind: 'tick', relayed: nobody }, 10_500 + redialFirstMs)).toMatchObject(through);
  run({ kind: 'connected', peer }, 13_000);
  expect(run({ kind: 'tick', relayed: nobody }, 20_000)).toEqual([]);
});

it('a relay that comes back and does not lead to him is not tried for ever', () => {
  const run = redialling([]);
  run({ kind: 'dial-failed', peer }, 0);
  let tried = run({ kind: 'relay-back', peers: [peer], fresh: true }, 0).length;
  run({ kind: 'dial-failed', peer, way: 'relayed' }, 0);
  for (let nowMs = 0; nowMs < 600_000; nowMs += 1000) {
    for (const { way } of run({ kind: 'tick', relayed: nobody }, nowMs)) {
      if (way !== 'relayed') continue;
      tried += 1;
      run({ kind: 'dial-failed', peer, way }, nowMs);
    }
  }
  expect(tried).toBeGreaterThan(5);
  expect(tried).toBeLessThanOrEqual(relayBackMs / redialFirstMs);
});

it('an address that answers again makes the next direct dial come at once', () => {
  const run = redialling(['192.0.2.1:1']);
  run({ kind: 'connected', peer }, 0);
  for (let i = 0; i < 20; i++) run({ kind: 'dial-failed', peer, way: 'direct' }, i);
  expect(run({ kind: 'tick', relayed: onlyRelayed }, 100_000)).toEqual([]);
  run({ kind: 'direct-way', peer }, 100_000);
  expect(run({ kind: 'tick', relayed: onlyRelayed }, 100_000)).toMatchObject([{ way: 'direct' }]);
});

it('whoever speaks no version of ours is left alone for ten minutes, whatever his connections do', () => {
  let [state] = stepRedial(
    new Map(),
    { kind: 'friends', boxes: [{ peer: 'bob', addresses: ['192.0.2.1:4853'] }] },
    0,
    0,
  );
  [state] = stepRedial(state, { kind: 'incompatible', peer: 'bob' }, 0, 0);
  const dials: number[] = [];
  for (let nowMs = 0; nowMs <= 700_000; nowMs += 1000) {
    const [input, effects] = stepRedial(
      state,
      nowMs % 3000 === 0 ? { kind: 'dial-second', peer: 'bob' } : { kind: 'tick', relayed: new Set() },
      0,
      nowMs,
    );
    state = input;
    if (nowMs % 5000 === 0) [state] = stepRedial(state, { kind: 'disconnected', peer: 'bob' }, 0, nowMs);
    if (effects.length > 0) dials.push(nowMs);
  }
  expect(dials[0]).toBe(600_000);
});

it('who waits for the next dial is knocked at meanwhile; who is connected, dialled or has no address is not', () => {
  let state: RedialState = new Map();
  const run = (input: RedialInput, nowMs: number): void => {
    [state] = stepRedial(state, input, 0.5, nowMs);
  };
  const waiting = (nowMs: number): string[] => waitingForDial(state, nowMs).map((one) => one.peer);
  const boxes = ['bob', 'carol', 'dave'].map((name) => ({ peer: name, addresses: ['192.0.2.1:1'] }));
  run({ kind: 'friends', boxes: [...boxes, { peer: 'eve', addresses: [] }] }, 0);
  run({ kind: 'tick', relayed: nobody }, 0);
  expect(waiting(1)).toEqual([]);
  run({ kind: 'dial-failed', peer: 'bob' }, 45_000);
  run({ kind: 'dial-failed', peer: 'dave' }, 45_000);
  run({ kind: 'dial-failed', peer: 'eve' }, 45_000);
  run({ kind: 'incompatible', peer: 'dave' }, 45_000);
  run({ kind: 'connected', peer: 'carol' }, 45_000);
  expect(waiting(45_001)).toEqual(['bob']);
  run({ kind: 'dial-again', peer: 'bob' }, 45_002);
  expect(waiting(45_003)).toEqual([]);
});

it('who is silent on a connection that seems to be there is knocked at between second dials, and dialled once he answers', () => {
  let state: RedialState = new Map();
  const run = (input: RedialInput, nowMs: number) => {
    const [next, effects] = stepRedial(state, input, 0.5, nowMs);
    state = next;
    return effects;
  };
  const waiting = (nowMs: number): string[] => waitingForDial(state, nowMs).map((one) => one.peer);
  run({ kind: 'friends', boxes: [{ peer, addresses: ['192.0.2.1:1'] }] }, 0);
  run({ kind: 'connected', peer }, 0);
  expect(waiting(10_000)).toEqual([]);
  // The router says "unreachable": the dial is over at once, and the next one far away.
  for (let i = 0; i < 5; i++) {
    run({ kind: 'dial-second', peer }, 40_000 + i * 100_000);
    run({ kind: 'dial-failed', peer }, 43_000 + i * 100_000);
  }
  run({ kind: 'dial-second', peer }, 444_000);
  expect(waiting(444_500)).toEqual([peer]);
  expect(run({ kind: 'dial-again', peer }, 445_000)).toMatchObject([{ second: true, way: 'any' }]);
  expect(waiting(445_001)).toEqual([]);
  run({ kind: 'connected', peer }, 445_500);
  expect(waiting(445_600)).toEqual([]);
});
