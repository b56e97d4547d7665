import type { Files, Table } from '@copain/core';
import { decodeZoneVersion, type Zone, type ZoneKey, type ZoneVersion, zoneKey } from '@copain/dns';
import { openEnvelope } from '@copain/mesh/io';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { readContent } from './zone-content.ts';

/** A friend's zone as it is answered; `envelope` proves that its owner signed `header`. */
export interface Held {
  zone: Zone;
  header: ZoneVersion;
  envelope: Uint8Array;
}

/** Friends' zones as they are noted on disk: which version of each, and until when (ms since 1970) it is answered. */
export interface HeldRows {
  /** Every zone whose signature and content are still whole. */
  read(): Promise<(Held & { freshUntilMs: number })[]>;
  write(held: Omit<Held, 'zone'>, freshUntilMs: number): Promise<void>;
  remove(key: ZoneKey): Promise<void>;
}

const prefix = 'held/';

/** `damaged` hears of each row that is left out. */
export function heldRows(options: { files: Files; table: Table; damaged: (key: string) => void }): HeldRows {
  const { files, table, damaged } = options;
  return {
    read: async () => {
      const all: (Held & { freshUntilMs: number })[] = [];
      for await (const [key, value] of table.entries(prefix)) {
        const fields = readFields(decodeCanonical(value, 4096));
        const envelope = fields.bytes('envelope', 1, 2048);
        const freshUntilMs = fields.integer('freshUntil', 0, Number.MAX_SAFE_INTEGER);
        const opened = fields.ok ? await openEnvelope('zone', envelope) : undefined;
        const header = opened === undefined ? undefined : decodeZoneVersion(opened.payload);
        const content =
          header === undefined ? undefined : await readContent(files, header).catch(() => undefined);
        if (header === undefined || content === undefined) damaged(key);
        else all.push({ zone: content.zone, header, envelope, freshUntilMs });
      }
      return all;
    },
    write: async ({ header, envelope }, freshUntilMs) => {
      const value = encodeCanonical({ envelope, freshUntil: Math.round(freshUntilMs) });
      await table.write([{ key: prefix + zoneKey(header), value }]);
    },
    remove: async (key) => await table.write([{ key: prefix + key, value: undefined }]),
  };
}
