import { randomBytes } from 'node:crypto';
import { type Clock, CommandError, ExitCode, type FrameStream, isName, visible } from '@copain/core';
import { type Host, sha256, signingKeyFromSeed } from '@copain/mesh/io';
import {
  encodeInviteRecord,
  encodeInviteText,
  encodeRemovalRecord,
  encodeRevocationRecord,
  type InviteText,
  inviteIdOf,
  inviteLifeMs,
  type JoinRefusal,
  maxInviteLifeMs,
  type Role,
  type Service,
} from '@copain/trust';
import { inviteContacts, inviteWarning } from '../invite-contacts.ts';
import { recordsOf } from '../known-records.ts';
import { listInvites } from '../wiring.ts';
import { admission } from './admit-joiner.ts';
import type { Identity } from './identity.ts';
import { type Joining, joining } from './join-circle.ts';
import { boxFault, type OwnerKeys } from './owner-keys.ts';
import type { RecordStore } from './record-store.ts';
import type { Standing } from './standing.ts';

interface MadeInvite {
  id: string;
  code: string;
  expiresAtMs: number;
  warning: string | undefined;
}

/** Invites and joining, on both sides. */
export interface CircleService extends Joining {
  invite(options: { name: string; may: Service[]; lifeMs: number | undefined }): Promise<MadeInvite>;
  /** Asks in a further box of our own; only this box can let it in, since the owner key is here. */
  inviteBox(options: { name: string; roles: Role[]; lifeMs: number | undefined }): Promise<MadeInvite>;
  revoke(id: string): Promise<void>;
  /** Takes a friend out of the circle, for good; for this box at once. Returns whether the others must agree first. */
  remove(name: string): Promise<{ ownerId: string; forEverybody: boolean }>;
  /** Serves the join protocol to a guest. */
  answer(stream: FrameStream, joiner: string): Promise<void>;
}

const defaultMay: Service[] = ['dns', 'mail', 'witness'];

export function circleService(options: {
  identity: Identity;
  records: RecordStore;
  host(): Host;
  clock: Clock;
  standing: Pick<Standing, 'maySign' | 'signable'>;
  /** Where this box can be dialled, best first. */
  ownAddresses(): string[];
  addressesOf(peer: string): string[];
  /** This box has dialled that one at an address of its own. */
  wasDialled(peer: string): boolean;
  /** Can friends dial this box? undefined: not known. */
  reachable(): boolean | undefined;
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
  const nameOf = (peer: string): string => {
    const { roster } = records.knowledge();
    return roster.members.get(roster.ownerOf.get(peer) ?? '')?.name ?? 'unknown';
  };

  /** `cannot`: what whoever is out cannot do. */
  const needMember = (cannot: string): void => {
    if (records.knowledge().roster.members.has(identity.ownerId)) return;
    throw new CommandError(ExitCode.permission, `this box was removed from its circle and ${cannot}`, {
      hint: 'peer join, with an invite to another circle',
    });
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
      .map((peer) => {
        const [address] = options.addressesOf(peer);
        return { peer, address, wasDialled: options.wasDialled(peer) };
      });
    const contacts = inviteContacts({ peer: self, address: first }, others);
    const code = encodeInviteText({ circle, contacts, seed }, sha256);
    const warning = inviteWarning(contacts, {
      reachable: options.reachable(),
      wasDialled: (peer) => options.wasDialled(peer),
      forOwnBox: roles !== undefined,
    });
    return { id, code, expiresAtMs, warning };
  };

  const join = joining({
    identity,
    records,
    host: () => options.host(),
    adopt: (owner) => options.adopt(owner),
    rememberContacts: (contacts) => options.rememberContacts(contacts),
  });
  const admit = admission({
    identity,
    records,
    clock,
    standing: options.standing,
    keys: options.keys,
    nameOf,
    refused: (joiner, why) => options.refused(joiner, why),
  });

  return {
    ...join,
    answer: admit,

    invite: async ({ name, may, lifeMs }) => {
      if (!isName(name)) {
        throw new CommandError(
          ExitCode.usage,
          `'${visible(name)}' is no name: a-z, 0-9 and -, 1 to 32 characters`,
        );
      }
      needMember('can invite nobody');
      const { roster } = records.knowledge();
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
      needMember('can remove nobody');
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
      await records.publish(
        'removal',
        encodeRemovalRecord({ circle, ownerId: member.ownerId, seen, atMs: Math.round(clock.nowMs()) }),
      );
      return { ownerId: member.ownerId, forEverybody: member.admittedBy === identity.ownerId };
    },
  };
}
