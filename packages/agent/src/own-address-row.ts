import type { AddressChange, AddressFamily, OwnAddress, OwnAddressState } from '@copain/liveness';
import {
  type CanonicalValue,
  decodeCanonical,
  encodeCanonical,
  type FieldReader,
  readFields,
} from '@copain/trust';

type Kept = Pick<OwnAddressState, 'agreed' | 'pinned' | 'history'>;

/** Two hundred changes of two addresses each fill a tenth of it. */
const rowBytesMax = 262_144;

/** What is kept of the own addresses over a restart, as a row of the agent's table. */
export function encodeOwnAddressRow({ agreed, pinned, history }: Kept): Uint8Array {
  const one = (value: OwnAddress | undefined): CanonicalValue | undefined =>
    value && { address: value.address, since: Math.round(value.sinceMs), by: value.by };
  return encodeCanonical({
    ipv4: one(agreed.ipv4),
    ipv6: one(agreed.ipv6),
    pinned: [...pinned],
    history: history.map(({ family, from, to, atMs, by }) => ({
      family,
      from,
      to,
      at: Math.round(atMs),
      by,
    })),
  });
}

/** Undefined where the row is damaged: friends say it again within seconds. */
export function decodeOwnAddressRow(bytes: Uint8Array): Kept | undefined {
  const row = readFields(decodeCanonical(bytes, rowBytesMax));
  const one = (name: AddressFamily): OwnAddress | undefined => {
    if (!row.has(name)) return undefined;
    const fields = readFields(row.value(name));
    const found = {
      address: readAddress(fields, 'address'),
      sinceMs: readAtMs(fields, 'since'),
      by: readBy(fields),
    };
    if (!fields.ok) row.refuse();
    return found;
  };
  const agreed = { ipv4: one('ipv4'), ipv6: one('ipv6') };
  const pinned = row.texts('pinned', 2, 4).flatMap((text) => familyOf(text) ?? []);
  const history = row.list('history', 1000).map((item): AddressChange => {
    const fields = readFields(item);
    const family = familyOf(fields.text('family', 4));
    if (family === undefined) fields.refuse();
    const change = {
      family: family ?? 'ipv4',
      from: fields.has('from') ? readAddress(fields, 'from') : undefined,
      to: readAddress(fields, 'to'),
      atMs: readAtMs(fields, 'at'),
      by: readBy(fields),
    };
    if (!fields.ok) row.refuse();
    return change;
  });
  return row.ok ? { agreed, pinned, history } : undefined;
}

const readAtMs = (fields: FieldReader, name: string): number =>
  fields.integer(name, 0, 8_640_000_000_000_000);
const readAddress = (fields: FieldReader, name: string): string => fields.text(name, 45);
function readBy(fields: FieldReader): OwnAddress['by'] {
  const by = fields.text('by', 16);
  if (by !== 'operator' && by !== 'friends') fields.refuse();
  return by === 'operator' ? 'operator' : 'friends';
}

const familyOf = (text: string): AddressFamily | undefined =>
  text === 'ipv4' || text === 'ipv6' ? text : undefined;
