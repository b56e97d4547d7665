import { expect, it } from 'vitest';
import { decodeOwnAddressRow, encodeOwnAddressRow, publicFamily } from './own-address-row.ts';

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
});

it('only what the internet routes is a public address', () => {
  const isIp = (text: string): number => (text.includes(':') ? 6 : /^[\d.]+$/.test(text) ? 4 : 0);
  const of = (text: string) => publicFamily(isIp, text);
  expect(['203.0.113.7', '2001:db8::1'].map(of)).toEqual(['ipv4', 'ipv6']);
  expect(['192.168.1.5', '127.0.0.1', 'fe80::1%eth0', 'fd00::1', 'home.example', ''].map(of)).toEqual(
    Array(6).fill(undefined),
  );
});
