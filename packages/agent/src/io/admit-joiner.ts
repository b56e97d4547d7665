import { randomBytes } from 'node:crypto';
import { type Clock, type FrameStream, fromHex, toHex } from '@copain/core';
import { factsInOrder } from '@copain/mesh';
import { openEnvelope, verifySignature } from '@copain/mesh/io';
import {
  admitInvite,
  admitJoiner,
  decodeOwnerRecord,
  encodeMemberRecord,
  type InviteRecord,
  type JoinRefusal,
  joinProofBytes,
  keyProofBytes,
  type OwnerRecord,
  ownerRecordFault,
  type Signed,
} from '@copain/trust';
import { decodeJoinFrame, encodeJoinFrame, type JoinFrame } from '../join-frames.ts';
import { recordsOf } from '../known-records.ts';
import type { Identity } from './identity.ts';
import { nextFrame } from './join-stream.ts';
import type { OwnerKeys } from './owner-keys.ts';
import type { RecordStore } from './record-store.ts';
import type { Standing } from './standing.ts';

/** What a member needs to let others in. */
interface AdmissionOptions {
  identity: Identity;
  records: RecordStore;
  clock: Clock;
  standing: Pick<Standing, 'maySign'>;
  keys: Pick<OwnerKeys, 'state' | 'needSigner' | 'addBox'>;
  /** The name of the owner of this box, for people. */
  nameOf: (peer: string) => string;
  /** A joiner was sent away. */
  refused(joiner: string, why: JoinRefusal): void;
}

/** The next owner record, which a further box of ours would be in: what that box consents to. */
interface Subject {
  ownerId: string;
  epoch: number;
  previous: Uint8Array;
}

/** One joiner with his proof, whose owner record opened. */
interface Candidate {
  joiner: string;
  proof: Extract<JoinFrame, { t: 'proof' }>;
  owner: Signed<OwnerRecord>;
  challenge: Uint8Array;
  /** He holds the invite's own key. */
  proofHolds: boolean;
}

/**
 * Serves the join protocol to a guest: what the invite says, his proof, and once he is admitted, durably, every record of
 * the circle. Rejects where the conversation is no join, or this box may not sign now; then his command tries another
 * member.
 */
