import { createHash } from 'node:crypto';
import { concatBytes } from '@copain/core';
import { encodeCanonical } from '@copain/trust';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { deltaBytesMax } from './limits.ts';
import { loadZone } from './load-zone.ts';
import { type DomainName, nameOf } from './name.ts';
import type { Zone } from './zone.ts';
import {
  applyToBody,
  applyZoneDelta,
  decodeZoneDelta,
  diffBodies,
  encodeZoneDelta,
  joinDeltas,
  type ZoneWithBody,
} from './zone-delta.ts';
import { decodeZone, encodeZone } from './zone-encoding.ts';
import type { ZoneVersion } from './zone-version.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());
const origin = nameOf('alice.example');

function contentOf(serial: number, lines: readonly string[] = [], zone: DomainName = origin): ZoneWithBody {
  const head = ['$TTL 300', `@ SOA ns host ${serial} 3600 600 3600000 300`, '@ NS ns', 'ns A 192.0.2.1'];
  const text = `${[...head, ...lines].join('\n')}\n`;
  const { zone: loaded, problems } = loadZone({ text, file: 'z', origin: zone });
  if (!loaded) throw new Error(problems.map((problem) => problem.text).join());
  return { zone: loaded, body: encodeZone(loaded) };
}

function headerOf({ zone, body }: ZoneWithBody): ZoneVersion {
  return {
    owner: 'ab'.repeat(32),
    origin,
    serial: zone.serial,
    epoch: 1,
    sequence: 2,
    contentHash: sha256(body),
    previousHash: new Uint8Array(32),
    sizeBytes: body.length,
    expiresAfterMs: 1000,
    atMs: 0,
  };
}

const hash = 'A'.repeat(32);
/** Lines that touch what a patch has to keep right: empty names, wildcards, cuts, chains of proofs, cases, TTLs. */
const line = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('a', 'A', 'b.a', 'x.y.z', 'y.z', '*', '*.z', 'n\\000l', '\\001', 'zz'),
      fc.constantFrom('', '60 ', '600 '),
      fc.constantFrom(
        'A 192.0.2.1',
        'A 192.0.2.2',
        'TXT one',
        'TXT two',
        'MX 5 NS',
        'MX 5 ns',
        'TYPE999 \\# 1 00',
      ),
    )
    .map((parts) => parts.join(' ')),
  fc
    .tuple(
      fc.constantFrom('@', 'a', 'b.a', 'zz'),
      fc.constantFrom('NSEC a A NS', 'RRSIG A 13 2 300 1 1 1 @ AAAA'),
    )
    .map((parts) => parts.join(' ')),
  fc.constantFrom(
    '@ NSEC3PARAM 1 0 0 -',
    '@ NSEC3PARAM 1 0 1 ab',
    `${hash} NSEC3 1 0 0 - ${hash} A`,
    `${'B'.repeat(32)} NSEC3 1 0 0 - ${hash} A`,
    `${hash} RRSIG NSEC3 13 2 300 1 1 1 @ AAAA`,
  ),
);
const lines = fc.uniqueArray(line, { maxLength: 14 });
const byKey = ([one]: [string, unknown], [other]: [string, unknown]) => (one < other ? -1 : 1);
const shown = (zone: Zone) => ({
  ...zone,
  nodes: [...zone.nodes].sort(byKey),
  hashed: [...zone.hashed].sort(byKey),
});

/** The zone that the delta between these two leads to is the one that is read from the bytes of the second. */
function expectDeltaToLead(before: ZoneWithBody, after: ZoneWithBody): void {
  const delta = diffBodies(before.body, after.body);
  const found = applyZoneDelta(before, delta, headerOf(after), sha256);
  if (found.kind === 'refused') throw new Error(found.why);
  expect(found.body).toEqual(after.body);
  const decoded = decodeZone(after.body, origin);
  expect(decoded && shown(found.zone)).toEqual(decoded && shown(decoded));
  const carried = encodeZoneDelta(delta);
  expect(carried && decodeZoneDelta(carried)).toEqual(delta);
}

it('the delta between any two versions makes the one into the other, zone and content', () => {
  fc.assert(
    fc.property(lines, lines, (one, other) => {
      expectDeltaToLead(contentOf(1, one), contentOf(2, other));
    }),
    { numRuns: 1000 },
  );
});

it('a set that stays is the same set, whichever TTL its lines began with', () => {
  expectDeltaToLead(contentOf(1, ['a MX 5 NS', 'a 60 MX 5 ns']), contentOf(2, ['a 60 MX 5 NS']));
  expectDeltaToLead(contentOf(1, ['a 60 A 192.0.2.1', 'a A 192.0.2.2']), contentOf(2, ['a 60 A 192.0.2.1']));
});

