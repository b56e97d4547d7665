import { parseDuration, parseIsoTime } from '@copain/core';

/** The instant, in ms since 1970, of `2h` (so long ago) or of an RFC 3339 time; undefined where the text is neither. */
export function readSince(text: string, nowMs: number): number | undefined {
  const ago = parseDuration(text);
  return ago === undefined ? parseIsoTime(text) : nowMs - ago;
}
