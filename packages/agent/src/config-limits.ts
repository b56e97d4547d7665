/** Bounds on `peer.toml`, so that a wrong file named as the configuration is refused at once and not chewed on. */
export const configLimits: {
  readonly fileCharacters: number;
  readonly listEntries: number;
  readonly textCharacters: number;
  readonly problems: number;
} = {
  /** A circle of 30 with a thousand zones stays below a fifth of this. */
  fileCharacters: 1_048_576,
  /** Entries of any list. More addresses, zones or friends than this are a mistake of a generator. */
  listEntries: 1000,
  /** Characters of any one text value: PATH_MAX is 4096. */
  textCharacters: 4096,
  /** Mistakes reported at once: more than a person mends before looking again. */
  problems: 100,
};
