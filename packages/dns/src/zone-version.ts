import { equalBytes, toHex } from '@copain/core';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { nameBytesMax, zoneBytesMax, zoneVersionBytesMax } from './limits.ts';
import { type DomainName, lowerName, readName } from './name.ts';

/**
 * What a box of the owner signs for each published state of a zone. The records themselves travel apart from it, as
 * the bytes of `encodeZone`, from whoever has them; `contentHash` binds the two.
 */
export interface ZoneVersion {
  /** The owner's id: 64 hexadecimal digits. */
  owner: string;
  /** The zone's name in lower case. */
  origin: DomainName;
  /** The SOA serial in the content. What DNS clients see; it decides nothing between friends. */
  serial: number;
  /** The epoch of the owner record under which it was signed. */
  epoch: number;
  /** Rises by one with each version of this zone. Newer means higher (epoch, sequence). */
  sequence: number;
  /** SHA-256 of the content. */
  contentHash: Uint8Array;
  /** The content hash of the version before; zeros for the first. */
  previousHash: Uint8Array;
  /** Octets of the content. */
  sizeBytes: number;
  /** How long a friend may serve it after hearing from the owner. */
  expiresAfterMs: number;
  /** When it was signed, by the owner's clock. Never decides which version is newer. */
  atMs: number;
}

/** Which zone of which owner, as one text: for maps, tables and messages between rooms. ASCII. */
export type ZoneKey = string;

const hashBytes = 32;
const countMax = Number.MAX_SAFE_INTEGER;

/** The key of a zone: two owners may claim one origin, and are kept apart. */
export function zoneKey(zone: { owner: string; origin: DomainName }): ZoneKey {
  return `${zone.owner}/${toHex(lowerName(zone.origin))}`;
}

/** The payload to be signed: canonical CBOR of at most 1024 octets. */
export function encodeZoneVersion(version: ZoneVersion): Uint8Array {
  const { owner, serial, epoch, sequence, contentHash, previousHash, sizeBytes, expiresAfterMs, atMs } =
    version;
  return encodeCanonical({
    v: 1,
    owner,
    origin: lowerName(version.origin),
    serial,
    epoch,
    sequence,
    contentHash,
    previousHash,
    sizeBytes,
    expiresAfterMs,
    at: atMs,
  });
}

/** The version of a payload whose signature was checked by the caller, or undefined for anything not as written here. */
export function decodeZoneVersion(bytes: Uint8Array): ZoneVersion | undefined {
  const fields = readFields(decodeCanonical(bytes, zoneVersionBytesMax));
  fields.integer('v', 1, 1);
  const version: ZoneVersion = {
    owner: fields.text('owner', 64),
    origin: fields.bytes('origin', 1, nameBytesMax),
    serial: fields.integer('serial', 0, 0xffffffff),
    epoch: fields.integer('epoch', 0, countMax),
    sequence: fields.integer('sequence', 1, countMax),
    contentHash: fields.bytes('contentHash', hashBytes, hashBytes),
    previousHash: fields.bytes('previousHash', hashBytes, hashBytes),
    sizeBytes: fields.integer('sizeBytes', 1, zoneBytesMax),
    expiresAfterMs: fields.integer('expiresAfterMs', 1, countMax),
    atMs: fields.integer('at', 0, countMax),
  };
  fields.checkCritical();
  if (!fields.ok || !/^[0-9a-f]{64}$/.test(version.owner) || !isWholeLowerName(version.origin))
    return undefined;
  return version;
}

function isWholeLowerName(name: Uint8Array): boolean {
  const read = readName(name, 0);
  return read?.next === name.length && read.name.length === name.length && equalBytes(lowerName(name), name);
}

/** Order of versions of one zone: by epoch, then by sequence. Serials and times play no part. */
export function compareZoneVersions(
  a: { epoch: number; sequence: number },
  b: { epoch: number; sequence: number },
): number {
  return a.epoch - b.epoch || a.sequence - b.sequence;
}

/** Are both the same version with the same content? */
export function sameZoneVersion(a: ZoneVersion, b: ZoneVersion): boolean {
  return compareZoneVersions(a, b) === 0 && equalBytes(a.contentHash, b.contentHash);
}
