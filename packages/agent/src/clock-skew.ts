/** Whose clock differs by more than this should be set; less is lost in a slow line and does no harm. */
export const clockOffMs = 60_000;

/** How far this box's clock is from its friends': what status and the log say about it. */
export interface ClockSkew {
  /** How much this box's clock is ahead, in ms; below zero: behind. */
  aheadMs: number;
  /** How many friends' clocks that is the median of. */
  friends: number;
}

/**
 * This box's clock against the median of its friends' (`offsetsMs`: friend's clock less ours, one a box, as their last
 * hello told). A friend or two with wrong clocks do not move the median of many; of an even number the one nearer to
 * ours counts, so that of two friends both must differ. Undefined without friends. No decision about who is a friend,
 * or which record is newer, depends on it.
 */
export function clockSkew(offsetsMs: readonly number[]): ClockSkew | undefined {
  const sorted = offsetsMs.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const [low, high] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  if (low === undefined || high === undefined) return undefined;
  const offsetMs = low <= 0 && high >= 0 && low !== high ? 0 : Math.abs(low) < Math.abs(high) ? low : high;
  return { aheadMs: offsetMs === 0 ? 0 : -offsetMs, friends: sorted.length };
}
