import { isName } from '@copain/core';
import { encodeCanonical, type FieldReader, readFields } from './canonical.ts';
import {
  maxEndedZones,
  maxEnvelopeOverheadBytes,
  maxRecordBytes,
  maxServicesPerBox,
  maxSwapNumber,
  maxSwapVotes,
} from './limits.ts';
import {
  idBytes,
  isDnsName,
  maxAtMs,
  maxSequence,
  readList,
  readOwnerId,
  readPeer,
  readRecord,
} from './record-fields.ts';

/** All records of one type that a name has while a friend stands in; data as on the wire, uncompressed. */
export interface StandbySet {
  type: number;
  data: Uint8Array[];
  /** The data of the RRSIG records over them, made by the zone's own signer; none in a zone that is not signed. */
  signatures: Uint8Array[];
}

/** What the owner says of takeovers at once: friends decide (`obey`), never (`up`), always (`down`). */
export type ServicePin = 'obey' | 'up' | 'down';
export const servicePins: readonly ServicePin[] = ['obey', 'up', 'down'];

/** A service that a friend may stand in for, and all that is answered then: signed by its owner in advance. */
export interface ServiceEntry {
  /** Letters a-z, digits and -, at most 32. */
  name: string;
  /** The zone, and the name in it, as lower-case texts without the final dot. */
  zone: string;
  record: string;
  /** Owner id of the friend who stands in. */
  standby: string;
  /** A URL that tells whether the service works: http, https or tcp. */
  check: string;
  ttlS: number;
  sets: StandbySet[];
  /** How long it must be down before friends act; how long they may answer so; how long it must be well again. */
  afterMs: number;
  maxMs: number;
  holdMs: number;
  /** The transition that stands by the owner's own word: even at home, odd at the standby. Only rises. */
  number: number;
  pin: ServicePin;
  /** A rehearsal: the standby is answered until then, one transition there and one back. */
  drill: { untilMs: number } | undefined;
}

/** The services of one box. The newest sequence counts, and replaces the whole list. */
export interface ServicesRecord {
  sequence: number;
  services: ServiceEntry[];
  /** By zone, the transitions of services that are no more: served serials never fall. */
  ended: { zone: string; number: number }[];
}

const dayMs = 86_400_000;

export function encodeServicesRecord({ sequence, services, ended }: ServicesRecord): Uint8Array {
  return encodeCanonical({
    v: 1,
    type: 'services',
    sequence,
    services: services.map((one) => ({
      name: one.name,
      zone: one.zone,
      record: one.record,
      standby: idBytes(one.standby),
      check: one.check,
      ttl: one.ttlS,
      sets: one.sets.map(({ type, data, signatures }) => ({
        type,
        data,
        signatures: signatures.length === 0 ? undefined : signatures,
      })),
      after: one.afterMs,
      max: one.maxMs,
      hold: one.holdMs,
      number: one.number,
      pin: one.pin === 'obey' ? undefined : one.pin,
      drill: one.drill && { until: one.drill.untilMs },
    })),
    ended: ended.length === 0 ? undefined : ended,
  });
}

function dnsName(item: FieldReader, field: string): string {
  const text = item.text(field, 253);
  if (!isDnsName(text)) item.refuse();
  return text;
}

function byteStrings(item: FieldReader, field: string, maxCount: number, maxBytes: number): Uint8Array[] {
  return item.list(field, maxCount).map((value) => {
    if (value instanceof Uint8Array && value.length > 0 && value.length <= maxBytes) return value;
    item.refuse();
    return new Uint8Array();
  });
}

