import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';
import { equalBytes, type FrameStream, toHex } from '@copain/core';
import { manualClock } from '@copain/core/testing';
import { decodeZoneVersion, diffBodies, encodeZone, encodeZoneVersion, openZoneBody } from '@copain/dns';
import { decodeSyncFrame, encodeSyncFrame, peerTag, withoutFacts } from '@copain/mesh';
import { openEnvelope, sha256, signingKeyFromSeed, verifySignature } from '@copain/mesh/io';
import { memoryTable } from '@copain/store';
import {
  type CanonicalValue,
  compareWords,
  decodeAddressRecord,
  decodeCanonical,
  decodeGrantsRecord,
  decodeHoldsRecord,
  decodeInviteRecord,
  decodeInviteText,
  decodeMemberRecord,
  decodeOffersRecord,
  decodeOwnerRecord,
  decodeProbesRecord,
  decodeReceiptRecord,
  decodeRemovalRecord,
  decodeRevocationRecord,
  decodeServicesRecord,
  decodeSwapRecord,
  decodeTakeoverRecord,
  decodeVoteRecord,
  encodeAddressRecord,
  encodeCanonical,
  encodeGrantsRecord,
  encodeHoldsRecord,
  encodeInviteRecord,
  encodeInviteText,
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
  maxRecordBytes,
  type RecordKind,
  recordKinds,
} from '@copain/trust';
import { expect, it } from 'vitest';
import { signingKeyOf } from '../packages/agent/src/io/identity.ts';
import { openRecordStore } from '../packages/agent/src/io/record-store.ts';
import { fetchContent } from '../packages/agent/src/io/zone-content.ts';
import { decodeJoinFrame, encodeJoinFrame } from '../packages/agent/src/join-frames.ts';
import {
  decodeCopyAnswer,
  decodeCopyRequest,
  encodeCopyAnswer,
  encodeCopyRequest,
} from '../packages/mail/src/copy-frames.ts';
import {
  decodeDrainAnswer,
  decodeDrainRequest,
  encodeDrainAnswer,
  encodeDrainRequest,
} from '../packages/mail/src/drain-frames.ts';
import {
  decodeLiveAnswer,
  decodeLiveRequest,
  encodeLiveAnswer,
  encodeLiveRequest,
} from '../packages/mail/src/live-frames.ts';
import {
  decodePolicyAnswer,
  decodePolicyRequest,
  encodePolicyAnswer,
  encodePolicyRequest,
} from '../packages/mail/src/policy-frames.ts';
import {
  decodeMailQuestion,
  decodeMailQuestionAnswer,
  encodeMailQuestion,
  encodeMailQuestionAnswer,
} from '../packages/mail/src/question-frames.ts';
import { decodeRawFrame, encodeRawFrame } from '../packages/mail/src/raw-frames.ts';
import { readFirstBytes, withoutRefusal } from '../packages/mesh/src/arrival-proof.ts';
import { decodeBulkFrame, encodeBulkFrame } from '../packages/mesh/src/bulk-frames.ts';
import { decodeDialbackFrame, encodeDialbackFrame } from '../packages/mesh/src/dialback-frames.ts';
import { logOfVersion } from '../packages/mesh/src/fact-log.ts';
import { proofKeys } from '../packages/mesh/src/io/proof-keys.ts';
import { allVectors, type Vectors } from '../scripts/wire-vectors/all.ts';
import { bytesOf, fromJson, type Json } from '../scripts/wire-vectors/json.ts';

const textOf = (name: keyof Vectors): string => readFileSync(`test/vectors/${name}`, 'utf8');
const read = <N extends keyof Vectors>(name: N): Vectors[N] => JSON.parse(textOf(name)) as Vectors[N];

/** Reads a payload of each kind and writes it again; undefined where it is none. */
const rewrite: Record<RecordKind, (payload: Uint8Array) => Uint8Array | undefined> = {
  owner: through(decodeOwnerRecord, encodeOwnerRecord),
  member: through(decodeMemberRecord, encodeMemberRecord),
  invite: through(decodeInviteRecord, encodeInviteRecord),
  revocation: through(decodeRevocationRecord, encodeRevocationRecord),
  removal: through(decodeRemovalRecord, encodeRemovalRecord),
  offers: through(decodeOffersRecord, encodeOffersRecord),
  grants: through(decodeGrantsRecord, encodeGrantsRecord),
  address: through(decodeAddressRecord, encodeAddressRecord),
  zone: through(decodeZoneVersion, encodeZoneVersion),
  holds: through(decodeHoldsRecord, encodeHoldsRecord),
  vote: through(decodeVoteRecord, encodeVoteRecord),
  receipt: through(decodeReceiptRecord, encodeReceiptRecord),
  probes: through(decodeProbesRecord, encodeProbesRecord),
  services: through(decodeServicesRecord, encodeServicesRecord),
  swap: through(decodeSwapRecord, encodeSwapRecord),
  takeover: through(decodeTakeoverRecord, encodeTakeoverRecord),
};

