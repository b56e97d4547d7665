import { concatBytes, toUtf8 } from '@copain/core';

/** SHA-256; the io part has it from Node. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** Bytes of a tag. */
export const tagBytes = 16;

/**
 * The key of one message for one recipient: sha256(MAIL FROM, NUL, RCPT, NUL, sha256(DATA)). DATA is what the client
 * sent, dots unstuffed, before any header of ours, so that the same message at two friends has the same key; hashing it
 * apart makes a hundred recipients cost one pass over the message and not a hundred. NUL separates because no address
 * contains it.
 */
export function messageKey(
  { from, recipient, dataHash }: { from: string; recipient: string; dataHash: Uint8Array },
  sha256: Sha256,
): Uint8Array {
  return sha256(concatBytes(toUtf8(`${from}\0${recipient}\0`), dataHash));
}

/**
 * What may stand in clear on a friend's disk so that he and the owner recognise a message they already have: a hash of
 * key and owner, cut to 128 bits. Whoever sees it learns nothing unless he has the very same message already.
 */
export function dedupeTag(
  { ownerId, key }: { ownerId: string; key: Uint8Array },
  sha256: Sha256,
): Uint8Array {
  return sha256(concatBytes(toUtf8(`copain/mail-tag/1\0${ownerId}\0`), key)).slice(0, tagBytes);
}
