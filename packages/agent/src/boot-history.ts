/**
 * Which runs this box remembers, and what friends say about the last run of it that they saw. Every start draws a boot
 * id; a box put back from an older copy does not know the later ones, and of two boxes with one key neither knows the
 * other's. Boot ids are hexadecimal text here.
 */
export interface BootHistory {
  /** This run. */
  current: string;
  /** Earlier runs of this box as far as it knows, oldest first; also those it learned from friends after a restore. */
  known: readonly string[];
  /** Friends who have durably noted this run: the boot id of each friend's own run at that time. */
  told: ReadonlyMap<string, string>;
  /** How often each of them named another run since. */
  odd: ReadonlyMap<string, number>;
  finding: BootFinding;
}

/** `restored`: an older state of this box was put back. `cloned`: another box with the same key runs now. Both stay. */
export type BootFinding = { kind: 'none' } | { kind: 'restored' | 'cloned'; by: string; atMs: number };

/** A friend (in his run `friendBoot`) saw our box last with `lastSeen`, before our hello; empty: never. */
export interface BootInput {
  friend: string;
  friendBoot: string;
  lastSeen: string;
}

/**
 * What follows, in order. `remember`: this list of known runs is to be kept durably. `doubt`: this friend knows of a run
 * that we do not, so he has to say what we signed before we sign anything more. `greet`: say hello to him again, so that
 * a second box with our key, if it lives, hears of us. `found`: the finding changed.
 */
export type BootEffect =
  | { kind: 'remember'; known: readonly string[] }
  | { kind: 'doubt' | 'greet'; friend: string }
  | { kind: 'found'; finding: Exclude<BootFinding, { kind: 'none' }> };

/** Runs a box remembers: a restart a day for most of a year, or a crash a minute for four hours. */
export const maxKnownBoots = 256;

/**
 * So often a friend has to name a run that we know after he was told of this one. A hello of our last run may come to
 * him late, out of the buffers of a line that was cut; a second box goes on saying hello.
 */
const oddToBelieve = 3;
/** Greetings in answer to that: enough for both boxes to be sure, and an end to talking. */
const maxGreetings = 5;

/** A fresh run, `known` being what the last one left. */
export function startBootHistory(current: string, known: readonly string[]): BootHistory {
  return { current, known, told: new Map(), odd: new Map(), finding: { kind: 'none' } };
}

/** The list with one more run, the newest at the end, bounded. */
export function withBoot(known: readonly string[], bootId: string): readonly string[] {
  return [...known.filter((one) => one !== bootId), bootId].slice(-maxKnownBoots);
}

/**
 * One word of a friend about our last run. Friends note a run durably before they answer, so whoever was told of this
 * run and later names another has met a second box with our key (or got our last run's hello late: see `oddToBelieve`). A friend who was not told yet and names a run that we
 * do not know proves only that our state is older than what he saw: it was put back, or a copy of it was started.
 */
export function stepBoot(state: BootHistory, input: BootInput, nowMs: number): [BootHistory, BootEffect[]] {
  const { friend, friendBoot, lastSeen } = input;
  const toldIn = state.told.get(friend);
  const told = new Map(state.told).set(friend, friendBoot);
  const next = { ...state, told };
  if (lastSeen === '' || lastSeen === state.current) return [next, []];
  const isKnown = state.known.includes(lastSeen);
  // A friend who was himself put back from an older copy names an older run of ours, and may be right.
  const isTwin = toldIn !== undefined && (toldIn === friendBoot || !isKnown);
  if (isTwin) {
    const count = (state.odd.get(friend) ?? 0) + 1;
    const wary = { ...next, odd: new Map(state.odd).set(friend, count) };
    const greeting: BootEffect[] = count <= maxGreetings ? [{ kind: 'greet', friend }] : [];
    const isSure = !isKnown || count >= oddToBelieve;
    if (!isSure || state.finding.kind === 'cloned') return [wary, greeting];
    const finding = { kind: 'cloned' as const, by: friend, atMs: nowMs };
    return [{ ...wary, finding }, [{ kind: 'found', finding }, ...greeting]];
  }
  if (isKnown) return [next, []];
  const known = withBoot(state.known, lastSeen);
  const effects: BootEffect[] = [
    { kind: 'remember', known },
    { kind: 'doubt', friend },
  ];
  if (state.finding.kind !== 'none') return [{ ...next, known }, effects];
  const finding = { kind: 'restored' as const, by: friend, atMs: nowMs };
  return [{ ...next, known, finding }, [...effects, { kind: 'found', finding }]];
}
