import type { Table } from '@copain/core';
import {
  changesLeadingTo,
  decodeKeptChange,
  encodeKeptChange,
  type JournaledZone,
  journalZones,
  type KeptChange,
  keptChangesBytesMax,
  type NameKey,
  type Zone,
  type ZoneChange,
  type ZoneJournal,
} from '@copain/dns';

/** A zone as it is answered, with the hash of the content that it was made from, where it is that of a version. */
export interface ZoneOfContent {
  zone: Zone;
  contentHash: Uint8Array | undefined;
}

/** How the zones that are served came to be so, for IXFR; outlives a restart. */
export interface TransferJournal extends AsyncDisposable {
  zones(): ZoneJournal;
  /** These are served from this instant on, in place of those before. */
  serve(zones: readonly ZoneOfContent[]): void;
}

interface Row {
  key: string;
  sizeBytes: number;
}

const prefix = 'transfer-change/';
/** Written together at most this often: who loses the last second with the power gets the whole zone, no more. */
const writeEveryMs = 1000;

/** Opens the journal with what earlier runs served. What is damaged on disk is left out, and removed. */
export async function openTransferJournal(options: {
  table: Table;
  failed: (error: unknown) => void;
}): Promise<TransferJournal> {
  const { table, failed } = options;
  let journal: ZoneJournal = new Map();
  /** What is on disk or about to be, the oldest first. */
  const rows = new Map<string, Row & { origin: NameKey; change: ZoneChange }>();
  const rowsOf = new Map<NameKey, Map<ZoneChange, Row>>();
  /** From earlier runs, of zones that this one has not served yet. */
  const past = new Map<NameKey, KeptChange[]>();
  let keptBytes = 0;
  /** Rows to be written, and rows to be removed (undefined). */
  let waiting = new Map<string, Uint8Array | undefined>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  const keep = (row: Row, { origin, change }: Omit<KeptChange, 'contentHash'>): void => {
    rows.set(row.key, { ...row, origin, change });
    const own = rowsOf.get(origin) ?? new Map<ZoneChange, Row>();
    rowsOf.set(origin, own.set(change, row));
    keptBytes += row.sizeBytes;
  };
  const drop = (origin: NameKey, change: ZoneChange): void => {
    const row = rowsOf.get(origin)?.get(change);
    if (row === undefined) return;
    rowsOf.get(origin)?.delete(change);
    rows.delete(row.key);
    keptBytes -= row.sizeBytes;
    waiting.set(row.key, undefined);
  };

  let next = 0;
  for await (const [key, value] of table.entries(prefix)) {
    next = Number(key.slice(prefix.length)) + 1;
    const kept = decodeKeptChange(value);
    if (kept === undefined) {
      waiting.set(key, undefined);
      continue;
    }
    keep({ key, sizeBytes: value.length }, kept);
    past.set(kept.origin, [...(past.get(kept.origin) ?? []), kept]);
  }

  /** What cannot be written now goes with the next: a row that stays where it was to go would lead to another content. */
  const writeWaiting = async (): Promise<void> => {
    const changes = waiting;
    waiting = new Map();
    if (changes.size === 0) return;
    try {
      await table.write([...changes].map(([key, value]) => ({ key, value })));
    } catch (error) {
      waiting = new Map([...changes, ...waiting]);
      failed(error);
    }
  };
  const write = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    writing = writing.then(writeWaiting);
    await writing;
  };

  /** What is remembered of a zone is what is kept of it; a change that is too large to keep makes those before it useless. */
  const follow = (origin: NameKey, entry: JournaledZone | undefined, contentHash?: Uint8Array): void => {
    const changes = new Set(entry?.changes);
    for (const change of rowsOf.get(origin)?.keys() ?? []) if (!changes.has(change)) drop(origin, change);
    const newest = entry?.changes.at(-1);
    if (newest === undefined || rowsOf.get(origin)?.has(newest)) return;
    const value = contentHash && encodeKeptChange({ contentHash, change: newest });
    if (value === undefined) {
      for (const change of changes) drop(origin, change);
      return;
    }
    const key = prefix + String(next++).padStart(12, '0');
    keep({ key, sizeBytes: value.length }, { origin, change: newest });
    waiting.set(key, value);
    for (const { origin: owner, change } of rows.values()) {
      if (keptBytes <= keptChangesBytesMax) break;
      drop(owner, change);
    }
  };

  return {
    zones: () => journal,
    serve: (zones) => {
      const hashes = new Map(zones.map(({ zone, contentHash }) => [zone, contentHash]));
      const before = journal;
      journal = journalZones(before, hashes.keys(), (zone) => {
        const [contentHash, kept] = [hashes.get(zone), past.get(zone.originKey)];
        return contentHash && kept ? changesLeadingTo(zone, contentHash, kept) : [];
      });
      for (const [origin, entry] of journal) {
        past.delete(origin);
        if (before.get(origin) !== entry) follow(origin, entry, hashes.get(entry.zone));
      }
      for (const origin of before.keys()) if (!journal.has(origin)) follow(origin, undefined);
      if (waiting.size > 0) timer ??= setTimeout(() => void write(), writeEveryMs);
    },
    [Symbol.asyncDispose]: write,
  };
}