function serviceEntry(item: FieldReader): ServiceEntry {
  const name = item.text('name', 32);
  if (!isName(name)) item.refuse();
  const pin = item.has('pin') ? servicePins.find((one) => one === item.text('pin', 8)) : 'obey';
  if (pin === undefined) item.refuse();
  const drill = item.has('drill') ? readFields(item.value('drill')) : undefined;
  const entry: ServiceEntry = {
    name,
    zone: dnsName(item, 'zone'),
    record: dnsName(item, 'record'),
    standby: readOwnerId(item, 'standby'),
    check: item.text('check', 512),
    ttlS: item.integer('ttl', 0, 86_400),
    sets: readList(item, 'sets', 4, (set) => ({
      type: set.integer('type', 1, 0xffff),
      data: byteStrings(set, 'data', 8, 300),
      signatures: set.has('signatures') ? byteStrings(set, 'signatures', 4, 700) : [],
    })),
    afterMs: item.integer('after', 1000, 7 * dayMs),
    maxMs: item.integer('max', 60_000, 366 * dayMs),
    holdMs: item.integer('hold', 1000, dayMs),
    number: item.integer('number', 0, maxSwapNumber),
    pin: pin ?? 'obey',
    drill: drill && { untilMs: drill.integer('until', 0, maxAtMs) },
  };
  const isBelow = entry.record === entry.zone || entry.record.endsWith(`.${entry.zone}`);
  if (!isBelow || entry.sets.length === 0 || drill?.ok === false) item.refuse();
  if (entry.sets.some(({ data }) => data.length === 0)) item.refuse();
  return entry;
}

/** Undefined also where two services have one name: whom would a vote be about? */
export function decodeServicesRecord(payload: Uint8Array): ServicesRecord | undefined {
  return readRecord(payload, 'services', (fields) => {
    const list = readList(fields, 'services', maxServicesPerBox, serviceEntry);
    if (new Set(list.map(({ name }) => name)).size < list.length) fields.refuse();
    return {
      sequence: fields.integer('sequence', 1, maxSequence),
      services: list,
      ended: fields.has('ended')
        ? readList(fields, 'ended', maxEndedZones, (item) => ({
            zone: dnsName(item, 'zone'),
            number: item.integer('number', 0, maxSwapNumber),
          }))
        : [],
    };
  });
}

/** One box's word that transition `number` of a service is due; with `stands` false it takes that word back. */
export interface SwapRecord {
  sequence: number;
  /** The box whose service it is. */
  about: string;
  service: string;
  number: number;
  stands: boolean;
  /** The network that the voter sits in; empty where the internet does not route it. */
  network: string;
  /** By the voter's clock. */
  atMs: number;
}

export function encodeSwapRecord(record: SwapRecord): Uint8Array {
  const { sequence, about, service, number, stands, network, atMs } = record;
  return encodeCanonical({ v: 1, type: 'swap', sequence, about, service, number, stands, network, at: atMs });
}

export function decodeSwapRecord(payload: Uint8Array): SwapRecord | undefined {
  return readRecord(payload, 'swap', (fields) => ({
    sequence: fields.integer('sequence', 1, maxSequence),
    about: readPeer(fields, 'about'),
    service: readServiceName(fields),
    number: fields.integer('number', 1, maxSwapNumber),
    stands: fields.flag('stands'),
    network: fields.text('network', 64),
    atMs: fields.integer('at', 0, maxAtMs),
  }));
}

function readServiceName(fields: FieldReader): string {
  const name = fields.text('service', 32);
  if (!isName(name)) fields.refuse();
  return name;
}

/** Transition `number` of a service, with the votes that make it one. Anybody may put it together; it counts for all. */
export interface TakeoverRecord {
  /** Who put it together: the record's signer. */
  by: string;
  about: string;
  service: string;
  number: number;
  /** Envelopes of `swap` records. */
  votes: Uint8Array[];
}

export function encodeTakeoverRecord(record: TakeoverRecord): Uint8Array {
  const { by, about, service, number, votes } = record;
  return encodeCanonical({ v: 1, type: 'takeover', by, about, service, number, votes });
}

export function decodeTakeoverRecord(payload: Uint8Array): TakeoverRecord | undefined {
  return readRecord(payload, 'takeover', (fields) => ({
    by: readPeer(fields, 'by'),
    about: readPeer(fields, 'about'),
    service: readServiceName(fields),
    number: fields.integer('number', 1, maxSwapNumber),
    votes: byteStrings(fields, 'votes', maxSwapVotes, maxRecordBytes.swap + maxEnvelopeOverheadBytes),
  }));
}

/** Orders certificates of one number, which differ in their votes alone: all boxes keep the same one. */
export function takeoverRank(payloadHash: Uint8Array): number {
  return payloadHash.slice(0, 6).reduce((rank, byte) => rank * 256 + byte, 0);
}
