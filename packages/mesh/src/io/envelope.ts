import { createHash } from 'node:crypto';
import { equalBytes, fromUtf8, toUtf8 } from '@copain/core';
import { maxEnvelopeOverheadBytes, maxRecordBytes, type RecordKind } from '@copain/trust';
import { generateKeyPairFromSeed, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PeerId, PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey, peerIdFromPublicKey, peerIdFromString } from '@libp2p/peer-id';
import { RecordEnvelope } from '@libp2p/peer-record';

/** An Ed25519 key that signs records: a box key, an owner key, an invite's one-time key. */
export interface SigningKey {
  /** Its public half as a PeerId text. */
  peer: string;
  /** libp2p's protobuf form, for the host and for the key file. Secret. */
  protobuf: Uint8Array;
  /** A raw Ed25519 signature of 64 bytes (RFC 8032 §5.1). */
  sign(bytes: Uint8Array): Promise<Uint8Array>;
  /** A signed envelope (libp2p RFC 0002) of domain `copain/<kind>/1` round the payload. */
  seal(kind: RecordKind, payload: Uint8Array): Promise<Uint8Array>;
}

/** An opened envelope. `hash` is the SHA-256 of the payload, `envelopeHash` that of the whole envelope. */
export interface OpenedEnvelope {
  signer: string;
  payload: Uint8Array;
  hash: Uint8Array;
  envelopeHash: Uint8Array;
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}

const domainOf = (kind: RecordKind): string => `copain/${kind}/1`;
const payloadType = (kind: RecordKind): Uint8Array => toUtf8(`/copain/${kind}`);

function signingKey(key: PrivateKey): SigningKey {
  const peerId: PeerId = peerIdFromPrivateKey(key);
  return {
    peer: peerId.toString(),
    protobuf: privateKeyToProtobuf(key),
    sign: async (bytes) => await key.sign(bytes),
    seal: async (kind, payload) => {
      const record = {
        domain: domainOf(kind),
        codec: payloadType(kind),
        marshal: () => payload,
        equals: () => false,
      };
      return (await RecordEnvelope.seal(record, key)).marshal().subarray();
    },
  };
}

/** The key made from a seed of 32 bytes: the same seed gives the same key. */
export async function signingKeyFromSeed(seed: Uint8Array): Promise<SigningKey> {
  return signingKey(await generateKeyPairFromSeed('Ed25519', seed));
}

/** The key in libp2p's protobuf form. Throws where the bytes are none. */
export function signingKeyFromProtobuf(bytes: Uint8Array): SigningKey {
  return signingKey(privateKeyFromProtobuf(bytes));
}

/**
 * Opens an envelope: size before parsing, then signature and domain. Undefined where anything is wrong. It says who
 * signed and nothing more: the caller compares the signer with who may sign this record.
 */
export async function openEnvelope(
  kind: RecordKind,
  envelope: Uint8Array,
): Promise<OpenedEnvelope | undefined> {
  if (envelope.length > maxRecordBytes[kind] + maxEnvelopeOverheadBytes) return undefined;
  try {
    const opened = await RecordEnvelope.openAndCertify(envelope, domainOf(kind));
    if (fromUtf8(opened.payloadType.subarray()) !== `/copain/${kind}`) return undefined;
    // One record has one envelope: other protobuf spellings of it would look like a second version of the record.
    if (!equalBytes(opened.marshal().subarray(), envelope)) return undefined;
    const payload = new Uint8Array(opened.payload);
    return {
      signer: peerIdFromPublicKey(opened.publicKey).toString(),
      payload,
      hash: sha256(payload),
      envelopeHash: sha256(envelope),
    };
  } catch {
    // The library throws many kinds of error for bytes that are no envelope; all of them mean "refused".
    return undefined;
  }
}

/** Does the signature of `signer` (a PeerId text) fit these bytes? One Ed25519 verifier everywhere: libp2p's. */
export async function verifySignature(
  signer: string,
  bytes: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  try {
    const key = peerIdFromString(signer).publicKey;
    return key !== undefined && (await key.verify(bytes, signature));
  } catch {
    return false;
  }
}
