import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fetchPatienceMs, fetchRetryMs, zoneBytesMax } from './limits.ts';
import { nameOf } from './name.ts';
import { startPrimaryState, stillCurrent } from './primary.ts';
import {
  type SecondaryEffect,
  type SecondaryInput,
  type SecondaryState,
  startSecondaryState,
  stepSecondary,
} from './secondary.ts';
import { compareZoneVersions, type ZoneVersion, zoneKey } from './zone-version.ts';

const hour = 3_600_000;

function version(sequence: number, change: Partial<ZoneVersion> = {}): ZoneVersion {
  return {
    owner: 'ab'.repeat(32),
    origin: nameOf('alice.example'),
    serial: sequence,
    epoch: 1,
    sequence,
    contentHash: new Uint8Array(32).fill(sequence),
    previousHash: new Uint8Array(32),
    sizeBytes: 100,
    expiresAfterMs: 1000 * hour,
    atMs: 0,
    ...change,
  };
}

const key = zoneKey(version(1));

/** Runs inputs at given times; each effect as a short text. */
function play(start: SecondaryState, ...inputs: [atMs: number, input: SecondaryInput][]) {
  let state = start;
  const told: string[] = [];
  for (const [atMs, input] of inputs) {
    const [next, effects] = stepSecondary(state, input, atMs);
    state = next;
    told.push(...effects.map(short));
  }
  return { state, told };
}

function short(effect: SecondaryEffect): string {
  switch (effect.kind) {
    case 'fetch':
      return `fetch ${effect.header.sequence} from ${effect.from}`;
    case 'save':
    case 'serve':
      return `${effect.kind} ${effect.header.sequence}`;
    case 'refused':
      return `refused ${effect.header.sequence}: ${effect.why}`;
    case 'renewed':
      return `renewed until ${effect.freshUntilMs / hour} h`;
    case 'expired':
    case 'drop':
      return effect.kind;
  }
}

const peers = (...connected: string[]): SecondaryInput => ({ kind: 'peers', connected });
const announced = (header: ZoneVersion, from = 'alice', direct = false): SecondaryInput => ({
  kind: 'announced',
  header,
  from,
  direct,
});
const fetched = (header: ZoneVersion, from = 'alice'): SecondaryInput => ({ kind: 'fetched', header, from });
const failed = (from: string): SecondaryInput => ({ kind: 'fetch-failed', key, from, why: 'gone' });
const nobody = startSecondaryState([]);

it('fetches what is announced from whoever announced it, saves, then serves', () => {
  expect(
    play(nobody, [0, peers('alice', 'carol')], [0, announced(version(1))], [5, fetched(version(1))]).told,
  ).toEqual(['fetch 1 from alice', 'save 1', 'serve 1']);
});

it('goes to a known holder next, then to anyone, when a source fails', () => {
  const { told } = play(
    nobody,
    [0, peers('alice', 'bob', 'carol')],
    [0, announced(version(1))],
    [1, { kind: 'holder', peer: 'carol', zones: [{ key, epoch: 1, sequence: 1 }] }],
    [2, failed('alice')],
    [3, failed('carol')],
    [4, failed('bob')],
  );
  expect(told).toEqual(['fetch 1 from alice', 'fetch 1 from carol', 'fetch 1 from bob']);
});

it('asks for the newest at once where a version in between was given away before it was asked for', () => {
  const { told } = play(
    nobody,
    [0, peers('alice')],
    [0, announced(version(1))],
    [1, announced(version(2))],
    [2, failed('alice')],
    [3, failed('alice')],
  );
  expect(told).toEqual(['fetch 1 from alice', 'fetch 2 from alice']);
});

it('begins again after a pause when all have failed, and at once when somebody connects', () => {
  const first = play(nobody, [0, peers('alice')], [0, announced(version(1))], [1, failed('alice')]);
  expect(play(first.state, [fetchRetryMs.first, { kind: 'tick' }]).told).toEqual([]);
  expect(play(first.state, [1 + fetchRetryMs.first, { kind: 'tick' }]).told).toEqual(['fetch 1 from alice']);
  expect(play(first.state, [2, peers('alice', 'carol')]).told).toEqual(['fetch 1 from carol']);
  expect(play(first.state, [2, peers()], [3, peers('alice')]).told).toEqual(['fetch 1 from alice']);
});

it('a clock that is set back during a pause does not prolong it', () => {
  const { state } = play(
    nobody,
    [hour, peers('alice')],
    [hour, announced(version(1))],
    [hour + 1, failed('alice')],
  );
  expect(play(state, [0, { kind: 'tick' }]).told).toEqual(['fetch 1 from alice']);
});

