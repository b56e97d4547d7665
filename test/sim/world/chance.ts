/**
 * Chance as a function of what it is for, not of how often it was asked: the same seed and the same place give the same
 * number, whatever else was or was not simulated before. So a run that skips idle time meets the same delays and losses
 * as one that does not. Places are small whole numbers; the answer lies from 0 (included) to 1 (excluded).
 */
export type Chance = (what: number, a?: number, b?: number, c?: number) => number;

/** What chance is asked for, so that no two uses share numbers. */
export const lot = {
  pairDelay: 1,
  messageDelay: 2,
  loss: 3,
  reconnect: 4,
  resume: 5,
  beatEvery: 6,
  tickPhase: 7,
  skew: 8,
  syncDelay: 9,
  tornTail: 10,
  mail: 11,
  key: 12,
  fetch: 13,
  mta: 14,
  line: 15,
  probe: 16,
} as const;

/** A field of numbers for one seed. */
export function chance(seed: number): Chance {
  return (what, a = 0, b = 0, c = 0) => {
    let h = (seed ^ 0x9e3779b9) >>> 0;
    h = mix(h ^ Math.imul(what + 1, 0x85ebca6b));
    h = mix(h ^ Math.imul(a + 1, 0xc2b2ae35));
    h = mix(h ^ Math.imul(b + 1, 0x27d4eb2f));
    h = mix(h ^ Math.imul(c + 1, 0x165667b1));
    return h / 2 ** 32;
  };
}

function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}
