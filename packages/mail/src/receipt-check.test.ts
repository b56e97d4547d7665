import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  acceptedKey,
  acceptedNumber,
  chainAfter,
  decodeAcceptedRow,
  encodeAcceptedRow,
} from './accepted-list.ts';
import { pendingNumbersMax, pendingTagsMax, receiptGapsMax } from './limits.ts';
import { freshCheck, hasRoomFor, type ReceiptCheck, receiptFact, stepReceipt } from './receipt-check.ts';
import { decodeReceiptRow, encodeReceiptRow } from './receipt-row.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());
const zeros = new Uint8Array(32);
const tagOf = (number: number): Uint8Array => sha256(Uint8Array.of(number & 255, number >> 8)).slice(0, 16);

/** The chain after so many messages, the one with each number having one recipient. */
function chainAt(count: number): Uint8Array {
  let chain: Uint8Array = zeros;
  for (let number = 1; number <= count; number++)
    chain = chainAfter({ before: chain, tags: [tagOf(number)] }, sha256);
  return chain;
}
const signedFor = (messages: number) => ({ messages, chain: chainAt(messages) });

type Fate = 'here' | 'held' | 'gone';

/** The friend tells the numbers from `from` on; what became of each. */
function page(from: number, fates: readonly Fate[], messages = from + fates.length - 1) {
  return {
    kind: 'page' as const,
    from,
    before: chainAt(from - 1),
    items: fates.map((fate, i) => ({
      tags: [tagOf(from + i)],
      held: fate === 'held',
      here: fate === 'here',
    })),
    signed: signedFor(messages),
  };
}
const after = (...inputs: Parameters<typeof stepReceipt>[1][]): ReceiptCheck =>
  inputs.reduce((check, input) => stepReceipt(check, input, 1000, sha256), freshCheck());
const factOf = (check: ReceiptCheck, others: readonly ReceiptCheck[] = []) =>
  receiptFact(check, check.through, [check, ...others]);

it('every number is here, waits at its friend, or is missing, however the list is cut into pages', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom<Fate>('here', 'held', 'gone'), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 20 }),
      (fates, size) => {
        const pages = [];
        for (let at = 0; at < fates.length; at += size)
          pages.push(page(at + 1, fates.slice(at, at + size), fates.length));
        const check = after(...pages);
        const fact = factOf(check);
        expect(fact).toMatchObject({ first: 1, through: fates.length, gaps: [], unfitAt: undefined });
        expect(fact.missing).toEqual(fates.flatMap((fate, i) => (fate === 'gone' ? [i + 1] : [])));
        expect(fact.waiting).toBe(fates.filter((fate) => fate === 'held').length);
        expect(decodeReceiptRow(encodeReceiptRow(check))).toEqual(check);
      },
    ),
  );
});

it('a message that comes later is missing no more; one that its friend lost is', () => {
  const check = after(page(1, ['held', 'held', 'gone']));
  const looked = stepReceipt(
    check,
    { kind: 'looked', here: new Set([1]), held: new Map([[2, false]]) },
    2000,
    sha256,
  );
  expect(factOf(looked)).toMatchObject({ missing: [2, 3], waiting: 0 });
  expect(stepReceipt(looked, { kind: 'looked', here: new Set(), held: new Map() }, 3000, sha256)).toBe(
    looked,
  );
});

it('what one friend has no more and another holds is not missing', () => {
  const bob = after(page(1, ['gone', 'gone']));
  const carol = after({ ...page(1, ['held']), items: [{ tags: [tagOf(1)], held: true, here: false }] });
  expect(factOf(bob, [carol])).toMatchObject({ missing: [2], waiting: 1 });
});

it('numbers that he cannot tell of are a gap, at the end as well as in between; before the first they are past', () => {
  expect(factOf(after(page(4, ['here'])))).toMatchObject({ first: 4, gaps: [] });
  expect(factOf(after(page(1, ['here'], 6), page(4, ['here'], 6), page(6, [], 6)))).toMatchObject({
    gaps: [
      { from: 2, to: 3 },
      { from: 5, to: 6 },
    ],
    through: 6,
    unfitAt: undefined,
  });
});

it('a list that does not lead to his signature is told, whichever number was changed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), (changed) => {
      const whole = page(1, Array<Fate>(6).fill('here'));
      const items = whole.items.map((item, i) => (i + 1 === changed ? { ...item, tags: [tagOf(99)] } : item));
      expect(after({ ...whole, items }).unfitAt).toBe(6);
      expect(after(whole).unfitAt).toBeUndefined();
    }),
  );
});

it('a list that begins anew does not continue what was looked at, and is told', () => {
  const other = { ...page(3, ['here']), before: zeros };
  expect(after(page(1, ['here', 'here']), other).unfitAt).toBe(3);
});

it('what the owner lets go is told no more, and what is held still waits', () => {
  const check = after(page(1, ['gone', 'held']), page(5, [], 6));
  const settled = stepReceipt(check, { kind: 'settle' }, 2000, sha256);
  expect(factOf(settled)).toMatchObject({ missing: [], waiting: 1, gaps: [], unfitAt: undefined });
  expect(stepReceipt(settled, { kind: 'settle' }, 2000, sha256)).toBe(settled);
});

it('keeps so many pending numbers, tags and gaps, and no more', () => {
  const check = after(page(1, Array<Fate>(pendingNumbersMax).fill('held')));
  expect(hasRoomFor(check)).toBe(0);
  expect(decodeReceiptRow(encodeReceiptRow(check))).toEqual(check);
  const many = Array.from({ length: pendingTagsMax }, (_, i) => tagOf(i));
  expect(hasRoomFor(after({ ...page(1, ['held']), items: [{ tags: many, held: true, here: false }] }))).toBe(
    0,
  );
  const holes = Array.from({ length: receiptGapsMax + 5 }, (_, i) => page(2 * i + 1, ['here'], 1000));
  const { gaps } = after(...holes);
  expect([gaps.length, gaps.at(-1)?.to]).toEqual([receiptGapsMax, 2 * (receiptGapsMax + 4)]);
});

it('a row tells which message stands behind a number, and rows are in the order of their numbers', () => {
  const row = { before: chainAt(3), tags: [tagOf(4), tagOf(5)] };
  expect(decodeAcceptedRow(encodeAcceptedRow(row))).toEqual(row);
  expect(acceptedNumber(acceptedKey('aa'.repeat(32), 12_345))).toBe(12_345);
  expect(acceptedKey('x', 9) < acceptedKey('x', 10)).toBe(true);
});
