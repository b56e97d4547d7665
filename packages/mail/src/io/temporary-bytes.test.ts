import { readdir } from 'node:fs/promises';
import { concatBytes } from '@copain/core';
import { expect, it } from 'vitest';
import { messageMemoryBytes } from '../limits.ts';
import { TemporaryBytes } from './temporary-bytes.ts';
import { temporaryFolder } from './testing.ts';

const piece = (seed: number, length: number) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255);

async function all(bytes: TemporaryBytes): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const one of bytes.pieces()) pieces.push(one);
  return concatBytes(...pieces);
}

it('gives back what was pushed, as often as asked: short from memory, long from a file without a name', async () => {
  await using folder = await temporaryFolder();
  const memory = { sizeBytes: 0 };
  for (const pieces of [3, 30]) {
    await using bytes = new TemporaryBytes(folder.dir, memory);
    const sent = Array.from({ length: pieces }, (_, i) => piece(i, 20_001));
    for (const one of sent) await bytes.push(one);
    expect(bytes.inMemory === undefined).toBe(bytes.sizeBytes > messageMemoryBytes);
    expect(memory.sizeBytes).toBeLessThanOrEqual(messageMemoryBytes);
    for (const _ of [1, 2]) expect(Buffer.compare(await all(bytes), concatBytes(...sent))).toBe(0);
    expect(await readdir(folder.dir)).toEqual([]);
  }
  expect(memory.sizeBytes).toBe(0);
});

it('a folder that cannot be written to is told, and what came before is still there', async () => {
  await using bytes = new TemporaryBytes('/nowhere', { sizeBytes: 0 });
  const first = piece(1, 1000);
  await bytes.push(first);
  await expect(bytes.push(piece(2, messageMemoryBytes))).rejects.toThrow('ENOENT');
  expect(await all(bytes)).toEqual(first);
});
