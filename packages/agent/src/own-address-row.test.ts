import { expect, it } from 'vitest';
import { decodeOwnAddressRow, encodeOwnAddressRow } from './own-address-row.ts';

const kept = {
  agreed: {
    ipv4: { address: '203.0.113.7', sinceMs: 1_764_000_000_000, by: 'friends' as const },
    ipv6: undefined,
  },
  pinned: ['ipv6' as const],
  history: [
    { family: 'ipv4' as const, from: undefined, to: '203.0.113.1', atMs: 1, by: 'operator' as const },
    { family: 'ipv4' as const, from: '203.0.113.1', to: '203.0.113.7', atMs: 2, by: 'friends' as const },
  ],
};

it('what is kept over a restart comes back as it was', () => {
  expect(decodeOwnAddressRow(encodeOwnAddressRow(kept))).toEqual(kept);
});

it('a row that is damaged anywhere is nothing, and stops nobody from starting', () => {
  const bytes = encodeOwnAddressRow(kept);
  expect(decodeOwnAddressRow(bytes.slice(0, -1))).toBeUndefined();
  expect(decodeOwnAddressRow(new Uint8Array())).toBeUndefined();
  const wrongFamily = { ...kept, history: [{ ...kept.history[0], family: 'ipv5' }] };
  expect(decodeOwnAddressRow(encodeOwnAddressRow(wrongFamily as unknown as typeof kept))).toBeUndefined();
  const wrongVoice = { ...kept, agreed: { ipv4: { ...kept.agreed.ipv4, by: 'somebody' }, ipv6: undefined } };
  expect(decodeOwnAddressRow(encodeOwnAddressRow(wrongVoice as unknown as typeof kept))).toBeUndefined();
});
