import { toHex, toUtf8 } from '@copain/core';
import { catalogMembersMax } from './limits.ts';
import type { ResourceRecord } from './master-file.ts';
import { type DomainName, nameOf } from './name.ts';
import type { Sha256 } from './primary.ts';
import { RecordType } from './record-types.ts';
import type { Zone } from './zone.ts';
import { buildZone } from './zone-build.ts';
import type { ZoneKey } from './zone-version.ts';

/** A zone that servers with this catalog are to serve. */
export interface CatalogMember {
  /** Of the owner as well as of the name: another owner's zone of this name is another zone (RFC 9432 §5.4). */
  key: ZoneKey;
  origin: DomainName;
  /** Servers may treat groups of zones differently (RFC 9432 §4.3.2). */
  group: 'own' | 'friend';
}

/** Seconds: servers that missed a NOTIFY look again after a minute, and keep what they know for a year. */
const timers = { refresh: 60, retry: 60, expire: 31_536_000, minimum: 0 };

/** The name of a box's catalog: unique within a circle, and in nobody's way, since `invalid` is nobody's (RFC 6761 §6.4). */
export function catalogName(box: string): string {
  return `catalog.${box}.invalid`;
}

/**
 * A catalog zone of version 2 (RFC 9432 §4). The label of a member is made from its owner and name alone, so it stays
 * the same as long as the zone does, over restarts and on every box.
 */
export function buildCatalog(options: {
  name: DomainName;
  serial: number;
  members: readonly CatalogMember[];
  sha256: Sha256;
}): Zone {
  const { name, serial, members, sha256 } = options;
  const record = (owner: DomainName, type: number, rdata: Uint8Array): ResourceRecord => ({
    owner,
    type,
    ttl: 0,
    rdata,
  });
  const nowhere = nameOf('invalid');
  const records = [
    record(name, RecordType.SOA, Uint8Array.from([...nowhere, ...nowhere, ...numbers(serial)])),
    record(name, RecordType.NS, nowhere),
    record(below('version', name), RecordType.TXT, text('2')),
  ];
  for (const { key, origin, group } of members.slice(0, catalogMembersMax)) {
    const id = below(toHex(sha256(toUtf8(key))).slice(0, 32), below('zones', name));
    records.push(record(id, RecordType.PTR, origin), record(below('group', id), RecordType.TXT, text(group)));
  }
  const built = buildZone(name, records);
  if (built.kind === 'refused') throw new RangeError(`a catalog could not be made: ${built.text}`);
  return built.zone;
}

function numbers(serial: number): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of [serial, timers.refresh, timers.retry, timers.expire, timers.minimum].entries())
    view.setUint32(4 * i, value);
  return bytes;
}

function below(label: string, name: DomainName): DomainName {
  const octets = toUtf8(label);
  return Uint8Array.from([octets.length, ...octets, ...name]);
}

function text(value: string): Uint8Array {
  const octets = toUtf8(value);
  return Uint8Array.from([octets.length, ...octets]);
}

/** The catalog's serial after a change: the time where that is more, else one more. */
export function nextCatalogSerial(last: number | undefined, nowMs: number): number {
  return Math.max(Math.floor(nowMs / 1000), (last ?? 0) + 1);
}
