import { toHex } from '@copain/core';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { keptChangeBytesMax } from './limits.ts';
import type { ResourceRecord } from './master-file.ts';
import { canonicalSortKey, type NameKey, nameKey } from './name.ts';
import { RecordType } from './record-types.ts';
import type { Zone } from './zone.ts';
import type { ZoneChange } from './zone-changes.ts';
import { decodeRecords, encodeRecords } from './zone-encoding.ts';
import { serialOf } from './zone-journal.ts';
import { isNewerSerial } from './zone-serial.ts';

/** A change of a served zone as it is kept over a restart, with the hash of the content that it led to. */
export interface KeptChange {
  origin: NameKey;
  contentHash: Uint8Array;
  change: ZoneChange;
}

/** Octets of the smallest record in the carried form: the name of the root, and ten more. */
const recordBytesMin = 11;

/** Canonical CBOR of a change; undefined where it is too large to be kept (`keptChangeBytesMax`). */
export function encodeKeptChange({
  contentHash,
  change,
}: Omit<KeptChange, 'origin'>): Uint8Array | undefined {
  const { fromSoa, toSoa, removed, added } = change;
  // A zone that was signed anew changes by all its records: those are not put in order to be thrown away.
  if ((removed.length + added.length) * recordBytesMin > keptChangeBytesMax) return undefined;
  const bytes = encodeCanonical({
    content: contentHash,
    from: encodeRecords([fromSoa]),
    to: encodeRecords([toSoa]),
    removed: encodeRecords(byOwner(removed)),
    added: encodeRecords(byOwner(added)),
  });
  return bytes.length > keptChangeBytesMax ? undefined : bytes;
}

function byOwner(records: readonly ResourceRecord[]): ResourceRecord[] {
  return records
    .map((record) => ({ record, sortKey: canonicalSortKey(record.owner) }))
    .sort((a, b) => (a.sortKey < b.sortKey ? -1 : a.sortKey > b.sortKey ? 1 : 0))
    .map(({ record }) => record);
}

/** The change in bytes that `encodeKeptChange` made, undefined where they are anything else. */
export function decodeKeptChange(bytes: Uint8Array): KeptChange | undefined {
  const fields = readFields(decodeCanonical(bytes, keptChangeBytesMax));
  const list = (key: string): ResourceRecord[] | undefined =>
    decodeRecords(fields.bytes(key, 0, keptChangeBytesMax));
  const contentHash = fields.bytes('content', 32, 32);
  const [from, to, removed, added] = [list('from'), list('to'), list('removed'), list('added')];
  if (!fields.ok || !removed || !added) return undefined;
  const [fromSoa, toSoa] = [onlySoa(from), onlySoa(to)];
  if (!fromSoa || !toSoa || nameKey(fromSoa.owner) !== nameKey(toSoa.owner)) return undefined;
  return {
    origin: nameKey(toSoa.owner),
    contentHash,
    change: { fromSoa, toSoa, removed, added },
  };
}

function onlySoa(records: readonly ResourceRecord[] | undefined): ResourceRecord | undefined {
  const [soa] = records ?? [];
  return records?.length === 1 && soa?.type === RecordType.SOA ? soa : undefined;
}

/**
 * Those of the kept changes (the oldest first) that lead to this zone, one going on from the other: none where the last
 * led to another serial or another content than the one that is served now.
 */
export function changesLeadingTo(
  zone: Zone,
  contentHash: Uint8Array,
  kept: readonly KeptChange[],
): ZoneChange[] {
  const last = kept.at(-1);
  if (last === undefined || toHex(last.contentHash) !== toHex(contentHash)) return [];
  const changes: ZoneChange[] = [];
  let reached = zone.serial;
  for (const { change } of kept.toReversed()) {
    const from = serialOf(change.fromSoa);
    if (serialOf(change.toSoa) !== reached || isNewerSerial(reached, from) !== true) break;
    changes.unshift(change);
    reached = from;
  }
  return changes;
}
