import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  canReach,
  type DialbackLedger,
  isSettled,
  judgeDialback,
  type Reachability,
  type ReachabilityInput,
  stepReachability,
  unknownReachability,
} from './dialback.ts';
import { decodeDialbackFrame, encodeDialbackFrame } from './dialback-frames.ts';
import { dialbackEveryMs, dialbackMemoryMs, dialbackPerFriend, dialbackWindowMs } from './limits.ts';

const nobody: DialbackLedger = new Map();
const asks = (over: Partial<Parameters<typeof judgeDialback>[1]> = {}) => ({
  peer: 'bob',
  observed: '203.0.113.7',
  ports: [4999, 25],
  announced: ['203.0.113.7:4999', '198.51.100.1:22', 'bob.example:80'],
  ...over,
});

it('only the address a friend comes from is dialled: his service ports, and what he signed for that address', () => {
  expect(judgeDialback(nobody, asks({ ports: [4999, 25, 22, 80, 25] }), false, 0)).toMatchObject({
    dial: [
      { host: '203.0.113.7', port: 4999 },
      { host: '203.0.113.7', port: 25 },
    ],
    refused: [22, 80],
  });
});

it('whatever is asked, no other host is dialled, and never more ports than were asked for', () => {
  const host = fc.constantFrom('203.0.113.7', '198.51.100.1', 'victim.example');
  const announced = fc.array(fc.tuple(host, fc.integer({ min: 1, max: 65_535 })));
  fc.assert(
    fc.property(announced, fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 4 }), (list, ports) => {
      const texts = list.map(([name, port]) => `${name}:${port}`);
      const judged = judgeDialback(nobody, asks({ ports, announced: texts }), false, 0);
      if (!('dial' in judged)) throw new Error('it was refused');
      expect(judged.dial.every((one) => one.host === '203.0.113.7' && ports.includes(one.port))).toBe(true);
      expect(judged.dial.length + judged.refused.length).toBe(new Set(ports).size);
    }),
  );
});

it('a question over a relay, or from our own network, is not answered by dialling', () => {
  expect(judgeDialback(nobody, asks({ observed: undefined }), true, 0)).toHaveProperty('later');
  expect(judgeDialback(nobody, asks({ observed: '192.168.1.2' }), false, 0)).toHaveProperty('later');
  expect(judgeDialback(nobody, asks({ observed: '192.168.1.2' }), true, 0)).toHaveProperty('dial');
});

it('a friend who asks too often waits; the others do not', () => {
  let ledger = nobody;
  for (let i = 0; i < dialbackPerFriend; i++) {
    const judged = judgeDialback(ledger, asks(), false, i);
    expect(judged).toHaveProperty('dial');
    ({ ledger } = judged);
  }
  expect(judgeDialback(ledger, asks(), false, 100)).toHaveProperty('later');
  expect(judgeDialback(ledger, asks({ peer: 'carol' }), false, 100)).toHaveProperty('dial');
  expect(judgeDialback(ledger, asks(), false, dialbackWindowMs)).toHaveProperty('dial');
});

function asking() {
  let state: Reachability = unknownReachability;
  return {
    run: (input: ReachabilityInput, nowMs: number): string[] => {
      const [next, ask] = stepReachability(state, input, nowMs);
      state = next;
      return ask;
    },
    state: () => state,
  };
}
const friends = ['bob', 'carol', 'dave'];
const report = (answer: 'yes' | 'no' | 'refused', atMs = 0) => ({
  atMs,
  host: '203.0.113.7',
  ports: [{ port: 4853, answer }],
});

it('two friends are asked at start and every half hour, another one where somebody cannot help', () => {
  const { run, state } = asking();
  expect(run({ kind: 'tick', friends: [] }, 0)).toEqual([]);
  expect(run({ kind: 'tick', friends }, 1000)).toEqual(['bob', 'carol']);
  expect(run({ kind: 'tick', friends }, 2000)).toEqual([]);
  expect(isSettled(state())).toBe(false);
  run({ kind: 'no-help', peer: 'bob' }, 2500);
  expect(run({ kind: 'tick', friends }, 3000)).toEqual(['dave']);
  run({ kind: 'report', peer: 'carol', report: report('no') }, 3500);
  run({ kind: 'report', peer: 'dave', report: report('no') }, 3500);
  expect(isSettled(state())).toBe(true);
  expect(run({ kind: 'tick', friends }, dialbackEveryMs)).toEqual([]);
  expect(run({ kind: 'tick', friends }, 1000 + dialbackEveryMs)).toEqual(['bob', 'carol']);
});

it('one who got through proves that it works; no is said only by those who tried, and nothing lasts for ever', () => {
  const { run, state } = asking();
  expect(canReach(state(), 4853)).toEqual({ answer: undefined, by: [] });
  run({ kind: 'report', peer: 'bob', report: report('refused') }, 0);
  expect(canReach(state(), 4853).answer).toBeUndefined();
  run({ kind: 'report', peer: 'bob', report: report('no') }, 0);
  expect(canReach(state(), 4853)).toEqual({ answer: false, by: ['bob'] });
  expect(canReach(state(), 25).answer).toBeUndefined();
  run({ kind: 'report', peer: 'carol', report: report('yes') }, 0);
  expect(canReach(state(), 4853)).toEqual({ answer: true, by: ['carol'] });
  run({ kind: 'tick', friends: [] }, dialbackMemoryMs);
  run({ kind: 'tick', friends }, dialbackMemoryMs);
  expect(canReach(state(), 4853).answer).toBeUndefined();
});

it('another address makes what was said void, and a person who asks gets a new answer', () => {
  const { run, state } = asking();
  run({ kind: 'tick', friends }, 0);
  run({ kind: 'report', peer: 'bob', report: report('yes') }, 10);
  run({ kind: 'ask-now' }, 20);
  expect(canReach(state(), 4853).answer).toBe(true);
  expect(run({ kind: 'tick', friends }, 30)).toEqual(['bob', 'carol']);
  run({ kind: 'address-changed' }, 40);
  expect(canReach(state(), 4853).answer).toBeUndefined();
  expect(run({ kind: 'tick', friends }, 50)).toEqual(['bob', 'carol']);
});

it('dial-back frames come back as they were, and other bytes are none', () => {
  const result = { t: 'result' as const, host: '2001:db8::1', ports: [{ port: 25, answer: 'no' as const }] };
  const frames = [{ t: 'ask' as const, ports: [4853, 25, 53] }, result, { t: 'later' as const, why: 'busy' }];
  for (const frame of frames) expect(decodeDialbackFrame(encodeDialbackFrame(frame))).toEqual(frame);
  for (const ports of [[0], [65_536], [-1], [1, 2, 3, 4, 5]])
    expect([ports, decodeDialbackFrame(encodeDialbackFrame({ t: 'ask', ports }))]).toEqual([
      ports,
      undefined,
    ]);
  expect(decodeDialbackFrame(encodeDialbackFrame({ ...result, host: 'a b' }))).toBeUndefined();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void decodeDialbackFrame(bytes)));
});

it('a box on the same machine is told that nothing can be said, also where private addresses are dialled', () => {
  for (const observed of ['127.0.0.1', '127.0.53.2', '::1']) {
    const request = asks({ observed, announced: ['127.0.53.2:4999'] });
    expect(judgeDialback(nobody, request, true, 0)).toMatchObject({
      later: expect.stringContaining('machine'),
    });
  }
});
