import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeHoldsRecord, encodeHoldsRecord, holdsThatFit } from './box-records.ts';
import { decodeCanonical, encodeCanonical, readFields } from './canonical.ts';
import { maxRecordBytes } from './limits.ts';
import { decodeGrantsRecord, encodeGrantsRecord, grantsFault } from './service-records.ts';

const id = (n: number): string => n.toString(16).padStart(64, '0');
const zonesOf = (count: number, to?: string[]) =>
  Array.from({ length: count }, (_, n) => ({ name: `customer-${n}.some-name.example`, to }));
const heldOf = (count: number, owners = 1, label = 'customer') =>
  Array.from({ length: count }, (_, n) => ({
    owner: id(n % owners),
    origin: `${label}-${n}.some-name.example`,
    epoch: n % 3,
    sequence: 1000 + n,
    serial: 2_026_112_700 + n,
  }));
const listed = (payload: Uint8Array) => {
  const fields = readFields(decodeCanonical(payload, maxRecordBytes.grants));
  return { zones: fields.list('zones', 256), more: fields.has('more'), ok: fields.ok };
};

it('a thousand zones granted to three friends by name are one record, of the size that every version takes', () => {
  const record = { sequence: 7, zones: zonesOf(1000, [id(1), id(2), id(3)]), mail: [] };
  expect(grantsFault(record)).toBeUndefined();
  const payload = encodeGrantsRecord(record);
  expect(payload.length).toBeLessThanOrEqual(maxRecordBytes.grants);
  expect(decodeGrantsRecord(payload)).toEqual(record);
  // Whoever does not know the shorter form still reads a part, in the form he knows.
  const old = listed(payload);
  expect([old.ok, old.more, old.zones.length > 0]).toEqual([true, true, true]);
  expect(old.zones[0]).toMatchObject({ name: 'customer-0.some-name.example' });
});

it('a thousand zones that a box holds are one record too, of one owner or of five', () => {
  for (const owners of [1, 5]) {
    const record = { sequence: 7, zones: heldOf(1000, owners) };
    expect(holdsThatFit(record.zones)).toHaveLength(1000);
    const payload = encodeHoldsRecord(record);
    expect(payload.length).toBeLessThanOrEqual(maxRecordBytes.holds);
    const byName = (zones: typeof record.zones) => zones.toSorted((a, b) => a.sequence - b.sequence);
    expect(byName(decodeHoldsRecord(payload)?.zones ?? [])).toEqual(record.zones);
    expect(listed(payload)).toMatchObject({ ok: true, more: true });
  }
});

it('what always fitted is written as it always was', () => {
  const grants = encodeGrantsRecord({ sequence: 1, zones: zonesOf(256), mail: [] });
  const holds = encodeHoldsRecord({ sequence: 1, zones: heldOf(256) });
  for (const payload of [grants, holds]) {
    expect(listed(payload)).toMatchObject({ ok: true, more: false });
    expect(listed(payload).zones).toHaveLength(256);
  }
});

it('of more than one record has room for, as many are said as fit', () => {
  const some = holdsThatFit(heldOf(4000, 3, 'a-customer-with-a-long-name'));
  expect(some.length).toBeGreaterThan(600);
  expect(some.length).toBeLessThan(2000);
  const payload = encodeHoldsRecord({ sequence: Number.MAX_SAFE_INTEGER, zones: some });
  expect(payload.length).toBeLessThanOrEqual(maxRecordBytes.holds);
  expect(decodeHoldsRecord(payload)?.zones).toHaveLength(some.length);
});

it('grants that friends would not take are said to be too many, or too large, in one line', () => {
  expect(grantsFault({ zones: zonesOf(1025), mail: [] })).toBe(
    'friends serve at most 1024 zones of one owner, and these are 1025',
  );
  const mail = zonesOf(257).map((grant) => ({ ...grant, quotaBytes: 1 }));
  expect(grantsFault({ zones: [], mail })).toMatch(/^friends keep mail for at most 256 domains/);
  const long = zonesOf(1000).map(({ name }) => ({ name: `${'x'.repeat(60)}.${name}`, to: undefined }));
  expect(grantsFault({ zones: long, mail: [] })).toMatch(/takes \d+ octets, and they read 49152/);
});

it('whatever is granted: what has no fault is read as it was written, and nothing more than the list is needed up to 256', () => {
  const grant = fc.record({
    name: fc.stringMatching(/^[a-z]{1,40}$/),
    to: fc.option(fc.array(fc.integer({ min: 0, max: 20 }).map(id), { maxLength: 20 }), { nil: undefined }),
  });
  const lists = fc.array(grant, { maxLength: 400, size: 'max' });
  fc.assert(
    fc.property(lists, (zones) => {
      const record = { sequence: 3, zones, mail: [] };
      const payload = encodeGrantsRecord(record);
      if (grantsFault(record) === undefined) expect(decodeGrantsRecord(payload)).toEqual(record);
      else expect(payload.length).toBeGreaterThan(maxRecordBytes.grants - 16);
    }),
    { numRuns: 30 },
  );
});

it('a shorter form that is not as it must be refuses the whole record', () => {
  const grants = (more: object) =>
    decodeGrantsRecord(
      encodeCanonical({ v: 1, type: 'grants', sequence: 1, zones: [], mail: [], more: more as never }),
    );
  const holds = (more: unknown) =>
    decodeHoldsRecord(encodeCanonical({ v: 1, type: 'holds', sequence: 1, zones: [], more: more as never }));
  const person = new Uint8Array(32);
  expect(grants({ people: [person], zones: [['a.example', [0]]] })?.zones).toEqual([
    { name: 'a.example', to: [id(0)] },
  ]);
  for (const more of [
    [],
    { people: [], zones: [['a.example', [0]]] },
    { people: [person.subarray(1)], zones: [] },
    { people: [], zones: [['A.example']] },
    { people: [], zones: [['a.example', [], 1]] },
    { people: [], zones: [['a.example', 0]] },
    { people: [], zones: ['a.example'] },
    { people: [], zones: Array.from({ length: 1025 }, () => ['a.example']) },
  ])
    expect(grants(more)).toBeUndefined();
  expect(holds([{ owner: person, zones: [['a.example', 0, 1, 2]] }])?.zones).toHaveLength(1);
  for (const more of [
    {},
    [{ owner: person.subarray(1), zones: [] }],
    [{ owner: person, zones: [['a.example', 0, 1]] }],
    [{ owner: person, zones: [['a.example', 0, 1, 2 ** 32]] }],
    [{ owner: person, zones: [['a.example', -1, 1, 2]] }],
    [{ owner: person, zones: [['a.example.', 0, 1, 2]] }],
  ])
    expect(holds(more)).toBeUndefined();
});
