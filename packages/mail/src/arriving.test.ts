import fc from 'fast-check';
import { expect, it } from 'vitest';
import { mayArrive } from './arriving.ts';
import { clientNetwork } from './client-network.ts';

it('five who fill the room keep no newcomer out, and get no more themselves', () => {
  const full = new Map(['a', 'b', 'c', 'd', 'e'].map((network) => [network, 200]));
  const ask = (network: string, moreBytes: number) => mayArrive(full, { network, moreBytes, maxBytes: 1000 });
  expect(ask('newcomer', 150)).toBe(true);
  expect(ask('a', 1)).toBe(false);
});

it('what is taken above the room is at most one share a newcomer', () => {
  const step = fc.record({
    network: fc.constantFrom('a', 'b', 'c', 'd'),
    moreBytes: fc.integer({ min: 1, max: 300 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const arriving = new Map<string, number>();
      for (const { network, moreBytes } of steps)
        if (mayArrive(arriving, { network, moreBytes, maxBytes: 1000 }))
          arriving.set(network, (arriving.get(network) ?? 0) + moreBytes);
      const total = [...arriving.values()].reduce((sum, one) => sum + one, 0);
      expect(total).toBeLessThanOrEqual(1000 * (1 + 1 / 2 + 1 / 3 + 1 / 4));
    }),
  );
});

it('a network is a /24 or a /48, however the address is written', () => {
  expect(clientNetwork('192.0.2.1')).toBe(clientNetwork('::ffff:192.0.2.200'));
  expect(clientNetwork('192.0.3.1')).not.toBe(clientNetwork('192.0.2.1'));
  expect(clientNetwork('2001:db8:1:2::1')).toBe(clientNetwork('2001:0db8:0001:ffff::'));
  expect(clientNetwork('2001:db8:2::1')).not.toBe(clientNetwork('2001:db8:1::1'));
});
