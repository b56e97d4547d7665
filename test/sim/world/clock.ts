import { type Chance, lot } from './chance.ts';

/** What one box believes the time is: wrong by a skew of its own, and set anew now and then. */
export interface BoxClock {
  /** The box's time, in ms since 1970, at an instant of the run. */
  localMs(trueMs: number): number;
  jump(byMs: number): void;
}

/** A fixed start, so that records carry the same times in every run. */
export const startMs: number = Date.UTC(2026, 0, 1);

/** Most clocks are right to the second; a few are days off, as a board without a battery is. */
export function boxClock(box: number, chance: Chance): BoxClock {
  const isLost = chance(lot.skew, box, 1) < 0.1;
  let offsetMs = startMs + Math.round((chance(lot.skew, box) - 0.5) * (isLost ? 20 * 86_400_000 : 4000));
  return {
    localMs: (trueMs) => trueMs + offsetMs,
    jump: (byMs) => {
      offsetMs += byMs;
    },
  };
}
