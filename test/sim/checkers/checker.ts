/** A rule that was broken: which, when, and what was seen. */
export interface Broken {
  rule: string;
  atMs: number;
  text: string;
}

/** One group of rules. It looks at the boxes and at what the simulator knows to be true, never at how a scenario came to be. */
export interface Checker {
  /** Once all faults are over and everything had time to heal. */
  atEnd(): void;
  /** What it counted, for the report. */
  figures(): Record<string, number>;
}

export type Report = (rule: string, text: string) => void;
