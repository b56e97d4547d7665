import { CommandError, ExitCode, type FrameStream, fromHex, toHex } from '@copain/core';
import { guestDeadlineMs } from '@copain/mesh';
import { type Host, openFirst, sha256, signingKeyFromSeed } from '@copain/mesh/io';
import {
  decodeInviteText,
  type InviteText,
  inviteIdOf,
  joinProofBytes,
  keyProofBytes,
  type Service,
} from '@copain/trust';
import { encodeJoinFrame, type JoinFrame, knownServices } from '../join-frames.ts';
import { recordsOf } from '../known-records.ts';
import type { Identity } from './identity.ts';
import { nextFrame, refusal } from './join-stream.ts';
import type { RecordStore } from './record-store.ts';

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

/** This box as one that joins a circle by somebody's invite. */
export interface Joining {
  /** Throws CommandError where the code is none, no member answers, or the invite is closed. */
  preview(code: string): Promise<JoinPreview>;
  /** As `preview`; and where the circle sends this box away, of which nothing is left here then. */
  join(code: string, progress: (text: string) => void): Promise<JoinPreview>;
  isJoining(): boolean;
  /** Resolves once no join is under way: until then this box cannot know whether a member is a friend. */
  joinEnded(): Promise<void>;
}

/** A contact that does not answer may be behind NAT, or off: the next is asked beside it. */
const nextContactAfterMs = 3000;

/** Records of a circle a joiner takes at most: what the mesh keeps at most. */
const maxWelcomeRecords = 8000;

type Asked = { stream: FrameStream; responder: string; offer: Extract<JoinFrame, { t: 'offer' }> };

export function joining(options: {
  identity: Identity;
  records: RecordStore;
  host(): Host;
  /** This box became another owner's: keep whose, durably. What runs goes on as before until it is started again. */
  adopt(owner: Uint8Array): Promise<void>;
  /** Remembers where the members of a new circle were reached. */
  rememberContacts(contacts: InviteText['contacts']): Promise<void>;
}): Joining {
  const { identity, records } = options;
  const self = identity.box.peer;
  let underWay = 0;
  const waiting = new Set<() => void>();

  const whileJoining = async <T>(work: () => Promise<T>): Promise<T> => {
    underWay += 1;
    try {
      return await work();
    } finally {
      underWay -= 1;
      if (underWay === 0) {
        for (const wake of waiting) wake();
        waiting.clear();
      }
    }
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
            hint: 'ask the inviter to run peer doctor net: one box in the code must be up and its port open; or let a friend whose box can be dialled invite you',
            cause: error,
          },
        ),
    );
    if (answer instanceof CommandError) throw answer;
    return answer;
  };

  const previewOf = (
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
    const seen = previewOf(invite, responder, offer);
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

  return {
    preview: async (code) =>
      await whileJoining(async () => {
        const invite = decode(code);
        const { stream, responder, offer } = await ask(invite);
        stream.abort(new Error('only asking'));
        return previewOf(invite, responder, offer);
      }),
    join: async (code, progress) => await whileJoining(() => redeem(code, progress)),
    isJoining: () => underWay > 0,
    joinEnded: async () => {
      if (underWay === 0) return;
      await new Promise<void>((resolve) => {
        waiting.add(resolve);
      });
    },
  };
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : 'connection closed');
