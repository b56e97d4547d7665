import { fromHex, isName, parseHostPort, toHex } from '@copain/core';
import { decodeCanonical, encodeCanonical, type FieldReader, readFields } from './canonical.ts';
import {
  maxAddressesPerBox,
  maxBoxesPerOwner,
  maxGrantsPerOwner,
  maxMembers,
  maxOwnerEpoch,
  maxRecordBytes,
  maxRevokedBoxes,
  maxRevokedSeen,
} from './limits.ts';
import { isPeerId } from './peer-id.ts';

/** What a box does for a friend: the words of `may`. */
export const services = ['dns', 'mail', 'backup', 'relay', 'witness'] as const;
export type Service = (typeof services)[number];

/** What a box of an owner may sign or do in his name. */
export const roles = ['sign-zone', 'sign-grant', 'mail', 'relay', 'watch'] as const;
export type Role = (typeof roles)[number];

/** Kinds of signed record; the envelope's domain is `copain/<kind>/1`. */
export type RecordKind = keyof typeof maxRecordBytes;
export const recordKinds: readonly RecordKind[] = Object.keys(maxRecordBytes) as RecordKind[];

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

/** Closes an invite before its time. */
export interface RevocationRecord {
  circle: string;
  inviteId: string;
}

/**
 * Takes a member out of the circle, for good. `seen`: hashes of the member and removal records he had signed that the
 * signer knew of; what he signs besides does not count.
 */
export interface RemovalRecord {
  circle: string;
  ownerId: string;
  seen: Uint8Array[];
}

/** What this box does for others: the newest sequence counts, and replaces the whole list. */
export interface OffersRecord {
  sequence: number;
  offers: { to: string; may: Service[] }[];
}

/** One thing its owner entrusts to friends; `to` undefined means every friend who offers the service. */
export interface Grant {
  name: string;
  to: string[] | undefined;
}

/** What this owner entrusts to friends. Origins and domains are lower-case texts without the final dot. */
export interface GrantsRecord {
  sequence: number;
  zones: Grant[];
  mail: (Grant & { quotaBytes: number })[];
}

/** Where this box can be dialled, best first, as `host:port` texts. */
export interface AddressRecord {
  sequence: number;
  addresses: string[];
}

/** Which zone versions this box has on its disk and serves. */
export interface HoldsRecord {
  sequence: number;
  zones: { owner: string; origin: string; epoch: number; sequence: number; serial: number }[];
}

/** "I have not heard `about` since `heardAtMs`", or with `silent` false: "I hear him again". */
export interface VoteRecord {
  sequence: number;
  about: string;
  heardAtMs: number;
  silent: boolean;
}

/**
 * What this box ever accepted of mail for an owner while his own boxes did not answer: how many messages, how many bytes,
 * and a hash that binds them and their order (32 bytes; sha256 of the one before and the tags of the message).
 */
export interface ReceiptRecord {
  sequence: number;
  owner: string;
  messages: number;
  bytes: number;
  chain: Uint8Array;
}

const maxAtMs = 8_640_000_000_000_000;
const maxSequence = Number.MAX_SAFE_INTEGER;

const isService = (text: string): text is Service => (services as readonly string[]).includes(text);
const isRole = (text: string): text is Role => (roles as readonly string[]).includes(text);

function ownerId(fields: FieldReader, name: string): string {
  return toHex(fields.bytes(name, 32, 32));
}

function mayList(fields: FieldReader): Service[] {
  // A service that this version does not know is left out rather than refused: offers must be able to grow.
  return fields.texts('may', 16, 32).filter(isService);
}

function peer(fields: FieldReader, name: string): string {
  const text = fields.text(name, 64);
  if (!isPeerId(text)) fields.refuse();
  return text;
}

function ageRecipient(fields: FieldReader): string {
  const text = fields.text('sealTo', 64);
  if (!/^age1[0-9a-z]{58}$/.test(text)) fields.refuse();
  return text;
}

/** A DNS name as the owner writes it: lower case, no final dot, at most 253 characters, no control characters. */
function dnsName(fields: FieldReader): string {
  const text = fields.text('name', 253);
  if (!/^[\x21-\x7e]+$/.test(text) || text !== text.toLowerCase() || text.endsWith('.')) fields.refuse();
  return text;
}

function idBytes(id: string): Uint8Array {
  const bytes = fromHex(id);
  if (bytes === undefined) throw new TypeError('an id of a record is hexadecimal');
  return bytes;
}

function open<T>(payload: Uint8Array, kind: RecordKind, read: (fields: FieldReader) => T): T | undefined {
  const fields = readFields(decodeCanonical(payload, maxRecordBytes[kind]));
  fields.integer('v', 1, 1);
  if (fields.text('type', 16) !== kind) fields.refuse();
  const record = read(fields);
  fields.checkCritical();
  return fields.ok ? record : undefined;
}

