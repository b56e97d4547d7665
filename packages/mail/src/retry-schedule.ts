import { retryFirstMs, retryMaxMs } from './limits.ts';

/**
 * How long to wait after the `failures`-th failure in a row (1 or more): 5 s, doubling to 5 min, for ever, since mail of
 * a member never expires. `fraction` (0 to 1, from a Random) spreads it by up to a tenth, so that friends do not knock
 * together.
 */
export function retryDelayMs(failures: number, fraction: number): number {
  const delayMs = Math.min(retryMaxMs, retryFirstMs * 2 ** Math.min(20, Math.max(0, failures - 1)));
  return Math.round(delayMs * (0.9 + 0.1 * fraction));
}
