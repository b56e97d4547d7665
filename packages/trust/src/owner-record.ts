import { isName, toHex } from '@copain/core';
import { encodeCanonical } from './canonical.ts';
import { maxBoxesPerOwner, maxOwnerEpoch, maxRevokedBoxes, maxRevokedSeen } from './limits.ts';
import {
  idBytes,
  isRole,
  maxAtMs,
  readAgeRecipient,
  readHashes,
  readList,
  readOwnerId,
  readPeer,
  readRecord,
} from './record-fields.ts';
import type { Role } from './record-kinds.ts';

/**
 * One box of an owner. `sealTo` is its age recipient (`age1…`), to which mail for the owner is sealed. `inviteId`: the
 * code by which a further box came, so that it works once.
 */
export interface BoxEntry {
  peer: string;
  name: string;
  roles: Role[];
  sealTo: string;
  inviteId?: string | undefined;
}

/** One of the owner's own keys: `peer` is the signing key as a PeerId text, `sealTo` the age recipient of the same secret. */
export interface OwnerKey {
  use: 'owner' | 'paper';
  peer: string;
  sealTo: string;
}

/**
 * Says that a key is held by whoever is named, and consents: `signature` is by `peer` over `keyProofBytes` of the owner,
 * the key, and the epoch and predecessor under which it was first named.
 */
export interface KeyProof {
  peer: string;
  epoch: number;
  previous: Uint8Array;
  signature: Uint8Array;
}

/**
 * A box that is its owner's no longer. `seen`: hashes of the member, removal, invite and revocation records it had signed
 * that stand; what it signs besides does not count.
 */
export interface RevokedBox {
  peer: string;
  seen: Uint8Array[];
}

/**
 * Who a person is: his keys and his boxes. The first one (epoch 0) is signed by its own owner key, and the hash of its
 * payload is the owner's id for ever. Each later one has `ownerId`, the hash of the record before it as `previous`, a
 * signature by a key of the record before it, and a proof for every key and box that the first record does not name.
 * How they add up: `resolveOwner`.
 */
export interface OwnerRecord {
  epoch: number;
  ownerId: string | undefined;
  previous: Uint8Array | undefined;
  keys: OwnerKey[];
  boxes: BoxEntry[];
  proofs: KeyProof[];
  revoked: RevokedBox[];
  atMs: number;
}

/** Payload of an owner record; the caller signs it with the owner key or the paper key. */
export function encodeOwnerRecord(record: OwnerRecord): Uint8Array {
  const later = record.epoch > 0;
  return encodeCanonical({
    v: 1,
    type: 'owner',
    epoch: record.epoch,
    owner: record.ownerId === undefined ? undefined : idBytes(record.ownerId),
    previous: record.previous,
    keys: record.keys.map(({ use, peer: key, sealTo }) => ({ use, peer: key, sealTo })),
    boxes: record.boxes.map((box) => ({
      peer: box.peer,
      name: box.name,
      roles: box.roles,
      sealTo: box.sealTo,
      invite: box.inviteId === undefined ? undefined : idBytes(box.inviteId),
    })),
    proofs: later
      ? record.proofs.map((proof) => ({
          peer: proof.peer,
          epoch: proof.epoch,
          previous: proof.previous,
          signature: proof.signature,
        }))
      : undefined,
    revoked: later ? record.revoked.map(({ peer: key, seen }) => ({ peer: key, seen })) : undefined,
    at: record.atMs,
  });
}

/** The owner record, or undefined where the payload is not exactly one (trust steps 7 and 11: form and meaning). */
export function decodeOwnerRecord(payload: Uint8Array): OwnerRecord | undefined {
  return readRecord(payload, 'owner', (fields) => {
    const epoch = fields.integer('epoch', 0, maxOwnerEpoch);
    const later = epoch > 0;
    for (const name of ['owner', 'previous', 'proofs', 'revoked']) {
      if (fields.has(name) !== later) fields.refuse();
    }
    const record: OwnerRecord = {
      epoch,
      ownerId: later ? readOwnerId(fields, 'owner') : undefined,
      previous: later ? fields.bytes('previous', 32, 32) : undefined,
      keys: readList(fields, 'keys', 2, (item) => {
        const use = item.text('use', 8);
        if (use !== 'owner' && use !== 'paper') item.refuse();
        return {
          use: use === 'paper' ? 'paper' : 'owner',
          peer: readPeer(item, 'peer'),
          sealTo: readAgeRecipient(item),
        };
      }),
      boxes: readList(fields, 'boxes', maxBoxesPerOwner, (item) => ({
        peer: readPeer(item, 'peer'),
        name: item.text('name', 32),
        roles: item.texts('roles', 16, 32).filter(isRole),
        sealTo: readAgeRecipient(item),
        ...(item.has('invite') ? { inviteId: toHex(item.bytes('invite', 8, 8)) } : {}),
      })),
      proofs: later
        ? readList(fields, 'proofs', maxBoxesPerOwner + 2, (item) => ({
            peer: readPeer(item, 'peer'),
            epoch: item.integer('epoch', 1, epoch),
            previous: item.bytes('previous', 32, 32),
            signature: item.bytes('signature', 64, 64),
          }))
        : [],
      revoked: later
        ? readList(fields, 'revoked', maxRevokedBoxes, (item) => ({
            peer: readPeer(item, 'peer'),
            seen: readHashes(item, 'seen', maxRevokedSeen),
          }))
        : [],
      atMs: fields.integer('at', 0, maxAtMs),
    };
    if (record.keys.length !== 2 || record.keys[0]?.use !== 'owner' || record.keys[1]?.use !== 'paper')
      fields.refuse();
    if (record.boxes.length === 0 || record.boxes.some((box) => !isName(box.name))) fields.refuse();
    const named = [...record.keys, ...record.boxes, ...record.revoked].map((one) => one.peer);
    if (new Set(named).size !== named.length) fields.refuse();
    if (new Set(record.boxes.map((box) => box.name)).size !== record.boxes.length) fields.refuse();
    return record;
  });
}
