import { type FileHandle, open } from 'node:fs/promises';
import { recordHeaderBytes } from '../segment-format.ts';

/** Read at once; small records lie close together, so that one read serves hundreds. */
const blockBytes = 1024 * 1024;

interface PlacedRecord {
  segment: number;
  offset: number;
  sizeBytes: number;
}

/**
 * The first `lengthBytes` of the body of each record, in the order given, which should be the one in which they lie. Each
 * start is a view that is good until the next is asked for, and undefined where its file cannot be read.
 */
export async function* readStarts<Placed extends PlacedRecord>(
  records: Iterable<Placed>,
  lengthBytes: number,
  pathOf: (segment: number) => string,
): AsyncGenerator<{ record: Placed; start: Uint8Array | undefined }> {
  let file: { segment: number; handle: FileHandle | undefined } | undefined;
  const buffer = new Uint8Array(Math.max(blockBytes, lengthBytes));
  let block = { from: 0, bytes: 0 };
  const read = async (record: Placed): Promise<Uint8Array | undefined> => {
    if (file?.segment !== record.segment) {
      await file?.handle?.close();
      file = { segment: record.segment, handle: undefined };
      block = { from: 0, bytes: 0 };
      file.handle = await open(pathOf(record.segment), 'r');
    }
    if (!file.handle) return undefined;
    const from = record.offset + recordHeaderBytes;
    const wanted = Math.min(lengthBytes, record.sizeBytes);
    const isInBlock = (): boolean => block.from <= from && from + wanted <= block.from + block.bytes;
    if (!isInBlock()) {
      const { bytesRead } = await file.handle.read(buffer, 0, buffer.length, from);
      block = { from, bytes: bytesRead };
    }
    const at = from - block.from;
    return isInBlock() ? buffer.subarray(at, at + wanted) : undefined;
  };
  try {
    for (const record of records) yield { record, start: await read(record).catch(() => undefined) };
  } finally {
    await file?.handle?.close();
  }
}
