import { createDecipheriv, hkdfSync } from 'node:crypto';
import { Decrypter } from 'age-encryption';
import { decodeSealedContent, type Envelope } from '../envelope.ts';
import { decodeSpoolRecord, type RecordHeader } from '../spool-record.ts';

/** Payload of an age file: chunks of 64 KiB, each with a tag of 16 bytes (C2SP age, "Payload"). */
const chunkBytes = 65_536;
const chunkTagBytes = 16;
const nonceBytes = 16;

export type OpenedHead =
  | { kind: 'opened'; header: RecordHeader; envelope: Envelope; begin: Uint8Array }
  | { kind: 'unreadable'; why: string; header: RecordHeader | undefined };

/**
 * The envelope of a record of which only the first bytes are here, and as much of the message as there is: a list of held
 * mail costs a few kilobytes a message and not the message. The file key is unwrapped and checked as age does it; the
 * beginning of the first chunk is then decrypted without its tag, which is at the end of what is not here. So what comes
 * out is for lists only: whoever holds the record could have written anything into it anyway, and reading a message
 * (`openSpoolRecord`) checks all of it. `recordBytes`: length of the whole record.
 */
export async function openRecordHead(
  head: Uint8Array,
  recordBytes: number,
  identities: readonly string[],
): Promise<OpenedHead> {
  const decoded = decodeSpoolRecord(head);
  if (!decoded) return { kind: 'unreadable', why: 'not a spool record', header: undefined };
  const { header, sealed } = decoded;
  const text = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length);
  const macAt = text.indexOf('\n--- ');
  const end = macAt < 0 ? -1 : text.indexOf('\n', macAt + 1);
  if (end < 0) return { kind: 'unreadable', why: 'the beginning is too short', header };
  let fileKey: Uint8Array;
  try {
    const decrypter = new Decrypter();
    for (const identity of identities) decrypter.addIdentity(identity);
    fileKey = await decrypter.decryptHeader(sealed.slice(0, end + 1));
  } catch {
    return { kind: 'unreadable', why: 'no key of this box opens it', header };
  }
  const payloadAt = end + 1 + nonceBytes;
  const payloadBytes = recordBytes - (head.length - sealed.length) - payloadAt;
  const firstBytes = Math.min(payloadBytes, chunkBytes + chunkTagBytes) - chunkTagBytes;
  const key = hkdfSync('sha256', fileKey, sealed.subarray(end + 1, payloadAt), 'payload', 32);
  // Block counter 1 (0 makes the tag's key), then the chunk's nonce: 11 bytes of counter, and 1 where it is the last.
  const iv = Buffer.alloc(16);
  iv.writeUInt32LE(1, 0);
  iv[15] = payloadBytes <= chunkBytes + chunkTagBytes ? 1 : 0;
  const cipher = createDecipheriv('chacha20', Buffer.from(key), iv);
  const content = cipher.update(sealed.subarray(payloadAt, payloadAt + Math.max(0, firstBytes)));
  const inside = decodeSealedContent(new Uint8Array(content));
  if (!inside) return { kind: 'unreadable', why: 'its envelope is longer than what was sent', header };
  return { kind: 'opened', header, envelope: inside.envelope, begin: inside.message };
}
