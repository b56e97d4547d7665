import { type CanonicalValue, decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { maxBulkChunkBytes } from './limits.ts';

/** What two boxes say to each other on a stream of `/copain/bulk/1`. */
export type BulkFrame =
  /** May I send you bytes for this purpose? `sizeBytes`: all of them, 0 where that is not known. */
  | { t: 'offer'; purpose: string; sizeBytes: number }
  /** Yes, so much and so long. The ticket is shown on the second connection, where the offer came on the first. */
  | { t: 'accept'; ticket: Uint8Array; maxBytes: number; maxMs: number }
  | { t: 'refuse'; why: string }
  | { t: 'resume'; ticket: Uint8Array }
  | { t: 'data'; bytes: Uint8Array }
  /** `totalBytes` of data were taken in. */
  | { t: 'ack'; totalBytes: number }
  /** That was all; the other side answers `done` once it is done with it. A stream that ends without is broken. */
  | { t: 'end'; totalBytes: number }
  | { t: 'done' }
  /** A frame that a newer version knows: passed over. */
  | { t: 'ignored' };

/** A chunk with what the frame adds to it. */
export const maxBulkFrameBytes: number = maxBulkChunkBytes + 1024;

export const bulkTicketBytes = 16;

export function encodeBulkFrame(frame: BulkFrame): Uint8Array {
  return encodeCanonical(frame as unknown as CanonicalValue);
}

/** The frame, or undefined where the bytes are none; the caller then gives up the stream. */
export function decodeBulkFrame(bytes: Uint8Array): BulkFrame | undefined {
  const fields = readFields(decodeCanonical(bytes, maxBulkFrameBytes));
  const frame = readFrame(fields.text('t', 8), fields);
  return fields.ok ? frame : undefined;
}

function readFrame(t: string, fields: ReturnType<typeof readFields>): BulkFrame {
  const count = (name: string): number => fields.integer(name, 0, Number.MAX_SAFE_INTEGER);
  switch (t) {
    case 'offer':
      return { t, purpose: fields.text('purpose', 32), sizeBytes: count('sizeBytes') };
    case 'accept': {
      const ticket = fields.bytes('ticket', bulkTicketBytes, bulkTicketBytes);
      return { t, ticket, maxBytes: count('maxBytes'), maxMs: count('maxMs') };
    }
    case 'refuse':
      return { t, why: fields.text('why', 200) };
    case 'resume':
      return { t, ticket: fields.bytes('ticket', bulkTicketBytes, bulkTicketBytes) };
    case 'data':
      return { t, bytes: fields.bytes('bytes', 1, maxBulkChunkBytes) };
    case 'ack':
    case 'end':
      return { t, totalBytes: count('totalBytes') };
    case 'done':
      return { t };
    default:
      return { t: 'ignored' };
  }
}
