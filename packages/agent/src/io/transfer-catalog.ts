import { type Clock, equalBytes, type Table } from '@copain/core';
import {
  buildCatalog,
  type CatalogMember,
  catalogName,
  encodeZone,
  keyToName,
  type NameKey,
  nameKey,
  nameOf,
  nextCatalogSerial,
  type Zone,
  zoneKey,
} from '@copain/dns';
import { sha256 } from '@copain/dns/io';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import type { ZoneOfContent } from './transfer-journal.ts';

/** The catalog of what this box is to serve, for the servers of `[dns] transfer`. */
export interface TransferCatalog {
  /** `catalog.NAME.invalid`. */
  name: string;
  key: NameKey;
  /** As it was made last; undefined before the first `renew`. */
  current(): ZoneOfContent | undefined;
  /** Makes it of these zones and who owns each. True where it is another one than before. */
  renew(ownerOf: ReadonlyMap<NameKey, string>): Promise<boolean>;
}

const rowKey = 'catalog-zone';

/** A new serial is on disk before anybody sees it, so that it never goes back. */
export function transferCatalog(options: {
  boxName: string;
  ownerId: string;
  table: Table;
  clock: Clock;
}): TransferCatalog {
  const { boxName, ownerId, table, clock } = options;
  const name = catalogName(boxName);
  const origin = nameOf(name);
  let current: ZoneOfContent | undefined;
  return {
    name,
    key: nameKey(origin),
    current: () => current,
    renew: async (ownerOf) => {
      const members = membersOf(ownerOf, ownerId);
      const make = (serial: number): Zone => buildCatalog({ name: origin, serial, members, sha256 });
      const contentHash = sha256(encodeZone(make(0)));
      const stored = await readRow(table);
      let serial = stored?.serial;
      if (stored === undefined || serial === undefined || !equalBytes(stored.contentHash, contentHash)) {
        serial = nextCatalogSerial(stored?.serial, clock.nowMs());
        await table.write([{ key: rowKey, value: encodeCanonical({ serial, content: contentHash }) }]);
      }
      if (current?.zone.serial === serial) return false;
      current = { zone: make(serial), contentHash };
      return true;
    },
  };
}

/** In an order of their own, so that it does not matter which zone was opened first. */
function membersOf(ownerOf: ReadonlyMap<NameKey, string>, ownerId: string): CatalogMember[] {
  return [...ownerOf]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, owner]) => {
      const origin = keyToName(key);
      return { key: zoneKey({ owner, origin }), origin, group: owner === ownerId ? 'own' : 'friend' };
    });
}

async function readRow(table: Table): Promise<{ serial: number; contentHash: Uint8Array } | undefined> {
  const stored = await table.get(rowKey);
  if (stored === undefined) return undefined;
  const fields = readFields(decodeCanonical(stored, 256));
  const serial = fields.integer('serial', 0, 0xffffffff);
  const contentHash = fields.bytes('content', 32, 32);
  return fields.ok ? { serial, contentHash } : undefined;
}
