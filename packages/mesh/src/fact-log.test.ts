import { seededRandom } from '@copain/core/testing';
import { peerIdFromKey } from '@copain/trust';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  addFact,
  answerHave,
  answerWant,
  emptyFactLog,
  type Fact,
  type FactLog,
  hashList,
  haveList,
  judgeFact,
  logOfVersion,
} from './fact-log.ts';
import { afterKnock, isDeadConnection, knockIsDue, startKnocking } from './knock.ts';
import { doubtAfterMs, knockEveryMs, knockOftenForMs, knockOftenMs, maxFacts } from './limits.ts';
import { dialableAddresses, type RedialState, stepRedial } from './redial.ts';
import { passOn, type SyncInput, startSync, stepSync } from './sync.ts';
import { decodeSyncFrame, encodeSyncFrame, peersInTags, peerTags } from './sync-frames.ts';

const random = seededRandom(11);
const newPeer = (): string => peerIdFromKey(random.bytes(32));
const fact = (key: string, sequence: number): Fact => ({
  kind: 'holds',
  key,
  epoch: 0,
  sequence,
  hash: random.bytes(8),
  envelope: random.bytes(20),
});
const learn = (log: FactLog, facts: readonly Fact[]): FactLog =>
  facts.reduce((grown, one) => (judgeFact(grown, one) === 'new' ? addFact(grown, one) : grown), log);

it('a higher sequence replaces, an older one and the same one do not, and two of one number are equivocation', () => {
  const first = fact('a', 1);
  const second = fact('a', 2);
  const log = learn(emptyFactLog(), [first, second]);
  expect(judgeFact(log, first)).toBe('older');
  expect(judgeFact(log, second)).toBe('known');
  expect(judgeFact(log, fact('a', 2))).toBe('equivocation');
  expect(judgeFact(log, { ...fact('a', 0), epoch: 1 })).toBe('new');
});

it('the digest depends on what is known, not on the order it was learned in', () => {
  const facts = Array.from({ length: 12 }, (_, i) => fact(`k${i % 5}`, i));
  const reference = learn(emptyFactLog(), facts).digest;
  fc.assert(
    fc.property(fc.shuffledSubarray(facts, { minLength: facts.length }), (shuffled) => {
      expect(learn(emptyFactLog(), shuffled).digest).toEqual(reference);
    }),
  );
});

it('one exchange makes two logs equal, whatever each knew before', () => {
  const pool = Array.from({ length: 30 }, (_, i) => fact(`k${i % 9}`, i));
  fc.assert(
    fc.property(fc.subarray(pool), fc.subarray(pool), (mine, theirs) => {
      const here = learn(emptyFactLog(), mine);
      const there = learn(emptyFactLog(), theirs);
      const answer = answerHave(there, haveList(here));
      const hereNext = learn(here, answer.push);
      const thereNext = learn(there, answerWant(here, answer.want));
      expect(hereNext.digest).toEqual(thereNext.digest);
    }),
  );
});

it('a full log takes no new keys but still takes newer versions of known ones', () => {
  const facts = new Map(Array.from({ length: maxFacts }, (_, i) => [`k${i}`, fact(`k${i}`, 1)]));
  const full: FactLog = { facts, digest: new Uint8Array(8) };
  expect(judgeFact(full, fact('one more', 1))).toBe('full');
  expect(judgeFact(full, fact('k7', 2))).toBe('new');
});

/** What one frame sets in motion between two boxes, until neither has anything to say. */
function converse(
  version: number,
  here: FactLog,
  there: FactLog,
): { logs: FactLog[]; pushed: Fact[]; same: number } {
  const logs = [here, there];
  const pushed: Fact[] = [];
  let same = 0;
  const all = [here, there].flatMap((log) => [...log.facts.values()]);
  const states = [true, false].map((beats) => startSync({ peer: newPeer(), version, beats }, 0));
  const known = (at: number): FactLog => logs[at] ?? emptyFactLog();
  const take = (at: number, input: SyncInput): void => {
    const state = states[at];
    if (state === undefined) throw new Error('two boxes');
    const [next, effects] = stepSync(state, input, context(known(at)), 1000);
    states[at] = next;
    for (const effect of effects) {
      if (effect.kind === 'same-records') same += 1;
      if (effect.kind !== 'send') continue;
      const { frame } = effect;
      if (frame.t === 'push') {
        const one = all.find(({ envelope }) => envelope === frame.envelope);
        if (one === undefined) throw new Error('a fact of the pool');
        pushed.push(one);
        logs[1 - at] = learn(known(1 - at), [one]);
      } else take(1 - at, { kind: 'frame', frame });
    }
  };
  take(0, { kind: 'tick' });
  same = 0;
  // A second beat: now both have been told.
  states[0] = { ...(states[0] ?? startSync({ peer: '', version, beats: true }, 0)), nextBeatAtMs: 0 };
  take(0, { kind: 'tick' });
  return { logs, pushed, same };
}

