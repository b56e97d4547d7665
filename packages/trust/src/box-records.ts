import { parseHostPort } from '@copain/core';
import { encodeCanonical } from './canonical.ts';
import { maxAddressesPerBox, maxGrantsPerOwner } from './limits.ts';
import {
  idBytes,
  maxAtMs,
  maxSequence,
  readDnsName,
  readList,
  readOwnerId,
  readPeer,
  readRecord,
} from './record-fields.ts';

/** Where this box can be dialled, best first, as `host:port` texts. */
export interface AddressRecord {
  sequence: number;
  addresses: string[];
}

export function encodeAddressRecord(record: AddressRecord): Uint8Array {
  return encodeCanonical({ v: 1, type: 'address', sequence: record.sequence, addresses: record.addresses });
}

export function decodeAddressRecord(payload: Uint8Array): AddressRecord | undefined {
  return readRecord(payload, 'address', (fields) => {
    const addresses = fields.texts('addresses', maxAddressesPerBox, 280);
    if (addresses.some((text) => (parseHostPort(text)?.port ?? 0) === 0)) fields.refuse();
    return { sequence: fields.integer('sequence', 1, maxSequence), addresses };
  });
}

/** Which zone versions this box has on its disk and serves. */
export interface HoldsRecord {
  sequence: number;
  zones: { owner: string; origin: string; epoch: number; sequence: number; serial: number }[];
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
  return readRecord(payload, 'holds', (fields) => ({
    sequence: fields.integer('sequence', 1, maxSequence),
    zones: readList(fields, 'zones', maxGrantsPerOwner, (item) => ({
      owner: readOwnerId(item, 'owner'),
      origin: readDnsName(item),
      epoch: item.integer('epoch', 0, maxSequence),
      sequence: item.integer('sequence', 0, maxSequence),
      serial: item.integer('serial', 0, 0xffff_ffff),
    })),
  }));
}

/** "I have not heard `about` since `heardAtMs`", or with `silent` false: "I hear him again". */
export interface VoteRecord {
  sequence: number;
  about: string;
  heardAtMs: number;
  silent: boolean;
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
  return readRecord(payload, 'vote', (fields) => ({
    sequence: fields.integer('sequence', 1, maxSequence),
    about: readPeer(fields, 'about'),
    heardAtMs: fields.integer('heardAt', 0, maxAtMs),
    silent: fields.flag('silent'),
  }));
}
