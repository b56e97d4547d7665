/** Bounds on alerts: on how often somebody is disturbed, on what is remembered, and on what the ways out may cost. */
export const alertLimits: {
  readonly gatherMs: number;
  readonly overAfterMs: number;
  readonly overAfterMaxMs: number;
  readonly spells: number;
  readonly rememberMs: number;
  readonly messagesPerHour: number;
  readonly itemsShown: number;
  readonly troubles: number;
  readonly channels: number;
  readonly mutes: number;
  readonly muteMs: number;
  readonly retryFirstMs: number;
  readonly retryMaxMs: number;
  readonly sendMs: number;
  readonly stopMs: number;
  readonly outputBytes: number;
  readonly tokenBytes: number;
  readonly textCharacters: number;
  readonly rowBytes: number;
} = {
  /** What comes within so long of each other is one message: a friend's box, his zones and his mail fail together. */
  gatherMs: 5000,
  /** A trouble is over when it has been gone for so long: whoever comes and goes every few minutes is one trouble. */
  overAfterMs: 300_000,
  /** That span doubles each time the trouble comes back within a day, up to this, as for takeovers. */
  overAfterMaxMs: 21_600_000,
  /** What comes and goes so often, each time too short to be said, is said. */
  spells: 3,
  /** For so long a trouble that is over is remembered: one that comes back within it is not new. */
  rememberMs: 86_400_000,
  /** Messages an hour on each way; what is more waits, and comes in one message. */
  messagesPerHour: 12,
  /** Troubles spelled out in one message; the rest is counted. */
  itemsShown: 20,
  /** Troubles looked after at once, the gravest first: a thousand zones can all be wrong in the same way. */
  troubles: 200,
  /** `[[alert]]` tables: each is tried for itself, and `peer alerts test` waits for all of them. */
  channels: 20,
  mutes: 50,
  /** Nobody is away from everything for longer than a month; a mute that is forgotten ends. */
  muteMs: 31 * 86_400_000,
  retryFirstMs: 10_000,
  /** A way that fails is tried again at least this often. */
  retryMaxMs: 900_000,
  /** From the start of a command, a connection or a request to its end. */
  sendMs: 30_000,
  /** How long the end of the agent waits for commands and connections that it has cut off. */
  stopMs: 1000,
  /** What a command or a server says is read up to here, and no further. */
  outputBytes: 4096,
  tokenBytes: 4096,
  /** Of one sentence of an alert. */
  textCharacters: 600,
  /** The stored row: two hundred troubles with their sentences, and what twenty ways were told of them, fill half of it at most. */
  rowBytes: 2_097_152,
};
