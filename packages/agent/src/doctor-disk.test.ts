import { expect, it } from 'vitest';
import { type DiskFacts, diskChecks } from './doctor-disk.ts';

const held = {
  name: 'held' as const,
  messages: 2,
  bytes: 9000,
  damaged: [],
  damagedAtStart: 0,
};
const facts: DiskFacts = {
  freeBytes: 1e9,
  floorBytes: 64e6,
  reserve: true,
  stores: [held, { ...held, name: 'queued', messages: 0, bytes: 0 }],
  index: { found: 'whole', setAside: undefined },
};
const verdicts = (change: Partial<DiskFacts>) =>
  diskChecks({ ...facts, ...change })
    .filter(({ ok }) => ok !== true)
    .map(({ id, ok, text }) => ({ id, ok, text }));

it('a disk with room on which everything can be read is well', () => {
  expect(verdicts({})).toEqual([]);
  expect(diskChecks(facts).map(({ id }) => id)).toEqual([
    'disk.room',
    'disk.reserve',
    'disk.held',
    'disk.queued',
    'disk.index',
  ]);
});

it('too little room, records that rot and an index that was lost are told, each with what to do', () => {
  expect(verdicts({ freeBytes: 63e6 })).toMatchObject([{ id: 'disk.room', ok: false }]);
  expect(verdicts({ freeBytes: undefined, reserve: false })).toMatchObject([
    { id: 'disk.room', ok: null },
    { id: 'disk.reserve', ok: null },
  ]);
  const rotten = { ...held, damaged: ['1-2'] };
  expect(verdicts({ stores: [rotten] })).toEqual([
    { id: 'disk.held', ok: false, text: '2 messages held for friends; 1 cannot be read: 1-2.' },
  ]);
  expect(verdicts({ stores: [{ ...held, name: 'queued', damagedAtStart: 3 }] })).toMatchObject([
    { id: 'disk.queued', ok: false },
  ]);
  expect(verdicts({ index: { found: 'repaired', setAside: undefined } })).toEqual([]);
  const [lost] = verdicts({ index: { found: 'lost', setAside: '/s/index.lost' } });
  expect(lost).toMatchObject({ id: 'disk.index', ok: null });
  expect(lost?.text).toContain('/s/index.lost');
  const all = diskChecks({ ...facts, freeBytes: 1, reserve: false, stores: [rotten] });
  expect(all.every(({ ok, hint }) => ok === true || hint !== null)).toBe(true);
});
