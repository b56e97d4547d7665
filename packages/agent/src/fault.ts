/** Something was thrown where nobody expected it: our mistake, not the outside's. */
export interface Fault {
  atMs: number;
  /** In words, the part of copain whose code it came from: `mail`, `the mesh`. */
  where: string;
  /** The box could not even start again. */
  whileStarting: boolean;
}

/** The faults since the last calm, in one process. */
export interface FaultHistory {
  last: Fault;
  /** Faults in a row, this one among them. */
  inARow: number;
  /** Starts in a row that failed. */
  failedStarts: number;
}

/** After so long without a fault the next one is the first again. */
export const calmAfterMs: number = 10 * 60_000;
/** Between two faults in a row the box stays down for at most this long: friends answer for it, and mail waits there. */
export const maxFaultWaitMs: number = 60_000;
/** A start that fails so often after a fault needs a new process: something of the old life is still in its way. */
export const maxFailedStarts: number = 5;

/**
 * What to do after a fault: start again at `againAfterMs` from now, or (undefined) end the process, so that whoever runs
 * it starts a new one. At once after the first fault, since waiting would help nobody; then after 1, 2, 4 … 60 s.
 */
export function afterFault(
  past: FaultHistory | undefined,
  fault: Fault,
): { history: FaultHistory; againAfterMs: number | undefined } {
  const isFirst = past === undefined || fault.atMs - past.last.atMs >= calmAfterMs;
  const inARow = isFirst ? 1 : past.inARow + 1;
  const failedStarts = fault.whileStarting ? (past?.failedStarts ?? 0) + 1 : 0;
  const history = { last: fault, inARow, failedStarts };
  if (failedStarts >= maxFailedStarts) return { history, againAfterMs: undefined };
  const againAfterMs = inARow === 1 ? 0 : Math.min(1000 * 2 ** (inARow - 2), maxFaultWaitMs);
  return { history, againAfterMs };
}

const parts: Readonly<Record<string, string>> = {
  mesh: 'the mesh',
  dns: 'DNS',
  mail: 'mail',
  liveness: 'the watch over friends',
  store: 'the disk store',
  status: 'the status page',
};

/** The part of copain that the innermost of our own lines in this stack belongs to, in words. */
export function whereOf(stack: string): string {
  for (const [, room = ''] of stack.matchAll(/[/\\]packages[/\\]([a-z]+)[/\\](?:dist|src)[/\\]/g)) {
    // Words that all rooms share: the room is the one that used them.
    if (room === 'core' || room === 'trust') continue;
    return parts[room] ?? 'the agent itself';
  }
  return 'the agent itself';
}

/** As `peer events` tells it after the start that followed. */
export function faultText({ last, inARow }: FaultHistory): string {
  const again = inARow === 1 ? '' : ` (${inARow} faults in a row)`;
  return `A fault in ${last.where} stopped this box; it started again by itself${again}.`;
}
