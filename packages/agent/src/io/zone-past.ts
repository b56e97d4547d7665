import { fromHex, type Table, type TableChange, toHex } from '@copain/core';
import { decodeZoneVersion, encodeZoneVersion, type ZoneVersion } from '@copain/dns';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import type { ZoneBase } from '../zone-base.ts';

/** What became of our own zones: what each file was published as, and the last versions of each zone. */
export interface ZonePast {
  base(origin: string): Promise<ZoneBase>;
  keepBase(origin: string, base: ZoneBase): Promise<void>;
  /** Notes a version that this box signed, or learned from friends. */
  note(origin: string, header: ZoneVersion): Promise<void>;
  /** The last versions known here, newest first. */
  history(origin: string): Promise<ZoneVersion[]>;
}

/** Headers kept of each zone, about 400 bytes each. */
const maxHistory = 20;
const basePrefix = 'zone-file/';
const historyPrefix = 'zone-history/';
const startedKey = 'zone-files-noted';

/**
 * Opens the notes. `published` are the versions that are known when this box notes files for the first time: what it
 * published before it did so counts as published from the files that are there.
 */
export async function openZonePast(
  table: Table,
  published: readonly { origin: string; contentHash: Uint8Array }[],
): Promise<ZonePast> {
  const baseRow = (origin: string, { content, pushed }: ZoneBase): TableChange => ({
    key: basePrefix + origin,
    value: encodeCanonical({
      content: fromHex(content ?? '') ?? new Uint8Array(),
      pushedFile: fromHex(pushed?.file ?? '') ?? new Uint8Array(),
      pushedOn: fromHex(pushed?.head ?? '') ?? new Uint8Array(),
    }),
  });
  if ((await table.get(startedKey)) === undefined) {
    const rows = published.map(({ origin, contentHash }) =>
      baseRow(origin, { content: toHex(contentHash), pushed: undefined }),
    );
    await table.write([{ key: startedKey, value: new Uint8Array() }, ...rows]);
  }
  const historyKey = (origin: string, { epoch, sequence }: ZoneVersion): string =>
    `${historyPrefix}${origin}/${[epoch, sequence].map((number) => String(number).padStart(16, '0')).join('-')}`;
  const rows = async (origin: string): Promise<{ key: string; header: ZoneVersion }[]> => {
    const found: { key: string; header: ZoneVersion }[] = [];
    for await (const [key, value] of table.entries(`${historyPrefix}${origin}/`)) {
      const header = decodeZoneVersion(value);
      if (header !== undefined) found.push({ key, header });
    }
    return found.reverse();
  };

  return {
    base: async (origin) => {
      const stored = await table.get(basePrefix + origin);
      if (stored === undefined) return { content: undefined, pushed: undefined };
      const fields = readFields(decodeCanonical(stored, 1024));
      const content = toHex(fields.bytes('content', 0, 32));
      const file = toHex(fields.bytes('pushedFile', 0, 32));
      const head = toHex(fields.bytes('pushedOn', 0, 32));
      return {
        content: fields.ok && content !== '' ? content : undefined,
        pushed: fields.ok && file !== '' ? { file, head } : undefined,
      };
    },
    keepBase: async (origin, base) => await table.write([baseRow(origin, base)]),
    note: async (origin, header) => {
      const known = await rows(origin);
      const key = historyKey(origin, header);
      if (known.some((row) => row.key === key)) return;
      const old = known.slice(maxHistory - 1).map((row) => ({ key: row.key, value: undefined }));
      await table.write([{ key, value: encodeZoneVersion(header) }, ...old]);
    },
    history: async (origin) => (await rows(origin)).map(({ header }) => header),
  };
}