export function admission(options: AdmissionOptions): (stream: FrameStream, joiner: string) => Promise<void> {
  const { identity, records, clock, nameOf } = options;
  const self = identity.box.peer;

  /** Admitted by this very invite, and here again: the line broke, or his box did, before he had the records. */
  const isBack = (invite: Signed<InviteRecord>, joiner: string): boolean => {
    const { ownerOf, members } = records.knowledge().roster;
    const member = members.get(ownerOf.get(joiner) ?? '');
    const box = member?.boxes.find(({ peer }) => peer === joiner);
    return member !== undefined && (box?.inviteId ?? member.inviteId) === invite.record.id;
  };
  const closed = (invite: Signed<InviteRecord>, joiner: string): JoinRefusal | undefined => {
    if (isBack(invite, joiner)) return undefined;
    const revocations = recordsOf(records.knowledge(), 'revocation').map((record) => record.signed);
    return admitInvite(invite, { roster: records.knowledge().roster, revocations }, clock.nowMs());
  };
  const needToSign = (): void => {
    if (!options.standing.maySign()) throw new Error('nothing is signed before friends were asked');
  };

  const offerOf = ({ record, signer }: Signed<InviteRecord>, subject: Subject, challenge: Uint8Array) =>
    encodeJoinFrame({
      t: 'offer',
      circle: fromHex(records.knowledge().circle) ?? new Uint8Array(),
      member: nameOf(self),
      inviter: nameOf(signer),
      name: record.name,
      may: record.may,
      challenge,
      box:
        record.roles === undefined
          ? undefined
          : {
              owner: fromHex(subject.ownerId) ?? new Uint8Array(),
              epoch: subject.epoch,
              previous: subject.previous,
              roles: record.roles,
            },
    });

  const candidateOf = async (
    invite: Signed<InviteRecord>,
    told: { joiner: string; challenge: Uint8Array; proof: Candidate['proof'] },
  ): Promise<Candidate | undefined> => {
    const { joiner, challenge, proof } = told;
    const opened = await openEnvelope('owner', proof.owner);
    const record = opened === undefined ? undefined : decodeOwnerRecord(opened.payload);
    if (opened === undefined || record === undefined) return undefined;
    const ownerId = toHex(opened.hash);
    const { circle } = records.knowledge();
    const said = joinProofBytes({ circle, ownerId, joiner, responder: self, challenge });
    const proofHolds = await verifySignature(invite.record.key, said, proof.signature);
    return {
      joiner,
      proof,
      owner: { signer: opened.signer, hash: opened.hash, record },
      challenge,
      proofHolds,
    };
  };

  /** A further box of our owner's. Resolves once the owner record that names it is known here, or with why not. */
  const addBox = async (
    { record }: Signed<InviteRecord>,
    subject: Subject,
    { joiner, owner, proof, proofHolds }: Candidate,
  ): Promise<JoinRefusal | undefined> => {
    const entry = owner.record.boxes.find((box) => box.peer === joiner);
    const { consent } = proof;
    const holds =
      proofHolds &&
      ownerRecordFault(owner) === undefined &&
      consent !== undefined &&
      (await verifySignature(joiner, keyProofBytes({ ...subject, key: joiner }), consent));
    if (entry === undefined || record.roles === undefined || !holds) return 'bad-proof';
    const taken = records.knowledge().roster.ownerOf.get(joiner);
    if (taken !== undefined && taken !== identity.ownerId) return 'already-member';
    needToSign();
    const { epoch, previous } = subject;
    await options.keys.addBox(
      { peer: joiner, name: record.name, roles: record.roles, sealTo: entry.sealTo, inviteId: record.id },
      { peer: joiner, epoch, previous, signature: consent },
    );
    return undefined;
  };

  /** A new member. Resolves once the member record is known here, or with why not. */
  const addMember = async (
    invite: Signed<InviteRecord>,
    { joiner, owner, proof, proofHolds, challenge }: Candidate,
  ): Promise<JoinRefusal | undefined> => {
    const { roster, circle } = records.knowledge();
    const ownerId = toHex(owner.hash);
    const refused =
      closed(invite, joiner) ?? admitJoiner({ peer: joiner, owner, ownerId, proofHolds }, roster);
    if (refused !== undefined) return refused;
    needToSign();
    const { key, name, id: inviteId } = invite.record;
    await records.publish(
      'member',
      encodeMemberRecord({
        circle,
        name,
        owner: proof.owner,
        inviteId,
        redeemed: { key, joiner, challenge, signature: proof.signature },
        atMs: Math.round(clock.nowMs()),
      }),
    );
    return undefined;
  };

  return async (stream, joiner) => {
    const refuse = async (why: JoinRefusal): Promise<void> => {
      options.refused(joiner, why);
      await stream.send(encodeJoinFrame({ t: 'refused', why }));
      await stream.end();
    };
    const asked = await nextFrame(stream);
    if (asked.t !== 'ask') throw new Error('a join begins with a question');
    const invite = recordsOf(records.knowledge(), 'invite').find(
      ({ signed }) => signed.record.id === toHex(asked.invite),
    )?.signed;
    if (invite === undefined) return await refuse('unknown-invite');
    const why = closed(invite, joiner);
    if (why !== undefined) return await refuse(why);
    const asksBox = invite.record.roles !== undefined;
    // A box is let in where the owner's key is, and its code names no other place.
    const isOurs = records.knowledge().roster.everOwnerOf.get(invite.signer) === identity.ownerId;
    if (asksBox && !isOurs) return await refuse('unknown-invite');
    if (asksBox && !isBack(invite, joiner)) await options.keys.needSigner();
    const challenge = new Uint8Array(randomBytes(32));
    const owner = asksBox ? options.keys.state().current : undefined;
    const subject: Subject = {
      ownerId: identity.ownerId,
      epoch: (owner?.record.epoch ?? 0) + 1,
      previous: owner?.hash ?? new Uint8Array(32),
    };
    await stream.send(offerOf(invite, subject, challenge));
    const answer = await stream.receive();
    // The joiner only wanted to see who invites.
    if (answer === undefined) return;
    const proof = decodeJoinFrame(answer);
    if (proof?.t !== 'proof') throw new Error('a join goes on with a proof');
    const candidate = await candidateOf(invite, { joiner, challenge, proof });
    if (candidate === undefined) return await refuse('bad-owner');
    if (!isBack(invite, joiner)) {
      const refused = asksBox ? await addBox(invite, subject, candidate) : await addMember(invite, candidate);
      if (refused !== undefined) return await refuse(refused);
    }
    for (const fact of factsInOrder(records.log().facts.values())) {
      await stream.send(encodeJoinFrame({ t: 'record', kind: fact.kind, envelope: fact.envelope }));
    }
    await stream.send(encodeJoinFrame({ t: 'welcome' }));
    await stream.end();
  };
}
