import { relayedUrgent } from './limits.ts';
import type { TrafficClass } from './line-scheduler.ts';
import { type BucketLimit, fullBucket, refilled, type TokenBucket } from './token-bucket.ts';

/** What one end of a relayed connection may have passed on as if it were our own beats. */
export function startRelayedUrgent(nowMs: number): TokenBucket {
  return fullBucket(relayedUrgent, nowMs);
}

/**
 * Which class the next bytes of a relayed connection are: `control` as long as they are no more than beats and gossip
 * come to, since a relay cannot read them; the rest is `relayed`.
 */
export function classOfRelayed(
  bucket: TokenBucket,
  sizeBytes: number,
  nowMs: number,
  limit: BucketLimit = relayedUrgent,
): [TokenBucket, TrafficClass] {
  const filled = refilled(bucket, limit, nowMs);
  if (filled.tokens < sizeBytes) return [filled, 'relayed'];
  return [{ ...filled, tokens: filled.tokens - sizeBytes }, 'control'];
}
