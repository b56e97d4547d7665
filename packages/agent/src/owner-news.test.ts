import type { Member, Roster } from '@copain/trust';
import { expect, it } from 'vitest';
import { ownerNews } from './owner-news.ts';

const recipient = `age1${'q'.repeat(58)}`;

/** A roster of one person with these boxes and keys. */
function rosterOf(boxes: string[], owner: string): Roster {
  const record = {
    epoch: 0,
    ownerId: undefined,
    previous: undefined,
    keys: [
      { use: 'owner' as const, peer: owner, sealTo: recipient },
      { use: 'paper' as const, peer: 'paper', sealTo: recipient },
    ],
    boxes: boxes.map((name) => ({ peer: `peer of ${name}`, name, roles: [], sealTo: recipient })),
    proofs: [],
    revoked: [],
    atMs: 0,
  };
  const member: Member = {
    ownerId: 'id',
    name: 'alice',
    owner: { signer: owner, hash: new Uint8Array(32), record },
    boxes: record.boxes,
    sealTo: [],
    admittedBy: undefined,
    inviteId: undefined,
  };
  return {
    circle: 'id',
    members: new Map([['id', member]]),
    ownerOf: new Map(),
    everOwnerOf: new Map(),
    revoked: new Map(),
    invitesUsed: new Set(),
  };
}

it('tells each change of boxes and keys once, and what was there at the start not at all', () => {
  const news = ownerNews(rosterOf(['home'], 'key'));
  const next = (roster: Roster, self = 'somebody') =>
    news.next(roster, () => 'alice', self).map(({ text }) => text);
  expect(next(rosterOf(['home'], 'key'))).toEqual([]);
  expect(next(rosterOf(['home', 'second'], 'key'))).toEqual(['alice has a further box, second.']);
  expect(next(rosterOf(['home', 'second'], 'new'))).toEqual(['alice replaced a key.']);
  expect(next(rosterOf(['home'], 'new'))).toEqual(['alice revoked his box second.']);
  expect(next(rosterOf(['third'], 'new'), 'peer of home')).toEqual([
    'alice has a further box, third.',
    'This box was revoked by its owner: friends take nothing from it any more.',
  ]);
  expect(next(rosterOf(['third'], 'new'))).toEqual([]);
});
