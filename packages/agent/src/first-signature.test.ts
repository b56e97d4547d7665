import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type FirstSignature,
  type SignatureInput,
  secondAnswerWaitMs,
  startFirstSignature,
  stepFirstSignature,
} from './first-signature.ts';

const after = (state: FirstSignature, ...inputs: [SignatureInput, number][]): boolean =>
  inputs.reduce((now, [input, atMs]) => stepFirstSignature(now, input, atMs), state).isConfirmed;
const answered = (friend: string): SignatureInput => ({ kind: 'answered', friend });
const tick: SignatureInput = { kind: 'tick' };

it('a box without friends signs at once, and goes on when it finds some', () => {
  expect(startFirstSignature([]).isConfirmed).toBe(true);
  expect(after(startFirstSignature([]), [{ kind: 'friends', friends: ['bob'] }, 5])).toBe(true);
});

it('the only friend there is suffices', () => {
  expect(after(startFirstSignature(['bob']), [tick, 3_600_000])).toBe(false);
  expect(after(startFirstSignature(['bob']), [answered('bob'), 1])).toBe(true);
});

it('two of several friends are wanted; after a while one suffices, none never does', () => {
  const start = startFirstSignature(['bob', 'carol', 'dave']);
  expect(after(start, [answered('bob'), 1], [answered('bob'), 2])).toBe(false);
  expect(after(start, [answered('bob'), 1], [answered('dave'), 2])).toBe(true);
  expect(after(start, [answered('bob'), 1000], [tick, 999 + secondAnswerWaitMs])).toBe(false);
  expect(after(start, [answered('bob'), 1000], [tick, 1000 + secondAnswerWaitMs])).toBe(true);
  expect(after(start, [tick, 86_400_000])).toBe(false);
});

it('whoever is no friend does not count, and the last one who leaves leaves nobody to ask', () => {
  const start = startFirstSignature(['bob']);
  expect(after(start, [answered('mallory'), 1], [tick, 86_400_000])).toBe(false);
  expect(after(start, [{ kind: 'friends', friends: [] }, 1])).toBe(true);
});

it('a friend who knows of a later run stops the signing until he has told, or is gone', () => {
  const start = startFirstSignature(['bob', 'carol', 'dave']);
  const confirmed: [SignatureInput, number][] = [
    [answered('bob'), 1],
    [answered('carol'), 2],
    [{ kind: 'doubt', friend: 'dave' }, 3],
  ];
  expect(after(start, ...confirmed)).toBe(false);
  expect(after(start, ...confirmed, [answered('bob'), 4])).toBe(false);
  expect(after(start, ...confirmed, [answered('dave'), 4])).toBe(true);
  expect(after(start, ...confirmed, [tick, 3 + secondAnswerWaitMs])).toBe(true);
});

it('nothing is ever signed in a circle before some friend has answered', () => {
  const anyInput = fc.oneof(
    fc.constant(tick),
    fc.constantFrom('bob', 'carol').map((friend): SignatureInput => ({ kind: 'doubt', friend })),
    fc.constantFrom('eve', 'mallory').map(answered),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(anyInput, fc.nat()), { maxLength: 30 }), (inputs) => {
      const sorted = inputs.sort((a, b) => a[1] - b[1]);
      expect(after(startFirstSignature(['bob', 'carol']), ...sorted)).toBe(false);
    }),
  );
});
