import type { Config } from './config-schema.ts';

/** What a measured transfer to a friend ran into. */
export type LineLimit =
  /** `[line] up` or `[line] bulk` of this box. */
  | 'up'
  | 'bulk'
  /** The friend took no more bytes. */
  | 'friend'
  /** The round trip is so long that the largest window does not fill the line. */
  | 'round-trip'
  /** The path itself: our uplink, his downlink, a relay between. */
  | 'path';

/** A rate this near to a limit of ours is that limit; headers and acknowledgements are the rest. */
const nearLimit = 0.8;

/** What limited a transfer of so many bytes in so long. */
export function whatLimits(
  sent: { bytes: number; tookMs: number; windowBytes: number; limits: { maxBytes: number } },
  line: Pick<Config['line'], 'upBytesPerSecond' | 'bulkBytesPerSecond'>,
  maxWindowBytes: number,
): LineLimit {
  const rate = bytesPerSecond(sent);
  const up = line.upBytesPerSecond ?? Number.POSITIVE_INFINITY;
  const bulk = line.bulkBytesPerSecond ?? Number.POSITIVE_INFINITY;
  if (rate >= nearLimit * Math.min(up, bulk)) return bulk < up ? 'bulk' : 'up';
  if (sent.bytes >= sent.limits.maxBytes) return 'friend';
  return sent.windowBytes >= maxWindowBytes ? 'round-trip' : 'path';
}

export function bytesPerSecond({ bytes, tookMs }: { bytes: number; tookMs: number }): number {
  return tookMs <= 0 ? 0 : (bytes * 1000) / tookMs;
}
