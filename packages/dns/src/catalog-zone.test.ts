import { expect, it } from 'vitest';
import { buildCatalog, type CatalogMember, catalogName, nextCatalogSerial } from './catalog-zone.ts';
import { sha256 } from './io/hash.ts';
import { catalogMembersMax } from './limits.ts';
import { nameOf, nameToText } from './name.ts';
import { rdataToText } from './rdata-print.ts';
import { typeToText } from './record-types.ts';
import { zoneRecords } from './zone-encoding.ts';

const name = nameOf(catalogName('alice'));
const member = (origin: string, owner = 'a', group: 'own' | 'friend' = 'friend'): CatalogMember => ({
  key: `${owner.repeat(64)}/${origin}`,
  origin: nameOf(origin),
  group,
});
const linesOf = (members: CatalogMember[], serial = 7): string[] =>
  zoneRecords(buildCatalog({ name, serial, members, sha256 })).map(
    ({ owner, type, rdata }) => `${nameToText(owner)} ${typeToText(type)} ${rdataToText(type, rdata)}`,
  );

it('is a catalog of version 2: one PTR and one group for each member (RFC 9432 §4)', () => {
  const lines = linesOf([member('bob.example'), member('alice.example', 'b', 'own')]);
  expect(lines).toHaveLength(7);
  expect(lines).toContain('catalog.alice.invalid. SOA invalid. invalid. 7 60 60 31536000 0');
  expect(lines).toContain('catalog.alice.invalid. NS invalid.');
  expect(lines).toContain('version.catalog.alice.invalid. TXT "2"');
  const [pointer = ''] = lines.filter((line) => line.endsWith('PTR bob.example.'));
  expect(pointer).toMatch(/^[0-9a-f]{32}\.zones\.catalog\.alice\.invalid\. PTR/);
  expect(lines).toContain(`group.${pointer.split(' ')[0]} TXT "friend"`);
  expect(lines.filter((line) => line.endsWith('TXT "own"'))).toHaveLength(1);
});

it("a member's label stays the same, and is another one for another owner (RFC 9432 §5.4)", () => {
  const idIn = (lines: string[]) => lines.find((line) => line.includes('PTR bob.example.'))?.split('.')[0];
  const id = idIn(linesOf([member('bob.example')], 1));
  expect(idIn(linesOf([member('x.example'), member('bob.example')], 9))).toBe(id);
  expect(idIn(linesOf([member('bob.example', 'c')]))).not.toBe(id);
});

it('the serial rises with each change, by the clock or beyond it', () => {
  expect(nextCatalogSerial(undefined, 1_800_000_000_000)).toBe(1_800_000_000);
  expect(nextCatalogSerial(5, 1_800_000_000_000)).toBe(1_800_000_000);
  expect(nextCatalogSerial(1_900_000_000, 1_800_000_000_000)).toBe(1_900_000_001);
});

it('has at most so many members', () => {
  const many = Array.from({ length: catalogMembersMax + 5 }, (_, i) => member(`z${i}.example`));
  const pointers = linesOf(many).filter((line) => line.includes(' PTR '));
  expect(pointers).toHaveLength(catalogMembersMax);
});
