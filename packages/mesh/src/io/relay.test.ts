import { multiaddr } from '@multiformats/multiaddr';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readVarints, relayOf } from './relay.ts';

const relay = '12D3KooWJzYFTvJX6XcrWtxU4tMLjLAyeZBUcGNXv9pM9tJRe3G2';
const peer = '12D3KooWQPFGTjmKEqGrv4BAcAkqEvEkYbPk1PRxsCeAgQCZsPGD';

it("the status of a relay's answer is read beside what else it says, and nothing out of what is cut off", () => {
  // HopMessage { type = STATUS, reservation = 3 bytes, status = OK }, as protobuf writes it.
  const answer = Uint8Array.of(0x08, 2, 0x1a, 3, 9, 9, 9, 0x28, 100);
  expect([...readVarints(answer)]).toEqual([
    [1, 2],
    [3, 0],
    [5, 100],
  ]);
  expect(readVarints(answer.subarray(0, 5)).size).toBe(0);
  expect(readVarints(Uint8Array.of(0x28)).size).toBe(0);
  expect(readVarints(undefined).size).toBe(0);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void readVarints(bytes)));
});

it('a relayed address names its relay, a direct one none', () => {
  expect(relayOf(multiaddr(`/ip4/192.0.2.1/tcp/1/p2p/${relay}/p2p-circuit/p2p/${peer}`))).toBe(relay);
  expect(relayOf(multiaddr(`/p2p/${relay}/p2p-circuit/p2p/${peer}`))).toBe(relay);
  expect(relayOf(multiaddr(`/ip4/192.0.2.1/tcp/1/p2p/${peer}`))).toBeUndefined();
});