it('on a version-1 stream two boxes agree although one knows kinds of records that the other cannot', () => {
  const kinds = ['member', 'vote', 'zone', 'owner'] as const;
  const pool = Array.from({ length: 24 }, (_, i) => ({
    ...fact(`k${i % 11}`, i),
    kind: kinds[(i % 11) % kinds.length] ?? 'vote',
  }));
  const isOld = (one: Fact): boolean => one.kind !== 'owner';
  fc.assert(
    fc.property(
      fc.subarray(pool),
      fc.subarray(pool.filter(isOld)),
      fc.boolean(),
      (mine, theirs, isOpener) => {
        const [knowing, old] = [learn(emptyFactLog(), mine), learn(emptyFactLog(), theirs)];
        const talk = isOpener ? converse(1, knowing, old) : converse(1, old, knowing);
        const [ours, his] = isOpener ? talk.logs : talk.logs.toReversed();
        // Equal digests on both sides: he counts as having answered, and no exchange starts again.
        expect(talk.same).toBe(2);
        expect(talk.pushed.every(isOld)).toBe(true);
        expect(logOfVersion(ours ?? emptyFactLog(), 1).digest).toEqual(his?.digest);
        expect([...(ours?.facts.values() ?? [])].filter((one) => !isOld(one))).toEqual(
          [...knowing.facts.values()].filter((one) => !isOld(one)),
        );
        // On a newer stream the same two agree on everything.
        const newer = converse(2, knowing, old);
        expect(newer.logs[0]?.digest).toEqual(newer.logs[1]?.digest);
      },
    ),
  );
});

it('a new record of a kind that version 1 lacks is told to friends of version 2 alone', () => {
  const owner: Fact = { ...fact('o', 1), kind: 'owner' };
  const told = (version: number) =>
    stepSync(
      startSync({ peer: newPeer(), version, beats: true }, 0),
      { kind: 'fact', fact: owner, reached: new Uint8Array() },
      context(emptyFactLog()),
      0,
    )[1];
  expect(told(1)).toEqual([]);
  expect(told(2)).toHaveLength(1);
});

const context = (log: FactLog) => ({ log, signedBy: () => [], friends: [], heard: [], jitter: 0.5 });

it('a clock that is set back, by seconds or by hours, keeps no beat waiting for longer than a beat', () => {
  const log = emptyFactLog();
  const [beaten] = stepSync(
    startSync({ peer: newPeer(), version: 2, beats: true }, 1e12),
    { kind: 'tick' },
    context(log),
    1e12 + 1000,
  );
  for (const backMs of [500, 5000, 15_000, 60_000, 3_600_000, 86_400_000]) {
    let state = beaten;
    let waitedMs = 0;
    for (let beats = 0; beats === 0; waitedMs += 1000) {
      const [next, effects] = stepSync(
        state,
        { kind: 'tick' },
        context(log),
        1e12 + 2000 - backMs + waitedMs,
      );
      state = next;
      beats = effects.length;
      expect(waitedMs).toBeLessThanOrEqual(12_000);
    }
  }
});

it('beats go out after a second and then every 10 s, from one side only; the other acks', () => {
  const log = emptyFactLog();
  let lower = startSync({ peer: newPeer(), version: 2, beats: true }, 0);
  const upper = startSync({ peer: newPeer(), version: 2, beats: false }, 0);
  expect(stepSync(lower, { kind: 'tick' }, context(log), 999)[1]).toEqual([]);
  const [next, effects] = stepSync(lower, { kind: 'tick' }, context(log), 1000);
  lower = next;
  expect(effects).toMatchObject([{ kind: 'send', frame: { t: 'beat', counter: 1 } }]);
  expect(stepSync(lower, { kind: 'tick' }, context(log), 10_999)[1]).toEqual([]);
  expect(stepSync(lower, { kind: 'tick' }, context(log), 11_000)[1]).toMatchObject([
    { frame: { counter: 2 } },
  ]);
  expect(stepSync(upper, { kind: 'tick' }, context(log), 60_000)[1]).toEqual([]);
  const beat = { t: 'beat' as const, counter: 1, rttMicros: 0, digest: log.digest, heard: new Uint8Array() };
  expect(stepSync(upper, { kind: 'frame', frame: beat }, context(log), 10_000)[1]).toContainEqual(
    expect.objectContaining({ frame: expect.objectContaining({ t: 'ack', counter: 1 }) }),
  );
});

