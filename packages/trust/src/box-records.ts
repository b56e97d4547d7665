import { parseHostPort } from '@copain/core';
import { encodeCanonical, readFields } from './canonical.ts';
import {
  maxAddressesPerBox,
  maxAwayNoteLength,
  maxGrantsPerOwner,
  maxHeldZones,
  maxRecordBytes,
} from './limits.ts';
import { encodeMoreHolds, type HeldVersion, heldSizes, listedCount, readMoreHolds } from './more-zones.ts';
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

/** A planned absence: nobody is to worry while the box is not heard. Times are of the signer's clock. */
export interface Away {
  sinceMs: number;
  /** Undefined: until its owner says that it is back. */
  untilMs: number | undefined;
  /** At most 120 characters. */
  note: string | undefined;
}

/** Where this box can be dialled, best first, as `host:port` texts; and whether its owner said that it may be off. */
export interface AddressRecord {
  sequence: number;
  addresses: string[];
  away?: Away | undefined;
}

export function encodeAddressRecord(record: AddressRecord): Uint8Array {
  const { sequence, addresses, away } = record;
  return encodeCanonical({
    v: 1,
    type: 'address',
    sequence,
    addresses,
    away: away && { since: away.sinceMs, until: away.untilMs, note: away.note },
  });
}

export function decodeAddressRecord(payload: Uint8Array): AddressRecord | undefined {
  return readRecord(payload, 'address', (fields) => {
    const addresses = fields.texts('addresses', maxAddressesPerBox, 280);
    if (addresses.some((text) => (parseHostPort(text)?.port ?? 0) === 0)) fields.refuse();
    const sequence = fields.integer('sequence', 1, maxSequence);
    if (!fields.has('away')) return { sequence, addresses };
    const item = readFields(fields.value('away'));
    const away: Away = {
      sinceMs: item.integer('since', 0, maxAtMs),
      untilMs: item.has('until') ? item.integer('until', 0, maxAtMs) : undefined,
      note: item.has('note') ? item.text('note', maxAwayNoteLength) : undefined,
    };
    if (!item.ok) fields.refuse();
    return { sequence, addresses, away };
  });
}

/** Which zone versions this box has on its disk and serves. */
export interface HoldsRecord {
  sequence: number;
  zones: HeldVersion[];
}

const listedHold = ({ owner, origin, epoch, sequence, serial }: HeldVersion) => ({
  owner: idBytes(owner),
  name: origin,
  epoch,
  sequence,
  serial,
});

/** Octets of the owners of these, in the shorter form. */
const ownersBytes = (zones: readonly HeldVersion[]): number =>
  52 * new Set(zones.map(({ owner }) => owner)).size;

/** As many of these, from the first, as one record has room for. */
export function holdsThatFit(zones: readonly HeldVersion[]): HeldVersion[] {
  let room = maxRecordBytes.holds - 512 - ownersBytes(zones);
  const bytes = zones.map(heldSizes);
  const end = bytes.findIndex(([, more]) => {
    room -= more;
    return room < 0;
  });
  return zones.slice(0, end === -1 ? maxHeldZones : Math.min(end, maxHeldZones));
}

/** The payload. More than `holdsThatFit` gives makes one that nobody takes. */
export function encodeHoldsRecord(record: HoldsRecord): Uint8Array {
  const { zones } = record;
  const count = listedCount(zones.map(heldSizes), maxRecordBytes.holds - ownersBytes(zones));
  const more = zones.slice(count);
  return encodeCanonical({
    v: 1,
    type: 'holds',
    sequence: record.sequence,
    zones: zones.slice(0, count).map(listedHold),
    more: more.length === 0 ? undefined : encodeMoreHolds(more),
  });
}

export function decodeHoldsRecord(payload: Uint8Array): HoldsRecord | undefined {
  return readRecord(payload, 'holds', (fields) => {
    const listed = readList(fields, 'zones', maxGrantsPerOwner, (item) => ({
      owner: readOwnerId(item, 'owner'),
      origin: readDnsName(item),
      epoch: item.integer('epoch', 0, maxSequence),
      sequence: item.integer('sequence', 0, maxSequence),
      serial: item.integer('serial', 0, 0xffff_ffff),
    }));
    return {
      sequence: fields.integer('sequence', 1, maxSequence),
      zones: [...listed, ...readMoreHolds(fields)],
    };
  });
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
