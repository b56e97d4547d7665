import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Files } from '@copain/core';
import { isFileName } from '../file-name.ts';

const temporaryPrefix = '.new-';

/**
 * Opens a folder of files that appear durably or not at all, and makes it (mode 0700) where it is missing. Temporary
 * files that a crash left behind are removed: nobody was told that they exist.
 */
export async function openFiles(dir: string): Promise<Files> {
  await makeFolder(dir);
  for (const name of await readdir(dir)) {
    if (name.startsWith(temporaryPrefix)) await rm(join(dir, name), { force: true });
  }
  let count = 0;
  return {
    write: async (name, bytes) => {
      if (!isFileName(name)) throw new RangeError(`not a file name: ${name}`);
      count += 1;
      await replaceFile(dir, { name, temporary: `${temporaryPrefix}${process.pid}-${count}`, bytes });
    },
    read: async (name) => {
      if (!isFileName(name)) return undefined;
      try {
        return new Uint8Array(await readFile(join(dir, name)));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    remove: async (name) => {
      if (!isFileName(name)) return;
      await rm(join(dir, name), { force: true });
      await syncFolder(dir);
    },
    list: async () => (await readdir(dir)).filter(isFileName).sort(),
  };
}

/**
 * Writes `bytes` under a temporary name, syncs, renames, syncs the folder. On any failure the old content stays and the
 * temporary file goes.
 */
export async function replaceFile(
  dir: string,
  { name, temporary, bytes }: { name: string; temporary: string; bytes: Uint8Array },
): Promise<void> {
  const path = join(dir, temporary);
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(path, join(dir, name));
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  await syncFolder(dir);
}

/**
 * Makes a folder (mode 0700), and those above it that are missing, durable by name: what is synced inside a folder is lost
 * with it where the folder's own name never reached the disk.
 */
export async function makeFolder(dir: string): Promise<void> {
  const path = resolve(dir);
  const made = await mkdir(path, { recursive: true, mode: 0o700 });
  if (made === undefined) return;
  for (let parent = dirname(path); parent.length >= dirname(made).length; parent = dirname(parent)) {
    await syncFolder(parent);
    if (parent === dirname(parent)) return;
  }
}

/** Makes names that were added to or taken from a folder durable. */
export async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Is it "no such file"? */
function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
