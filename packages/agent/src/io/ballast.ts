import { open, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { diskFloorBytes } from '@copain/mail';

/**
 * Room that this box keeps on its disk for the day on which the disk is full: to open its tables it needs some, and
 * without them it could not even answer DNS. Three tables rewrite their logs at a start, of at most 4 MB each.
 */
export const ballastBytes: number = 16 * 1024 * 1024;

/** With less free than this the reserve is given up at a start. */
const neededBytes = ballastBytes;

/** The reserve is laid in again when this much would still be free beside it: as long as mail may be held. */
const spareBytes = 128 * 1024 * 1024;

const fileName = 'ballast';
const temporaryName = '.ballast.new';

/** What the disk of `dir` has left for us, in bytes. Rejects where that cannot be measured. */
export async function freeBytes(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}

/** Is the reserve of `dir` laid in? */
export async function hasBallast(dir: string): Promise<boolean> {
  return await stat(join(dir, fileName)).then(
    ({ size }) => size >= ballastBytes,
    () => false,
  );
}

/** Gives the reserve in `dir` up where the disk is all but full. True where it did: somebody has to hear of it. */
export async function giveUpBallast(dir: string): Promise<boolean> {
  try {
    if ((await freeBytes(dir)) >= neededBytes) return false;
    await stat(join(dir, fileName));
    await rm(join(dir, fileName));
    return true;
  } catch {
    // No reserve, or no way to measure: the start goes on and tells what is wrong if anything is.
    return false;
  }
}

/** Lays the reserve in where there is none and plenty is free. Rejects where the disk refuses; tried again later. */
export async function layInBallast(dir: string): Promise<void> {
  const path = join(dir, fileName);
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size >= ballastBytes || (await freeBytes(dir)) < ballastBytes + spareBytes) return;
  const temporary = join(dir, temporaryName);
  const file = await open(temporary, 'w', 0o600);
  try {
    // Real bytes: a hole would be no room.
    const piece = new Uint8Array(1024 * 1024).fill(1);
    for (let written = 0; written < ballastBytes; written += piece.length) await file.write(piece);
    await file.datasync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** How often the disk is looked at. */
const lookEveryMs = 60_000;

/**
 * Keeps the reserve, and looks whether mail may still be held. `changed` hears it at once where the disk is low, and then
 * whenever that changes.
 */
export function keepBallast(
  dir: string,
  heard: { changed(low: boolean): void; failed: (error: unknown) => void },
): AsyncDisposable {
  let wasLow = false;
  const look = async (): Promise<void> => {
    await layInBallast(dir);
    const isLow = (await freeBytes(dir)) < diskFloorBytes;
    if (isLow !== wasLow) heard.changed(isLow);
    wasLow = isLow;
  };
  let looking = Promise.resolve();
  const lookNow = (): void => {
    looking = look().catch(heard.failed);
  };
  lookNow();
  const timer = setInterval(lookNow, lookEveryMs).unref();
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await looking;
    },
  };
}