/** Reads every item of a list with its own reader; one wrong item refuses the whole record. */
function each<T>(fields: FieldReader, name: string, maxCount: number, read: (item: FieldReader) => T): T[] {
  return fields.list(name, maxCount).map((value) => {
    const item = readFields(value);
    const record = read(item);
    if (!item.ok) fields.refuse();
    return record;
  });
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

function recordHashes(fields: FieldReader, name: string, maxCount: number): Uint8Array[] {
  return fields.list(name, maxCount).map((hash) => {
    if (hash instanceof Uint8Array && hash.length === 32) return hash;
    fields.refuse();
    return new Uint8Array();
  });
}

/** The owner record, or undefined where the payload is not exactly one (trust steps 7 and 11: form and meaning). */
export function decodeOwnerRecord(payload: Uint8Array): OwnerRecord | undefined {
  return open(payload, 'owner', (fields) => {
    const epoch = fields.integer('epoch', 0, maxOwnerEpoch);
    const later = epoch > 0;
    for (const name of ['owner', 'previous', 'proofs', 'revoked']) {
      if (fields.has(name) !== later) fields.refuse();
    }
    const record: OwnerRecord = {
      epoch,
      ownerId: later ? ownerId(fields, 'owner') : undefined,
      previous: later ? fields.bytes('previous', 32, 32) : undefined,
      keys: each(fields, 'keys', 2, (item) => {
        const use = item.text('use', 8);
        if (use !== 'owner' && use !== 'paper') item.refuse();
        return {
          use: use === 'paper' ? 'paper' : 'owner',
          peer: peer(item, 'peer'),
          sealTo: ageRecipient(item),
        };
      }),
      boxes: each(fields, 'boxes', maxBoxesPerOwner, (item) => ({
        peer: peer(item, 'peer'),
        name: item.text('name', 32),
        roles: item.texts('roles', 16, 32).filter(isRole),
        sealTo: ageRecipient(item),
        ...(item.has('invite') ? { inviteId: toHex(item.bytes('invite', 8, 8)) } : {}),
      })),
      proofs: later
        ? each(fields, 'proofs', maxBoxesPerOwner + 2, (item) => ({
            peer: peer(item, 'peer'),
            epoch: item.integer('epoch', 1, epoch),
            previous: item.bytes('previous', 32, 32),
            signature: item.bytes('signature', 64, 64),
          }))
        : [],
      revoked: later
        ? each(fields, 'revoked', maxRevokedBoxes, (item) => ({
            peer: peer(item, 'peer'),
            seen: recordHashes(item, 'seen', maxRevokedSeen),
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
  return open(payload, 'member', (fields) => {
    const name = fields.text('name', 32);
    if (!isName(name)) fields.refuse();
    const invited = fields.has('invite');
    for (const field of ['key', 'joiner', 'challenge', 'signature']) {
      if (fields.has(field) !== invited) fields.refuse();
    }
    return {
      circle: ownerId(fields, 'circle'),
      name,
      owner: fields.bytes('owner', 1, maxRecordBytes.owner + 512),
      inviteId: invited ? toHex(fields.bytes('invite', 8, 8)) : undefined,
      redeemed: invited
        ? {
            key: peer(fields, 'key'),
            joiner: peer(fields, 'joiner'),
            challenge: fields.bytes('challenge', 32, 32),
            signature: fields.bytes('signature', 64, 64),
          }
        : undefined,
      atMs: fields.integer('at', 0, maxAtMs),
    };
  });
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
  return open(payload, 'invite', (fields) => {
    const name = fields.text('name', 32);
    if (!isName(name)) fields.refuse();
    return {
      circle: ownerId(fields, 'circle'),
      id: toHex(fields.bytes('id', 8, 8)),
      name,
      key: peer(fields, 'key'),
      may: mayList(fields),
      expiresAtMs: fields.integer('expiresAt', 0, maxAtMs),
      ...(fields.has('box') ? { roles: fields.texts('box', 16, 32).filter(isRole) } : {}),
    };
  });
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
  return open(payload, 'revocation', (fields) => ({
    circle: ownerId(fields, 'circle'),
    inviteId: toHex(fields.bytes('invite', 8, 8)),
  }));
}

export function encodeRemovalRecord(record: RemovalRecord): Uint8Array {
  return encodeCanonical({
    v: 1,
    type: 'removal',
    circle: idBytes(record.circle),
    owner: idBytes(record.ownerId),
    seen: record.seen,
  });
}

export function decodeRemovalRecord(payload: Uint8Array): RemovalRecord | undefined {
  return open(payload, 'removal', (fields) => ({
    circle: ownerId(fields, 'circle'),
    ownerId: ownerId(fields, 'owner'),
    seen: recordHashes(fields, 'seen', 2 * maxMembers),
  }));
}

export function encodeOffersRecord(record: OffersRecord): Uint8Array {
  return encodeCanonical({
    v: 1,
    type: 'offers',
    sequence: record.sequence,
    offers: record.offers.map(({ to, may }) => ({ to: idBytes(to), may })),
  });
}

export function decodeOffersRecord(payload: Uint8Array): OffersRecord | undefined {
  return open(payload, 'offers', (fields) => ({
    sequence: fields.integer('sequence', 1, maxSequence),
    offers: each(fields, 'offers', maxMembers, (item) => ({ to: ownerId(item, 'to'), may: mayList(item) })),
  }));
}

const grantTo = (item: FieldReader): string[] | undefined =>
  item.has('to')
    ? item.list('to', maxMembers).map((id) => {
        if (!(id instanceof Uint8Array) || id.length !== 32) item.refuse();
        return id instanceof Uint8Array ? toHex(id) : '';
      })
    : undefined;

export function encodeGrantsRecord(record: GrantsRecord): Uint8Array {
  return encodeCanonical({
    v: 1,
    type: 'grants',
    sequence: record.sequence,
    zones: record.zones.map(({ name, to }) => ({ name, to: to?.map(idBytes) })),
    mail: record.mail.map(({ name, to, quotaBytes }) => ({ name, to: to?.map(idBytes), quota: quotaBytes })),
  });
}

export function decodeGrantsRecord(payload: Uint8Array): GrantsRecord | undefined {
  return open(payload, 'grants', (fields) => ({
    sequence: fields.integer('sequence', 1, maxSequence),
    zones: each(fields, 'zones', maxGrantsPerOwner, (item) => ({ name: dnsName(item), to: grantTo(item) })),
    mail: each(fields, 'mail', maxGrantsPerOwner, (item) => ({
      name: dnsName(item),
      to: grantTo(item),
      quotaBytes: item.integer('quota', 0, maxSequence),
    })),
  }));
}

export function encodeAddressRecord(record: AddressRecord): Uint8Array {
  return encodeCanonical({ v: 1, type: 'address', sequence: record.sequence, addresses: record.addresses });
}

export function decodeAddressRecord(payload: Uint8Array): AddressRecord | undefined {
  return open(payload, 'address', (fields) => {
    const addresses = fields.texts('addresses', maxAddressesPerBox, 280);
    if (addresses.some((text) => (parseHostPort(text)?.port ?? 0) === 0)) fields.refuse();
    return { sequence: fields.integer('sequence', 1, maxSequence), addresses };
  });
}

export function encodeHoldsRecord(record: HoldsRecord): Uint8Array {
  return encodeCanonical({
    v: 1,
    type: 'holds',
    sequence: record.sequence,
    zones: record.zones.map((zone) => ({
      owner: idBytes(zone.owner),
      name: zone.origin,
      epoch: zone.epoch,
      sequence: zone.sequence,
      serial: zone.serial,
    })),
  });
}

export function decodeHoldsRecord(payload: Uint8Array): HoldsRecord | undefined {
  return open(payload, 'holds', (fields) => ({
    sequence: fields.integer('sequence', 1, maxSequence),
    zones: each(fields, 'zones', maxGrantsPerOwner, (item) => ({
      owner: ownerId(item, 'owner'),
      origin: dnsName(item),
      epoch: item.integer('epoch', 0, maxSequence),
      sequence: item.integer('sequence', 0, maxSequence),
      serial: item.integer('serial', 0, 0xffff_ffff),
    })),
  }));
}

export function encodeVoteRecord(record: VoteRecord): Uint8Array {
  return encodeCanonical({
    v: 1,
    type: 'vote',
    sequence: record.sequence,
    about: record.about,
    heardAt: record.heardAtMs,
    silent: record.silent,
  });
}

export function decodeVoteRecord(payload: Uint8Array): VoteRecord | undefined {
  return open(payload, 'vote', (fields) => ({
    sequence: fields.integer('sequence', 1, maxSequence),
    about: peer(fields, 'about'),
    heardAtMs: fields.integer('heardAt', 0, maxAtMs),
    silent: fields.flag('silent'),
  }));
}

export function encodeReceiptRecord(record: ReceiptRecord): Uint8Array {
  return encodeCanonical({
    v: 1,
    type: 'receipt',
    sequence: record.sequence,
    owner: idBytes(record.owner),
    messages: record.messages,
    bytes: record.bytes,
    chain: record.chain,
  });
}

export function decodeReceiptRecord(payload: Uint8Array): ReceiptRecord | undefined {
  return open(payload, 'receipt', (fields) => ({
    sequence: fields.integer('sequence', 1, maxSequence),
    owner: ownerId(fields, 'owner'),
    messages: fields.integer('messages', 0, maxSequence),
    bytes: fields.integer('bytes', 0, maxSequence),
    chain: fields.bytes('chain', 32, 32),
  }));
}