function through<T>(
  decode: (bytes: Uint8Array) => T | undefined,
  encode: (value: T) => Uint8Array,
): (bytes: Uint8Array) => Uint8Array | undefined {
  return (bytes) => {
    const value = decode(bytes);
    return value === undefined ? undefined : encode(value);
  };
}

it('the vectors are made again from their keys, byte for byte', async () => {
  for (const [name, content] of Object.entries(await allVectors())) {
    expect(textOf(name as keyof Vectors), name).toBe(`${JSON.stringify(content, undefined, 2)}\n`);
  }
});

it('there is a vector of every kind of record', () => {
  const kinds = new Set(read('records.json').records.map(({ kind }) => kind));
  expect([...recordKinds].filter((kind) => !kinds.has(kind))).toEqual([]);
});

it('every record opens, is what its fields say, and is written the same', async () => {
  for (const one of read('records.json').records) {
    const payload = bytesOf(one.payload);
    const opened = await openEnvelope(one.kind, bytesOf(one.envelope));
    expect(toHex(opened?.payload ?? new Uint8Array()), one.name).toBe(one.payload);
    expect(opened?.signer, one.name).toBe(one.signer);
    expect(toHex(sha256(payload)), one.name).toBe(one.payloadSha256);
    expect(toHex(sha256(bytesOf(one.envelope)).subarray(0, 8)), one.name).toBe(one.factHash);
    expect(toHex(encodeCanonical(fromJson(one.fields))), one.name).toBe(one.payload);
    expect(toHex(rewrite[one.kind](payload) ?? new Uint8Array()), one.name).toBe(one.payload);
  }
  for (const one of read('records.json').otherForms) {
    const opened = await openEnvelope(one.kind, bytesOf(one.envelope));
    expect(toHex(opened?.payload ?? new Uint8Array()), one.name).toBe(one.payload);
    expect(rewrite[one.kind](bytesOf(one.payload)), one.name).toBeDefined();
  }
});

it('what is to be refused is refused, where the vector says', async () => {
  for (const one of read('refused.json').refused) {
    const opened = await openEnvelope(one.kind, bytesOf(one.envelope));
    if (one.refusedBy === 'envelope') {
      expect(opened, one.name).toBeUndefined();
      continue;
    }
    expect(toHex(opened?.payload ?? new Uint8Array()), one.name).toBe(one.payload);
    expect(rewrite[one.kind](opened?.payload ?? new Uint8Array()), one.name).toBeUndefined();
  }
});

it('a box of either takes the records in their order, and ends with the digest of the vectors', async () => {
  const { alice, bob } = read('keys.json');
  for (const who of [alice, bob] as { ownerId: string; boxProtobuf: string; boxSeed: string }[]) {
    const store = await openRecordStore({
      table: memoryTable(),
      clock: manualClock(1_800_000_000_000),
      key: await signingKeyFromSeed(bytesOf(who.boxSeed)),
      ownerId: who.ownerId,
      onChange: () => {},
      events: {
        refused: () => {},
        damaged: () => {},
      },
    });
    await store.moveTo((alice as { ownerId: string }).ownerId);
    for (const { name, kind, envelope } of read('records.json').records) {
      expect((await store.offer(kind, bytesOf(envelope))).kind, name).toBe('new');
    }
    const { digestOf: names, digest, digestVersion1, digestVersion2 } = read('sync.json');
    const { facts } = store.log();
    const digested = read('records.json').records.filter(({ name }) => names.includes(name));
    const hashes = new Set(digested.map(({ factHash }) => factHash));
    const others = [...facts.values()].filter((fact) => !hashes.has(toHex(fact.hash)));
    expect(facts.size - others.length).toBe(names.length);
    const log = withoutFacts(
      store.log(),
      others.map(({ key }) => key),
    );
    expect(toHex(log.digest)).toBe(digest);
    expect(toHex(logOfVersion(log, 1).digest)).toBe(digestVersion1);
    expect(toHex(logOfVersion(log, 2).digest)).toBe(digestVersion2);
    const before = store.log().digest;
    for (const { name, kind, envelope } of read('refused.json').refused) {
      expect((await store.offer(kind, bytesOf(envelope))).kind, name).toBe('refused');
    }
    expect(store.log().digest).toEqual(before);
  }
});

