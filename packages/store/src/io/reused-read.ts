import { open } from 'node:fs/promises';

/** The whole file, in memory that the next one is read into as well: one for each would pile up until it is collected. */
export async function readInto(room: { bytes: Uint8Array }, path: string): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size > room.bytes.length) room.bytes = new Uint8Array(size);
    let length = 0;
    while (length < size) {
      const { bytesRead } = await file.read(room.bytes, length, size - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return room.bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}
