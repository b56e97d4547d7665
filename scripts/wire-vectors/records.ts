import { toHex, toUtf8 } from '@copain/core';
import {
  buildZone,
  encodeZone,
  encodeZoneVersion,
  nameOf,
  parseMasterFile,
  type ZoneVersion,
} from '@copain/dns';
import { emptyFactLog } from '@copain/mesh';
import { openEnvelope, type SigningKey, sha256, signingKeyFromSeed } from '@copain/mesh/io';
import {
  decodeCanonical,
  encodeAddressRecord,
  encodeGrantsRecord,
  encodeHoldsRecord,
  encodeInviteRecord,
  encodeMemberRecord,
  encodeOffersRecord,
  encodeOwnerRecord,
  encodeProbesRecord,
  encodeReceiptRecord,
  encodeRemovalRecord,
  encodeRevocationRecord,
  encodeServicesRecord,
  encodeSwapRecord,
  encodeTakeoverRecord,
  encodeVoteRecord,
  inviteIdOf,
  joinProofBytes,
  keyProofBytes,
  maxRecordBytes,
  type OwnerRecord,
  type RecordKind,
  roles,
} from '@copain/trust';
import { type Json, toJson } from './json.ts';
import { type Person, people, seedOf } from './people.ts';

const dayMs = 86_400_000;
export const atMs = 1_800_000_000_000;

export interface RecordVector {
  name: string;
  kind: RecordKind;
  /** PeerId of the key that signed it. */
  signer: string;
  fields: Json;
  payload: string;
  payloadSha256: string;
  envelope: string;
  /** First 8 bytes of the SHA-256 of the envelope: its place in a digest. */
  factHash: string;
}

const zoneText = `$ORIGIN alice.example.
$TTL 3600
@    SOA ns1 hostmaster 2027011501 7200 3600 1209600 300
@    NS  ns1
@    NS  ns.bob.example.
@    MX  10 mail
ns1  A   192.0.2.1
mail AAAA 2001:db8::25
_dns TXT "v=1" "second string"
`;

/** A small zone, its carried form, and the version of it that Alice signs. */
export function smallZone(
  ownerId: string,
  next?: { serial: number; mail: string },
): { text: string; content: Uint8Array; version: ZoneVersion } {
  const origin = nameOf('alice.example.');
  const text = next
    ? zoneText.replace('2027011501', `${next.serial}`).replace('2001:db8::25', next.mail)
    : zoneText;
  const { records } = parseMasterFile({ text, file: 'vector', origin, defaultTtl: 3600 });
  const built = buildZone(origin, records);
  if (built.kind !== 'zone') throw new Error('the zone of the vectors does not load');
  const content = encodeZone(built.zone);
  const version: ZoneVersion = {
    owner: ownerId,
    origin,
    serial: built.zone.serial,
    epoch: 1,
    sequence: 3,
    contentHash: sha256(content),
    previousHash: sha256(toUtf8('the version before')),
    sizeBytes: content.length,
    expiresAfterMs: 1000 * 3_600_000,
    atMs,
  };
  return { text, content, version };
}

function firstRecord(person: Person, name: string): OwnerRecord {
  return {
    epoch: 0,
    ownerId: undefined,
    previous: undefined,
    keys: [
      { use: 'owner', peer: person.owner.peer, sealTo: person.ownerSealTo },
      { use: 'paper', peer: person.paper.peer, sealTo: person.paperSealTo },
    ],
    boxes: [{ peer: person.box.peer, name, roles: [...roles], sealTo: person.mailSealTo }],
    proofs: [],
    revoked: [],
    atMs,
  };
}

