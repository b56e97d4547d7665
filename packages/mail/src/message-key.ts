import { concatBytes, toUtf8 } from '@copain/core';
import type { CanonicalValue, FieldReader } from '@copain/trust';
import { recipientsMax } from './limits.ts';

/** SHA-256; the io part has it from Node. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** Bytes of a tag. */
const tagBytes = 16;

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

/** The field `tags`, one per recipient and at least one; `record` is no longer ok where it is anything else. */
export function readTags(record: FieldReader): Uint8Array[] {
  const isTag = (tag: CanonicalValue): tag is Uint8Array =>
    tag instanceof Uint8Array && tag.length === tagBytes;
  const tags = record.list('tags', recipientsMax);
  if (tags.length === 0 || !tags.every(isTag)) record.refuse();
  return tags.filter(isTag);
}
