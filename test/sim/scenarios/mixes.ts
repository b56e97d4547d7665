/** What goes wrong in homes and their lines: how often in 30 days, per box or per pair or in the circle, and for how long. */
export interface Mix {
  /** Of one box's line: seconds, less than a minute (often with another address afterwards), minutes, hours. */
  blips: number;
  reconnects: number;
  outages: number;
  longOutages: number;
  /** The agent or the machine ends with a good-bye; power is gone; the box is off for days. */
  restarts: number;
  powerCuts: number;
  /** Power is gone while something is on its way to the disk. */
  unluckyPowerCuts: number;
  absences: number;
  /** The uplink is full, with a modem's queue. */
  fullLines: number;
  /** The clock is set, by seconds to hours. */
  clockJumps: number;
  fullDisks: number;
  /** The owner's mail server does not answer. */
  mtaOutages: number;
  /** An owner's web site fails while his box runs; its copy at a friend's does. */
  siteFaults: number;
  standbyFaults: number;
  /** Of a pair: its path is cut, in both directions or in one. */
  pathCuts: number;
  oneWayCuts: number;
  /** Of a box: trouble between networks cuts its paths to a part of the others. */
  routeFaults: number;
  /** In the circle: a provider's customers are out together; the internet falls in two. */
  sharedOutages: number;
  partitions: number;
}

/** The mix that was assumed for homes in the model behind the detector's numbers. */
const homes: Mix = {
  blips: 45,
  reconnects: 6,
  outages: 1.5,
  longOutages: 0.3,
  restarts: 2,
  powerCuts: 0.3,
  unluckyPowerCuts: 0.5,
  absences: 0.04,
  fullLines: 4,
  clockJumps: 0.2,
  fullDisks: 0.1,
  mtaOutages: 3,
  siteFaults: 2,
  standbyFaults: 1,
  pathCuts: 1,
  oneWayCuts: 0.2,
  routeFaults: 0.5,
  sharedOutages: 0,
  partitions: 0,
};

const times = (mix: Mix, by: number): Mix =>
  Object.fromEntries(
    Object.entries(mix).map(([kind, rate]) => [kind, (rate as number) * by]),
  ) as unknown as Mix;

/**
 * `homes`: every line by itself. `shared`: fewer faults of single lines, but whole networks are out together and the
 * internet falls apart. `harsh`: three times as much of everything, at once.
 */
export const mixes = {
  homes,
  shared: { ...times(homes, 0.5), sharedOutages: 4, partitions: 3, powerCuts: 1 },
  harsh: { ...times(homes, 3), sharedOutages: 3, partitions: 3, clockJumps: 3, fullDisks: 1 },
} satisfies Record<string, Mix>;

export type MixName = keyof typeof mixes;
export const mixNames = Object.keys(mixes) as MixName[];
