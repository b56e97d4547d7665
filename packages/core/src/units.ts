/** RFC 3339 in UTC with milliseconds, e.g. `2026-11-22T22:30:00.000Z`, for a time that was given. */
export function isoTime(atMs: number): string {
  // biome-ignore lint/style/noRestrictedGlobals: formats a time that was given
  return new Date(atMs).toISOString();
}

/** Milliseconds since 1970 of an RFC 3339 time with zone, or undefined where the text is none. */
export function parseIsoTime(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
  // biome-ignore lint/style/noRestrictedGlobals: parses a time that was given
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : atMs;
}

/**
 * Has the wait until `atMs` ended? So has one that is longer than `longestMs`, the longest that is ever planned: it was planned
 * by a clock that was set back since, and what waits must not wait for the old time to come round again.
 */
export function isDue(atMs: number, nowMs: number, longestMs: number): boolean {
  return nowMs >= atMs || atMs - nowMs > longestMs;
}

const durationUnitsMs: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Milliseconds of `90s`, `10m`, `72h`, `30d`, `2w`, `500ms`; a bare number is seconds. Undefined where it is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12})(ms|s|m|h|d|w)?$/.exec(text);
  if (!match) return undefined;
  const unitMs = durationUnitsMs[match[2] ?? 's'];
  return unitMs === undefined ? undefined : Number(match[1]) * unitMs;
}

const sizeUnits: Record<string, number> = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

/** Bytes of `500MB`, `20GB` (decimal units), or undefined where the text is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)(B|kB|KB|MB|GB|TB)$/.exec(text);
  if (!match) return undefined;
  const unit = sizeUnits[match[2] ?? ''];
  return unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
}

/** `512 B`, `4.1 kB`, `18.2 GB`: decimal units, one decimal from a kilobyte on. */
export function formatSize(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = 'B';
  for (const next of ['kB', 'MB', 'GB', 'TB']) {
    if (value < 1000) break;
    value /= 1000;
    unit = next;
  }
  return unit === 'B' ? `${value} B` : `${value.toFixed(1)} ${unit}`;
}

/** How long, for people: `4 s`, `12 min`, `5 h`, `3 d`; rounded down. A negative span reads as `0 s`. */
export function humanDuration(spanMs: number): string {
  const seconds = Math.max(0, Math.floor(spanMs / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
