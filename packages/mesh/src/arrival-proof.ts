import { toUtf8 } from '@copain/core';

/**
 * A friend's word before Noise. The dialler of a TCP connection says multistream-select's greeting, then proposes a
 * protocol that nobody has, `/copain/friend/1/<proof>`, and `/noise` right behind it. Whoever does not know the first
 * answers `na`, as to any unknown protocol, and goes on; a box under a flood reads in it who comes, before it computes
 * anything. docs/wire.md has the exact bytes.
 */
export interface ArrivalProof {
  /** Names the pair and the span of time, to both of them alone. */
  tag: Uint8Array;
  nonce: Uint8Array;
  mac: Uint8Array;
}

export const proofTagBytes = 8;
export const proofNonceBytes = 8;
export const proofMacBytes = 16;

/** A proof counts in its own span of so long and the two beside it: clocks may be five minutes apart. */
export const proofSpanMs = 300_000;

const greeting: Uint8Array = toUtf8('\u0013/multistream/1.0.0\n');
const refusal: Uint8Array = toUtf8('\u0003na\n');
const name = '/copain/friend/1/';
const proofBytes = proofTagBytes + proofNonceBytes + proofMacBytes;
/** 32 bytes in hexadecimal, the name, a line end; its length is one byte of a varint. */
const lineBytes = name.length + 2 * proofBytes + 1;
const lineStart: Uint8Array = Uint8Array.of(lineBytes, ...toUtf8(name));

/** What is read of a connection before it is judged. */
export const maxFirstBytes: number = greeting.length + 1 + lineBytes;

/** The dialler's first message with the proof between greeting and protocol; undefined where it has another form. */
export function withProof(firstMessage: Uint8Array, proof: ArrivalProof): Uint8Array | undefined {
  if (!startsWith(firstMessage, greeting)) return undefined;
  const hex = [...proof.tag, ...proof.nonce, ...proof.mac].map((byte) => byte.toString(16).padStart(2, '0'));
  const line = [...lineStart, ...toUtf8(`${hex.join('')}\n`)];
  return Uint8Array.from([...greeting, ...line, ...firstMessage.subarray(greeting.length)]);
}

/**
 * The listener's first bytes without the `na` that answers the proof: undefined while more has to come. Bytes of another
 * form come back as they are.
 */
export function withoutRefusal(received: Uint8Array): Uint8Array | undefined {
  const expected = Uint8Array.from([...greeting, ...refusal]);
  if (received.length < expected.length && startsWith(expected, received)) return undefined;
  if (!startsWith(received, expected)) return received;
  return Uint8Array.from([...greeting, ...received.subarray(expected.length)]);
}

/** What a dialler's first bytes say: `more` has to come, no proof is among them, or this one. */
export function readFirstBytes(
  received: Uint8Array,
): { kind: 'more' | 'none' } | { kind: 'proof'; proof: ArrivalProof } {
  const start = Uint8Array.from([...greeting, ...lineStart]);
  if (received.length < start.length) return { kind: startsWith(start, received) ? 'more' : 'none' };
  if (!startsWith(received, start)) return { kind: 'none' };
  if (received.length < maxFirstBytes) return { kind: 'more' };
  const text = String.fromCharCode(...received.subarray(start.length, maxFirstBytes));
  if (!/^[0-9a-f]+\n$/.test(text)) return { kind: 'none' };
  const bytes = Uint8Array.from({ length: proofBytes }, (_, i) =>
    Number.parseInt(text.slice(2 * i, 2 * i + 2), 16),
  );
  const nonceAt = proofTagBytes;
  const macAt = nonceAt + proofNonceBytes;
  return {
    kind: 'proof',
    proof: { tag: bytes.slice(0, nonceAt), nonce: bytes.slice(nonceAt, macAt), mac: bytes.slice(macAt) },
  };
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length >= start.length && start.every((byte, i) => bytes[i] === byte);
}
