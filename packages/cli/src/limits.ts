/** Bounds on what the command takes in and waits for. */
export const cliLimits: {
  readonly answerBytes: number;
  readonly silenceMs: number;
  readonly codeBytes: number;
  readonly keyFileBytes: number;
  readonly stopMs: number;
  readonly watchEveryMs: number;
  readonly retryEveryMs: number;
} = {
  /** One line of an answer: the status of a large circle is some hundred kilobytes. */
  answerBytes: 67_108_864,
  /** An agent that says nothing for so long to a question that needs no waiting hangs. */
  silenceMs: 60_000,
  /** An invite is about 140 characters; more in its file is another file. */
  codeBytes: 4096,
  /** A key file is one line and a comment, sealed some hundred bytes more. */
  keyFileBytes: 8192,
  /** The agent promises to stop within 10 s. */
  stopMs: 15_000,
  /** `peer status --watch`. */
  watchEveryMs: 2000,
  /** Between attempts of `peer wait` to reach an agent that is not up yet. */
  retryEveryMs: 100,
};
