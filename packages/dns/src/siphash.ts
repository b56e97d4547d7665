/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012): eight octets that nobody without the 16-octet key can foretell. 64-bit
 * words are pairs of 32-bit halves, `[low, high, low, high, …]`, since BigInt is many times slower.
 */
export function sipHash24(key: Uint8Array, message: Uint8Array): Uint8Array {
  const state = initialState(key);
  const wholeWords = message.length & ~7;
  for (let at = 0; at < wholeWords; at += 8) absorb(state, word(message, at), word(message, at + 4));
  const last = new Uint8Array(8);
  last.set(message.subarray(wholeWords));
  last[7] = message.length & 255;
  absorb(state, word(last, 0), word(last, 4));
  state[4] = (state[4] ?? 0) ^ 0xff;
  for (let i = 0; i < 4; i++) round(state);
  return result(state);
}

/** v0 to v3, two halves each. */
type State = Int32Array;

const initialWords = [
  0x70736575, 0x736f6d65, 0x6e646f6d, 0x646f7261, 0x6e657261, 0x6c796765, 0x79746573, 0x74656462,
];

function initialState(key: Uint8Array): State {
  const state = Int32Array.from(initialWords);
  for (let i = 0; i < 8; i++) state[i] = (state[i] ?? 0) ^ word(key, 4 * (i & 3));
  return state;
}

/** A little-endian half word. */
function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)
  );
}

function absorb(state: State, low: number, high: number): void {
  state[6] = (state[6] ?? 0) ^ low;
  state[7] = (state[7] ?? 0) ^ high;
  round(state);
  round(state);
  state[0] = (state[0] ?? 0) ^ low;
  state[1] = (state[1] ?? 0) ^ high;
}

function round(v: State): void {
  add(v, 0, 2);
  rotateXor(v, 2, 13, 0);
  swap(v, 0);
  add(v, 4, 6);
  rotateXor(v, 6, 16, 4);
  add(v, 0, 6);
  rotateXor(v, 6, 21, 0);
  add(v, 4, 2);
  rotateXor(v, 2, 17, 4);
  swap(v, 4);
}

/** v[to] += v[from], 64 bits wide. */
function add(v: State, to: number, from: number): void {
  const low = ((v[to] ?? 0) >>> 0) + ((v[from] ?? 0) >>> 0);
  v[to] = low | 0;
  v[to + 1] = ((v[to + 1] ?? 0) + (v[from + 1] ?? 0) + (low > 0xffff_ffff ? 1 : 0)) | 0;
}

/** v[at] = rotl(v[at], bits) ^ v[other], for fewer than 32 bits. */
function rotateXor(v: State, at: number, bits: number, other: number): void {
  const low = v[at] ?? 0;
  const high = v[at + 1] ?? 0;
  v[at] = ((low << bits) | (high >>> (32 - bits))) ^ (v[other] ?? 0);
  v[at + 1] = ((high << bits) | (low >>> (32 - bits))) ^ (v[other + 1] ?? 0);
}

/** Rotation by 32 bits. */
function swap(v: State, at: number): void {
  const low = v[at] ?? 0;
  v[at] = v[at + 1] ?? 0;
  v[at + 1] = low;
}

function result(v: State): Uint8Array {
  const bytes = new Uint8Array(8);
  for (const half of [0, 1]) {
    const value = (v[half] ?? 0) ^ (v[2 + half] ?? 0) ^ (v[4 + half] ?? 0) ^ (v[6 + half] ?? 0);
    for (let i = 0; i < 4; i++) bytes[4 * half + i] = value >>> (8 * i);
  }
  return bytes;
}
