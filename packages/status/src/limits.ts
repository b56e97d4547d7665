/** Bounds on what is shown and on what counts as late, each with its reason. */
export const statusLimits: {
  readonly events: number;
  readonly todos: number;
  readonly pageRows: number;
  readonly namesInSentence: number;
  readonly startGraceMs: number;
  readonly copyLateAfterMs: number;
  readonly primaryLateAfterMs: number;
  readonly mailWaitsAfterMs: number;
  readonly standbySignedForMs: number;
  readonly restoredShownMs: number;
  readonly faultShownMs: number;
  readonly clockOffMs: number;
  readonly clockFarOffMs: number;
  readonly serialFarBehind: number;
  readonly alertsLateAfterMs: number;
  readonly troubleLateMs: number;
  readonly friendDownAlertMs: number;
  readonly serviceDownAlertMs: number;
  readonly mistakeAlertMs: number;
  readonly clockAlertMs: number;
} = {
  /** Events in the document: a screen of history; the rest is in the log. */
  events: 50,
  /** More than this is not read, and the first ones are the gravest. */
  todos: 20,
  /** Rows of any table of the page, so that it stays a page; `/status.json` has them all. */
  pageRows: 200,
  /** Names spelled out in one part of the verdict before "and 4 more". */
  namesInSentence: 3,
  /** After the agent's start friends are presumed to be there for so long: none could have been heard yet. */
  startGraceMs: 60_000,
  /** A friend's older copy is worth a word only when it is not just on its way. */
  copyLateAfterMs: 120_000,
  /** A hidden primary that does not answer for longer is not just restarting. */
  primaryLateAfterMs: 60_000,
  /** Mail that lies here longer than this although its owner can be reached is worth a word. */
  mailWaitsAfterMs: 300_000,
  /** Signatures over what a standby answers that end within a week are to be made anew: signers are run by hand. */
  standbySignedForMs: 604_800_000,
  /** That a box was put back from an older copy is worth a look for a day. */
  restoredShownMs: 86_400_000,
  /** A fault of copain's own that it started again after is worth a look, and a report, for a day. */
  faultShownMs: 86_400_000,
  /** A clock that differs from the friends' by more than this should be set: a slow line explains less. */
  clockOffMs: 60_000,
  /** TSIG tolerates 300 s (RFC 8945 §10); beyond it things go wrong. */
  clockFarOffMs: 300_000,
  /** A file's serial that so many changes do not explain was set back: one typing error in a date is 100 at least. */
  serialFarBehind: 99,
  /** A way for alerts that fails for longer is shown: a server that restarts takes less. */
  alertsLateAfterMs: 60_000,
  /** What mends itself mostly, such as a copy on its way, is an alert only once it stood for so long. */
  troubleLateMs: 600_000,
  /** A friend who was agreed to be down for less is back before anybody has read it; services and zones of his join. */
  friendDownAlertMs: 20_000,
  /** The same for a service of one's own, which is tried again each half minute while it fails. */
  serviceDownAlertMs: 60_000,
  /** A master file that is being edited is wrong now and then. */
  mistakeAlertMs: 10_000,
  /** Time servers step a clock soon after a start. */
  clockAlertMs: 300_000,
};
