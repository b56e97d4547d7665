import { compareBytes, concatBytes, fromHex, toUtf8 } from '@copain/core';
import type { Sha256 } from './invite-text.ts';

/** Sounds that are told apart on a bad line; a word is consonant, vowel, consonant, vowel, consonant: 16 bits. */
const consonants = 'bdfghjklmnprstvz';
const vowels = 'aiou';

function word(high: number, low: number): string {
  const bits = high * 256 + low;
  const take = (letters: string, shift: number, width: number): string =>
    letters[Math.floor(bits / 2 ** shift) % 2 ** width] ?? '';
  return (
    take(consonants, 12, 4) +
    take(vowels, 10, 2) +
    take(consonants, 6, 4) +
    take(vowels, 4, 2) +
    take(consonants, 0, 4)
  );
}

/**
 * Four words that are the same on both friends' boxes and differ for anybody in between: 64 bits of a hash over both
 * owner ids. Read aloud once after joining; the spelling is that of proquints (Wilkerson, 2009).
 */
export function compareWords(ownerIds: readonly [string, string], sha256: Sha256): string[] {
  const ids = ownerIds.map((id) => fromHex(id) ?? new Uint8Array()).sort(compareBytes);
  const hash = sha256(concatBytes(toUtf8('copain/words/1'), ...ids));
  return [0, 2, 4, 6].map((at) => word(hash[at] ?? 0, hash[at + 1] ?? 0));
}