it('keys, ids and words come from the secrets', async () => {
  const keys = read('keys.json') as unknown as Record<string, Record<string, string>>;
  for (const who of [keys.alice ?? {}, keys.bob ?? {}]) {
    expect((await signingKeyOf(who.ownerSecret ?? '', 'owner')).peer).toBe(who.owner);
    expect((await signingKeyOf(who.paperSecret ?? '', 'paper')).peer).toBe(who.paper);
    const box = await signingKeyFromSeed(bytesOf(who.boxSeed ?? ''));
    expect([box.peer, toHex(box.protobuf)]).toEqual([who.box, who.boxProtobuf]);
  }
  const { invite, compareWords: words } = read('keys.json');
  expect((await signingKeyFromSeed(bytesOf(invite.seed))).peer).toBe(invite.key);
  expect(inviteIdOf(invite.key, sha256)).toBe(invite.id);
  const ids = [keys.alice?.ownerId ?? '', keys.bob?.ownerId ?? ''] as const;
  expect(compareWords(ids, sha256)).toEqual(words);
});

it('the invite text is read and written, and the proofs hold', async () => {
  const join = read('join.json');
  const invite = { ...join.invite, seed: bytesOf(join.invite.seed) };
  const decoded = decodeInviteText(join.inviteText, sha256);
  expect(decoded).toEqual({ kind: 'ok', invite });
  expect(encodeInviteText(invite, sha256)).toBe(join.inviteText);
  const { key } = read('keys.json').invite;
  const { bytes, signature } = join.joinProof;
  expect(await verifySignature(key, bytesOf(bytes), bytesOf(signature))).toBe(true);
  const owner = read('records.json').records.find(({ kind }) => kind === 'owner');
  const record = decodeOwnerRecord(bytesOf(owner?.payload ?? ''));
  const [proof] = record?.proofs ?? [];
  const { signer, bytes: keyProof } = join.keyProof;
  expect(proof?.peer).toBe(signer);
  expect(await verifySignature(signer, bytesOf(keyProof), proof?.signature ?? new Uint8Array())).toBe(true);
});

function expectFrames(
  frames: readonly { fields: Json; frame: string }[],
  rewriteFrame: (bytes: Uint8Array) => Uint8Array | undefined,
): void {
  expect(frames.length).toBeGreaterThan(0);
  for (const { fields, frame } of frames) {
    const value: CanonicalValue | undefined = decodeCanonical(bytesOf(frame), 65_536);
    expect(value, frame).toBeDefined();
    expect(toHex(encodeCanonical(fromJson(fields)))).toBe(frame);
    expect(toHex(rewriteFrame(bytesOf(frame)) ?? new Uint8Array())).toBe(frame);
  }
}

it('frames of every protocol are read and written', () => {
  const { version1, version2, passedOver, tags, framed } = read('sync.json');
  expectFrames([...version1, ...version2], through(decodeSyncFrame, encodeSyncFrame));
  for (const { frame } of passedOver) expect(decodeSyncFrame(bytesOf(frame))).toEqual({ t: 'ignored' });
  for (const [peer, tag] of Object.entries(tags)) expect(toHex(peerTag(peer))).toBe(tag);
  expect(framed.stream).toBe((framed.frame.length / 2).toString(16).padStart(2, '0') + framed.frame);
  expectFrames(read('join.json').frames, through(decodeJoinFrame, encodeJoinFrame));
  const mail = read('mail.json');
  expectFrames(mail.liveRequests, through(decodeLiveRequest, encodeLiveRequest));
  expectFrames(mail.liveAnswers, through(decodeLiveAnswer, encodeLiveAnswer));
  expectFrames(mail.rawFromFriend, through(decodeRawFrame, encodeRawFrame));
  expectFrames(mail.rawFromOwner, through(decodeRawFrame, encodeRawFrame));
  expectFrames(mail.drainRequests, through(decodeDrainRequest, encodeDrainRequest));
  expectFrames(mail.drainAnswers, through(decodeDrainAnswer, encodeDrainAnswer));
  expectFrames(mail.copyRequests, through(decodeCopyRequest, encodeCopyRequest));
  expectFrames(mail.copyAnswers, through(decodeCopyAnswer, encodeCopyAnswer));
  expectFrames(mail.policyRequests, through(decodePolicyRequest, encodePolicyRequest));
  expectFrames(mail.policyAnswers, through(decodePolicyAnswer, encodePolicyAnswer));
  expectFrames(mail.questions, through(decodeMailQuestion, encodeMailQuestion));
  expectFrames(mail.questionAnswers, through(decodeMailQuestionAnswer, encodeMailQuestionAnswer));
  expectFrames(read('bulk.json').frames, through(decodeBulkFrame, encodeBulkFrame));
  expectFrames(read('dialback.json').frames, through(decodeDialbackFrame, encodeDialbackFrame));
});

