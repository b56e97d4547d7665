import type { Trouble, Troubles } from '@copain/status';
import { alertLimits } from './alert-limits.ts';

/** A trouble as it was said: `id` is never used again on this box. */
interface Raised {
  id: number;
  stage: number;
  /** When it came to be worth saying, or worse than it was. */
  atMs: number;
  /** When it began. */
  sinceMs: number;
  text: string;
}

/** One trouble through its life: seen, said, gone for a while, over, remembered. Instants in ms since 1970. */
export interface KeptTrouble {
  /** As it was seen last. */
  trouble: Trouble;
  /** Seen without a break since then; undefined while it is gone, and right after a start. */
  onSinceMs: number | undefined;
  offSinceMs: number | undefined;
  /** When it began: as it says itself, else when it was seen first since it is watched. */
  firstAtMs: number;
  /** How many times it came since then. */
  spells: number;
  raised: Raised | undefined;
  /** Set once what was raised is over, with when that was decided. */
  over: { atMs: number; decidedAtMs: number } | undefined;
  /** How many times it was raised within the time that is remembered. */
  rounds: number;
}

/** By key. */
export type KeptTroubles = ReadonlyMap<string, KeptTrouble>;

/** How long a trouble has to be gone until it is over, after it was raised `rounds` times within a day. */
export const overAfterMs = (rounds: number): number =>
  Math.min(alertLimits.overAfterMaxMs, alertLimits.overAfterMs * 2 ** Math.min(20, Math.max(0, rounds - 1)));

/** All troubles after a look at what is wrong now; `nextId` numbers those that are raised. */
export function lookAgain(
  before: KeptTroubles,
  { troubles, unsure, blind }: Troubles,
  at: { nowMs: number; nextId: number },
): { kept: KeptTroubles; nextId: number } {
  const { nowMs } = at;
  let { nextId } = at;
  const kept = new Map<string, KeptTrouble>();
  const seen = new Map(troubles.slice(0, alertLimits.troubles).map((trouble) => [trouble.key, trouble]));
  for (const [key, known] of before) {
    const one = upTo(known, nowMs);
    const trouble = seen.get(key);
    const isUnsure = blind || unsure.includes(key);
    const next = trouble !== undefined ? present(one, trouble, nowMs) : isUnsure ? one : absent(one, nowMs);
    if (next !== undefined) kept.set(key, next);
  }
  for (const [key, trouble] of seen) {
    if (kept.has(key)) continue;
    if (kept.size >= keptMax) forgetOne(kept);
    if (kept.size < keptMax) kept.set(key, present(undefined, trouble, nowMs));
  }
  for (const key of seen.keys()) {
    const one = kept.get(key);
    const raised = one && raise(one, nowMs, nextId);
    if (raised === undefined) continue;
    if (raised.raised?.id === nextId) nextId += 1;
    kept.set(key, raised);
  }
  return { kept, nextId };
}

/** A clock that was set back leaves instants that are yet to come: they are now, or nothing would be said until then. */
function upTo(one: KeptTrouble, nowMs: number): KeptTrouble {
  const { onSinceMs, offSinceMs, firstAtMs, raised, over } = one;
  const all = [
    onSinceMs,
    offSinceMs,
    firstAtMs,
    raised?.atMs,
    raised?.sinceMs,
    over?.atMs,
    over?.decidedAtMs,
  ];
  if (all.every((atMs) => atMs === undefined || atMs <= nowMs)) return one;
  const past = (atMs: number): number => Math.min(atMs, nowMs);
  return {
    ...one,
    onSinceMs: onSinceMs && past(onSinceMs),
    offSinceMs: offSinceMs && past(offSinceMs),
    firstAtMs: past(firstAtMs),
    raised: raised && { ...raised, atMs: past(raised.atMs), sinceMs: past(raised.sinceMs) },
    over: over && { atMs: past(over.atMs), decidedAtMs: past(over.decidedAtMs) },
  };
}

/** With those that are over and remembered. */
const keptMax = 2 * alertLimits.troubles;

/** Makes room by what has been over for longest. */
function forgetOne(kept: Map<string, KeptTrouble>): void {
  const [oldest] = [...kept]
    .filter(([, { over }]) => over !== undefined)
    .sort(([, a], [, b]) => (a.over?.atMs ?? 0) - (b.over?.atMs ?? 0));
  if (oldest !== undefined) kept.delete(oldest[0]);
}

const beganAtMs = ({ sinceMs }: Trouble, nowMs: number): number => Math.min(nowMs, sinceMs ?? nowMs);

function present(one: KeptTrouble | undefined, trouble: Trouble, nowMs: number): KeptTrouble {
  if (one === undefined)
    return {
      trouble,
      onSinceMs: nowMs,
      offSinceMs: undefined,
      firstAtMs: beganAtMs(trouble, nowMs),
      spells: 1,
      raised: undefined,
      over: undefined,
      rounds: 0,
    };
  if (one.onSinceMs !== undefined) return { ...one, trouble };
  const isOpen = one.raised !== undefined && one.over === undefined;
  // Of one that was over, or never said and forgotten, it is the first time again.
  const isNew = !isOpen && one.spells === 0;
  return {
    ...one,
    trouble,
    onSinceMs: nowMs,
    offSinceMs: undefined,
    firstAtMs: isNew ? beganAtMs(trouble, nowMs) : one.firstAtMs,
    spells: one.spells + 1,
  };
}

/** Undefined where nothing of it is worth remembering any more. */
function absent(one: KeptTrouble, nowMs: number): KeptTrouble | undefined {
  const offSinceMs = one.offSinceMs ?? nowMs;
  const gone: KeptTrouble = { ...one, onSinceMs: undefined, offSinceMs };
  const goneForMs = nowMs - offSinceMs;
  if (one.raised === undefined) return goneForMs >= alertLimits.overAfterMs ? undefined : gone;
  if (one.over === undefined) {
    if (!one.trouble.isNews && goneForMs < overAfterMs(one.rounds)) return gone;
    return { ...gone, spells: 0, over: { atMs: offSinceMs, decidedAtMs: nowMs } };
  }
  if (nowMs - one.over.atMs >= alertLimits.rememberMs) return undefined;
  return goneForMs >= alertLimits.overAfterMs ? { ...gone, spells: 0 } : gone;
}

/** The trouble with what is to be said of it now, or undefined where that is nothing new. */
function raise(one: KeptTrouble, nowMs: number, nextId: number): KeptTrouble | undefined {
  const { trouble, onSinceMs, raised } = one;
  if (onSinceMs === undefined) return undefined;
  const { stage } = trouble;
  if (raised !== undefined && one.over === undefined) {
    if (stage <= raised.stage) return undefined;
    return { ...one, raised: { ...raised, stage, atMs: nowMs, text: trouble.text } };
  }
  const isOften = one.spells >= alertLimits.spells;
  if (nowMs - onSinceMs < trouble.afterMs && !isOften) return undefined;
  const often = isOften ? ` It came ${one.spells} times.` : '';
  const text = `${trouble.text}${often}`;
  return {
    ...one,
    raised: { id: nextId, stage, atMs: nowMs, sinceMs: one.firstAtMs, text },
    over: undefined,
    rounds: one.rounds + 1,
  };
}
