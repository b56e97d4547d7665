/** Bounds of the control socket. Whoever reaches it is the owner, so they catch mistakes rather than attacks. */
export const controlLimits: {
  readonly lineBytes: number;
  readonly connections: number;
  readonly requestsInFlight: number;
  readonly unsentBytes: number;
  readonly idleMs: number;
  readonly stopMs: number;
  readonly pathBytes: number;
} = {
  /** The longest request carries file names and an invite; a whole zone never passes here. */
  lineBytes: 1_048_576,
  /** More than these at once are a script in a loop. */
  connections: 32,
  /** A command has one request, at most a few. */
  requestsInFlight: 8,
  /** A reader that stopped reading (`peer events -f | less`) is cut off before its backlog hurts the agent. */
  unsentBytes: 8_388_608,
  /** A connection that asks nothing is closed. */
  idleMs: 60_000,
  /** How long a stop waits for answers that are under way. */
  stopMs: 1000,
  /** sun_path holds 108 bytes with the closing zero; Linux cuts longer names off in silence. */
  pathBytes: 107,
};

/** Bounds of the status page's server. */
export const statusHttpLimits: {
  readonly connections: number;
  readonly headerBytes: number;
  readonly requestMs: number;
  readonly keepAliveMs: number;
  readonly refreshMs: number;
} = {
  /** A few browsers and one Prometheus for each address. */
  connections: 64,
  /** Requests have no body and few headers. */
  headerBytes: 8192,
  /** From the first byte of a request to its last: a slow client must not keep a place. */
  requestMs: 10_000,
  keepAliveMs: 5000,
  /** How often browsers fetch the page again. */
  refreshMs: 30_000,
};
