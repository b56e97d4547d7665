import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type SeatedSession, whoGoes } from './session-room.ts';

const seat = (id: string, network: string, progressAtMs = 0, inData = false): SeatedSession => ({
  id,
  network,
  progressAtMs,
  inData,
});

it('the network with the most sessions gives one up: the idlest, and not in the middle of a message', () => {
  const crowd = [seat('a', 'x', 5), seat('b', 'x', 1, true), seat('c', 'x', 3), seat('d', 'y', 0)];
  expect(whoGoes(crowd, 'z')).toEqual({ kind: 'seated', id: 'c' });
  expect(whoGoes(crowd, 'x')).toEqual({ kind: 'newcomer' });
});

it('whoever is the only one of his network gets in beside any crowd that has two of one', () => {
  const networks = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 5, maxLength: 40 });
  fc.assert(
    fc.property(networks, (names) => {
      const seated = names.map((network, i) => seat(String(i), network, i));
      const gone = whoGoes(seated, 'newcomer');
      expect(gone.kind).toBe('seated');
    }),
  );
});
