import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { toHex } from '@copain/core';
import { keyFromPeerId } from '@copain/trust';
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import {
  type ArrivalProof,
  proofMacBytes,
  proofNonceBytes,
  proofSpanMs,
  proofTagBytes,
} from '../arrival-proof.ts';
import { maxProofsRemembered } from '../limits.ts';

/** The secrets that this box shares with each friend's, and the proofs made of them (see `ArrivalProof`). */
export interface ProofKeys {
  /** For a connection to this peer; undefined where his PeerId holds no key to make one with. `nonce`: random unless given. */
  make(peer: string, nowMs: number, nonce?: Uint8Array): ArrivalProof | undefined;
  /** The friend's box that made this proof for us, now and for the first time; else undefined. */
  check(proof: ArrivalProof, nowMs: number): string | undefined;
  /** Whose proofs count. */
  friends(peers: readonly string[]): void;
}

/** ASN.1 around a raw X25519 key (RFC 8410 §4 and §7). */
const publicPrefix = Buffer.from('302a300506032b656e032100', 'hex');
const privatePrefix = Buffer.from('302e020100300506032b656e04220420', 'hex');

const p = 2n ** 255n - 19n;

/** The X25519 form of an Ed25519 public key: u = (1 + y) / (1 - y) (RFC 7748 §4.1). */
function montgomery(edwards: Uint8Array): Uint8Array {
  const little = Uint8Array.from(edwards).reverse();
  const y = BigInt(`0x${toHex(little)}`) & (2n ** 255n - 1n);
  let u = 1n + y;
  // Fermat: the inverse of 1 - y is its power p - 2.
  let base = (((1n - y) % p) + p) % p;
  for (let exponent = p - 2n; exponent > 0n; exponent >>= 1n) {
    if ((exponent & 1n) === 1n) u = (u * base) % p;
    base = (base * base) % p;
  }
  return Uint8Array.from(Buffer.from((u % p).toString(16).padStart(64, '0'), 'hex')).reverse();
}

/** @param options.privateKey libp2p's protobuf form of this box's Ed25519 key. */
export function proofKeys(options: { privateKey: Uint8Array }): ProofKeys {
  const own = privateKeyFromProtobuf(options.privateKey);
  const self = peerIdFromPrivateKey(own).toString();
  // RFC 8032 §5.1.5: the first half of the seed's SHA-512; X25519 clamps it itself.
  const scalar = createHash('sha512').update(own.raw.subarray(0, 32)).digest().subarray(0, 32);
  const secret = createPrivateKey({
    key: Buffer.concat([privatePrefix, scalar]),
    format: 'der',
    type: 'pkcs8',
  });
  const shared = new Map<string, Buffer | undefined>();
  let listed: readonly string[] = [];
  let tags = new Map<string, { peer: string; span: number }>();
  let tagsOfSpan: number | undefined;
  /** Proofs taken lately, oldest first: none counts twice. */
  const seen = new Set<string>();

  const agree = (peer: string): Buffer | undefined => {
    const key = keyFromPeerId(peer);
    if (key === undefined) return undefined;
    try {
      const publicKey = createPublicKey({
        key: Buffer.concat([publicPrefix, montgomery(key)]),
        format: 'der',
        type: 'spki',
      });
      const both = diffieHellman({ privateKey: secret, publicKey });
      return createHash('sha256').update('copain friend 1\n').update(both).digest();
    } catch {
      // A point of small order shares no secret.
      return undefined;
    }
  };
  const sharedWith = (peer: string): Buffer | undefined => {
    if (!shared.has(peer)) shared.set(peer, agree(peer));
    return shared.get(peer);
  };
  const macOf = (key: Buffer, what: 'tag' | 'mac', by: string, span: number, nonce: Uint8Array): Buffer =>
    createHmac('sha256', key).update(`${what}\n${by}\n${span}\n`).update(nonce).digest();
  const nothing = new Uint8Array();
  const tagOf = (key: Buffer, by: string, span: number): Buffer =>
    macOf(key, 'tag', by, span, nothing).subarray(0, proofTagBytes);
  const spanAt = (nowMs: number): number => Math.floor(nowMs / proofSpanMs);

  const refreshTags = (now: number): void => {
    if (tagsOfSpan === now) return;
    tagsOfSpan = now;
    tags = new Map();
    for (const peer of listed) {
      const key = sharedWith(peer);
      if (key === undefined) continue;
      for (const span of [now - 1, now, now + 1]) tags.set(toHex(tagOf(key, peer, span)), { peer, span });
    }
  };

  return {
    make: (peer, nowMs, nonce = randomBytes(proofNonceBytes)) => {
      const key = sharedWith(peer);
      if (key === undefined) return undefined;
      const span = spanAt(nowMs);
      const mac = macOf(key, 'mac', self, span, nonce).subarray(0, proofMacBytes);
      return { tag: tagOf(key, self, span), nonce, mac };
    },
    check: (proof, nowMs) => {
      refreshTags(spanAt(nowMs));
      const tag = toHex(proof.tag);
      const named = tags.get(tag);
      const key = named === undefined ? undefined : sharedWith(named.peer);
      if (named === undefined || key === undefined) return undefined;
      const mac = macOf(key, 'mac', named.peer, named.span, proof.nonce).subarray(0, proofMacBytes);
      if (!timingSafeEqual(mac, proof.mac)) return undefined;
      const once = tag + toHex(proof.nonce);
      if (seen.has(once)) return undefined;
      if (seen.size >= maxProofsRemembered) seen.delete(seen.values().next().value ?? '');
      seen.add(once);
      return named.peer;
    },
    friends: (peers) => {
      listed = peers;
      tagsOfSpan = undefined;
      const kept = new Set(peers);
      for (const peer of shared.keys()) if (!kept.has(peer)) shared.delete(peer);
    },
  };
}
