import { randomBytes } from 'node:crypto';
import {
  type Clock,
  CommandError,
  ExitCode,
  type FrameStream,
  fromHex,
  isLoopback,
  isName,
  isPrivate,
  parseHostPort,
  toHex,
  visible,
} from '@copain/core';
import { factsInOrder, guestDeadlineMs } from '@copain/mesh';
import {
  type Host,
  openEnvelope,
  openFirst,
  sha256,
  signingKeyFromSeed,
  verifySignature,
} from '@copain/mesh/io';
import {
  admitInvite,
  admitJoiner,
  decodeInviteText,
  decodeOwnerRecord,
  encodeInviteRecord,
  encodeInviteText,
  encodeMemberRecord,
  encodeRemovalRecord,
  encodeRevocationRecord,
  type InviteText,
  inviteIdOf,
  inviteLifeMs,
  type JoinRefusal,
  joinProofBytes,
  joinRefusalText,
  keyProofBytes,
  maxInviteContacts,
  maxInviteLifeMs,
  ownerRecordFault,
  type Role,
  type Service,
  type Signed,
} from '@copain/trust';
import { decodeJoinFrame, encodeJoinFrame, type JoinFrame, knownServices } from '../join-frames.ts';
import { recordsOf } from '../known-records.ts';
import { listInvites } from '../wiring.ts';
import type { Identity } from './identity.ts';
import { boxFault, type OwnerKeys } from './owner-keys.ts';
import type { RecordStore } from './record-store.ts';
import type { Standing } from './standing.ts';

/** What a joiner learns of the circle before it agrees. */
interface JoinPreview {
  circle: string;
  inviter: { name: string; id: string };
  /** The member who answered: the inviter, or another who can admit. */
  member: string;
  /** The name under which the circle will know this box. */
  name: string;
  may: Service[];
  /** The invite makes this box one of the inviter's own, with these roles. */
  roles: string[] | undefined;
}

interface MadeInvite {
  id: string;
  code: string;
  expiresAtMs: number;
  warning: string | undefined;
}

/** Invites and joining, on both sides. */
export interface CircleService {
  invite(options: { name: string; may: Service[]; lifeMs: number | undefined }): Promise<MadeInvite>;
  /** Asks in a further box of our own; only this box can let it in, since the owner key is here. */
  inviteBox(options: { name: string; roles: Role[]; lifeMs: number | undefined }): Promise<MadeInvite>;
  revoke(id: string): Promise<void>;
  /** Takes a friend out of the circle, for good; for this box at once. Returns whether the others must agree first. */
  remove(name: string): Promise<{ ownerId: string; forEverybody: boolean }>;
  preview(code: string): Promise<JoinPreview>;
  join(code: string, progress: (text: string) => void): Promise<JoinPreview>;
  isJoining(): boolean;
  /** Resolves once no join is under way: until then this box cannot know whether a member is a friend. */
  joinEnded(): Promise<void>;
  /** Serves the join protocol to a guest. */
  answer(stream: FrameStream, joiner: string): Promise<void>;
}

/** A contact that does not answer may be behind NAT, or off: the next is asked beside it. */
const nextContactAfterMs = 3000;

const defaultMay: Service[] = ['dns', 'mail', 'witness'];

/** Records of a circle a joiner takes at most: what the mesh keeps at most. */
const maxWelcomeRecords = 8000;

