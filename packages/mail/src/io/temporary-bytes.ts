import { type Cipheriv, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { arrivingMemoryMaxBytes, messageMemoryBytes } from '../limits.ts';

/** Bytes in memory over all that share it; what does not fit goes to disk. */
export interface MemoryShare {
  sizeBytes: number;
}

const readBytes = 64 * 1024;

/**
 * Bytes that grow and are read again, as often as wanted, until they are disposed of. Short ones stay in memory; longer
 * ones go to a file that has no name any more as soon as it is open, so that nothing is left of it however we end, and
 * that is enciphered with a key which is in memory only, so that nobody reads it from the disk.
 */
export class TemporaryBytes implements AsyncDisposable {
  sizeBytes = 0;
  readonly #dir: string;
  readonly #memory: MemoryShare;
  #inMemory: Uint8Array[] = [];
  #inMemoryBytes = 0;
  #file: { handle: FileHandle; sizeBytes: number; key: Uint8Array; cipher: Cipheriv } | undefined;

  constructor(dir: string, memory: MemoryShare) {
    this.#dir = dir;
    this.#memory = memory;
  }

  /** Adds a piece, which is ours from now on. Rejects where the disk refuses; what came before is still there then. */
  async push(piece: Uint8Array): Promise<void> {
    const fits =
      this.#inMemoryBytes + piece.length <= messageMemoryBytes &&
      this.#memory.sizeBytes + piece.length <= arrivingMemoryMaxBytes;
    if (this.#file === undefined && fits) {
      this.#inMemory.push(piece);
      this.#inMemoryBytes += piece.length;
      this.#memory.sizeBytes += piece.length;
    } else await this.#write(piece);
    this.sizeBytes += piece.length;
  }

  /** All pieces, where they are in memory; undefined where they are on disk. */
  get inMemory(): readonly Uint8Array[] | undefined {
    return this.#file === undefined ? this.#inMemory : undefined;
  }

  /** Everything from the start. */
  async *pieces(): AsyncIterable<Uint8Array> {
    yield* this.#inMemory;
    if (this.#file === undefined) return;
    const { handle, sizeBytes, key } = this.#file;
    const decipher = createDecipheriv('aes-256-ctr', key, new Uint8Array(16));
    for (let at = 0; at < sizeBytes; ) {
      const { bytesRead, buffer } = await handle.read(
        new Uint8Array(Math.min(readBytes, sizeBytes - at)),
        0,
        undefined,
        at,
      );
      if (bytesRead === 0) throw new Error('a temporary file is shorter than what was written');
      at += bytesRead;
      yield decipher.update(buffer.subarray(0, bytesRead));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#memory.sizeBytes -= this.#inMemoryBytes;
    this.#inMemory = [];
    this.#inMemoryBytes = 0;
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close().catch(() => {});
  }

  async #write(piece: Uint8Array): Promise<void> {
    if (this.#file === undefined) {
      const path = join(this.#dir, `arriving-${randomBytes(8).toString('hex')}`);
      const handle = await open(path, 'wx+', 0o600);
      const key = randomBytes(32);
      const cipher = createCipheriv('aes-256-ctr', key, new Uint8Array(16));
      this.#file = { handle, sizeBytes: 0, key, cipher };
      await rm(path);
    }
    const { handle, sizeBytes, cipher } = this.#file;
    const bytes = cipher.update(piece);
    const { bytesWritten } = await handle.write(bytes, 0, bytes.length, sizeBytes);
    if (bytesWritten !== bytes.length) throw new Error('short write');
    this.#file.sizeBytes += bytes.length;
  }
}
