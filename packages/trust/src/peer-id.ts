import { equalBytes } from '@copain/core';

/** Base58 (Bitcoin alphabet), as libp2p writes PeerIds. */
const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** Identity multihash of a protobuf-encoded Ed25519 public key: what every PeerId of ours begins with. */
const ed25519Prefix = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);

function base58Encode(bytes: Uint8Array): string {
  const digits = [0];
  for (const byte of bytes) {
    let carry = byte;
    for (let i = 0; i < digits.length; i++) {
      carry += (digits[i] ?? 0) * 256;
      digits[i] = carry % 58;
      carry = Math.floor(carry / 58);
    }
    while (carry > 0) {
      digits.push(carry % 58);
      carry = Math.floor(carry / 58);
    }
  }
  let leadingZeros = 0;
  while (leadingZeros < bytes.length - 1 && bytes[leadingZeros] === 0) leadingZeros += 1;
  const text = digits.reverse().map((digit) => alphabet[digit]);
  return '1'.repeat(leadingZeros) + text.join('');
}

function base58Decode(text: string): Uint8Array | undefined {
  const bytes = [0];
  for (const character of text) {
    let carry = alphabet.indexOf(character);
    if (carry < 0) return undefined;
    for (let i = 0; i < bytes.length; i++) {
      carry += (bytes[i] ?? 0) * 58;
      bytes[i] = carry & 255;
      carry >>= 8;
    }
    while (carry > 0) {
      bytes.push(carry & 255);
      carry >>= 8;
    }
  }
  let leadingOnes = 0;
  while (leadingOnes < text.length - 1 && text[leadingOnes] === '1') leadingOnes += 1;
  return Uint8Array.from([...Array.from({ length: leadingOnes }, () => 0), ...bytes.reverse()]);
}

/** The PeerId text (`12D3Koo…`) of a raw Ed25519 public key of 32 bytes (libp2p peer-ids spec). */
export function peerIdFromKey(publicKey: Uint8Array): string {
  const multihash = new Uint8Array(ed25519Prefix.length + 32);
  multihash.set(ed25519Prefix);
  multihash.set(publicKey.subarray(0, 32), ed25519Prefix.length);
  return base58Encode(multihash);
}

/** The raw Ed25519 public key in a PeerId text, or undefined where the text is no PeerId of that kind. */
export function keyFromPeerId(peerId: string): Uint8Array | undefined {
  if (peerId.length > 60) return undefined;
  const multihash = base58Decode(peerId);
  if (multihash?.length !== ed25519Prefix.length + 32) return undefined;
  if (!equalBytes(multihash.subarray(0, ed25519Prefix.length), ed25519Prefix)) return undefined;
  return multihash.slice(ed25519Prefix.length);
}

/** Is this text the PeerId of an Ed25519 key? */
export function isPeerId(text: string): boolean {
  const key = keyFromPeerId(text);
  return key !== undefined && peerIdFromKey(key) === text;
}