it('a digest that stays different is asked about ever more rarely', () => {
  let state = startSync({ peer: newPeer(), version: 2, beats: true }, 0);
  const strange = {
    t: 'ack' as const,
    counter: 1,
    digest: new Uint8Array(8).fill(1),
    heard: new Uint8Array(),
  };
  let asked = 0;
  for (let nowMs = 0; nowMs < 3_600_000; nowMs += 10_000) {
    const [next, effects] = stepSync(
      state,
      { kind: 'frame', frame: strange },
      context(emptyFactLog()),
      nowMs,
    );
    state = next;
    asked += effects.filter((effect) => effect.kind === 'send' && effect.frame.t === 'have').length;
  }
  expect(asked).toBeGreaterThan(5);
  expect(asked).toBeLessThan(25);
});

it('news goes to everyone connected whom it did not reach, and not back to where it came from', () => {
  const [a, b, c, d] = [newPeer(), newPeer(), newPeer(), newPeer()];
  const { to, reached } = passOn([a, b, c, d], peerTags([b]), a);
  expect(to).toEqual([c, d]);
  expect(peersInTags(reached, [a, b, c, d])).toEqual([b, c, d]);
});

it('frames come back as they were; other bytes are refused, and what a newer version says is passed over', () => {
  const push = {
    t: 'push' as const,
    kind: 'zone' as const,
    reached: random.bytes(8),
    envelope: random.bytes(300),
  };
  expect(decodeSyncFrame(encodeSyncFrame(push))).toEqual(push);
  expect(decodeSyncFrame(random.bytes(50))).toBeUndefined();
  expect(decodeSyncFrame(encodeSyncFrame({ ...push, kind: 'weather' as 'zone' }))).toEqual({ t: 'ignored' });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeSyncFrame(bytes)));
});

it('redials for ever, at most every 30 s or so, and at once when a new address is known', () => {
  const peer = newPeer();
  let state: RedialState = new Map();
  const run = (input: Parameters<typeof stepRedial>[1], nowMs: number) => {
    const [next, effects] = stepRedial(state, input, 0.5, nowMs);
    state = next;
    return effects;
  };
  run({ kind: 'friends', boxes: [{ peer, addresses: ['192.0.2.1:1'] }] }, 0);
  const dialledAt: number[] = [];
  const week = 7 * 86_400_000;
  for (let nowMs = 0; nowMs < week; nowMs += 1000) {
    if (run({ kind: 'tick', relayed: new Set() }, nowMs).length > 0) {
      dialledAt.push(nowMs);
      run({ kind: 'dial-failed', peer }, nowMs);
    }
  }
  const gaps = dialledAt.slice(1).map((atMs, i) => atMs - (dialledAt[i] ?? 0));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(32_000);
  expect(gaps[0]).toBeLessThanOrEqual(3000);
  expect(dialledAt.at(-1)).toBeGreaterThan(week - 40_000);
  run({ kind: 'friends', boxes: [{ peer, addresses: ['192.0.2.2:1'] }] }, week);
  expect(run({ kind: 'tick', relayed: new Set() }, week)).toEqual([
    { kind: 'dial', peer, addresses: ['192.0.2.2:1'], second: false, way: 'any' },
  ]);
});

it('a connected friend is not dialled, except beside the old connection when he is suspected', () => {
  const peer = newPeer();
  const boxes = [{ peer, addresses: ['192.0.2.1:1'] }];
  let [state] = stepRedial(new Map(), { kind: 'friends', boxes }, 0, 0);
  [state] = stepRedial(state, { kind: 'connected', peer }, 0, 0);
  expect(stepRedial(state, { kind: 'tick', relayed: new Set() }, 0, 100_000)[1]).toEqual([]);
  const [suspecting, effects] = stepRedial(state, { kind: 'dial-second', peer }, 0, 100_000);
  expect(effects).toMatchObject([{ second: true }]);
  expect(stepRedial(suspecting, { kind: 'dial-second', peer }, 0, 100_000)[1]).toEqual([]);
  expect(stepRedial(state, { kind: 'friends', boxes: [] }, 0, 0)[0].size).toBe(0);
});

it('a silent friend is dialled again beside the old connection, not more often than the backoff allows', () => {
  const peer = newPeer();
  let [state] = stepRedial(
    new Map(),
    { kind: 'friends', boxes: [{ peer, addresses: ['192.0.2.1:1'] }] },
    0,
    0,
  );
  [state] = stepRedial(state, { kind: 'connected', peer }, 0, 0);
  let dials = 0;
  for (let nowMs = 20_000; nowMs < 120_000; nowMs += 1000) {
    const [next, effects] = stepRedial(state, { kind: 'dial-second', peer }, 0.5, nowMs);
    dials += effects.length;
    [state] = effects.length > 0 ? stepRedial(next, { kind: 'dial-failed', peer }, 0.5, nowMs) : [next];
  }
  expect(dials).toBeGreaterThan(4);
  expect(dials).toBeLessThan(10);
  expect(stepRedial(state, { kind: 'dial-again', peer }, 0.5, 120_000)[1]).toMatchObject([
    { peer, second: true },
  ]);
});

