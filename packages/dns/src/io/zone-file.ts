import { readFileSync, realpathSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, relative, resolve, sep } from 'node:path';
import { equalBytes } from '@copain/core';
import { type FileEnd, fileEnd } from '../half-written.ts';
import { masterFileBytesMax } from '../limits.ts';
import { type LoadedZone, loadZone } from '../load-zone.ts';
import type { Included } from '../master-file.ts';
import type { DomainName } from '../name.ts';
import { sha256 } from './hash.ts';

/** A zone read from disk, and every file it consists of, for watching. */
export interface ZoneFile extends LoadedZone {
  files: string[];
  /** SHA-256 of the master file alone; undefined where it could not be read. */
  digest?: Uint8Array;
  /** How each of `files` ends, where it could be read. */
  ends: ReadonlyMap<string, FileEnd>;
}

/**
 * Reads and checks a master file with what it includes. `$INCLUDE` reaches files in the master file's own folder and
 * below, nothing else, also not through links. A file that cannot be read is a problem like any other. `shownAs` is how
 * the file is called in problems; by default as `path` was given. `before` is what the same path gave the last time: it is
 * given back where the file is the same and includes none, and else what did not change is taken over from it.
 */
export async function readZoneFile(options: {
  path: string;
  origin: DomainName;
  shownAs?: string;
  before?: ZoneFile | undefined;
}): Promise<ZoneFile> {
  const { path, origin, before } = options;
  const file = options.shownAs ?? path;
  const files = [resolve(path)];
  const ends = new Map<string, FileEnd>();
  const unreadable = (text: string): ZoneFile => ({
    zone: undefined,
    problems: [{ severity: 'error', file, line: 1, column: 1, text }],
    files,
    ends,
  });
  try {
    if ((await stat(path)).size > masterFileBytesMax)
      return unreadable(`the file is larger than ${masterFileBytesMax} octets`);
    const bytes = await readFile(path);
    const digest = sha256(bytes);
    const isSame = before?.files.length === 1 && before.files[0] === files[0];
    if (isSame && before.digest !== undefined && equalBytes(before.digest, digest)) return before;
    const folder = realpathSync(dirname(path));
    const text = bytes.toString('latin1');
    ends.set(resolve(path), fileEnd(text));
    const wanted = {
      text,
      file,
      origin,
      include: (part: string) => readIncluded(folder, dirname(file), part, { files, ends }),
    };
    const loaded = loadZone(wanted, isSame ? before : undefined);
    return { ...loaded, files, digest, ends };
  } catch (cause) {
    return unreadable(whyUnreadable(cause));
  }
}

/** Read while parsing, hence synchronously; included files are small and local. */
function readIncluded(
  folder: string,
  shownFolder: string,
  wanted: string,
  read: { files: string[]; ends: Map<string, FileEnd> },
): Included {
  try {
    const path = resolve(folder, wanted);
    read.files.push(path);
    const inside = relative(folder, realpathSync(path));
    if (inside === '..' || inside.startsWith(`..${sep}`) || resolve(inside) === inside) {
      return { kind: 'problem', text: "an included file must lie in the zone file's folder or below" };
    }
    if (statSync(path).size > masterFileBytesMax)
      return { kind: 'problem', text: 'the included file is too large' };
    const shown = shownFolder === '.' ? inside : `${shownFolder}/${inside}`;
    const text = readFileSync(path, 'latin1');
    read.ends.set(path, fileEnd(text));
    return { kind: 'text', file: shown, text };
  } catch (cause) {
    return {
      kind: 'problem',
      text: `cannot be included: ${cause instanceof Error ? cause.message : String(cause)}`,
    };
  }
}

function whyUnreadable(cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'this user may not read the file';
  return `cannot be read: ${cause instanceof Error ? cause.message : 'unknown reason'}`;
}
