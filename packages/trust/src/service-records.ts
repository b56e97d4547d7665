import { toHex } from '@copain/core';
import { encodeCanonical, type FieldReader } from './canonical.ts';
import { maxGrantsPerOwner, maxMembers } from './limits.ts';
import {
  idBytes,
  maxSequence,
  readDnsName,
  readList,
  readOwnerId,
  readRecord,
  readServices,
} from './record-fields.ts';
import type { Service } from './record-kinds.ts';

/** What this box does for others: the newest sequence counts, and replaces the whole list. */
export interface OffersRecord {
  sequence: number;
  offers: { to: string; may: Service[] }[];
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
  return readRecord(payload, 'offers', (fields) => ({
    sequence: fields.integer('sequence', 1, maxSequence),
    offers: readList(fields, 'offers', maxMembers, (item) => ({
      to: readOwnerId(item, 'to'),
      may: readServices(item),
    })),
  }));
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
  return readRecord(payload, 'grants', (fields) => ({
    sequence: fields.integer('sequence', 1, maxSequence),
    zones: readList(fields, 'zones', maxGrantsPerOwner, (item) => ({
      name: readDnsName(item),
      to: grantTo(item),
    })),
    mail: readList(fields, 'mail', maxGrantsPerOwner, (item) => ({
      name: readDnsName(item),
      to: grantTo(item),
      quotaBytes: item.integer('quota', 0, maxSequence),
    })),
  }));
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
  return readRecord(payload, 'receipt', (fields) => ({
    sequence: fields.integer('sequence', 1, maxSequence),
    owner: readOwnerId(fields, 'owner'),
    messages: fields.integer('messages', 0, maxSequence),
    bytes: fields.integer('bytes', 0, maxSequence),
    chain: fields.bytes('chain', 32, 32),
  }));
}