it('an answer after several unanswered knocks means that the way is open again; after fewer, that the line is slow', () => {
  let state = startKnocking(0);
  expect(knockIsDue(state, knockOftenMs - 1)).toBe(false);
  expect(knockIsDue(state, knockOftenMs)).toBe(true);
  const later = { ...state, lastAtMs: knockOftenForMs };
  expect(knockIsDue(later, knockOftenForMs + knockEveryMs - 1)).toBe(false);
  expect(knockIsDue(later, knockOftenForMs + knockEveryMs)).toBe(true);
  const knock = (answered: boolean): boolean => {
    const after = afterKnock(state, answered);
    state = after.state;
    return after.redial;
  };
  expect([knock(true), knock(false), knock(true)]).toEqual([false, false, false]);
  expect([knock(false), knock(false), knock(true), knock(true)]).toEqual([false, false, true, false]);
});

it('a connection is dead where nothing came back for seconds; a friend who goes on talking is behind a full line', () => {
  const sentAtMs = 100_000;
  expect(isDeadConnection({ sentAtMs, heardAtMs: 90_000 }, sentAtMs + doubtAfterMs)).toBe(true);
  expect(isDeadConnection({ sentAtMs, heardAtMs: undefined }, sentAtMs + doubtAfterMs)).toBe(true);
  expect(isDeadConnection({ sentAtMs, heardAtMs: 90_000 }, sentAtMs + doubtAfterMs - 1)).toBe(false);
  expect(isDeadConnection({ sentAtMs, heardAtMs: sentAtMs + 60_000 }, sentAtMs + 61_000)).toBe(false);
});

it('claims to private addresses are dialled only where that is allowed', () => {
  const sources = {
    lastGood: '203.0.113.7:4853',
    announced: ['203.0.113.7:4853', '127.0.0.1:22', '192.168.1.1:80', '[::1]:5', 'nonsense'],
    invited: ['home.example:4853'],
  };
  expect(dialableAddresses(sources, false)).toEqual(['203.0.113.7:4853', 'home.example:4853']);
  expect(dialableAddresses(sources, true)).toContain('192.168.1.1:80');
});

it('a box that asks for its own records gets those that it lacks and no others, then the end of them', () => {
  const [mine, newer, other] = [fact('vote/a/x', 1), fact('vote/a/y', 2), fact('vote/b/x', 1)];
  const log = [mine, newer, other].reduce(addFact, emptyFactLog());
  const asker = newPeer();
  const signedBy = (peer: string) => (peer === asker ? [mine, newer] : [other]);
  const frame = { t: 'ask-own' as const, hashes: hashList([mine]) };
  const decoded = decodeSyncFrame(encodeSyncFrame(frame));
  expect(decoded).toEqual(frame);
  const [, effects] = stepSync(
    startSync({ peer: asker, version: 2, beats: false }, 0),
    { kind: 'frame', frame },
    { ...context(log), signedBy },
    1,
  );
  expect(effects).toMatchObject([
    { kind: 'send', frame: { t: 'push', envelope: newer.envelope } },
    { kind: 'send', frame: { t: 'own-done' } },
  ]);
});

it('equal digests say that both know the same, on either side; different ones do not', () => {
  const log = addFact(emptyFactLog(), fact('vote/a/x', 1));
  for (const beats of [true, false]) {
    const state = startSync({ peer: newPeer(), version: 2, beats }, 0);
    const said = (digest: Uint8Array) => {
      const ack = { t: 'ack' as const, counter: 1, digest, heard: new Uint8Array() };
      return stepSync(state, { kind: 'frame', frame: ack }, context(log), 1)[1].map(({ kind }) => kind);
    };
    expect(said(log.digest)).toContain('same-records');
    expect(said(new Uint8Array(8))).not.toContain('same-records');
  }
});

it('the boot id that a friend saw last arrives as it was sent, also where he saw none', () => {
  for (const lastSeen of [new Uint8Array(), new Uint8Array(16).fill(7)]) {
    const frame = decodeSyncFrame(encodeSyncFrame({ t: 'boot', lastSeen }));
    expect(frame).toEqual({ t: 'boot', lastSeen });
    if (frame === undefined) return;
    const [, effects] = stepSync(
      startSync({ peer: newPeer(), version: 2, beats: false }, 0),
      { kind: 'frame', frame },
      context(emptyFactLog()),
      1,
    );
    expect(effects).toEqual([{ kind: 'last-seen', bootId: lastSeen }]);
  }
});
