import { toHex } from '@copain/core';
import { sha256 } from '@copain/mesh/io';
import { compareWords, encodeInviteText } from '@copain/trust';
import { arrivalProofs } from './arrival.ts';
import { bulkFrames, dialbackFrames, joinFrames, syncFrames, zoneFrames } from './frames.ts';
import type { Json } from './json.ts';
import { mailFrames } from './mail-frames.ts';
import { type Person, seedOf } from './people.ts';
import { circleOfTwo } from './records.ts';
import { refusedRecords, takenForms } from './refused.ts';

const keysOf = (person: Person): Json => ({
  ownerSecret: person.ownerSecret,
  owner: person.owner.peer,
  ownerSealTo: person.ownerSealTo,
  paperSecret: person.paperSecret,
  paper: person.paper.peer,
  paperSealTo: person.paperSealTo,
  mailSealTo: person.mailSealTo,
  boxSeed: toHex(person.boxSeed),
  boxProtobuf: toHex(person.box.protobuf),
  box: person.box.peer,
});

/** Every file of test/vectors, by name: the same content each time. */
export async function allVectors() {
  const circle = await circleOfTwo();
  const { alice, bob, aliceId, bobId } = circle;
  const invite = {
    circle: circle.circle,
    contacts: [
      { peer: alice.box.peer, address: 'alice.example:4600' },
      { peer: circle.secondBox.peer, address: '[2001:db8::1]:4600' },
    ],
    seed: circle.inviteSeed,
  };
  return {
    'keys.json': {
      alice: { ...(keysOf(alice) as object), ownerId: aliceId, secondBoxSeed: toHex(seedOf(0x21)) },
      bob: { ...(keysOf(bob) as object), ownerId: bobId },
      invite: { seed: toHex(circle.inviteSeed), key: circle.inviteKey.peer, id: circle.inviteId },
      compareWords: compareWords([aliceId, bobId], sha256),
    },
    'records.json': { records: circle.vectors, otherForms: await takenForms(circle) },
    'refused.json': { refused: await refusedRecords(circle) },
    'join.json': {
      inviteText: encodeInviteText(invite, sha256),
      invite: { ...invite, seed: toHex(invite.seed) },
      joinProof: { bytes: toHex(circle.proof), signature: toHex(circle.proofSignature) },
      keyProof: {
        bytes: toHex(circle.keyProof),
        signer: circle.secondBox.peer,
        signature: toHex(circle.keyProofSignature),
      },
      frames: joinFrames(circle),
    },
    'sync.json': syncFrames(circle),
    'zone.json': zoneFrames(circle),
    'mail.json': mailFrames(circle),
    'bulk.json': { frames: bulkFrames() },
    'dialback.json': { frames: dialbackFrames() },
    'arrival.json': arrivalProofs(circle),
  };
}

export type Vectors = Awaited<ReturnType<typeof allVectors>>;
