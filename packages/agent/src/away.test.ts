import { expect, it } from 'vitest';
import { awayOf, shownState } from './away.ts';
import { emptyKnowledge, type Knowledge, type KnownRecord } from './known-records.ts';

const day = 86_400_000;

function knowing(
  away: { sinceMs: number; untilMs: number | undefined; note: undefined } | undefined,
): Knowledge {
  const record = { sequence: 1, addresses: [], away };
  const known: KnownRecord = { kind: 'address', signed: { signer: 'bob', hash: new Uint8Array(32), record } };
  return { ...emptyKnowledge('alice', 'circle'), records: new Map([['address/bob', known]]) };
}

it('an absence stands until a day after its end, and one without end until he is back', () => {
  const until = knowing({ sinceMs: 0, untilMs: 7 * day, note: undefined });
  expect(awayOf(until, 'bob', 8 * day - 1)).toBeDefined();
  expect(awayOf(until, 'bob', 8 * day)).toBeUndefined();
  expect(
    awayOf(knowing({ sinceMs: 0, untilMs: undefined, note: undefined }), 'bob', 900 * day),
  ).toBeDefined();
  expect(awayOf(knowing(undefined), 'bob', 0)).toBeUndefined();
  expect(awayOf(until, 'carol', 0)).toBeUndefined();
});

it('only who is not heard is away', () => {
  const away = { sinceMs: 0, untilMs: undefined, note: undefined };
  expect(['up', 'suspect', 'partial', 'down', 'unknown'].map((state) => shownState(state, away))).toEqual([
    'up',
    'away',
    'partial',
    'away',
    'away',
  ]);
  expect(shownState('down', undefined)).toBe('down');
});
