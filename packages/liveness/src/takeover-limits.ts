/** The last beat before a cut may be this old when the line is cut: beats are up to 11 s apart. */
export const beatSlackMs = 11_000;

/** A service that works is tried this often by each box that watches it. */
export const probeCalmEveryMs = 60_000;

/** One that is in doubt is tried this often: an answer must be fresh when it is decided by. */
export const probeDoubtEveryMs = 5_000;

/** What stays as it is for as many answers in a row is tried less often, though still within `probeFreshMs`. */
export const probesOften = 120;
export const probeLateEveryMs = 15_000;

/** What was tried longer ago decides nothing: a probe may take 10 s, and two of them may be lost. */
export const probeFreshMs = 30_000;

/** Failures in a row before a box is for the standby. */
export const probesForSwap = 2;

/** Answers in a row before a box is for going home. */
export const probesForBack = 3;

/** A vote that still stands is signed anew after this, so that those of one outage are near each other. */
export const refreshVoteAfterMs = 240_000;

/** Whoever did not put votes together first waits this long for who should. */
export const certifyAfterMs = 3_000;

/** The longest hold before a service goes home, unless its owner set a longer one. */
export const holdMaxMs: number = 6 * 3_600_000;

/** After as many takeovers within a day the owner decides. */
export const flapsMax = 3;

/** Takeovers of this time count as flaps. */
export const flapsWithinMs: number = 24 * 3_600_000;