it('never waits longer than a minute, and never stops trying', () => {
  let { state } = play(nobody, [0, peers('alice')], [0, announced(version(1))]);
  let nowMs = 0;
  for (let round = 0; round < 50; round++) {
    [state] = stepSecondary(state, failed('alice'), nowMs);
    nowMs += fetchRetryMs.last;
    const [next, effects] = stepSecondary(state, { kind: 'tick' }, nowMs);
    expect(effects.map(short)).toEqual(['fetch 1 from alice']);
    state = next;
  }
});

it('gives up on a source that neither delivers nor fails, or that is gone', () => {
  const { state } = play(nobody, [0, peers('alice', 'carol')], [0, announced(version(1))]);
  expect(play(state, [fetchPatienceMs + 1, { kind: 'tick' }]).told).toEqual(['fetch 1 from carol']);
  expect(play(state, [1, peers('carol')]).told).toEqual(['fetch 1 from carol']);
});

it('fetches one version at a time, and then the newest', () => {
  const { told } = play(
    nobody,
    [0, peers('alice')],
    [0, announced(version(1))],
    [1, announced(version(2))],
    [2, announced(version(3))],
    [3, fetched(version(1))],
    [4, fetched(version(3))],
  );
  expect(told).toEqual([
    'fetch 1 from alice',
    'save 1',
    'serve 1',
    'fetch 3 from alice',
    'save 3',
    'serve 3',
  ]);
});

const serving = startSecondaryState([{ header: version(5), freshUntilMs: 1000 * hour }]);

it('refuses an older version, and another content under the same number', () => {
  const twin = version(5, { contentHash: new Uint8Array(32).fill(99) });
  const { state, told } = play(
    serving,
    [0, peers('alice')],
    [0, announced(version(4))],
    [0, announced(twin)],
  );
  expect(told).toEqual(['refused 4: older', 'refused 5: equivocation']);
  expect(state.zones.get(key)?.serving).toEqual(version(5));
});

it('lets a higher epoch win over any sequence', () => {
  expect(play(serving, [0, peers('alice')], [0, announced(version(1, { epoch: 2 }))]).told).toEqual([
    'fetch 1 from alice',
  ]);
});

it('ignores a serial that goes back as long as the sequence rises', () => {
  expect(play(serving, [0, peers('alice')], [0, announced(version(6, { serial: 1 }))]).told).toEqual([
    'fetch 6 from alice',
  ]);
});

it('refuses a version larger than it would ever store', () => {
  expect(play(nobody, [0, announced(version(1, { sizeBytes: zoneBytesMax + 1 }))]).told).toEqual([
    'refused 1: too-large',
  ]);
});

it('serves until the term is over, then says so; hearing from the owner renews it', () => {
  const late = 1000 * hour;
  expect(play(serving, [late - 1, { kind: 'tick' }]).told).toEqual([]);
  const expired = play(serving, [late, { kind: 'tick' }], [late + 1, { kind: 'tick' }]);
  expect(expired.told).toEqual(['expired']);
  expect(play(expired.state, [late + hour, { kind: 'owner-current', key }]).told).toEqual([
    'renewed until 2001 h',
  ]);
  expect(play(expired.state, [late + hour, announced(version(5), 'alice', true)]).told).toEqual([
    'renewed until 2001 h',
  ]);
});

it('does not let an old head that a friend passes on prolong the term', () => {
  expect(play(serving, [500 * hour, announced(version(5), 'carol')]).told).toEqual([]);
  expect(play(serving, [500 * hour, announced(version(5, { atMs: 9999 * hour }), 'carol')]).told).toEqual([
    'renewed until 1500 h',
  ]);
});

it('drops a zone when it is retired', () => {
  const { state, told } = play(
    serving,
    [0, { kind: 'retired', key }],
    [0, { kind: 'retired', key }],
    [0, fetched(version(9))],
  );
  expect(told).toEqual(['drop']);
  expect(state.zones.size).toBe(0);
});

type Event =
  | { kind: 'publish' }
  | { kind: 'gossip'; sequence: number; from: number }
  | { kind: 'flip'; peer: number }
  | { kind: 'deliver' | 'fail' | 'tick' };