it('a zone is fetched with exactly these frames, and is what was signed', async () => {
  const zone = read('zone.json');
  const signed = read('records.json').records.find(({ kind }) => kind === 'zone');
  const version = decodeZoneVersion(bytesOf(signed?.payload ?? ''));
  if (version === undefined) throw new Error('no zone version');
  const content = bytesOf(zone.content);
  const opened = openZoneBody(version, content, sha256);
  expect(opened.kind === 'zone' && equalBytes(encodeZone(opened.zone), content)).toBe(true);
  expect(equalBytes(inflateRawSync(bytesOf(zone.packed)), content)).toBe(true);
  expect(toHex(version.contentHash)).toBe(zone.contentSha256);

  const [request, header] = zone.frames.map(({ frame }) => frame);
  const sent: string[] = [];
  const streamOf = (answers: Uint8Array[]): FrameStream => ({
    send: async (frame) => {
      sent.push(toHex(frame));
    },
    receive: async () => answers.shift(),
    end: async () => {},
    abort: () => {},
  });
  const fetched = await fetchContent(version, streamOf([bytesOf(header ?? ''), bytesOf(zone.packed)]));
  expect(toHex(fetched.body)).toBe(zone.content);
  expect(sent).toEqual([request]);
  await expect(fetchContent(version, streamOf([bytesOf(zone.notThere.frame)]))).rejects.toThrow(
    'he does not have it',
  );

  const { delta } = zone;
  const next = bytesOf(delta.content);
  const nextVersion = {
    ...version,
    serial: version.serial + 1,
    contentHash: sha256(next),
    sizeBytes: next.length,
  };
  expect(diffBodies(content, next)).toEqual({
    removed: bytesOf(delta.removed),
    added: bytesOf(delta.added),
  });
  sent.length = 0;
  const [asked, answer] = delta.frames.map(({ frame }) => frame);
  const stream = streamOf([bytesOf(answer ?? ''), bytesOf(delta.packed)]);
  const base = { ...fetched, hash: version.contentHash };
  const applied = await fetchContent(nextVersion, stream, base);
  expect(toHex(applied.body)).toBe(delta.content);
  expect(sent).toEqual([asked]);
});

it('no vector is larger than its kind allows', () => {
  for (const { kind, payload } of read('records.json').records) {
    expect(payload.length / 2).toBeLessThanOrEqual(maxRecordBytes[kind]);
  }
});

it('a proof before Noise is read, and names who made it, to whom it is for', async () => {
  const { by, to, atMs, tag, nonce, mac, said, answer } = read('arrival.json');
  const first = readFirstBytes(bytesOf(said));
  expect(first).toEqual({
    kind: 'proof',
    proof: { tag: bytesOf(tag), nonce: bytesOf(nonce), mac: bytesOf(mac) },
  });
  const { boxSeed } = read('keys.json').bob as unknown as { boxSeed: string };
  const bob = await signingKeyFromSeed(bytesOf(boxSeed));
  expect(bob.peer).toBe(to);
  const keys = proofKeys({ privateKey: bob.protobuf });
  keys.friends([by]);
  const proof = first.kind === 'proof' ? first.proof : expect.fail('a proof');
  expect(keys.check(proof, atMs)).toBe(by);
  const greeting = answer.slice(0, 40);
  expect(toHex(withoutRefusal(bytesOf(answer)) ?? new Uint8Array())).toBe(greeting + answer.slice(48));
});