/** A circle of two in which every kind of record occurs, and everything that it is made of. */
export async function circleOfTwo() {
  const { alice, bob } = await people();
  const vectors: RecordVector[] = [];
  const add = async (
    name: string,
    kind: RecordKind,
    key: SigningKey,
    payload: Uint8Array,
  ): Promise<Uint8Array> => {
    const envelope = await key.seal(kind, payload);
    if ((await openEnvelope(kind, envelope)) === undefined) throw new Error(`${name} does not open`);
    vectors.push({
      name,
      kind,
      signer: key.peer,
      fields: toJson(decodeCanonical(payload, maxRecordBytes[kind])),
      payload: toHex(payload),
      payloadSha256: toHex(sha256(payload)),
      envelope: toHex(envelope),
      factHash: toHex(sha256(envelope).subarray(0, 8)),
    });
    return envelope;
  };

  const aliceFirst = encodeOwnerRecord(firstRecord(alice, 'alice'));
  const bobFirst = encodeOwnerRecord(firstRecord(bob, 'bob'));
  const aliceOwner = await alice.owner.seal('owner', aliceFirst);
  const bobOwner = await bob.owner.seal('owner', bobFirst);
  const aliceId = toHex(sha256(aliceFirst));
  const bobId = toHex(sha256(bobFirst));
  const circle = aliceId;
  await add(
    'founder',
    'member',
    alice.box,
    encodeMemberRecord({
      circle,
      name: 'alice',
      owner: aliceOwner,
      inviteId: undefined,
      redeemed: undefined,
      atMs,
    }),
  );

  const inviteSeed = seedOf(0x11);
  const inviteKey = await signingKeyFromSeed(inviteSeed);
  const inviteId = inviteIdOf(inviteKey.peer, sha256);
  const expiresAtMs = atMs + 3 * dayMs;
  await add(
    'invite',
    'invite',
    alice.box,
    encodeInviteRecord({
      circle,
      id: inviteId,
      name: 'bob',
      key: inviteKey.peer,
      may: ['dns', 'mail', 'witness'],
      expiresAtMs,
    }),
  );
  const challenge = seedOf(0xc4);
  const proof = joinProofBytes({
    circle,
    ownerId: bobId,
    joiner: bob.box.peer,
    responder: alice.box.peer,
    challenge,
  });
  const proofSignature = await inviteKey.sign(proof);
  await add(
    'member by invite',
    'member',
    alice.box,
    encodeMemberRecord({
      circle,
      name: 'bob',
      owner: bobOwner,
      inviteId,
      redeemed: { key: inviteKey.peer, joiner: bob.box.peer, challenge, signature: proofSignature },
      atMs,
    }),
  );

  const secondBox = await signingKeyFromSeed(seedOf(0x21));
  const boxInviteKey = await signingKeyFromSeed(seedOf(0x12));
  const boxInviteId = inviteIdOf(boxInviteKey.peer, sha256);
  await add(
    'invite of a further box',
    'invite',
    alice.box,
    encodeInviteRecord({
      circle,
      id: boxInviteId,
      name: 'alice-2',
      key: boxInviteKey.peer,
      may: [],
      expiresAtMs,
      roles: ['relay', 'watch'],
    }),
  );
  const previous = sha256(aliceFirst);
  const keyProof = keyProofBytes({ ownerId: aliceId, epoch: 1, previous, key: secondBox.peer });
  const keyProofSignature = await secondBox.sign(keyProof);
  const first = firstRecord(alice, 'alice');
  await add(
    'owner, epoch 1, by the owner key: a second box',
    'owner',
    alice.owner,
    encodeOwnerRecord({
      ...first,
      epoch: 1,
      ownerId: aliceId,
      previous,
      boxes: [
        ...first.boxes,
        {
          peer: secondBox.peer,
          name: 'alice-2',
          roles: ['relay', 'watch'],
          sealTo: alice.mailSealTo,
          inviteId: boxInviteId,
        },
      ],
      proofs: [{ peer: secondBox.peer, epoch: 1, previous, signature: keyProofSignature }],
      atMs: atMs + 1,
    }),
  );

  const otherInviteKey = await signingKeyFromSeed(seedOf(0x13));
  const otherInviteId = inviteIdOf(otherInviteKey.peer, sha256);
  await add(
    'invite to be revoked',
    'invite',
    bob.box,
    encodeInviteRecord({
      circle,
      id: otherInviteId,
      name: 'carol',
      key: otherInviteKey.peer,
      may: ['dns'],
      expiresAtMs,
    }),
  );
  await add('revocation', 'revocation', bob.box, encodeRevocationRecord({ circle, inviteId: otherInviteId }));
  await add(
    'address',
    'address',
    bob.box,
    encodeAddressRecord({
      sequence: 2,
      addresses: ['bob.example:4600', '192.0.2.2:4600', '[2001:db8::2]:4600'],
    }),
  );
  await add(
    'address of a box that may be off for a week',
    'address',
    secondBox,
    encodeAddressRecord({
      sequence: 1,
      addresses: ['alice.example:4600'],
      away: { sinceMs: atMs, untilMs: atMs + 7 * 86_400_000, note: 'in Brittany' },
    }),
  );
  await add(
    'offers',
    'offers',
    bob.box,
    encodeOffersRecord({
      sequence: 1,
      offers: [{ to: aliceId, may: ['dns', 'mail', 'relay'] }],
    }),
  );
  await add(
    'grants',
    'grants',
    alice.box,
    encodeGrantsRecord({
      sequence: 4,
      zones: [
        { name: 'alice.example', to: undefined },
        { name: 'alice.test', to: [bobId] },
      ],
      mail: [{ name: 'alice.example', to: [bobId], quotaBytes: 20_000_000_000 }],
    }),
  );
  const { version } = smallZone(aliceId);
  await add('zone version', 'zone', alice.box, encodeZoneVersion(version));
  await add(
    'holds',
    'holds',
    bob.box,
    encodeHoldsRecord({
      sequence: 9,
      zones: [{ owner: aliceId, origin: 'alice.example', epoch: 1, sequence: 3, serial: version.serial }],
    }),
  );
  const vote = encodeVoteRecord({
    sequence: 1,
    about: alice.box.peer,
    heardAtMs: atMs - 31_000,
    silent: true,
  });
  await add('vote', 'vote', bob.box, vote);
  await add(
    'receipt for two messages',
    'receipt',
    bob.box,
    encodeReceiptRecord({
      sequence: 2,
      owner: aliceId,
      messages: 2,
      bytes: 5120,
      chain: sha256(toUtf8('the chain of two messages')),
    }),
  );
  const www = { type: 1, data: [Uint8Array.of(198, 51, 100, 7)], signatures: [] };
  await add(
    'services: a web site that Bob stands in for, and a number left behind',
    'services',
    alice.box,
    encodeServicesRecord({
      sequence: 3,
      services: [
        {
          name: 'web',
          zone: 'alice.example',
          record: 'www.alice.example',
          standby: bobId,
          check: 'https://www.alice.example/',
          ttlS: 300,
          sets: [www],
          afterMs: 180_000,
          maxMs: 30 * dayMs,
          holdMs: 600_000,
          number: 0,
          pin: 'obey',
          drill: undefined,
        },
      ],
      ended: [{ zone: 'alice.example', number: 4 }],
    }),
  );
  await add(
    'services: pinned, and rehearsed',
    'services',
    bob.box,
    encodeServicesRecord({
      sequence: 1,
      services: [
        {
          name: 'chat',
          zone: 'bob.example',
          record: '_xmpp-client._tcp.bob.example',
          standby: aliceId,
          check: 'tcp://xmpp.bob.example:5222',
          ttlS: 60,
          sets: [
            {
              type: 33,
              data: [Uint8Array.of(0, 0, 0, 0, 0x14, 0x66, 1, 0x78, 0)],
              signatures: [sha256(toUtf8('a signature'))],
            },
          ],
          afterMs: 60_000,
          maxMs: dayMs,
          holdMs: 60_000,
          number: 2,
          pin: 'down',
          drill: { untilMs: atMs + 600_000 },
        },
      ],
      ended: [],
    }),
  );
  const home = { about: alice.box.peer, service: 'web', number: 2, stands: true };
  const swaps = [
    encodeSwapRecord({ ...home, sequence: 1, network: '203.0', atMs }),
    encodeSwapRecord({ ...home, sequence: 7, network: '', atMs: atMs + 4000 }),
  ];
  await add('swap: the box itself is for going home', 'swap', alice.box, swaps[0] ?? new Uint8Array());
  await add('swap: so is a friend', 'swap', bob.box, swaps[1] ?? new Uint8Array());
  const votes = [
    await alice.box.seal('swap', swaps[0] ?? new Uint8Array()),
    await bob.box.seal('swap', swaps[1] ?? new Uint8Array()),
  ];
  await add(
    'takeover: transition 2, home again',
    'takeover',
    bob.box,
    encodeTakeoverRecord({ by: bob.box.peer, about: alice.box.peer, service: 'web', number: 2, votes }),
  );
  await add(
    'probes of a mail server and a name server',
    'probes',
    bob.box,
    encodeProbesRecord({
      sequence: 3,
      services: [
        {
          owner: aliceId,
          service: 'smtp',
          target: 'mail.alice.example:25',
          state: 'down',
          sinceMs: atMs - 90_000,
          why: 'the connection is refused',
        },
        {
          owner: aliceId,
          service: 'dns',
          target: 'alice.example at ns2.bob.example',
          state: 'up',
          sinceMs: atMs - 86_400_000,
          why: '',
        },
      ],
    }),
  );
  await add(
    'removal of a member who is not known',
    'removal',
    alice.box,
    encodeRemovalRecord({
      circle,
      ownerId: toHex(sha256(toUtf8('somebody else'))),
      seen: [sha256(toUtf8('a record'))],
    }),
  );
  await add(
    'removal that says when',
    'removal',
    alice.box,
    encodeRemovalRecord({
      circle,
      ownerId: toHex(sha256(toUtf8('somebody else again'))),
      seen: [],
      atMs: 1_800_000_000_000,
    }),
  );

  return {
    alice,
    bob,
    aliceId,
    bobId,
    circle,
    bobOwner,
    inviteSeed,
    inviteKey,
    inviteId,
    challenge,
    proof,
    proofSignature,
    keyProof,
    keyProofSignature,
    previous,
    secondBox,
    vote,
    vectors,
  };
}

export type CircleOfTwo = Awaited<ReturnType<typeof circleOfTwo>>;

/** Exclusive or of the fact hashes: what `digest` says in hello, beat and ack once all of these are known. */
export function digestOf(vectors: readonly RecordVector[]): Uint8Array {
  const digest = new Uint8Array(emptyFactLog().digest);
  for (const { factHash } of vectors) {
    for (let i = 0; i < 8; i++)
      digest[i] = (digest[i] ?? 0) ^ Number.parseInt(factHash.slice(2 * i, 2 * i + 2), 16);
  }
  return digest;
}
