import { concatBytes, toHex, toUtf8 } from '@copain/core';
import { withProof } from '../../packages/mesh/src/arrival-proof.ts';
import { proofKeys } from '../../packages/mesh/src/io/proof-keys.ts';
import type { Person } from './people.ts';

const atMs = 1_800_000_000_000;
const nonce = new Uint8Array(8).fill(0x6e);

/** What Alice's box says first on a TCP connection to Bob's, and what he answers to it. */
export function arrivalProofs({ alice, bob }: { alice: Person; bob: Person }) {
  const proof = proofKeys({ privateKey: alice.box.protobuf }).make(bob.box.peer, atMs, nonce);
  const greeting = toUtf8('\u0013/multistream/1.0.0\n');
  const noise = toUtf8('\u0007/noise\n');
  const said = proof === undefined ? undefined : withProof(concatBytes(greeting, noise), proof);
  if (proof === undefined || said === undefined) throw new Error('box keys make a proof');
  return {
    by: alice.box.peer,
    to: bob.box.peer,
    atMs,
    nonce: toHex(nonce),
    tag: toHex(proof.tag),
    mac: toHex(proof.mac),
    said: toHex(said),
    answer: toHex(concatBytes(greeting, toUtf8('\u0003na\n'), noise)),
  };
}
