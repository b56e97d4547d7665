import { fromHex } from '@copain/core';
import { type CanonicalValue, encodeCanonical } from './canonical.ts';
import type { InviteRecord, RevocationRecord } from './membership-records.ts';
import type { OwnerRecord } from './owner-record.ts';
import { inviteState, ownerRecordFault, type Roster } from './roster.ts';
import type { Signed } from './signed.ts';

/** What the joiner signs with the invite's one-time key; a fresh challenge and both ends make it useless elsewhere. */
export interface JoinProof {
  circle: string;
  ownerId: string;
  joiner: string;
  responder: string;
  challenge: Uint8Array;
}

/** The bytes under the joiner's signature. */
export function joinProofBytes(proof: JoinProof): Uint8Array {
  const fields: CanonicalValue = {
    d: 'copain/join/1',
    circle: fromHex(proof.circle) ?? new Uint8Array(),
    owner: fromHex(proof.ownerId) ?? new Uint8Array(),
    joiner: proof.joiner,
    responder: proof.responder,
    challenge: proof.challenge,
  };
  return encodeCanonical(fields);
}

export type JoinRefusal =
  | 'unknown-invite'
  | 'used'
  | 'expired'
  | 'revoked'
  | 'bad-proof'
  | 'bad-owner'
  | 'already-member';

/** One line a refusal shows to the person at the joining box, with what to do. */
export const joinRefusalText: Record<JoinRefusal, string> = {
  'unknown-invite': 'this invite is not known to the circle; ask for a new one (peer invite NAME)',
  used: 'this invite was used already, and an invite works once; ask for a new one (peer invite NAME)',
  expired: 'this invite has expired; ask for a new one (peer invite NAME)',
  revoked: 'this invite was revoked; ask for a new one (peer invite NAME)',
  'bad-proof':
    'the proof of this invite is wrong: the code was altered, or belongs to another circle; copy it again, whole',
  'bad-owner': 'the owner record of this box is not valid; its state may be damaged',
  'already-member': 'this box is a member of the circle already',
};

/** May this invite be redeemed now, before any proof was seen? */
export function admitInvite(
  invite: Signed<InviteRecord> | undefined,
  known: { roster: Roster; revocations: readonly Signed<RevocationRecord>[] },
  nowMs: number,
): JoinRefusal | undefined {
  if (invite === undefined) return 'unknown-invite';
  const state = inviteState(invite, known, nowMs);
  return state === 'open' ? undefined : state;
}

/** May this joiner in, now that his proof was checked (`proofHolds`) and his owner record opened? */
export function admitJoiner(
  joiner: { peer: string; owner: Signed<OwnerRecord>; ownerId: string; proofHolds: boolean },
  roster: Roster,
): JoinRefusal | undefined {
  if (!joiner.proofHolds) return 'bad-proof';
  if (ownerRecordFault(joiner.owner) !== undefined) return 'bad-owner';
  if (!joiner.owner.record.boxes.some((box) => box.peer === joiner.peer)) return 'bad-owner';
  if (roster.members.has(joiner.ownerId)) return 'already-member';
  if (joiner.owner.record.boxes.some((box) => roster.ownerOf.has(box.peer))) return 'already-member';
  return undefined;
}
