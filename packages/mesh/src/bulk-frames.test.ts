import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type BulkFrame,
  bulkTicketBytes,
  decodeBulkFrame,
  encodeBulkFrame,
  maxBulkFrameBytes,
} from './bulk-frames.ts';
import { maxBulkChunkBytes } from './limits.ts';

const ticket = new Uint8Array(bulkTicketBytes).fill(7);

it('every frame is read as it was written', () => {
  const frames: BulkFrame[] = [
    { t: 'offer', purpose: 'measure', sizeBytes: 0 },
    { t: 'accept', ticket, maxBytes: 50_000_000, maxMs: 30_000 },
    { t: 'refuse', why: 'once a minute' },
    { t: 'resume', ticket },
    { t: 'data', bytes: new Uint8Array(maxBulkChunkBytes) },
    { t: 'ack', totalBytes: 123_456 },
    { t: 'end', totalBytes: 123_456 },
    { t: 'done' },
  ];
  for (const frame of frames) {
    const bytes = encodeBulkFrame(frame);
    expect(bytes.length).toBeLessThanOrEqual(maxBulkFrameBytes);
    expect(decodeBulkFrame(bytes)).toEqual(frame);
  }
});

it('refuses a chunk that is too large or empty, a short ticket and a negative count', () => {
  const wrong = [
    { t: 'data', bytes: new Uint8Array(maxBulkChunkBytes + 1) },
    { t: 'data', bytes: new Uint8Array() },
    { t: 'resume', ticket: ticket.slice(1) },
    { t: 'ack', totalBytes: -1 },
    { t: 'offer', purpose: 'x'.repeat(33), sizeBytes: 0 },
  ];
  for (const frame of wrong) {
    expect(decodeBulkFrame(encodeBulkFrame(frame as BulkFrame))).toBeUndefined();
  }
});

it('passes over a frame of a newer version, and never throws on any bytes', () => {
  expect(decodeBulkFrame(encodeBulkFrame({ t: 'ignored' }))).toEqual({ t: 'ignored' });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      decodeBulkFrame(bytes);
    }),
  );
});
