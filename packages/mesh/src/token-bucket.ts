/** A right that is used up by use and comes back with time. */
export interface TokenBucket {
  tokens: number;
  atMs: number;
}

/** How fast a bucket fills, and how much it holds. */
export interface BucketLimit {
  perSecond: number;
  burst: number;
}

/** A full one. */
export function fullBucket(limit: BucketLimit, nowMs: number): TokenBucket {
  return { tokens: limit.burst, atMs: nowMs };
}

/** The bucket as it is by now. A clock that went back fills nothing. */
export function refilled(bucket: TokenBucket, limit: BucketLimit, nowMs: number): TokenBucket {
  const passedMs = Math.max(0, nowMs - bucket.atMs);
  return {
    tokens: Math.min(limit.burst, bucket.tokens + (passedMs / 1000) * limit.perSecond),
    atMs: nowMs,
  };
}

/** Takes one token where there is one. */
export function takeToken(
  bucket: TokenBucket,
  limit: BucketLimit,
  nowMs: number,
): { bucket: TokenBucket; taken: boolean } {
  const filled = refilled(bucket, limit, nowMs);
  if (filled.tokens < 1) return { bucket: filled, taken: false };
  return { bucket: { ...filled, tokens: filled.tokens - 1 }, taken: true };
}
