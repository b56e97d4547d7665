import type { ResourceRecord } from './master-file.ts';
import { type DomainName, isAtOrBelow, type NameKey, nameKey, parseName } from './name.ts';
import { isRdata } from './rdata-wire.ts';
import { RecordType } from './record-types.ts';
import { rrsetOf, type Zone } from './zone.ts';
import { nodeRecords } from './zone-encoding.ts';
import { type NamePatch, patchZone } from './zone-patch.ts';
import { addToSerial } from './zone-serial.ts';

/** What a name answers while somebody stands in for it: these sets, and none of the types that they replace. */
export interface NameOverlay {
  /** Lower-case text without the final dot, at or below the origin. */
  record: string;
  ttlS: number;
  sets: readonly { type: number; data: readonly Uint8Array[]; signatures: readonly Uint8Array[] }[];
}

/** The zone as it is to be answered, and why some names are answered as ever. */
export interface OverlaidZone {
  zone: Zone;
  refused: { record: string; text: string }[];
}

/** What somebody can stand in for: where a service is, and nothing of how the zone hangs together. */
export const overlayTypes: readonly number[] = [RecordType.A, RecordType.AAAA, RecordType.SRV];

/**
 * The types that an overlay takes the place of: whoever gives an address of one family takes away that of the other too, since
 * it leads to the box that is down.
 */
export function replacedTypes(sets: readonly { type: number }[]): number[] {
  const types = new Set(sets.map(({ type }) => type));
  if (types.has(RecordType.A) || types.has(RecordType.AAAA)) types.add(RecordType.A).add(RecordType.AAAA);
  return [...types].sort((a, b) => a - b);
}

/**
 * The zone as it is answered while friends stand in for some names, and with a serial that is `steps` higher (RFC 1982). The zone
 * given is left as it is. In a zone that is signed with DNSSEC the serial stays, since a signature covers it, and a name is
 * answered otherwise only where the overlay has signatures that are good at `nowS` for exactly the types that the name has:
 * what denies the others is signed too. Called by every box that answers a zone, owner or friend.
 */
export function overlayZone(
  zone: Zone,
  { steps, names, nowS }: { steps: number; names: readonly NameOverlay[]; nowS: number },
): OverlaidZone {
  const patches = new Map<NameKey, NamePatch>();
  const refused: OverlaidZone['refused'] = [];
  for (const overlay of names) {
    const parsed = parseName(overlay.record);
    const text = overlayFault(zone, overlay, nowS);
    if (text !== undefined) refused.push({ record: overlay.record, text });
    if (text !== undefined || parsed.kind !== 'name') continue;
    const key = nameKey(parsed.name);
    patches.set(key, overlaidName(zone, parsed.name, overlay, patches.get(key)));
  }
  if (!zone.signed && steps > 0) {
    const before = patches.get(zone.originKey)?.records ?? nodeRecords(zone.apex);
    const records = before.map((record) =>
      record.type === RecordType.SOA ? withSerial(record, addToSerial(zone.serial, steps)) : record,
    );
    patches.set(zone.originKey, { owner: zone.origin, records });
  }
  if (patches.size === 0) return { zone, refused };
  const built = patchZone(zone, patches);
  if (built.kind === 'zone') return { zone: built.zone, refused };
  return { zone, refused: [...refused, ...names.map(({ record }) => ({ record, text: built.text }))] };
}

function overlaidName(
  zone: Zone,
  name: DomainName,
  { ttlS, sets }: NameOverlay,
  before: NamePatch | undefined,
): NamePatch {
  const node = zone.nodes.get(nameKey(name));
  const owner = node?.name ?? name;
  const replaced = replacedTypes(sets);
  const kept = (before?.records ?? (node ? nodeRecords(node) : [])).filter(
    ({ type, rdata }) => !replaced.includes(type === RecordType.RRSIG ? coveredType(rdata) : type),
  );
  const added = sets.flatMap(({ type, data, signatures }) => [
    ...data.map((rdata): ResourceRecord => ({ owner, type, ttl: ttlS, rdata })),
    ...signatures.map((rdata): ResourceRecord => ({ owner, type: RecordType.RRSIG, ttl: ttlS, rdata })),
  ]);
  return { owner, records: [...kept, ...added] };
}

/**
 * Why this overlay cannot be answered in this zone, in words for its owner; undefined where it can. `nowS`: seconds since
 * 1970.
 */
export function overlayFault(zone: Zone, overlay: NameOverlay, nowS: number): string | undefined {
  const { record, sets } = overlay;
  const parsed = parseName(record);
  if (parsed.kind !== 'name' || !isAtOrBelow(parsed.name, zone.origin))
    return `${record} is no name of the zone`;
  const isSound = sets.every(
    ({ type, data, signatures }) =>
      overlayTypes.includes(type) &&
      data.every((rdata) => isRdata(type, rdata)) &&
      signatures.every((rdata) => isRdata(RecordType.RRSIG, rdata) && coveredType(rdata) === type),
  );
  if (!isSound) return `what is to be answered for ${record} is no address and no SRV record`;
  const node = zone.nodes.get(nameKey(parsed.name));
  if (node && rrsetOf(node, RecordType.CNAME))
    return `${record} is an alias (CNAME): name the record that it leads to`;
  if (!zone.signed) return undefined;
  const has = (type: number): boolean => node !== undefined && rrsetOf(node, type) !== undefined;
  for (const type of replacedTypes(sets)) {
    const set = sets.find((one) => one.type === type);
    if (has(type) && set === undefined)
      return `the zone is signed with DNSSEC and ${record} has records of type ${type}, whose absence nobody has signed: give the standby's too`;
    if (!has(type) && set !== undefined)
      return `the zone is signed with DNSSEC and denies records of type ${type} at ${record}`;
    if (set === undefined) continue;
    if (set.signatures.length === 0)
      return `the zone is signed with DNSSEC and friends have no key of it: the standby's records need signatures of their own`;
    if (!set.signatures.some((rdata) => isSignatureTimely(rdata, nowS)))
      return `the signatures over the standby's records of ${record} have expired, or do not count yet`;
  }
  return undefined;
}

/** RFC 4034 §3.1: type covered first; after algorithm, labels and TTL the end and the begin of its life, modulo 2^32. */
function isSignatureTimely(rdata: Uint8Array, nowS: number): boolean {
  if (rdata.length < 18) return false;
  const { inceptionS, expirationS } = signatureLife(rdata);
  return ((nowS - inceptionS) | 0) >= 0 && ((expirationS - nowS) | 0) > 0;
}

/** When a signature begins and ceases to count, in seconds since 1970 modulo 2^32 (RFC 4034 §3.1.5). */
export function signatureLife(rdata: Uint8Array): { inceptionS: number; expirationS: number } {
  const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength);
  return { expirationS: view.getUint32(8), inceptionS: view.getUint32(12) };
}

const coveredType = (rdata: Uint8Array): number => (rdata[0] ?? 0) * 256 + (rdata[1] ?? 0);

function withSerial(record: ResourceRecord, serial: number): ResourceRecord {
  const rdata = record.rdata.slice();
  new DataView(rdata.buffer).setUint32(rdata.length - 20, serial);
  return { ...record, rdata };
}
