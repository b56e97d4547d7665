import { expect, it } from 'vitest';
import { proofSpanMs } from '../arrival-proof.ts';
import { signingKeyFromSeed } from './envelope.ts';
import { type ProofKeys, proofKeys } from './proof-keys.ts';

const nowMs = 1_800_000_000_000;

async function box(n: number): Promise<{ peer: string; keys: ProofKeys }> {
  const key = await signingKeyFromSeed(new Uint8Array(32).fill(n));
  return { peer: key.peer, keys: proofKeys({ privateKey: key.protobuf }) };
}

it('a friend knows the proof of a friend, once, and nobody else does', async () => {
  const [alice, bob, carol] = await Promise.all([box(1), box(2), box(3)]);
  const proof = alice.keys.make(bob.peer, nowMs) ?? expect.fail('a proof');
  bob.keys.friends([carol.peer]);
  expect(bob.keys.check(proof, nowMs)).toBeUndefined();
  bob.keys.friends([carol.peer, alice.peer]);
  carol.keys.friends([alice.peer, bob.peer]);
  expect(carol.keys.check(proof, nowMs)).toBeUndefined();
  expect(bob.keys.check(proof, nowMs)).toBe(alice.peer);
  expect(bob.keys.check(proof, nowMs)).toBeUndefined();
  expect(bob.keys.check(alice.keys.make(bob.peer, nowMs) ?? proof, nowMs)).toBe(alice.peer);
  bob.keys.friends([carol.peer]);
  expect(bob.keys.check(alice.keys.make(bob.peer, nowMs) ?? proof, nowMs)).toBeUndefined();
});

it('what was altered proves nothing, nor does what is sent back to its maker', async () => {
  const [alice, bob] = await Promise.all([box(1), box(2)]);
  alice.keys.friends([bob.peer]);
  bob.keys.friends([alice.peer]);
  const proof = alice.keys.make(bob.peer, nowMs) ?? expect.fail('a proof');
  const altered = (bytes: Uint8Array): Uint8Array =>
    Uint8Array.from(bytes, (byte, i) => (i === 3 ? byte ^ 1 : byte));
  for (const part of ['tag', 'nonce', 'mac'] as const)
    expect(bob.keys.check({ ...proof, [part]: altered(proof[part]) }, nowMs)).toBeUndefined();
  expect(alice.keys.check(proof, nowMs)).toBeUndefined();
  expect(bob.keys.check(proof, nowMs)).toBe(alice.peer);
});

it('clocks may be five minutes apart, not half an hour', async () => {
  const [alice, bob] = await Promise.all([box(1), box(2)]);
  bob.keys.friends([alice.peer]);
  const at = (ms: number) => alice.keys.make(bob.peer, ms) ?? expect.fail('a proof');
  expect(bob.keys.check(at(nowMs - proofSpanMs), nowMs)).toBe(alice.peer);
  expect(bob.keys.check(at(nowMs + proofSpanMs), nowMs)).toBe(alice.peer);
  expect(bob.keys.check(at(nowMs - 6 * proofSpanMs), nowMs)).toBeUndefined();
});

it('a PeerId that holds no key shares no secret', async () => {
  const { keys } = await box(1);
  expect(keys.make('nobody', nowMs)).toBeUndefined();
  keys.friends(['nobody']);
  const proof = { tag: new Uint8Array(8), nonce: new Uint8Array(8), mac: new Uint8Array(16) };
  expect(keys.check(proof, nowMs)).toBeUndefined();
});
