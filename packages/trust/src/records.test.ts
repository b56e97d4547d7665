import { createHash } from 'node:crypto';
import { seededRandom } from '@copain/core/testing';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  decodeAddressRecord,
  decodeHoldsRecord,
  decodeVoteRecord,
  encodeAddressRecord,
  encodeHoldsRecord,
  encodeVoteRecord,
} from './box-records.ts';
import { encodeCanonical } from './canonical.ts';
import { decodeInviteText, encodeInviteText } from './invite-text.ts';
import { maxRecordBytes } from './limits.ts';
import {
  decodeInviteRecord,
  decodeMemberRecord,
  decodeRemovalRecord,
  decodeRevocationRecord,
  encodeInviteRecord,
  encodeMemberRecord,
  encodeRemovalRecord,
  encodeRevocationRecord,
} from './membership-records.ts';
import { decodeOwnerRecord, encodeOwnerRecord, type OwnerRecord } from './owner-record.ts';
import { peerIdFromKey } from './peer-id.ts';
import { decodeProbesRecord, encodeProbesRecord } from './probes-record.ts';
import {
  decodeGrantsRecord,
  decodeOffersRecord,
  decodeReceiptRecord,
  encodeGrantsRecord,
  encodeOffersRecord,
  encodeReceiptRecord,
} from './service-records.ts';

const random = seededRandom(3);
const peer = (): string => peerIdFromKey(random.bytes(32));
const recipient = `age1${'q'.repeat(58)}`;
const id = 'ab'.repeat(32);
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

const owner: OwnerRecord = {
  epoch: 0,
  ownerId: undefined,
  previous: undefined,
  proofs: [],
  revoked: [],
  keys: [
    { use: 'owner', peer: peer(), sealTo: recipient },
    { use: 'paper', peer: peer(), sealTo: recipient },
  ],
  boxes: [{ peer: peer(), name: 'alice', roles: ['sign-zone', 'mail'], sealTo: recipient }],
  atMs: 5,
};

const redemption = () => ({
  key: peer(),
  joiner: peer(),
  challenge: random.bytes(32),
  signature: random.bytes(64),
});

function smtpOf(owner: string) {
  return { owner, service: 'smtp', target: 'mail.a.example:25', sinceMs: 9 };
}

/** One example of every kind, with its codec. */
const examples = [
  ['owner', encodeOwnerRecord(owner), decodeOwnerRecord, owner],
  ...[
    {
      circle: id,
      name: 'bob',
      owner: Uint8Array.of(1),
      inviteId: '01'.repeat(8),
      redeemed: redemption(),
      atMs: 1,
    },
  ].map((record) => ['member', encodeMemberRecord(record), decodeMemberRecord, record] as const),
  ...[
    { circle: id, id: '02'.repeat(8), name: 'bob', key: peer(), may: ['dns' as const], expiresAtMs: 9 },
  ].map((record) => ['invite', encodeInviteRecord(record), decodeInviteRecord, record] as const),
  ...[{ circle: id, inviteId: '02'.repeat(8) }].map(
    (record) => ['revocation', encodeRevocationRecord(record), decodeRevocationRecord, record] as const,
  ),
  ...[{ circle: id, ownerId: id, seen: [new Uint8Array(32)] }].map(
    (record) => ['removal', encodeRemovalRecord(record), decodeRemovalRecord, record] as const,
  ),
  ...[{ sequence: 1, offers: [{ to: id, may: ['mail' as const] }] }].map(
    (record) => ['offers', encodeOffersRecord(record), decodeOffersRecord, record] as const,
  ),
  ...[
    {
      sequence: 2,
      zones: [{ name: 'a.example', to: [id] }],
      mail: [{ name: 'b.example', to: undefined, quotaBytes: 7 }],
    },
  ].map((record) => ['grants', encodeGrantsRecord(record), decodeGrantsRecord, record] as const),
  ...[
    { sequence: 3, addresses: ['192.0.2.1:4853', '[2001:db8::1]:4853'] },
    { sequence: 4, addresses: [], away: { sinceMs: 7, untilMs: 9, note: 'in Brittany' } },
    { sequence: 5, addresses: [], away: { sinceMs: 7, untilMs: undefined, note: undefined } },
  ].map((record) => ['address', encodeAddressRecord(record), decodeAddressRecord, record] as const),
  ...[
    { sequence: 4, zones: [{ owner: id, origin: 'a.example', epoch: 0, sequence: 1, serial: 2026112201 }] },
  ].map((record) => ['holds', encodeHoldsRecord(record), decodeHoldsRecord, record] as const),
  ...[{ sequence: 5, about: peer(), heardAtMs: 8, silent: true }].map(
    (record) => ['vote', encodeVoteRecord(record), decodeVoteRecord, record] as const,
  ),
  ...[{ sequence: 6, owner: id, messages: 3, bytes: 4096, chain: new Uint8Array(32).fill(7) }].map(
    (record) => ['receipt', encodeReceiptRecord(record), decodeReceiptRecord, record] as const,
  ),
  ...[
    {
      sequence: 7,
      services: [
        { ...smtpOf(id), state: 'down' as const, why: 'the connection is refused' },
        { ...smtpOf(id), target: '', state: 'up' as const, why: '' },
      ],
    },
  ].map((record) => ['probes', encodeProbesRecord(record), decodeProbesRecord, record] as const),
] as const;

