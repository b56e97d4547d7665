import type { Member } from '@copain/trust';
import { expect, it } from 'vitest';
import { judgeRename } from './friend-rename.ts';
import { emptyKnowledge } from './known-records.ts';

const knowledge = emptyKnowledge('self', 'self');
const members = new Map(
  ['self', 'bob', 'carol'].map((name) => [
    name,
    { ownerId: name, name: name === 'self' ? 'ally' : name } as Member,
  ]),
);
const known = { self: 'self', roster: { ...knowledge.roster, members } };
const judge = (name: string, to: string) => judgeRename(known, { name, to, ownName: 'alice' });

it('a friend may be called by any name that nobody here has', () => {
  expect(judge('bob', 'robert')).toEqual({ kind: 'ok', ownerId: 'bob' });
  expect(judge('bob', 'bob')).toEqual({ kind: 'ok', ownerId: 'bob' });
});

it('taken, invalid, unknown and own names are refused, each with its reason', () => {
  expect(judge('bob', 'carol')).toMatchObject({ kind: 'refused', why: 'carol is another friend' });
  expect(judge('bob', 'alice')).toMatchObject({ kind: 'refused', why: 'alice is this box itself' });
  expect(judge('bob', 'ally')).toMatchObject({ kind: 'refused', why: 'ally is this box itself' });
  expect(judge('dave', 'david')).toMatchObject({ kind: 'refused', why: 'there is no friend called dave' });
  expect(judge('ally', 'alicia')).toMatchObject({ kind: 'refused', why: 'there is no friend called ally' });
  for (const bad of ['Bob', '-bob', 'a b', 'x'.repeat(33), '\u202eevil', '']) {
    expect(judge('bob', bad)).toMatchObject({ kind: 'refused', why: expect.stringContaining('is no name') });
  }
});
