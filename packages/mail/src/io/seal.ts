import { createHash } from 'node:crypto';
import { equalBytes, type RecordSource, toHex } from '@copain/core';
import { Decrypter } from 'age-encryption';
import { decodeSealedContent, type Envelope, encodeSealedContent } from '../envelope.ts';
import { dedupeTag, messageKey } from '../message-key.ts';
import { scanMessage } from '../message-scan.ts';
import { decodeSpoolRecord, encodeSpoolRecord, type RecordHeader } from '../spool-record.ts';
import { sealAgeStream } from './age-file.ts';
import { type Sealing, sealHere } from './sealing.ts';
import type { TemporaryBytes } from './temporary-bytes.ts';

/** SHA-256 of some bytes, or of several pieces in a row. */
export function sha256(...pieces: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return new Uint8Array(hash.digest());
}

/** One tag per recipient, in their order. */
export function tagsOf(
  ownerId: string,
  { from, recipients }: { from: string; recipients: readonly string[] },
  dataHash: Uint8Array,
): Uint8Array[] {
  return recipients.map((recipient) =>
    dedupeTag({ ownerId, key: messageKey({ from, recipient, dataHash }, sha256) }, sha256),
  );
}

export interface SealOptions {
  ownerId: string;
  domain: string;
  /** age recipients; each alone can open the record. */
  sealTo: readonly string[];
  envelope: Envelope;
  messageBytes: number;
  tags: Uint8Array[];
}

/**
 * Seals a message, given in pieces, into a spool record in memory. Rejects where there is no key to seal to: then the
 * message cannot be kept. `seal`: by whom; without it in this thread.
 */
export async function sealMessage(
  options: SealOptions & { message: readonly Uint8Array[]; seal?: Sealing['seal'] },
): Promise<{ header: RecordHeader; record: Uint8Array }> {
  const content = encodeSealedContent(options.envelope, options.message);
  const { file, hash } = await (options.seal?.(options.sealTo, content) ?? sealHere(options.sealTo, content));
  const header = sealedHeader(options, hash);
  return { header, record: encodeSpoolRecord(header, file) };
}

/** The same for a message that is too large for memory: the sealed part goes into `sealed`, which the caller disposes of. */
export async function sealLargeMessage(
  options: SealOptions & { message: TemporaryBytes; sealed: TemporaryBytes },
): Promise<{ header: RecordHeader; record: RecordSource }> {
  const { envelope, message, sealed } = options;
  const content = async function* (): AsyncGenerator<Uint8Array> {
    yield encodeSealedContent(envelope, []);
    yield* message.pieces();
  };
  const hash = createHash('sha256');
  for await (const piece of sealAgeStream(options.sealTo, content())) {
    hash.update(piece);
    await sealed.push(piece);
  }
  const header = sealedHeader(options, new Uint8Array(hash.digest()));
  const start = encodeSpoolRecord(header, new Uint8Array());
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    yield start;
    yield* sealed.pieces();
  };
  return { header, record: { sizeBytes: start.length + sealed.sizeBytes, pieces } };
}

/** The clear part of a record whose age file has this hash. */
export function sealedHeader(
  { ownerId, domain, messageBytes, envelope, tags, sealTo }: SealOptions,
  hash: Uint8Array,
): RecordHeader {
  return {
    ownerId,
    domain,
    messageBytes,
    // As it lies on the disk: the exact time is inside.
    receivedAtMs: Math.floor(envelope.receivedAtMs / 60_000) * 60_000,
    tags,
    keyIds: sealTo.slice(0, 16).map(keyId),
    hash,
  };
}

/** Ids of keys that were asked for; a circle has a few for each owner. Begun anew when it is full. */
const keyIds = new Map<string, string>();
const keyIdsMax = 1000;

/** The first 16 hexadecimal characters of the hash of an age recipient. */
export function keyId(recipient: string): string {
  const known = keyIds.get(recipient);
  if (known !== undefined) return known;
  const id = toHex(sha256(Buffer.from(recipient))).slice(0, 16);
  if (keyIds.size >= keyIdsMax) keyIds.clear();
  keyIds.set(recipient, id);
  return id;
}

export type OpenedRecord =
  | { kind: 'opened'; header: RecordHeader; envelope: Envelope; message: Uint8Array }
  | { kind: 'unreadable'; why: string };

/** Envelope and message of an age file that holds a sealed message, opened with whichever of our keys fits. */
export async function openSealed(
  sealed: Uint8Array,
  identities: readonly string[],
): Promise<
  { kind: 'opened'; envelope: Envelope; message: Uint8Array } | { kind: 'unreadable'; why: string }
> {
  let content: Uint8Array;
  try {
    const decrypter = new Decrypter();
    for (const identity of identities) decrypter.addIdentity(identity);
    content = await decrypter.decrypt(sealed);
  } catch {
    return { kind: 'unreadable', why: 'no key of this box opens it' };
  }
  const inside = decodeSealedContent(content);
  return inside ? { kind: 'opened', ...inside } : { kind: 'unreadable', why: 'no envelope inside' };
}

/**
 * Opens a record with whichever of our keys fits, and checks all of it: hash, envelope, that the tags in clear are the
 * ones of this very message (else a friend could make us take a good message for one we had), that no line end in it
 * could smuggle a second message into the MTA.
 */
export async function openSpoolRecord(
  record: Uint8Array,
  identities: readonly string[],
): Promise<OpenedRecord> {
  const decoded = decodeSpoolRecord(record);
  if (!decoded) return { kind: 'unreadable', why: 'not a spool record' };
  const { header, sealed } = decoded;
  if (!equalBytes(sha256(sealed), header.hash)) return { kind: 'unreadable', why: 'damaged' };
  const inside = await openSealed(sealed, identities);
  if (inside.kind === 'unreadable') return inside;
  const { envelope, message } = inside;
  const tags = tagsOf(header.ownerId, envelope, sha256(message));
  if (
    tags.length !== header.tags.length ||
    !tags.every((tag, i) => equalBytes(tag, header.tags[i] ?? tag.subarray(1)))
  )
    return { kind: 'unreadable', why: 'tags of another message' };
  const scan = scanMessage();
  scan.push(message);
  if (scan.bareLineEnd) return { kind: 'unreadable', why: 'bare CR or LF inside' };
  return { kind: 'opened', header, envelope, message };
}