it('two deltas joined do what both do', () => {
  fc.assert(
    fc.property(lines, lines, lines, (one, two, three) => {
      const [a, b, c] = [contentOf(1, one), contentOf(2, two), contentOf(3, three)];
      const joined = joinDeltas(diffBodies(a.body, b.body), diffBodies(b.body, c.body));
      expect(joined).toEqual(diffBodies(a.body, c.body));
      expect(applyZoneDelta(a, joined, headerOf(c), sha256)).toMatchObject({ kind: 'zone', body: c.body });
    }),
  );
});

it('whatever arrives as a delta either gives exactly what was signed or is refused', () => {
  const [before, after] = [contentOf(1, ['a A 192.0.2.1']), contentOf(2, ['a A 192.0.2.2', 'b.a TXT x'])];
  const { removed, added } = diffBodies(before.body, after.body);
  const altered = (list: Uint8Array) =>
    fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.tuple(fc.nat(list.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, difference]) => {
        const bytes = list.slice();
        bytes[at] = (bytes[at] ?? 0) ^ difference;
        return bytes;
      }),
    );
  fc.assert(
    fc.property(altered(removed), altered(added), (out, into) => {
      for (const delta of [
        { removed: out, added },
        { removed, added: into },
        { removed: out, added: into },
      ]) {
        const found = applyZoneDelta(before, delta, headerOf(after), sha256);
        if (found.kind === 'zone') expect(found.body).toEqual(after.body);
      }
    }),
    { numRuns: 2000 },
  );
});

it('says why a delta leads nowhere', () => {
  const [before, after] = [contentOf(1, ['a A 192.0.2.1']), contentOf(2, ['a A 192.0.2.2'])];
  const delta = diffBodies(before.body, after.body);
  const apply = (
    base: ZoneWithBody,
    change: { removed: Uint8Array; added: Uint8Array },
    header = headerOf(after),
  ) => applyZoneDelta(base, change, header, sha256);
  expect(apply(contentOf(7), delta)).toEqual({ kind: 'refused', why: 'wrong-base' });
  expect(apply(before, { ...delta, removed: new Uint8Array() })).toEqual({ kind: 'refused', why: 'altered' });
  const again = { removed: new Uint8Array(), added: delta.removed };
  expect(apply(before, again)).toEqual({ kind: 'refused', why: 'wrong-base' });
  expect(apply(before, { ...delta, added: delta.added.subarray(1) })).toEqual({
    kind: 'refused',
    why: 'malformed',
  });
  const twice = concatBytes(delta.added, delta.added);
  expect(apply(before, { ...delta, added: twice })).toEqual({ kind: 'refused', why: 'malformed' });
  const other = diffBodies(before.body, contentOf(3, ['a A 192.0.2.9']).body);
  expect(apply(before, other)).toEqual({ kind: 'refused', why: 'altered' });
});

it('refuses an owner whose signed content is no zone, delta or not', () => {
  const before = contentOf(1);
  const elsewhere = contentOf(1, [], nameOf('bob.example')).body.subarray(0);
  const outside = { removed: new Uint8Array(), added: elsewhere };
  const applied = applyToBody(before.body, outside);
  if (applied.kind === 'refused') throw new Error(applied.why);
  const signed = { ...headerOf(before), contentHash: sha256(applied.body), sizeBytes: applied.body.length };
  expect(applyZoneDelta(before, outside, signed, sha256)).toEqual({ kind: 'refused', why: 'not-a-zone' });
  expect(decodeZone(applied.body, origin)).toBeUndefined();
});

it('one record of 100,000 is a delta of some hundred octets, also through names that stay', () => {
  const many = Array.from(
    { length: 100_000 },
    (_, index) => `h${index} A 10.0.${(index >> 8) & 255}.${index & 255}`,
  );
  const before = contentOf(1, many);
  const after = contentOf(2, many.with(50_000, 'h50000 A 192.0.2.1'));
  const delta = encodeZoneDelta(diffBodies(before.body, after.body));
  expect(delta?.length).toBeLessThan(500);
  expect(applyZoneDelta(before, diffBodies(before.body, after.body), headerOf(after), sha256)).toMatchObject({
    kind: 'zone',
  });
});

it('what is larger than a friend takes is no delta', () => {
  const removed = new Uint8Array(deltaBytesMax);
  expect(encodeZoneDelta({ removed, added: new Uint8Array() })).toBeUndefined();
  expect(decodeZoneDelta(encodeCanonical({ removed, added: new Uint8Array() }))).toBeUndefined();
  expect(decodeZoneDelta(encodeCanonical({ removed }))).toBeUndefined();
});
