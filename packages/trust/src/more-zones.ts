import { toHex } from '@copain/core';
import { type CanonicalValue, type FieldReader, readFields } from './canonical.ts';
import { maxGrantsPerOwner, maxHeldZones, maxMembers, maxZonesPerOwner } from './limits.ts';
import { idBytes, isDnsName, maxSequence } from './record-fields.ts';

/*
 * The shorter form of zones in `grants` and `holds` records: field `more`, for what does not fit into the list `zones`,
 * which every version reads. A version that does not know `more` ignores it, and goes by the list.
 */

/** What a record has beside its zones, generously. */
const otherBytes = 512;

/**
 * How many of the entries, from the first, stand in the list that every version reads: as many as may and fit. `bytes`
 * of each: in that list, and in the shorter form.
 */
export function listedCount(bytes: readonly (readonly [number, number])[], maxBytes: number): number {
  let count = Math.min(bytes.length, maxGrantsPerOwner);
  let total = otherBytes;
  for (const [at, [listed, more]] of bytes.entries()) total += at < count ? listed : more;
  // A record without `more` has no need of the room for it.
  while (count > 0 && total > maxBytes) {
    count -= 1;
    const [listed, more] = bytes[count] ?? [0, 0];
    total += more - listed;
  }
  return count;
}

/** Octets of a text of ASCII, of an integer and of an id in canonical form (RFC 8949 §3). */
const headSize = (n: number): number => (n < 24 ? 1 : n < 256 ? 2 : n < 65_536 ? 3 : n < 2 ** 32 ? 5 : 9);
const textSize = (text: string): number => headSize(text.length) + text.length;
const idSize = 34;

/** Octets of a grant of a zone in `zones`, and in `more`. */
export function grantSizes({
  name,
  to,
}: {
  name: string;
  to: readonly string[] | undefined;
}): [number, number] {
  const [listed, more] = [1 + textSize('name') + textSize(name), 1 + textSize(name)];
  if (to === undefined) return [listed, more];
  const head = headSize(to.length);
  return [listed + textSize('to') + head + idSize * to.length, more + head + 2 * to.length];
}

/** Octets of a version of a zone in `zones`, and in `more` beside its owner. */
export function heldSizes({ origin, epoch, sequence, serial }: HeldVersion): [number, number] {
  const values = textSize(origin) + headSize(epoch) + headSize(sequence) + headSize(serial);
  const names = ['owner', 'name', 'epoch', 'sequence', 'serial'].reduce(
    (sum, name) => sum + textSize(name),
    0,
  );
  return [1 + names + idSize + values, 1 + values];
}

/** Grants of zones without a limit on their order: `[name]`, or `[name, recipients]` as places in `people`. */
export function encodeMoreGrants(
  grants: readonly { name: string; to: readonly string[] | undefined }[],
): CanonicalValue {
  const people = [...new Set(grants.flatMap(({ to }) => to ?? []))];
  const placeOf = new Map(people.map((id, place) => [id, place]));
  const zones = grants.map(({ name, to }) => [
    name,
    ...(to === undefined ? [] : [to.map((id) => placeOf.get(id) ?? 0)]),
  ]);
  return { people: people.map(idBytes), zones };
}

const listOf = (value: CanonicalValue | undefined): readonly CanonicalValue[] | undefined =>
  Array.isArray(value) ? (value as readonly CanonicalValue[]) : undefined;

/** Reads `more` of a grants record; anything not as written above refuses the record. */
export function readMoreGrants(fields: FieldReader): { name: string; to: string[] | undefined }[] {
  if (!fields.has('more')) return [];
  const more = readFields(fields.value('more'));
  const people = more.list('people', maxMembers).map((id) => {
    if (id instanceof Uint8Array && id.length === 32) return toHex(id);
    more.refuse();
    return '';
  });
  const grants = more.list('zones', maxZonesPerOwner).map((item) => {
    const [name, to, ...rest] = listOf(item) ?? [];
    const places = listOf(to);
    const ids = (places ?? []).flatMap((place) => (typeof place === 'number' ? (people[place] ?? []) : []));
    const isWhole = rest.length === 0 && (to === undefined || ids.length === places?.length);
    if (typeof name !== 'string' || !isDnsName(name) || !isWhole) more.refuse();
    return { name: typeof name === 'string' ? name : '', to: places === undefined ? undefined : ids };
  });
  if (!more.ok) fields.refuse();
  return grants;
}

/** One version of one zone that a box has. */
export interface HeldVersion {
  owner: string;
  origin: string;
  epoch: number;
  sequence: number;
  serial: number;
}

/** Versions by owner: `owner`, and `zones` with `[name, epoch, sequence, serial]` each. */
export function encodeMoreHolds(held: readonly HeldVersion[]): CanonicalValue {
  const byOwner = new Map<string, CanonicalValue[]>();
  for (const { owner, origin, epoch, sequence, serial } of held) {
    const zones = byOwner.get(owner) ?? [];
    zones.push([origin, epoch, sequence, serial]);
    byOwner.set(owner, zones);
  }
  return [...byOwner].map(([owner, zones]) => ({ owner: idBytes(owner), zones }));
}

/** Reads `more` of a holds record; anything not as written above refuses the record. */
export function readMoreHolds(fields: FieldReader): HeldVersion[] {
  if (!fields.has('more')) return [];
  const isCount = (value: CanonicalValue | undefined, max: number): value is number =>
    typeof value === 'number' && value >= 0 && value <= max;
  return fields.list('more', maxMembers).flatMap((group) => {
    const of = readFields(group);
    const owner = toHex(of.bytes('owner', 32, 32));
    const held = of.list('zones', maxHeldZones).flatMap((item): HeldVersion[] => {
      const [origin, epoch, sequence, serial, ...rest] = listOf(item) ?? [];
      const isWhole = rest.length === 0 && isCount(epoch, maxSequence) && isCount(sequence, maxSequence);
      if (typeof origin === 'string' && isDnsName(origin) && isWhole && isCount(serial, 0xffff_ffff))
        return [{ owner, origin, epoch, sequence, serial }];
      of.refuse();
      return [];
    });
    if (!of.ok) fields.refuse();
    return held;
  });
}
