import { freshnessSharesPercent } from './limits.ts';

/** How much of the time for which a copy may be served without its owner is gone: 0, 25, 50, 75, or 100 (expired). */
export type FreshnessStage = 0 | (typeof freshnessSharesPercent)[number] | 100;

/** Until when one copy of a zone is served without a further word of its owner, out of how long. */
export interface Term {
  /** Instant in ms since 1970. */
  freshUntilMs: number;
  expiresAfterMs: number;
}

/** What was told last about one copy: the stage, and the end of the term that it was told of. */
interface Told {
  readonly stage: FreshnessStage;
  readonly freshUntilMs: number;
}

/** What was told about every copy of which something is told; by any key. */
export type FreshnessState = ReadonlyMap<string, Told>;

/** `aged`: a copy has reached a stage. `renewed`: one that had is as good as new. */
export type FreshnessEffect =
  | { kind: 'aged'; key: string; stage: FreshnessStage }
  | { kind: 'renewed'; key: string };

/** The highest stage that this term has reached. A clock that was set back gives 0, never more than was used. */
export function freshnessStage({ freshUntilMs, expiresAfterMs }: Term, nowMs: number): FreshnessStage {
  const leftMs = freshUntilMs - nowMs;
  if (leftMs <= 0) return 100;
  const usedPercent = 100 - (leftMs / expiresAfterMs) * 100;
  return freshnessSharesPercent.findLast((share) => usedPercent >= share) ?? 0;
}

/**
 * Compares the copies there are now with what was told about them. Each stage is told once until a word of the owner
 * prolongs the term; what was passed over meanwhile is not told. A copy that is not among `copies` any more is forgotten.
 * Called by the agent every minute, for the copies it keeps for friends and for those that friends keep of its zones.
 */
export function stepFreshness(
  state: FreshnessState,
  copies: ReadonlyMap<string, Term>,
  nowMs: number,
): [FreshnessState, FreshnessEffect[]] {
  const next = new Map<string, Told>();
  const effects: FreshnessEffect[] = [];
  for (const [key, term] of copies) {
    const told = state.get(key);
    const stage = freshnessStage(term, nowMs);
    const { freshUntilMs } = term;
    const isProlonged = told !== undefined && freshUntilMs > told.freshUntilMs;
    if (stage > (told?.stage ?? 0)) {
      effects.push({ kind: 'aged', key, stage });
      next.set(key, { stage, freshUntilMs });
    } else if (isProlonged && stage === 0) effects.push({ kind: 'renewed', key });
    else if (isProlonged) next.set(key, { stage, freshUntilMs });
    else if (told !== undefined) next.set(key, told);
  }
  return [next, effects];
}
