import { isName, toHex } from '@copain/core';
import { encodeCanonical } from './canonical.ts';
import { maxMembers, maxRecordBytes } from './limits.ts';
import {
  idBytes,
  isRole,
  maxAtMs,
  readHashes,
  readOwnerId,
  readPeer,
  readRecord,
  readServices,
} from './record-fields.ts';
import type { Role, Service } from './record-kinds.ts';

/**
 * How a member redeemed his invite, so that everybody can check it: `signature` is by the invite's one-time `key` over
 * `joinProofBytes` of the circle, the new owner, his box `joiner`, the member who signed the record, and `challenge`.
 */
interface Redemption {
  key: string;
  joiner: string;
  challenge: Uint8Array;
  signature: Uint8Array;
}

/**
 * Says that an owner is in the circle. The founder's names no invite; every other has both `inviteId` and `redeemed`.
 * `owner` is his signed owner record, whole.
 */
export interface MemberRecord {
  circle: string;
  name: string;
  owner: Uint8Array;
  inviteId: string | undefined;
  redeemed: Redemption | undefined;
  atMs: number;
}

export function encodeMemberRecord(record: MemberRecord): Uint8Array {
  return encodeCanonical({
    v: 1,
    type: 'member',
    circle: idBytes(record.circle),
    name: record.name,
    owner: record.owner,
    invite: record.inviteId === undefined ? undefined : idBytes(record.inviteId),
    key: record.redeemed?.key,
    joiner: record.redeemed?.joiner,
    challenge: record.redeemed?.challenge,
    signature: record.redeemed?.signature,
    at: record.atMs,
  });
}

export function decodeMemberRecord(payload: Uint8Array): MemberRecord | undefined {
  return readRecord(payload, 'member', (fields) => {
    const name = fields.text('name', 32);
    if (!isName(name)) fields.refuse();
    const invited = fields.has('invite');
    for (const field of ['key', 'joiner', 'challenge', 'signature']) {
      if (fields.has(field) !== invited) fields.refuse();
    }
    return {
      circle: readOwnerId(fields, 'circle'),
      name,
      owner: fields.bytes('owner', 1, maxRecordBytes.owner + 512),
      inviteId: invited ? toHex(fields.bytes('invite', 8, 8)) : undefined,
      redeemed: invited
        ? {
            key: readPeer(fields, 'key'),
            joiner: readPeer(fields, 'joiner'),
            challenge: fields.bytes('challenge', 32, 32),
            signature: fields.bytes('signature', 64, 64),
          }
        : undefined,
      atMs: fields.integer('at', 0, maxAtMs),
    };
  });
}

/** The public half of an open invite, so that any member can redeem it (or, with `roles`, the inviter's own boxes). `key` is the seed's public key as a PeerId text. */
export interface InviteRecord {
  circle: string;
  id: string;
  name: string;
  key: string;
  may: Service[];
  expiresAtMs: number;
  /** It asks in a further box of the inviter's owner, with these roles, and nobody else. */
  roles?: Role[] | undefined;
}

export function encodeInviteRecord(record: InviteRecord): Uint8Array {
  return encodeCanonical({
    v: 1,
    type: 'invite',
    circle: idBytes(record.circle),
    id: idBytes(record.id),
    name: record.name,
    key: record.key,
    may: record.may,
    expiresAt: record.expiresAtMs,
    box: record.roles,
  });
}

export function decodeInviteRecord(payload: Uint8Array): InviteRecord | undefined {
  return readRecord(payload, 'invite', (fields) => {
    const name = fields.text('name', 32);
    if (!isName(name)) fields.refuse();
    return {
      circle: readOwnerId(fields, 'circle'),
      id: toHex(fields.bytes('id', 8, 8)),
      name,
      key: readPeer(fields, 'key'),
      may: readServices(fields),
      expiresAtMs: fields.integer('expiresAt', 0, maxAtMs),
      ...(fields.has('box') ? { roles: fields.texts('box', 16, 32).filter(isRole) } : {}),
    };
  });
}

/** Closes an invite before its time. */
export interface RevocationRecord {
  circle: string;
  inviteId: string;
}

export function encodeRevocationRecord(record: RevocationRecord): Uint8Array {
  return encodeCanonical({
    v: 1,
    type: 'revocation',
    circle: idBytes(record.circle),
    invite: idBytes(record.inviteId),
  });
}

export function decodeRevocationRecord(payload: Uint8Array): RevocationRecord | undefined {
  return readRecord(payload, 'revocation', (fields) => ({
    circle: readOwnerId(fields, 'circle'),
    inviteId: toHex(fields.bytes('invite', 8, 8)),
  }));
}

/**
 * Takes a member out of the circle, for good. `seen`: hashes of the member and removal records he had signed that the
 * signer knew of; what he signs besides does not count.
 */
export interface RemovalRecord {
  circle: string;
  ownerId: string;
  seen: Uint8Array[];
  /** When, by the signer's clock, for people alone: nothing is judged by it. Undefined in records of older boxes. */
  atMs?: number | undefined;
}

export function encodeRemovalRecord(record: RemovalRecord): Uint8Array {
  return encodeCanonical({
    v: 1,
    type: 'removal',
    circle: idBytes(record.circle),
    owner: idBytes(record.ownerId),
    seen: record.seen,
    at: record.atMs,
  });
}

export function decodeRemovalRecord(payload: Uint8Array): RemovalRecord | undefined {
  return readRecord(payload, 'removal', (fields) => ({
    circle: readOwnerId(fields, 'circle'),
    ownerId: readOwnerId(fields, 'owner'),
    seen: readHashes(fields, 'seen', 2 * maxMembers),
    ...(fields.has('at') ? { atMs: fields.integer('at', 0, maxAtMs) } : {}),
  }));
}
