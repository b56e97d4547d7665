import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { loadZone } from './load-zone.ts';
import { nameOf } from './name.ts';
import { startPrimaryState, stepPrimary } from './primary.ts';
import { openZoneBody } from './zone-body.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());
const origin = nameOf('alice.example');
const text = '$TTL 300\n@ SOA ns hostmaster 7 4h 1h 2w 60\n@ NS ns\nns A 192.0.2.53\n';
const [, [effect]] = stepPrimary(
  startPrimaryState({ owner: 'ab'.repeat(32), origin }, sha256),
  { kind: 'file', file: 'z', ...loadZone({ text, file: 'z', origin }), epoch: 1 },
  1000,
  sha256,
);
if (effect?.kind !== 'publish') throw new Error('nothing was published');
const { header, body } = effect;

it('opens what the owner published', () => {
  expect(openZoneBody(header, body, sha256)).toMatchObject({ kind: 'zone', zone: { serial: 7 } });
});

it('refuses a body that is not the one signed for, and says in what', () => {
  const flipped = body.map((octet, index) => (index === 40 ? octet ^ 1 : octet));
  const junk = new Uint8Array(body.length);
  expect(openZoneBody(header, body.subarray(1), sha256)).toEqual({ kind: 'altered', why: 'size' });
  expect(openZoneBody(header, flipped, sha256)).toEqual({ kind: 'altered', why: 'hash' });
  expect(openZoneBody({ ...header, contentHash: sha256(junk) }, junk, sha256)).toEqual({
    kind: 'altered',
    why: 'not-a-zone',
  });
  expect(openZoneBody({ ...header, serial: 8 }, body, sha256)).toEqual({ kind: 'altered', why: 'serial' });
  expect(openZoneBody({ ...header, origin: nameOf('bob.example') }, body, sha256)).toEqual({
    kind: 'altered',
    why: 'not-a-zone',
  });
});
