import type { Zone } from './zone.ts';

/** How a file ends. */
export interface FileEnd {
  /** The last line that is not blank. */
  lastLine: string;
  /** Does it end with a line end? */
  isEnded: boolean;
  sizeBytes: number;
}

/** What a zone's files gave: by path, where they could be read. */
export interface FilesRead {
  /** Undefined where only the zone is known, not the files that it came from. */
  ends: ReadonlyMap<string, FileEnd> | undefined;
  /** Undefined where the files have mistakes. */
  zone: Zone | undefined;
}

/** A line of this many characters is compared by its end. */
const lineComparedMax = 1000;

/** The end of a file's text. */
export function fileEnd(text: string): FileEnd {
  const line = text.slice(-lineComparedMax).trimEnd();
  const from = line.lastIndexOf('\n') + 1;
  return { lastLine: line.slice(from), isEnded: text.endsWith('\n'), sizeBytes: text.length };
}

/**
 * Do these files look as if they were not written to their ends yet? A file that is written in place is seen empty, and
 * with its first part, before it is whole; and its first part may be a zone. Such a part does not end as the file did
 * before, and either is no zone, or lacks records that the zone had, or stops in the middle of a line.
 */
export function mayBeHalfWritten(before: FilesRead, now: FilesRead): boolean {
  const ends = before.ends && [...before.ends];
  const hasLostItsEnd =
    ends === undefined || ends.some(([file, end]) => now.ends?.get(file)?.lastLine !== end.lastLine);
  if (!hasLostItsEnd) return false;
  return now.zone === undefined || stopsInLine(before, now) !== undefined || takesAway(before, now);
}

/**
 * The file that stops in the middle of a line, which it did not before, while records are gone: whoever wrote it did not
 * come to its end, and perhaps never will. Undefined where there is none.
 */
export function cutFile(before: FilesRead, now: FilesRead): string | undefined {
  return takesAway(before, now) ? stopsInLine(before, now) : undefined;
}

function stopsInLine(before: FilesRead, now: FilesRead): string | undefined {
  const cut = [...(before.ends ?? [])].find(([file, end]) => {
    const found = now.ends?.get(file);
    return end.isEnded && found !== undefined && !found.isEnded;
  });
  return cut?.[0];
}

/** Is there an RRset in the one that the other does not have at all? */
function takesAway(before: FilesRead, now: FilesRead): boolean {
  if (before.zone === undefined || now.zone === undefined) return false;
  for (const [key, node] of before.zone.nodes) {
    const types = new Set(now.zone.nodes.get(key)?.rrsets.map(({ type }) => type));
    if (node.rrsets.some(({ type }) => !types.has(type))) return true;
  }
  return false;
}
