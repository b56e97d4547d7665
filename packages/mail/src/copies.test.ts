import { expect, it } from 'vitest';
import { friendsInTurn, judgeOffer, type KeepingView, type OfferView, planCopies } from './copies.ts';
import { recordMaxBytes } from './limits.ts';
import type { HeldMessage } from './spool.ts';

const held = (id: string, change: Partial<HeldMessage> = {}): HeldMessage => ({
  id,
  ownerId: 'alice',
  domain: 'alice.test',
  sizeBytes: 1000,
  receivedAtMs: 1,
  tags: ['00'],
  state: 'held',
  failures: 0,
  notBeforeMs: 0,
  copyAt: undefined,
  asking: undefined,
  ...change,
});
const plan = (messages: HeldMessage[], view: Partial<KeepingView>): string[] =>
  planCopies(messages, () => ({ isBackup: true, copies: 1, maxBytes: 1e9, ...view })).map(
    ({ id, what }) => `${what} ${id}`,
  );

it('one copy is enough where its owner wants one; two are made of what is here alone and nobody is asked about', () => {
  const all = [
    held('a'),
    held('b', { copyAt: 'carol' }),
    held('c', { asking: { to: 'carol', give: false } }),
    held('large', { sizeBytes: 9_000_000 }),
    held('z'),
  ];
  expect(plan(all, {})).toEqual([]);
  expect(plan(all, { copies: 2 })).toEqual(['copy a', 'copy z', 'copy large']);
});

it('everything leaves where no mail is kept any more, and above a quota the newest until the rest fits', () => {
  const all = [held('a'), held('b', { receivedAtMs: 2, copyAt: 'carol' }), held('c', { receivedAtMs: 3 })];
  expect(plan(all, { isBackup: false })).toEqual(['give a', 'give b', 'give c']);
  expect(plan(all, { maxBytes: 3000 })).toEqual([]);
  expect(plan(all, { maxBytes: 2999 })).toEqual(['give c']);
  expect(plan(all, { maxBytes: 1000, copies: 2 })).toEqual(['copy a', 'give b', 'give c']);
});

it('friends are asked in an order that the message decides, whoever has it first', () => {
  const friends = ['p', 'q', 'r'].map((peer) => ({ peer, ownerId: `${peer}!` }));
  const order = (tag: string, copyAt?: string): string =>
    friendsInTurn(friends, { tags: [tag], copyAt })
      .map(({ peer }) => peer)
      .join('');
  expect(['00', '01', '02', '03'].map((tag) => order(tag))).toEqual(['pqr', 'qrp', 'rpq', 'pqr']);
  expect(order('00', 'r!')).toBe('rpq');
  expect(friendsInTurn([], { tags: ['00'], copyAt: undefined })).toEqual([]);
});

const view: OfferView = {
  isBackup: true,
  senderIsBackup: true,
  same: undefined,
  heldBytes: 0,
  maxBytes: 10_000,
  isDiskLow: false,
};
const answer = (offer: { give?: boolean; sizeBytes?: number }, change: Partial<OfferView> = {}): string => {
  const verdict = judgeOffer({ give: false, sizeBytes: 1000, ...offer }, { ...view, ...change });
  return verdict.kind === 'not' ? verdict.why : verdict.kind;
};

it('a copy is wanted from who keeps mail for the same owner, within the quota, while the disk has room', () => {
  expect(answer({})).toBe('want');
  expect(answer({}, { isBackup: false })).toBe('no backup');
  expect(answer({}, { senderIsBackup: false })).toBe('no backup');
  expect(answer({}, { heldBytes: 9001 })).toBe('no room');
  expect(answer({ sizeBytes: recordMaxBytes + 1 }, { maxBytes: 1e12 })).toBe('too large');
  expect(answer({}, { isDiskLow: true })).toBe('disk trouble');
});

it('whoever keeps none any more may give what he has, and fills half of the room at most', () => {
  expect(answer({ give: true }, { senderIsBackup: false, heldBytes: 4000 })).toBe('want');
  expect(answer({ give: true }, { senderIsBackup: false, heldBytes: 4001 })).toBe('no room');
});

it('what is here already is answered for, unless it leaves itself or a third one is being asked about it', () => {
  expect(answer({}, { same: [{ asking: undefined }], isDiskLow: true })).toBe('have');
  for (const give of [false, true])
    expect(answer({ give }, { same: [{ asking: { to: 'dave', give: true } }] })).toBe('leaving');
  expect(answer({ give: true }, { same: [{ asking: { to: 'dave', give: false } }] })).toBe('busy');
  expect(answer({}, { same: [{ asking: { to: 'dave', give: false } }] })).toBe('have');
});
