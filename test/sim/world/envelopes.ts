import { createHash } from 'node:crypto';
import { concatBytes, toHex, toUtf8 } from '@copain/core';
import {
  decodeOwnerRecord,
  type RecordKind,
  type Signed,
  type SwapRecord,
  type TakeoverRecord,
} from '@copain/trust';
import { type InnerProofs, type RecordBody, readBody } from '../../../packages/agent/src/record-judgement.ts';

export const sha256 = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(bytes).digest());

/** A signed record as a box finds it when it opens the envelope. */
export interface OpenedEnvelope {
  kind: RecordKind;
  signer: string;
  payload: Uint8Array;
  /** SHA-256 of the payload. */
  hash: Uint8Array;
  /** First 8 bytes of the SHA-256 of the envelope. */
  shortHash: Uint8Array;
  body: RecordBody | undefined;
  proofs: InnerProofs;
}

/**
 * Envelopes without cryptography: nobody can forge one, since only `seal` makes them, and who signed stands in a
 * register. What a signature inside a record says is its first byte: 1 for a good one. The bytes are there all the same,
 * since hashes, digests and sizes are of them. Each is opened once for all boxes.
 */
const register = new WeakMap<Uint8Array, OpenedEnvelope>();
/** Votes travel inside certificates as bytes, and are found again by them. */
const votesByHash = new Map<string, OpenedEnvelope>();

/** A signature inside a record that holds, and one that does not. */
export const goodSignature: Uint8Array = new Uint8Array(64).fill(1);
export const badSignature: Uint8Array = new Uint8Array(64).fill(2);

export function seal(kind: RecordKind, signer: string, payload: Uint8Array): Uint8Array {
  const envelope = concatBytes(toUtf8(`${kind} ${signer}\0`), payload, goodSignature);
  const body = readBody({ kind, payload });
  const envelopeHash = sha256(envelope);
  const opened: OpenedEnvelope = {
    kind,
    signer,
    payload,
    hash: sha256(payload),
    shortHash: envelopeHash.slice(0, 8),
    body,
    proofs: proofsOf(body),
  };
  register.set(envelope, opened);
  if (kind === 'swap') votesByHash.set(toHex(envelopeHash), opened);
  return envelope;
}

/** Undefined for bytes that nobody sealed. */
export function open(envelope: Uint8Array): OpenedEnvelope | undefined {
  return register.get(envelope);
}

/** Owner records travel inside member records as bytes; their signer is the owner key that they name. */
function proofsOf(body: RecordBody | undefined): InnerProofs {
  if (body?.kind === 'owner')
    return {
      ownerRecord: undefined,
      hold: body.record.proofs.every(({ signature }) => signature[0] === 1),
      votes: [],
    };
  if (body?.kind === 'takeover') return { ownerRecord: undefined, hold: false, votes: votesIn(body.record) };
  if (body?.kind !== 'member') return { ownerRecord: undefined, hold: false, votes: [] };
  const record = decodeOwnerRecord(body.record.owner);
  const signer = record?.keys[0]?.peer ?? '';
  return {
    ownerRecord: record && { signer, hash: sha256(body.record.owner), record },
    hold: body.record.redeemed?.signature[0] === 1,
    votes: [],
  };
}

function votesIn({ votes }: TakeoverRecord): Signed<SwapRecord>[] {
  return votes.flatMap((envelope) => {
    const opened = votesByHash.get(toHex(sha256(envelope)));
    if (opened?.body?.kind !== 'swap') return [];
    return [{ signer: opened.signer, hash: opened.hash, record: opened.body.record }];
  });
}