it.each(examples)(
  '%s: comes back as it was, and not a byte shorter or longer',
  (_, bytes, decode, record) => {
    expect(decode(bytes)).toEqual(record);
    expect(decode(bytes.subarray(0, bytes.length - 1))).toBeUndefined();
    expect(decode(Uint8Array.of(...bytes, 0))).toBeUndefined();
  },
);

it.each(examples)(
  '%s: another kind of record never passes for it, nor does one over its size',
  (kind, _, decode) => {
    for (const [otherKind, bytes] of examples) {
      if (otherKind !== kind) expect([otherKind, decode(bytes)]).toEqual([otherKind, undefined]);
    }
    const padded = encodeCanonical({ v: 1, padding: 'x'.repeat(maxRecordBytes[kind]) });
    expect(decode(padded)).toBeUndefined();
  },
);

it('whatever bytes come, a decoder answers or refuses; it never throws', () => {
  const mutated = fc
    .tuple(
      fc.constantFrom(...examples),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
    )
    .map(([[, bytes, decode], changes]) => {
      const copy = bytes.slice();
      for (const [at, value] of changes) copy[at % copy.length] = value;
      return { copy, decode };
    });
  fc.assert(
    fc.property(mutated, ({ copy, decode }) => {
      expect(() => decode(copy)).not.toThrow();
    }),
    { numRuns: 3000 },
  );
});

it('an owner record names two keys, at least one box, and nobody twice', () => {
  const [first, second] = owner.keys;
  if (first === undefined || second === undefined) throw new Error('the example has two keys');
  expect(decodeOwnerRecord(encodeOwnerRecord({ ...owner, keys: [first] }))).toBeUndefined();
  expect(decodeOwnerRecord(encodeOwnerRecord({ ...owner, keys: [second, first] }))).toBeUndefined();
  expect(decodeOwnerRecord(encodeOwnerRecord({ ...owner, boxes: [] }))).toBeUndefined();
  expect(
    decodeOwnerRecord(encodeOwnerRecord({ ...owner, keys: [first, { ...second, peer: first.peer }] })),
  ).toBeUndefined();
});

const invite = {
  circle: id,
  seed: random.bytes(32),
  contacts: [
    { peer: peer(), address: '203.0.113.7:4853' },
    { peer: peer(), address: '[2001:db8::1]:4853' },
  ],
};

it('an invite text comes back as it was, also with line breaks and capitals put in', () => {
  const text = encodeInviteText(invite, sha256);
  expect(text).toMatch(/^peer1-[a-z2-7]+$/);
  expect(decodeInviteText(text, sha256)).toEqual({ kind: 'ok', invite });
  const mangled = `${text.slice(0, 40)}\r\n  ${text.slice(40)}\n`.toUpperCase();
  expect(decodeInviteText(mangled, sha256)).toEqual({ kind: 'ok', invite });
});

it('an invite text with any one character changed, cut or added is refused with a reason', () => {
  const text = encodeInviteText(invite, sha256);
  for (let at = 0; at < text.length; at++) {
    const changed = `${text.slice(0, at)}${text[at] === 'a' ? 'b' : 'a'}${text.slice(at + 1)}`;
    expect(decodeInviteText(changed, sha256).kind).toBe('refused');
    expect(decodeInviteText(text.slice(0, at), sha256).kind).toBe('refused');
  }
  expect(decodeInviteText(`${text}a`, sha256)).toMatchObject({
    kind: 'refused',
    why: expect.stringContaining('damaged'),
  });
  expect(decodeInviteText(`peer2-${text.slice(6)}`, sha256)).toMatchObject({
    why: expect.stringContaining('update'),
  });
  expect(decodeInviteText('', sha256)).toMatchObject({ why: expect.stringContaining('no invite code') });
  expect(decodeInviteText(`peer1-${'a'.repeat(5000)}`, sha256)).toMatchObject({
    why: expect.stringContaining('too long'),
  });
});
