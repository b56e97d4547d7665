import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { RecordSource } from '@copain/core';
import { encodeRecord, encodeRecordHeader, type RecordKind, recordHeaderBytes } from '../segment-format.ts';

/** One record on its way into a segment. */
export interface RecordToWrite {
  kind: RecordKind;
  sizeBytes: number;
  body: Uint8Array | RecordSource;
}

/** Where each record went, in their order; `cause` where the source of one failed, which leaves the others as they are. */
export interface WrittenRecords {
  written: ({ offset: number } | { cause: unknown })[];
  endBytes: number;
}

/** Thrown through a write by the source of a record, so that it is not taken for trouble with the disk. */
class SourceFailed extends Error {}

/**
 * Writes records one after the other from `startBytes` on; nothing is synced. Small ones go out together. A source is
 * copied piece by piece, and its header is written last. Rejects where the disk refuses.
 */
export async function writeRecords(
  file: FileHandle,
  startBytes: number,
  records: readonly RecordToWrite[],
): Promise<WrittenRecords> {
  const written: WrittenRecords['written'] = [];
  let offset = startBytes;
  let together: Uint8Array[] = [];
  let leftover = false;
  const flush = async (): Promise<void> => {
    const sizeBytes = together.reduce((sum, { length }) => sum + length, 0);
    if (sizeBytes === 0) return;
    const { bytesWritten } = await file.writev(together, offset - sizeBytes);
    if (bytesWritten !== sizeBytes) throw new Error('short write');
    together = [];
  };
  for (const { kind, sizeBytes, body } of records) {
    if (body instanceof Uint8Array) {
      together.push(encodeRecord(kind, body, crc32));
      written.push({ offset });
      offset += recordHeaderBytes + sizeBytes;
      continue;
    }
    await flush();
    try {
      await writeSource(file, offset, kind, body);
      written.push({ offset });
      offset += recordHeaderBytes + sizeBytes;
    } catch (error) {
      if (!(error instanceof SourceFailed)) throw error;
      written.push({ cause: error.cause });
      leftover = true;
    }
  }
  await flush();
  if (leftover) await file.truncate(offset);
  return { written, endBytes: offset };
}

async function writeSource(
  file: FileHandle,
  offset: number,
  kind: RecordKind,
  source: RecordSource,
): Promise<void> {
  let sizeBytes = 0;
  let bodyChecksum = 0;
  for await (const piece of piecesOf(source)) {
    bodyChecksum = crc32(piece, bodyChecksum);
    await writeAll(file, piece, offset + recordHeaderBytes + sizeBytes);
    sizeBytes += piece.length;
  }
  if (sizeBytes !== source.sizeBytes)
    throw new SourceFailed('source', { cause: new RangeError('not as long as it said') });
  await writeAll(file, encodeRecordHeader({ kind, lengthBytes: sizeBytes, bodyChecksum }, crc32), offset);
}

async function* piecesOf(source: RecordSource): AsyncIterable<Uint8Array> {
  let sizeBytes = 0;
  try {
    for await (const piece of source.pieces()) {
      sizeBytes += piece.length;
      // Not a byte beyond what was announced, whatever the source does.
      if (sizeBytes > source.sizeBytes) throw new RangeError('longer than it said');
      yield piece;
    }
  } catch (cause) {
    throw new SourceFailed('source', { cause });
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  const { bytesWritten } = await file.write(bytes, 0, bytes.length, position);
  if (bytesWritten !== bytes.length) throw new Error('short write');
}
