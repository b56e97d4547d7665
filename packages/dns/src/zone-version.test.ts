import { encodeCanonical } from '@copain/trust';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { zoneVersionBytesMax } from './limits.ts';
import { nameOf } from './name.ts';
import {
  compareZoneVersions,
  decodeZoneVersion,
  encodeZoneVersion,
  type ZoneVersion,
  zoneKey,
} from './zone-version.ts';

const version: ZoneVersion = {
  owner: 'ab'.repeat(32),
  origin: nameOf('alice.example'),
  serial: 2026112201,
  epoch: 1,
  sequence: 7,
  contentHash: new Uint8Array(32).fill(1),
  previousHash: new Uint8Array(32),
  sizeBytes: 1234,
  expiresAfterMs: 3_600_000_000,
  atMs: 1_795_000_000_000,
};

it('reads what it wrote, within 1024 octets even for the longest name', () => {
  expect(decodeZoneVersion(encodeZoneVersion(version))).toEqual(version);
  const long = { ...version, origin: nameOf('a.'.repeat(127)) };
  expect(encodeZoneVersion(long).length).toBeLessThanOrEqual(zoneVersionBytesMax);
  expect(decodeZoneVersion(encodeZoneVersion(long))).toEqual(long);
});

it('writes the origin in lower case, so that a zone has one key', () => {
  const shouting = { ...version, origin: nameOf('ALICE.Example') };
  expect(decodeZoneVersion(encodeZoneVersion(shouting))).toEqual(version);
  expect(zoneKey(shouting)).toBe(zoneKey(version));
  expect(zoneKey({ ...version, owner: 'cd'.repeat(32) })).not.toBe(zoneKey(version));
});

it.each([
  ['a short hash', { contentHash: new Uint8Array(31) }],
  ['a negative serial', { serial: -1 }],
  ['a serial over 32 bits', { serial: 2 ** 32 }],
  ['sequence 0', { sequence: 0 }],
  ['an owner that is no id', { owner: 'alice' }],
  ['no time to live', { expiresAfterMs: 0 }],
  ['more content than anyone takes', { sizeBytes: 2 ** 40 }],
])('refuses %s', (_what, change) => {
  expect(decodeZoneVersion(encodeZoneVersion({ ...version, ...change }))).toBeUndefined();
});

it('refuses an origin that is no whole name in lower case, and another version of the form', () => {
  const { atMs, ...rest } = version;
  const raw = { v: 1, ...rest, at: atMs };
  expect(decodeZoneVersion(encodeCanonical(raw))).toEqual(version);
  expect(
    decodeZoneVersion(encodeCanonical({ ...raw, origin: Uint8Array.of(3, 0x41, 0x42, 0x43, 0) })),
  ).toBeUndefined();
  expect(decodeZoneVersion(encodeCanonical({ ...raw, origin: Uint8Array.of(3, 0x61, 0) }))).toBeUndefined();
  expect(decodeZoneVersion(encodeCanonical({ ...raw, v: 2 }))).toBeUndefined();
  expect(decodeZoneVersion(encodeCanonical({ ...raw, crit: ['future'], future: 1 }))).toBeUndefined();
});

it('never throws on octets from elsewhere', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => decodeZoneVersion(bytes) === undefined),
  );
});

it('orders by epoch, then sequence, whatever the serials say', () => {
  expect(compareZoneVersions({ epoch: 2, sequence: 1 }, { epoch: 1, sequence: 9 })).toBeGreaterThan(0);
  expect(compareZoneVersions({ epoch: 1, sequence: 8 }, { epoch: 1, sequence: 9 })).toBeLessThan(0);
});
