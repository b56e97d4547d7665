import { concatBytes, fromHex, toHex } from '@copain/core';
import { diffBodies, encodeZoneDelta } from '@copain/dns';
import { encodeSyncFrame, peerTag, peerTags, type SyncFrame } from '@copain/mesh';
import { sha256 } from '@copain/mesh/io';
import { type CanonicalValue, decodeCanonical, encodeCanonical } from '@copain/trust';
import { encodeJoinFrame, type JoinFrame } from '../../packages/agent/src/join-frames.ts';
import { type BulkFrame, encodeBulkFrame } from '../../packages/mesh/src/bulk-frames.ts';
import { type DialbackFrame, encodeDialbackFrame } from '../../packages/mesh/src/dialback-frames.ts';
import { isKindOf } from '../../packages/mesh/src/fact-log.ts';
import { type Json, toJson } from './json.ts';
import { seedOf } from './people.ts';
import { atMs, type CircleOfTwo, digestOf, smallZone } from './records.ts';

export interface FrameVector {
  protocol: string;
  from: string;
  fields: Json;
  frame: string;
}

/** A length as a frame has it in front: unsigned LEB128. */
function lengthPrefix(size: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = size; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

export const vectorOf =
  (protocol: string, from: string) =>
  (frame: Uint8Array): FrameVector => ({
    protocol,
    from,
    fields: toJson(decodeCanonical(frame, 65_536)),
    frame: toHex(frame),
  });

export const bytes16 = (byte: number): Uint8Array => new Uint8Array(16).fill(byte);

/** Names of records that came into records.json after these digests were written down. */
const addedLater: ReadonlySet<string> = new Set(['removal that says when']);

/** Frames of both versions of the sync protocol. */
export function syncFrames(circle: CircleOfTwo) {
  const { alice, bob, vectors } = circle;
  const digested = vectors.filter(({ name }) => !addedLater.has(name));
  const digest = digestOf(digested);
  const digest1 = digestOf(digested.filter(({ kind }) => isKindOf(1, kind)));
  const digest2 = digestOf(digested.filter(({ kind }) => isKindOf(2, kind)));
  const heard = peerTags([alice.box.peer]);
  const hashes = concatBytes(
    ...vectors.slice(0, 3).map(({ factHash }) => fromHex(factHash) ?? new Uint8Array()),
  );
  const vote = vectors.find(({ kind }) => kind === 'vote');
  const owner = vectors.find(({ kind }) => kind === 'owner');
  const version1: SyncFrame[] = [
    {
      t: 'hello',
      name: 'bob',
      version: '0.1.0',
      bootId: bytes16(0xb0),
      previousBootId: new Uint8Array(),
      digest: digest1,
      nowMs: atMs,
    },
    { t: 'beat', counter: 1, rttMicros: 0, digest: digest1, heard },
    { t: 'ack', counter: 1, digest: digest1, heard },
    {
      t: 'push',
      kind: 'vote',
      reached: peerTags([alice.box.peer]),
      envelope: fromHex(vote?.envelope ?? '') ?? new Uint8Array(),
    },
    { t: 'have', hashes },
    { t: 'want', hashes: hashes.subarray(8, 16) },
  ];
  const version2: SyncFrame[] = [
    {
      t: 'hello',
      name: 'bob',
      version: '0.2.0',
      bootId: bytes16(0xb1),
      previousBootId: bytes16(0xb0),
      digest,
      nowMs: atMs,
    },
    {
      t: 'push',
      kind: 'owner',
      reached: new Uint8Array(),
      envelope: fromHex(owner?.envelope ?? '') ?? new Uint8Array(),
    },
    { t: 'boot', lastSeen: bytes16(0xb0) },
    { t: 'ask-own', hashes: hashes.subarray(0, 8) },
    { t: 'own-done' },
  ];
  const passedOver: CanonicalValue[] = [
    { t: 'later', news: 1 },
    { t: 'push', kind: 'tomorrow', reached: new Uint8Array(), envelope: Uint8Array.of(1) },
  ];
  const first = encodeSyncFrame(version1[1] as SyncFrame);
  return {
    tags: Object.fromEntries([alice, bob].map(({ box }) => [box.peer, toHex(peerTag(box.peer))])),
    digestOf: digested.map(({ name }) => name),
    digest: toHex(digest),
    digestVersion1: toHex(digest1),
    digestVersion2: toHex(digest2),
    framed: {
      why: 'on a stream every frame has its length in front of it, as an unsigned LEB128 number',
      frame: toHex(first),
      stream: toHex(concatBytes(lengthPrefix(first.length), first)),
    },
    version1: version1.map(encodeSyncFrame).map(vectorOf('/copain/sync/1', 'either')),
    version2: version2.map(encodeSyncFrame).map(vectorOf('/copain/sync/2', 'either')),
    passedOver: passedOver.map(encodeCanonical).map(vectorOf('/copain/sync/1', 'a newer version')),
  };
}

/** A whole join, as Alice and Bob speak it. */
export function joinFrames(circle: CircleOfTwo) {
  const id = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array();
  const { vectors } = circle;
  const joiner: JoinFrame[] = [
    { t: 'ask', invite: id(circle.inviteId) },
    { t: 'proof', owner: circle.bobOwner, signature: circle.proofSignature },
    {
      t: 'proof',
      owner: circle.bobOwner,
      signature: circle.proofSignature,
      consent: circle.keyProofSignature,
    },
  ];
  const member: JoinFrame[] = [
    {
      t: 'offer',
      circle: id(circle.circle),
      member: 'alice',
      inviter: 'alice',
      name: 'bob',
      may: ['dns', 'mail', 'witness'],
      challenge: circle.challenge,
    },
    {
      t: 'offer',
      circle: id(circle.circle),
      member: 'alice',
      inviter: 'alice',
      name: 'alice-2',
      may: [],
      challenge: circle.challenge,
      box: { owner: id(circle.aliceId), epoch: 1, previous: circle.previous, roles: ['relay', 'watch'] },
    },
    ...vectors
      .filter(({ kind }) => kind === 'address')
      .map(({ kind, envelope }): JoinFrame => ({ t: 'record', kind, envelope: id(envelope) })),
    { t: 'welcome' },
    { t: 'refused', why: 'expired' },
  ];
  return [
    ...joiner.map(encodeJoinFrame).map(vectorOf('/copain/join/1', 'joiner')),
    ...member.map(encodeJoinFrame).map(vectorOf('/copain/join/1', 'member')),
  ];
}

/** One stored block of DEFLATE. */
function stored(bytes: Uint8Array): Uint8Array {
  const size = Uint8Array.of(bytes.length & 255, bytes.length >> 8);
  return concatBytes(
    Uint8Array.of(1),
    size,
    size.map((byte) => byte ^ 255),
    bytes,
  );
}

/** A transfer of the small zone, and of the next version as a delta. `packed` is one stored block of DEFLATE: every packer's output is good that unpacks to the content. */
export function zoneFrames(circle: CircleOfTwo) {
  const { text, content, version } = smallZone(circle.aliceId);
  const packed = stored(content);
  const request = encodeCanonical({
    owner: circle.aliceId,
    origin: 'alice.example',
    hash: version.contentHash,
  });
  const next = smallZone(circle.aliceId, { serial: version.serial + 1, mail: '2001:db8::26' });
  const changes = diffBodies(content, next.content);
  const delta = encodeZoneDelta(changes) ?? new Uint8Array();
  const packedDelta = stored(delta);
  const answer = vectorOf('/copain/zone/1', 'holder');
  return {
    text,
    content: toHex(content),
    contentSha256: toHex(sha256(content)),
    frames: [
      vectorOf('/copain/zone/1', 'asker')(request),
      answer(encodeCanonical({ sizeBytes: packed.length })),
    ],
    packed: toHex(packed),
    notThere: answer(encodeCanonical({ sizeBytes: 0 })),
    delta: {
      why: 'the asker has the content above, and asks for that of the next version',
      content: toHex(next.content),
      removed: toHex(changes.removed),
      added: toHex(changes.added),
      frames: [
        vectorOf(
          '/copain/zone/1',
          'asker',
        )(
          encodeCanonical({
            owner: circle.aliceId,
            origin: 'alice.example',
            hash: sha256(next.content),
            have: version.contentHash,
          }),
        ),
        answer(encodeCanonical({ delta: true, sizeBytes: packedDelta.length })),
      ],
      cbor: toHex(delta),
      packed: toHex(packedDelta),
    },
  };
}

export function bulkFrames() {
  const frames: BulkFrame[] = [
    { t: 'offer', purpose: 'measure', sizeBytes: 1_000_000 },
    { t: 'accept', ticket: bytes16(0x71), maxBytes: 2_000_000, maxMs: 30_000 },
    { t: 'refuse', why: 'busy' },
    { t: 'resume', ticket: bytes16(0x71) },
    { t: 'data', bytes: seedOf(0xda) },
    { t: 'ack', totalBytes: 32 },
    { t: 'end', totalBytes: 32 },
    { t: 'done' },
  ];
  return frames.map(encodeBulkFrame).map(vectorOf('/copain/bulk/1', 'either'));
}

export function dialbackFrames() {
  const frames: DialbackFrame[] = [
    { t: 'ask', ports: [4600, 25, 53, 22] },
    {
      t: 'result',
      host: '192.0.2.2',
      ports: [
        { port: 4600, answer: 'yes' },
        { port: 25, answer: 'no' },
        { port: 22, answer: 'refused' },
      ],
    },
    { t: 'later', why: 'you asked too often' },
  ];
  return frames.map(encodeDialbackFrame).map(vectorOf('/copain/dialback/1', 'either'));
}