it('always comes to the newest version and never goes back, whatever is lost on the way', () => {
  const names = ['alice', 'bob', 'carol'];
  const event = fc.oneof<fc.Arbitrary<Event>[]>(
    fc.constant({ kind: 'publish' }),
    fc.record({ kind: fc.constant('gossip'), sequence: fc.nat(20), from: fc.nat(2) }),
    fc.record({ kind: fc.constant('flip'), peer: fc.nat(2) }),
    fc.record({ kind: fc.constantFrom('deliver', 'fail', 'tick') }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let state = nobody;
      let nowMs = 0;
      let published = 0;
      let under: { header: ZoneVersion; from: string } | undefined;
      let served: ZoneVersion | undefined;
      let saved: ZoneVersion | undefined;
      const connected = new Set<string>();
      const feed = (input: SecondaryInput) => {
        const [next, effects] = stepSecondary(state, input, nowMs);
        state = next;
        for (const effect of effects) {
          if (effect.kind === 'fetch') {
            expect(connected.has(effect.from)).toBe(true);
            under = { header: effect.header, from: effect.from };
          } else if (effect.kind === 'save') saved = effect.header;
          else if (effect.kind === 'serve') {
            expect(effect.header).toBe(saved);
            if (served) expect(compareZoneVersions(effect.header, served)).toBeGreaterThan(0);
            served = effect.header;
          }
        }
      };
      const finish = (good: boolean) => {
        const one = under;
        under = undefined;
        if (one) feed(good ? fetched(one.header, one.from) : failed(one.from));
      };
      for (const next of events) {
        nowMs += 500;
        if (next.kind === 'publish') published++;
        else if (next.kind === 'gossip' && next.sequence >= 1 && next.sequence <= published) {
          feed(announced(version(next.sequence), names[next.from] ?? 'alice'));
        } else if (next.kind === 'flip') {
          const name = names[next.peer] ?? 'alice';
          if (!connected.delete(name)) connected.add(name);
          feed(peers(...connected));
        } else if (next.kind === 'tick') feed({ kind: 'tick' });
        else if (next.kind === 'deliver' || next.kind === 'fail') finish(next.kind === 'deliver');
      }
      if (published === 0) return;
      // Peace returns: everyone is connected, the newest head is heard, and fetches work.
      names.forEach((name) => void connected.add(name));
      feed(peers(...connected));
      feed(announced(version(published)));
      for (let round = 0; round < 5; round++) {
        finish(true);
        nowMs += fetchRetryMs.last;
        feed({ kind: 'tick' });
      }
      expect(served?.sequence).toBe(published);
    }),
    { numRuns: 2000 },
  );
}, 60_000);

it('weeks with an owner whom only another friend reaches: served while he lives, expired when he is gone, back with him', () => {
  const day = 24 * hour;
  const anySkewMs = fc.integer({ min: -2 * day, max: 2 * day });
  const anyDelayMs = fc.array(fc.integer({ min: 0, max: 30 * hour }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(anySkewMs, anyDelayMs, (ownerAheadMs, delaysMs) => {
      const start = 100 * day;
      const goneMs = start + 60 * day;
      const backMs = goneMs + 70 * day;
      const first = version(1, { atMs: start + ownerAheadMs });
      const options = { owner: first.owner, origin: first.origin };
      let owner = { ...startPrimaryState(options, () => new Uint8Array(32)), published: first };
      let friend = startSecondaryState([{ header: first, freshUntilMs: start + first.expiresAfterMs }]);
      const under: { arrivesMs: number; header: ZoneVersion }[] = [];
      let heads = 0;
      let lastHeadMs = start;
      for (let nowMs = start; nowMs < backMs + 10 * day; nowMs += hour) {
        const isOff = nowMs >= goneMs && nowMs < backMs;
        const header = isOff ? undefined : stillCurrent(owner, nowMs + ownerAheadMs);
        if (header) {
          owner = { ...owner, published: header };
          under.push({ arrivesMs: nowMs + (delaysMs[heads % delaysMs.length] ?? 0), header });
          heads += 1;
          lastHeadMs = nowMs;
        }
        for (const { header: late } of under.filter(
          ({ arrivesMs }) => arrivesMs >= nowMs && arrivesMs < nowMs + hour,
        ))
          [friend] = stepSecondary(
            friend,
            { kind: 'announced', header: late, from: 'bob', direct: false },
            nowMs + hour,
          );
        [friend] = stepSecondary(friend, { kind: 'tick' }, nowMs);
        // A restart forgets nothing that counts.
        const zone = friend.zones.get(key);
        if (!zone?.serving) throw new Error('not served');
        friend = startSecondaryState([{ header: zone.serving, freshUntilMs: zone.freshUntilMs }]);
        [friend] = stepSecondary(friend, { kind: 'tick' }, nowMs);
        const isExpired = friend.zones.get(key)?.expired ?? true;
        const slackMs = 6 * hour + 30 * hour + 2 * day + 2 * hour;
        if (nowMs < goneMs) expect(isExpired).toBe(false);
        if (isOff && nowMs > lastHeadMs + first.expiresAfterMs + slackMs) expect(isExpired).toBe(true);
        if (isOff && nowMs < lastHeadMs + first.expiresAfterMs - slackMs) expect(isExpired).toBe(false);
        if (nowMs > backMs + slackMs) expect(isExpired).toBe(false);
      }
      // Four a day while the owner is there, and nothing but heads: the content stayed where it is.
      expect(heads).toBeGreaterThanOrEqual(4 * 69);
      expect(heads).toBeLessThanOrEqual(4 * 71);
    }),
    { numRuns: 20 },
  );
});
