import { multiaddr } from '@multiformats/multiaddr';
import { expect, it } from 'vitest';
import { relayOf } from './relay.ts';

const relay = '12D3KooWJzYFTvJX6XcrWtxU4tMLjLAyeZBUcGNXv9pM9tJRe3G2';
const peer = '12D3KooWQPFGTjmKEqGrv4BAcAkqEvEkYbPk1PRxsCeAgQCZsPGD';

it('a relayed address names its relay, a direct one none', () => {
  expect(relayOf(multiaddr(`/ip4/192.0.2.1/tcp/1/p2p/${relay}/p2p-circuit/p2p/${peer}`))).toBe(relay);
  expect(relayOf(multiaddr(`/p2p/${relay}/p2p-circuit/p2p/${peer}`))).toBe(relay);
  expect(relayOf(multiaddr(`/ip4/192.0.2.1/tcp/1/p2p/${peer}`))).toBeUndefined();
});
