import fc from 'fast-check';
import { expect, it } from 'vitest';
import { maxSwapVotes } from './limits.ts';
import type { Signed } from './signed.ts';
import { isCertificate, swapQuorum } from './swap-quorum.ts';
import { type SwapRecord, type TakeoverRecord, takeoverRank } from './takeover-records.ts';

const minuteMs = 60_000;
/** Five people with a box each, called like them; alice's service. */
const people = ['alice', 'bob', 'carol', 'dave', 'erin'];
const circleOf = (members: readonly string[]) => ({
  signer: 'bob',
  ownerOf: new Map(members.map((name) => [name, `owner of ${name}`])),
  members: members.length,
});
const all = circleOf(people);

const vote = (signer: string, more: Partial<SwapRecord> = {}): Signed<SwapRecord> => ({
  signer,
  hash: new Uint8Array(32),
  record: {
    sequence: 1,
    about: 'alice',
    service: 'web',
    number: 1,
    stands: true,
    network: '',
    atMs: 10 * minuteMs,
    ...more,
  },
});
function holds(votes: Signed<SwapRecord>[], circle = all, number = 1): boolean {
  const record: TakeoverRecord = {
    by: 'bob',
    about: 'alice',
    service: 'web',
    number,
    votes: votes.map(() => new Uint8Array(1)),
  };
  return isCertificate(record, votes, circle);
}

it('a service moves by more than half of the other members, two at least, and never in a circle of two', () => {
  expect([1, 2, 3, 4, 5, 9].map(swapQuorum)).toEqual([2, 2, 2, 3, 3, 5]);
  expect(swapQuorum(63)).toBeLessThanOrEqual(maxSwapVotes);
  expect(holds([vote('bob'), vote('carol')])).toBe(false);
  expect(holds([vote('bob'), vote('carol'), vote('dave')])).toBe(true);
  expect(holds([vote('bob'), vote('carol')], circleOf(['alice', 'bob', 'carol']))).toBe(true);
  expect(holds([vote('bob')], circleOf(['alice', 'bob']))).toBe(false);
});

it('votes of one network, of one person twice, or of the owner himself do not make a takeover', () => {
  const near = { network: '203.0' };
  expect(holds([vote('bob', near), vote('carol', near), vote('dave', near)])).toBe(false);
  expect(holds([vote('bob', near), vote('carol', near), vote('dave', { network: '198.51' })])).toBe(true);
  expect(holds([vote('bob'), vote('bob'), vote('carol')])).toBe(false);
  const two = { ...all, ownerOf: new Map(all.ownerOf).set('bob-2', 'owner of bob') };
  expect(holds([vote('bob'), vote('bob-2'), vote('carol')], two)).toBe(false);
  expect(holds([vote('alice'), vote('bob'), vote('carol'), vote('dave')])).toBe(false);
});

it('a vote for something else, taken back, or of another outage adds nothing', () => {
  const others = [vote('bob'), vote('carol')];
  expect(holds([...others, vote('dave', { number: 3 })])).toBe(false);
  expect(holds([...others, vote('dave', { service: 'chat' })])).toBe(false);
  expect(holds([...others, vote('dave', { about: 'erin' })])).toBe(false);
  expect(holds([...others, vote('dave', { stands: false })])).toBe(false);
  expect(holds([...others, vote('dave', { atMs: 20 * minuteMs })])).toBe(true);
  expect(holds([...others, vote('dave', { atMs: 20 * minuteMs + 1 })])).toBe(false);
});

it('the vote of a removed member counts no more, also in a certificate that was good before', () => {
  const votes = [vote('bob'), vote('carol'), vote('erin')];
  expect(holds(votes)).toBe(true);
  expect(holds(votes, circleOf(['alice', 'bob', 'carol', 'dave']))).toBe(false);
  expect(holds(votes, circleOf(['bob', 'carol', 'dave', 'erin']))).toBe(false);
});

it('home again needs the box itself and somebody else, whoever', () => {
  const home = { number: 2 };
  expect(holds([vote('alice', home), vote('erin', home)], all, 2)).toBe(true);
  expect(holds([vote('bob', home), vote('carol', home), vote('dave', home)], all, 2)).toBe(false);
  expect(holds([vote('alice', home)], all, 2)).toBe(false);
});

it('a certificate is its signer’s own, and every vote in it opens', () => {
  const votes = [vote('bob'), vote('carol'), vote('dave')];
  expect(holds(votes, { ...all, signer: 'carol' })).toBe(false);
  const record = {
    by: 'bob',
    about: 'alice',
    service: 'web',
    number: 1,
    votes: Array(4).fill(new Uint8Array(1)),
  };
  expect(isCertificate(record, votes, all)).toBe(false);
});

it('of two certificates of one number one counts more, by their hashes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (hash) => {
      const rank = takeoverRank(hash);
      expect(Number.isSafeInteger(rank) && rank >= 0 && rank < 2 ** 48).toBe(true);
      expect(takeoverRank(hash.with(0, 255).with(1, 255))).toBeGreaterThanOrEqual(rank);
    }),
  );
});