export function circleService(options: {
  identity: Identity;
  records: RecordStore;
  host(): Host;
  clock: Clock;
  standing: Pick<Standing, 'maySign' | 'signable'>;
  /** Where this box can be dialled, best first. */
  ownAddresses(): string[];
  addressesOf(peer: string): string[];
  keys: Pick<OwnerKeys, 'state' | 'needSigner' | 'addBox'>;
  /** This box became another owner's: keep whose, durably. What runs goes on as before until it is started again. */
  adopt(owner: Uint8Array): Promise<void>;
  /** A joiner was sent away. */
  refused(joiner: string, why: JoinRefusal): void;
  /** Remembers where the members of a new circle were reached. */
  rememberContacts(contacts: InviteText['contacts']): Promise<void>;
}): CircleService {
  const { identity, records, clock } = options;
  const self = identity.box.peer;
  let joining = 0;
  const waiting = new Set<() => void>();

  const whileJoining = async <T>(work: () => Promise<T>): Promise<T> => {
    joining += 1;
    try {
      return await work();
    } finally {
      joining -= 1;
      if (joining === 0) {
        for (const wake of waiting) wake();
        waiting.clear();
      }
    }
  };
  const revocations = () => recordsOf(records.knowledge(), 'revocation').map((record) => record.signed);
  const nameOf = (peer: string): string => {
    const { roster } = records.knowledge();
    return roster.members.get(roster.ownerOf.get(peer) ?? '')?.name ?? 'unknown';
  };

  const decode = (code: string): InviteText => {
    const decoded = decodeInviteText(code, sha256);
    if (decoded.kind === 'refused') throw new CommandError(ExitCode.badInput, decoded.why);
    const { members } = records.knowledge().roster;
    // Whoever was removed is free to go elsewhere.
    if (!members.has(identity.ownerId)) return decoded.invite;
    if (records.knowledge().circle === decoded.invite.circle && members.size > 1) {
      throw new CommandError(ExitCode.badInput, 'this box is a member of that circle already', {
        hint: 'peer friends',
      });
    }
    if (members.size > 1) {
      throw new CommandError(
        ExitCode.badInput,
        `this box is in a circle of ${members.size} already, and a box is in one circle at a time`,
        { hint: 'set up a second box with another --home' },
      );
    }
    return decoded.invite;
  };

  type Asked = { stream: FrameStream; responder: string; offer: Extract<JoinFrame, { t: 'offer' }> };

  /** Dials one contact and asks about the invite. A refusal is an answer too. */
  const askOne = async (
    contact: InviteText['contacts'][number],
    inviteId: string,
    signal: AbortSignal,
  ): Promise<Asked | CommandError> => {
    // A connection that is there may be one that the other side is about to give up.
    await options.host().dial(contact.peer, [contact.address], { signal, fresh: true });
    const stream = await options.host().open(contact.peer, 'join', { signal });
    const giveUp = (): void => stream.abort(new Error('another member answered'));
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      await stream.send(encodeJoinFrame({ t: 'ask', invite: fromHex(inviteId) ?? new Uint8Array() }));
      const answer = await nextFrame(stream);
      if (answer.t === 'offer') return { stream, responder: contact.peer, offer: answer };
      stream.abort(new Error('refused'));
      if (answer.t === 'refused') return refusal(answer.why);
      return new CommandError(
        ExitCode.unreachable,
        'the member answered in a way that is not the join protocol',
      );
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  };

  /** Asks the contacts, the next beside one that hangs, as behind NAT; the first who answers is the one to join by. */
  const ask = async (invite: InviteText): Promise<Asked> => {
    const key = await signingKeyFromSeed(invite.seed);
    const inviteId = inviteIdOf(key.peer, sha256);
    const failures: string[] = [];
    const ways = invite.contacts.map((contact, i) => ({
      afterMs: i * nextContactAfterMs,
      open: async (given: AbortSignal) => {
        const late = AbortSignal.timeout(guestDeadlineMs);
        try {
          return await askOne(contact, inviteId, AbortSignal.any([given, late]));
        } catch (error) {
          failures.push(`${contact.address} (${reason(error)})`);
          throw error;
        }
      },
    }));
    const answer = await openFirst(ways, () => true, new AbortController().signal).catch(
      (error: unknown) =>
        new CommandError(
          ExitCode.unreachable,
          `no member of the circle could be reached: ${failures.join(', ')}`,
          {
            hint: 'ask the inviter whether his box is up and its port is open, then try again',
            cause: error,
          },
        ),
    );
    if (answer instanceof CommandError) throw answer;
    return answer;
  };

  const preview = (
    invite: InviteText,
    responder: string,
    offer: Extract<JoinFrame, { t: 'offer' }>,
  ): JoinPreview => {
    if (toHex(offer.circle) !== invite.circle) {
      throw new CommandError(
        ExitCode.badInput,
        'the member answers for another circle than the invite names',
      );
    }
    const inviter = invite.contacts[0]?.peer ?? responder;
    return {
      circle: invite.circle,
      inviter: { name: offer.inviter, id: inviter },
      member: offer.member,
      name: offer.name,
      may: knownServices(offer.may),
      roles: offer.box?.roles,
    };
  };

  const redeem = async (code: string, progress: (text: string) => void): Promise<JoinPreview> => {
    const invite = decode(code);
    progress('dialling a member of the circle');
    const { stream, responder, offer } = await ask(invite);
    const seen = preview(invite, responder, offer);
    const key = await signingKeyFromSeed(invite.seed);
    progress(`${seen.member} answered; showing the invite`);
    const signature = await key.sign(
      joinProofBytes({
        circle: invite.circle,
        ownerId: identity.ownerId,
        joiner: self,
        responder,
        challenge: offer.challenge,
      }),
    );
    const { box } = offer;
    const consent =
      box === undefined
        ? undefined
        : await identity.box.sign(keyProofBytes({ ...box, ownerId: toHex(box.owner), key: self }));
    await stream.send(encodeJoinFrame({ t: 'proof', owner: identity.ownerEnvelope, signature, consent }));
    const received: Extract<JoinFrame, { t: 'record' }>[] = [];
    for (;;) {
      const frame = await nextFrame(stream);
      if (frame.t === 'refused') throw refusal(frame.why);
      if (frame.t === 'welcome') break;
      if (frame.t !== 'record' || received.length >= maxWelcomeRecords) {
        throw new CommandError(
          ExitCode.unreachable,
          'the member broke off the join; nothing was changed here',
        );
      }
      received.push(frame);
    }
    progress(`${seen.member} admitted this box; taking ${received.length} records of the circle`);
    await options.rememberContacts(invite.contacts);
    await records.moveTo(invite.circle);
    for (const { kind, envelope } of received) await records.offer(kind, envelope);
    const ownerId = box === undefined ? identity.ownerId : toHex(box.owner);
    if (records.knowledge().roster.ownerOf.get(self) !== ownerId) {
      throw new CommandError(
        ExitCode.unreachable,
        'the records of the circle do not name this box; ask for a new invite',
      );
    }
    if (box !== undefined) {
      const first = recordsOf(records.knowledge(), 'member').find(
        ({ signed }) => toHex(signed.ownerRecord.hash) === ownerId,
      );
      if (first === undefined) throw new Error('a member has a member record');
      await options.adopt(first.signed.record.owner);
    }
    // All that matters has arrived; whether our own goodbye does is no concern of the person who waits.
    await stream.end().catch(() => undefined);
    return seen;
  };

  const makeInvite = async ({
    name,
    may,
    lifeMs,
    roles,
  }: {
    name: string;
    may: Service[];
    lifeMs: number | undefined;
    roles: Role[] | undefined;
  }): Promise<MadeInvite> => {
    const { roster, circle } = records.knowledge();
    const expiresInMs = lifeMs ?? inviteLifeMs;
    if (expiresInMs <= 0 || expiresInMs > maxInviteLifeMs) {
      throw new CommandError(ExitCode.usage, 'an invite is open for at least a second and at most 30 days');
    }
    const own = options.ownAddresses();
    const [first] = own;
    if (first === undefined) {
      throw new CommandError(
        ExitCode.configuration,
        'this box does not know an address at which friends can dial it',
        {
          hint: 'set [mesh] announce = ["HOST:PORT"] in peer.toml, then peer reload',
        },
      );
    }
    const seed = new Uint8Array(randomBytes(32));
    const key = await signingKeyFromSeed(seed);
    const id = inviteIdOf(key.peer, sha256);
    const expiresAtMs = clock.nowMs() + expiresInMs;
    await records.publish(
      'invite',
      encodeInviteRecord({ circle, id, name, key: key.peer, may, expiresAtMs, roles }),
    );
    // A further box is let in where the owner's key is: here.
    const admitting = roles === undefined ? [...roster.ownerOf.keys()] : [];
    const others = admitting
      .filter((peer) => peer !== self)
      .flatMap((peer) => {
        const [address] = options.addressesOf(peer);
        return address === undefined ? [] : [{ peer, address }];
      });
    const contacts = [{ peer: self, address: first }, ...others].slice(0, maxInviteContacts);
    const code = encodeInviteText({ circle, contacts, seed }, sha256);
    const host = parseHostPort(first)?.host ?? '';
    const warning =
      isPrivate(host) && !isLoopback(host)
        ? `the code names ${first}, which only friends in your own network can dial; for others set [mesh] announce`
        : undefined;
    return { id, code, expiresAtMs, warning };
  };

  return {
    invite: async ({ name, may, lifeMs }) => {
      if (!isName(name)) {
        throw new CommandError(
          ExitCode.usage,
          `'${visible(name)}' is no name: a-z, 0-9 and -, 1 to 32 characters`,
        );
      }
      const { roster } = records.knowledge();
      if (!roster.members.has(identity.ownerId)) {
        throw new CommandError(
          ExitCode.permission,
          'this box was removed from its circle and can invite nobody',
          {
            hint: 'peer join, with an invite to another circle',
          },
        );
      }
      if ([...roster.members.values()].some((member) => member.name === name)) {
        throw new CommandError(ExitCode.usage, `somebody called ${name} is in the circle already`, {
          hint: 'choose another name for the new friend',
        });
      }
      return await makeInvite({ name, may: may.length > 0 ? may : defaultMay, lifeMs, roles: undefined });
    },

    inviteBox: async ({ name, roles, lifeMs }) => {
      const fault = boxFault(options.keys.state().current.record.boxes, name);
      if (fault !== undefined) throw fault;
      await options.keys.needSigner();
      return await makeInvite({ name, may: [], lifeMs, roles });
    },

    revoke: async (id) => {
      const found = listInvites(records.knowledge(), clock.nowMs()).find(
        ({ invite }) => invite.record.id === id,
      );
      if (found === undefined) {
        throw new CommandError(ExitCode.badInput, `there is no invite ${id}`, { hint: 'peer invite --list' });
      }
      if (found.state === 'used') {
        throw new CommandError(
          ExitCode.badInput,
          `invite ${id} was used already: ${found.invite.record.name} is a member`,
          {
            hint: `peer friends show ${found.invite.record.name}`,
          },
        );
      }
      // Any box of the inviter may take back what another of his gave out.
      if (records.knowledge().roster.everOwnerOf.get(found.invite.signer) !== identity.ownerId) {
        throw new CommandError(
          ExitCode.permission,
          `invite ${id} is ${nameOf(found.invite.signer)}'s to revoke`,
        );
      }
      if (found.state === 'revoked') return;
      await records.publish(
        'revocation',
        encodeRevocationRecord({ circle: records.knowledge().circle, inviteId: id }),
      );
    },

    remove: async (name) => {
      const { circle, roster } = records.knowledge();
      const member = [...roster.members.values()].find(
        (one) => one.name === name && one.ownerId !== identity.ownerId,
      );
      if (member === undefined) {
        throw new CommandError(ExitCode.badInput, `there is no friend called ${name}`, {
          hint: 'peer friends',
        });
      }
      // What his revoked boxes signed and stands is to stand on, too.
      const boxes = new Set(
        [...roster.everOwnerOf].flatMap(([peer, ownerId]) => (ownerId === member.ownerId ? [peer] : [])),
      );
      const signed = [
        ...recordsOf(records.knowledge(), 'member'),
        ...recordsOf(records.knowledge(), 'removal'),
      ];
      const seen = signed.filter((one) => boxes.has(one.signed.signer)).map((one) => one.signed.hash);
      await records.publish('removal', encodeRemovalRecord({ circle, ownerId: member.ownerId, seen }));
      return { ownerId: member.ownerId, forEverybody: member.admittedBy === identity.ownerId };
    },

    preview: async (code) =>
      await whileJoining(async () => {
        const invite = decode(code);
        const { stream, responder, offer } = await ask(invite);
        stream.abort(new Error('only asking'));
        return preview(invite, responder, offer);
      }),

    isJoining: () => joining > 0,

    joinEnded: async () => {
      if (joining === 0) return;
      await new Promise<void>((resolve) => {
        waiting.add(resolve);
      });
    },

    join: async (code, progress) => await whileJoining(() => redeem(code, progress)),

    answer: async (stream, joiner) => {
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
      /** Admitted by this very invite, and here again: the line broke, or his box did, before he had the records. */
      const isBack = (): boolean => {
        const { ownerOf, members } = records.knowledge().roster;
        const member = members.get(ownerOf.get(joiner) ?? '');
        if (invite === undefined || member === undefined) return false;
        const box = member.boxes.find(({ peer }) => peer === joiner);
        return (box?.inviteId ?? member.inviteId) === invite.record.id;
      };
      const mayNot = (): JoinRefusal | undefined => {
        const known = { roster: records.knowledge().roster, revocations: revocations() };
        return isBack() ? undefined : admitInvite(invite, known, clock.nowMs());
      };
      const closed = mayNot();
      if (closed !== undefined || invite === undefined) return await refuse(closed ?? 'unknown-invite');
      const { circle, roster } = records.knowledge();
      const asksBox = invite.record.roles !== undefined;
      const isOurs = roster.everOwnerOf.get(invite.signer) === identity.ownerId;
      // A box is let in where the owner's key is, and its code names no other place.
      if (asksBox && !isOurs) return await refuse('unknown-invite');
      if (asksBox && !isBack()) await options.keys.needSigner();
      const challenge = new Uint8Array(randomBytes(32));
      const owner = asksBox ? options.keys.state().current : undefined;
      const subject = {
        ownerId: identity.ownerId,
        epoch: (owner?.record.epoch ?? 0) + 1,
        previous: owner?.hash ?? new Uint8Array(32),
      };
      await stream.send(
        encodeJoinFrame({
          t: 'offer',
          circle: fromHex(circle) ?? new Uint8Array(),
          member: nameOf(self),
          inviter: nameOf(invite.signer),
          name: invite.record.name,
          may: invite.record.may,
          challenge,
          box:
            invite.record.roles === undefined
              ? undefined
              : {
                  owner: fromHex(subject.ownerId) ?? new Uint8Array(),
                  epoch: subject.epoch,
                  previous: subject.previous,
                  roles: invite.record.roles,
                },
        }),
      );
      const proof = await stream.receive();
      // The joiner only wanted to see who invites.
      if (proof === undefined) return;
      const frame = decodeJoinFrame(proof);
      if (frame?.t !== 'proof') throw new Error('a join goes on with a proof');
      const opened = await openEnvelope('owner', frame.owner);
      const record = opened === undefined ? undefined : decodeOwnerRecord(opened.payload);
      if (opened === undefined || record === undefined) return await refuse('bad-owner');
      const joined: Signed<typeof record> = { signer: opened.signer, hash: opened.hash, record };
      const ownerId = toHex(opened.hash);
      const proofHolds = await verifySignature(
        invite.record.key,
        joinProofBytes({ circle, ownerId, joiner, responder: self, challenge }),
        frame.signature,
      );
      if (invite.record.roles !== undefined && !isBack()) {
        const entry = joined.record.boxes.find((box) => box.peer === joiner);
        const { epoch, previous } = subject;
        const consent = { ...subject, key: joiner };
        const { consent: signature } = frame;
        const holds =
          proofHolds &&
          ownerRecordFault(joined) === undefined &&
          signature !== undefined &&
          (await verifySignature(joiner, keyProofBytes(consent), signature));
        if (entry === undefined || !holds) return await refuse('bad-proof');
        const taken = records.knowledge().roster.ownerOf.get(joiner);
        if (taken !== undefined && taken !== identity.ownerId) return await refuse('already-member');
        if (!options.standing.maySign()) throw new Error('nothing is signed before friends were asked');
        const { id: inviteId, name, roles } = invite.record;
        await options.keys.addBox(
          { peer: joiner, name, roles, sealTo: entry.sealTo, inviteId },
          { peer: joiner, epoch, previous, signature },
        );
      } else if (!isBack()) {
        const refused =
          mayNot() ??
          admitJoiner({ peer: joiner, owner: joined, ownerId, proofHolds }, records.knowledge().roster);
        if (refused !== undefined) return await refuse(refused);
        // Another member may admit him meanwhile, and his command tries the next contact.
        if (!options.standing.maySign()) throw new Error('nothing is signed before friends were asked');
        await records.publish(
          'member',
          encodeMemberRecord({
            circle,
            name: invite.record.name,
            owner: frame.owner,
            inviteId: invite.record.id,
            redeemed: { key: invite.record.key, joiner, challenge, signature: frame.signature },
            atMs: Math.round(clock.nowMs()),
          }),
        );
      }
      for (const fact of factsInOrder(records.log().facts.values())) {
        await stream.send(encodeJoinFrame({ t: 'record', kind: fact.kind, envelope: fact.envelope }));
      }
      await stream.send(encodeJoinFrame({ t: 'welcome' }));
      await stream.end();
    },
  };
}

function refusal(why: JoinRefusal): CommandError {
  return new CommandError(ExitCode.badInput, joinRefusalText[why]);
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : 'connection closed');

/** The next frame within the guest's deadline; anything else is an error of the conversation. */
async function nextFrame(stream: FrameStream): Promise<JoinFrame> {
  const timer = setTimeout(() => stream.abort(new Error('no answer in time')), guestDeadlineMs);
  try {
    const bytes = await stream.receive();
    if (bytes === undefined)
      throw new Error(
        'the connection was closed: this circle lets nobody in now, the invite may be long over',
      );
    const frame = decodeJoinFrame(bytes);
    if (frame === undefined) throw new Error('not a frame of the join protocol');
    return frame;
  } finally {
    clearTimeout(timer);
  }
}
