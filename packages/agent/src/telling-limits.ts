/** Bounds on telling others about the own address. */
export const tellingLimits: {
  readonly updates: number;
  readonly names: number;
  readonly hookWords: number;
  readonly restMs: number;
  readonly retryFirstMs: number;
  readonly retryMaxMs: number;
  readonly hookMs: number;
  readonly outputBytes: number;
  readonly whyCharacters: number;
  readonly rowBytes: number;
} = {
  /** `[[address.update]]` tables: each is a connection for every change. */
  updates: 20,
  /** Names in one of them: one message has room for hundreds. */
  names: 50,
  /** The program and its arguments. */
  hookWords: 20,
  /** An address that is taken back at once is told at this pace. */
  restMs: 5000,
  retryFirstMs: 10_000,
  /** Whoever does not take it is tried again at least this often: names lead to nowhere until he does. */
  retryMaxMs: 600_000,
  /** From the start of the program to its end: a provider's API may take its time. */
  hookMs: 60_000,
  outputBytes: 4096,
  whyCharacters: 400,
  rowBytes: 262_144,
};
