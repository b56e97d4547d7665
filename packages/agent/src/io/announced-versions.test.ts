import { nameOf, type ZoneVersion, zoneKey } from '@copain/dns';
import { expect, it } from 'vitest';
import { announcedVersions } from './announced-versions.ts';

const version = (sequence: number, origin = 'alice.example'): ZoneVersion => ({
  owner: 'ab'.repeat(32),
  origin: nameOf(origin),
  serial: sequence,
  epoch: 0,
  sequence,
  contentHash: new Uint8Array(32),
  previousHash: new Uint8Array(32),
  sizeBytes: 1,
  expiresAfterMs: 1,
  atMs: 0,
});
const envelope = (sequence: number): Uint8Array => Uint8Array.of(sequence);
const key = zoneKey(version(1));

function announced(...sequences: number[]) {
  const versions = announcedVersions(({ origin, sequence }) => `${origin.join()} ${sequence}`);
  for (const sequence of sequences) versions.add(version(sequence), envelope(sequence));
  versions.add(version(1, 'other.example'), envelope(9));
  return versions;
}

it('gives the envelope of each version until that or a newer one is served', () => {
  const versions = announced(1, 2, 3);
  expect(versions.envelopeOf(version(2))).toEqual(envelope(2));
  versions.forgetUpTo(version(2));
  expect([1, 2, 3].map((sequence) => versions.envelopeOf(version(sequence)))).toEqual([
    undefined,
    undefined,
    envelope(3),
  ]);
  expect(versions.envelopeOf(version(1, 'other.example'))).toEqual(envelope(9));
});

it('keeps of a zone only what is needed, however many versions were announced', () => {
  const versions = announced(...Array.from({ length: 1000 }, (_, n) => n + 1));
  versions.keepOnly(key, ({ sequence }) => sequence === 7 || sequence === 1000);
  expect(versions.count(key)).toBe(2);
  expect(versions.envelopeOf(version(7))).toEqual(envelope(7));
  versions.forgetUpTo(version(1000));
  expect(versions.count(key)).toBe(0);
  expect(versions.envelopeOf(version(1, 'other.example'))).toEqual(envelope(9));
});
