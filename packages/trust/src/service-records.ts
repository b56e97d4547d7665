import { toHex } from '@copain/core';
import { encodeCanonical, type FieldReader } from './canonical.ts';
import { maxGrantsPerOwner, maxMembers, maxRecordBytes, maxZonesPerOwner } from './limits.ts';
import { encodeMoreGrants, grantSizes, listedCount, readMoreGrants } from './more-zones.ts';
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

/** The payload. Above `maxRecordBytes.grants` octets nobody takes it: ask `grantsFault` before. */
export function encodeGrantsRecord(record: GrantsRecord): Uint8Array {
  const mail = record.mail.map(({ name, to, quotaBytes }) => ({
    name,
    to: to?.map(idBytes),
    quota: quotaBytes,
  }));
  const listed = record.zones.map(({ name, to }) => ({ name, to: to?.map(idBytes) }));
  const people = new Set(record.zones.flatMap(({ to }) => to ?? []));
  const room = maxRecordBytes.grants - encodeCanonical(mail).length - 34 * people.size;
  const count = listedCount(record.zones.map(grantSizes), room);
  const more = record.zones.slice(count);
  return encodeCanonical({
    v: 1,
    type: 'grants',
    sequence: record.sequence,
    zones: listed.slice(0, count),
    mail,
    more: more.length === 0 ? undefined : encodeMoreGrants(more),
  });
}

/**
 * Why friends would not take these grants, in words for their owner; undefined where they do. Asked before `peer.toml` is
 * taken over, since a record that is refused entrusts nothing to anybody.
 */
export function grantsFault(grants: Pick<GrantsRecord, 'zones' | 'mail'>): string | undefined {
  const { zones, mail } = grants;
  if (zones.length > maxZonesPerOwner)
    return `friends serve at most ${maxZonesPerOwner} zones of one owner, and these are ${zones.length}`;
  if (mail.length > maxGrantsPerOwner)
    return `friends keep mail for at most ${maxGrantsPerOwner} domains of one owner, and these are ${mail.length}`;
  const sizeBytes = encodeGrantsRecord({ ...grants, sequence: maxSequence }).length;
  return sizeBytes > maxRecordBytes.grants
    ? `what is entrusted to friends takes ${sizeBytes} octets, and they read ${maxRecordBytes.grants}: fewer zones, or fewer lists of secondaries and backups`
    : undefined;
}

export function decodeGrantsRecord(payload: Uint8Array): GrantsRecord | undefined {
  return readRecord(payload, 'grants', (fields) => {
    const listed = readList(fields, 'zones', maxGrantsPerOwner, (item) => ({
      name: readDnsName(item),
      to: grantTo(item),
    }));
    const zones = [...listed, ...readMoreGrants(fields)];
    if (zones.length > maxZonesPerOwner) fields.refuse();
    return {
      sequence: fields.integer('sequence', 1, maxSequence),
      zones,
      mail: readList(fields, 'mail', maxGrantsPerOwner, (item) => ({
        name: readDnsName(item),
        to: grantTo(item),
        quotaBytes: item.integer('quota', 0, maxSequence),
      })),
    };
  });
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
