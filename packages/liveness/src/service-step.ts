import {
  probeEveryMs,
  probeRetryMs,
  probesAtOnceMax,
  probeTargetsMax,
  qualifiedForMs,
  roundsToDown,
  roundsToUp,
} from './limits.ts';
import type { ProbeResult, ServiceCheck } from './service-check.ts';

/** Something of an owner's that is to be tried from here. `owner`, `service` and `target` name it in statements. */
export interface ServiceTarget {
  owner: string;
  service: string;
  target: string;
  protocol: ServiceCheck['kind'];
  /** Tried one after the other, up to the first that is not up. At most one a round is enough while all is well. */
  checks: readonly TargetCheck[];
  /** Seen from inside, on this very box: nobody needs to have reached anything else to say so. */
  inside: boolean;
}

/** One attempt. */
export interface TargetCheck {
  check: ServiceCheck;
  /** The address that is dialled. */
  address: string;
  /** While the service is up, only in every so many rounds. */
  everyRounds: number;
}

/** What this box says about one service. */
export interface ServiceFinding {
  owner: string;
  service: string;
  target: string;
  state: 'up' | 'down' | 'unknown';
  sinceMs: number;
  why: string;
  /** How long the last good answer took. */
  tookMs: number | undefined;
}

interface Tried extends ServiceFinding {
  of: ServiceTarget;
  nextAtMs: number;
  isTrying: boolean;
  rounds: number;
  /** Rounds in a row, up to now. */
  answeredInARow: number;
  failedInARow: number;
  /** When the first of the rounds that failed ended. */
  failedSinceMs: number | undefined;
  /** When it last answered as it should. */
  answeredAtMs: number | undefined;
}

/** How quickly services are tried. */
export interface ProbePace {
  /** One that is up, or long down. */
  everyMs: number;
  /** One of which something else may have to be said soon. */
  retryMs: number;
}

/** All services that this box tries, by key. */
export interface ServicesState {
  readonly pace: ProbePace;
  readonly tried: ReadonlyMap<string, Tried>;
}

export type ServicesInput =
  /** Whenever the circle, a zone or a service changed. `said`: what this box signed before it started, once. */
  | { kind: 'targets'; targets: readonly ServiceTarget[]; said?: readonly ServiceFinding[]; spread: number }
  | { kind: 'result'; key: string; result: ProbeResult; mayJudge: boolean }
  /** Every second. `mayJudge`: this box's own line works, and it hears enough of the circle. */
  | { kind: 'tick'; mayJudge: boolean };

export type ServicesEffect =
  /** Try these, and answer with `result`: the first that is not up, else the last. */
  | { kind: 'probe'; key: string; checks: readonly TargetCheck[] }
  /** What this box says changed: sign it anew. */
  | { kind: 'changed'; finding: ServiceFinding };

export function serviceKey({
  owner,
  service,
  target,
}: Pick<ServiceFinding, 'owner' | 'service' | 'target'>): string {
  return `${owner} ${service} ${target}`;
}

/** A box that tries nothing yet; the first input is its targets. */
export function emptyServices(
  pace: ProbePace = { everyMs: probeEveryMs, retryMs: probeRetryMs },
): ServicesState {
  return { pace, tried: new Map() };
}

/** What this box can say now. */
export function findings(state: ServicesState): ServiceFinding[] {
  return [...state.tried.values()].map(({ owner, service, target, state: now, sinceMs, why, tookMs }) => ({
    owner,
    service,
    target,
    state: now,
    sinceMs,
    why,
    tookMs,
  }));
}

/**
 * One box's tries of its friends' services. A service is down after three rounds in a row without an answer, 20 s apart
 * from the first, and up again after two good ones: slower up than a lost packet, quicker than a person notices.
 */
export function stepServices(
  state: ServicesState,
  input: ServicesInput,
  nowMs: number,
): [ServicesState, ServicesEffect[]] {
  switch (input.kind) {
    case 'targets':
      return [withTargets(state, input, nowMs), []];
    case 'result':
      return withResult(state, input, nowMs);
    case 'tick':
      return ticked(state, input.mayJudge, nowMs);
  }
}

function withTargets(
  state: ServicesState,
  { targets, said, spread }: ServicesInput & { kind: 'targets' },
  nowMs: number,
): ServicesState {
  const tried = new Map<string, Tried>();
  for (const of of targets.slice(0, probeTargetsMax)) {
    const key = serviceKey(of);
    const known = state.tried.get(key);
    if (known !== undefined) {
      tried.set(key, { ...known, of });
      continue;
    }
    const before = said?.find((one) => serviceKey(one) === key);
    const { owner, service, target } = of;
    // Not all at once: the first tries are spread, by a fraction that the caller drew.
    const place = (spread + tried.size * 0.618) % 1;
    tried.set(key, {
      owner,
      service,
      target,
      of,
      state: before?.state ?? 'unknown',
      sinceMs: before?.sinceMs ?? nowMs,
      why: before?.why ?? 'not tried yet',
      tookMs: undefined,
      nextAtMs: nowMs + place * state.pace.retryMs,
      isTrying: false,
      rounds: 0,
      answeredInARow: 0,
      failedInARow: 0,
      failedSinceMs: undefined,
      answeredAtMs: undefined,
    });
  }
  return { ...state, tried };
}

function ticked(state: ServicesState, mayJudge: boolean, nowMs: number): [ServicesState, ServicesEffect[]] {
  const all = [...state.tried.values()];
  let room = probesAtOnceMax - all.filter(({ isTrying }) => isTrying).length;
  const due = all
    .filter(({ isTrying, nextAtMs, of }) => !isTrying && nextAtMs <= nowMs && (mayJudge || of.inside))
    .toSorted((a, b) => a.nextAtMs - b.nextAtMs);
  if (due.length === 0 || room <= 0) return [state, []];
  const tried = new Map(state.tried);
  const effects: ServicesEffect[] = [];
  for (const one of due) {
    if (room-- <= 0) break;
    const isWell = one.state === 'up' && one.failedInARow === 0;
    const checks = one.of.checks.filter(({ everyRounds }) => !isWell || one.rounds % everyRounds === 0);
    const key = serviceKey(one);
    tried.set(key, { ...one, isTrying: true, rounds: one.rounds + 1 });
    effects.push({ kind: 'probe', key, checks: checks.length === 0 ? one.of.checks : checks });
  }
  return [{ ...state, tried }, effects];
}

function withResult(
  state: ServicesState,
  { key, result, mayJudge }: ServicesInput & { kind: 'result' },
  nowMs: number,
): [ServicesState, ServicesEffect[]] {
  const one = state.tried.get(key);
  if (one === undefined) return [state, []];
  const next = judged(state, one, result, { mayJudge: mayJudge || one.of.inside, nowMs });
  const settled = {
    ...next,
    isTrying: false,
    nextAtMs: nowMs + (isOpen(next) ? state.pace.retryMs : state.pace.everyMs),
  };
  const hasChanged = settled.state !== one.state;
  const { owner, service, target, state: now, sinceMs, why, tookMs } = settled;
  return [
    { ...state, tried: new Map(state.tried).set(key, settled) },
    hasChanged
      ? [{ kind: 'changed', finding: { owner, service, target, state: now, sinceMs, why, tookMs } }]
      : [],
  ];
}

/** Is what is said about to change? Then the next try comes sooner. */
function isOpen({ state, answeredInARow, failedInARow }: Tried): boolean {
  if (state === 'down') return answeredInARow > 0;
  return failedInARow > 0 && failedInARow < roundsToDown;
}

function judged(
  state: ServicesState,
  one: Tried,
  result: ProbeResult,
  { mayJudge, nowMs }: { mayJudge: boolean; nowMs: number },
): Tried {
  const fresh = { ...one, answeredInARow: 0, failedInARow: 0, failedSinceMs: undefined };
  switch (result.kind) {
    case 'up': {
      const answeredInARow = one.answeredInARow + 1;
      const answered = { ...fresh, answeredInARow, answeredAtMs: nowMs, tookMs: result.tookMs };
      if (one.state === 'up' || (one.state === 'down' && answeredInARow < roundsToUp)) return answered;
      return { ...answered, state: 'up', sinceMs: nowMs, why: '' };
    }
    case 'unknown':
      // Something else answered, or nothing could be tried: what was said before is not known any more.
      return unknown(fresh, result.why, nowMs);
    case 'down': {
      // What comes to nothing while this box is cut off says nothing about anybody.
      if (!mayJudge) return one;
      const failedSinceMs = one.failedSinceMs ?? nowMs;
      const failedInARow = one.failedInARow + 1;
      const failed = { ...fresh, failedInARow, failedSinceMs };
      if (one.state === 'down' || failedInARow < roundsToDown) return failed;
      const fault = notQualified(state, one, nowMs);
      if (fault !== undefined) return unknown(failed, fault, nowMs);
      return { ...failed, state: 'down', sinceMs: failedSinceMs, why: result.why, tookMs: undefined };
    }
  }
}

function unknown(one: Tried, why: string, nowMs: number): Tried {
  if (one.state === 'unknown') return { ...one, why };
  return { ...one, state: 'unknown', sinceMs: nowMs, why, tookMs: undefined };
}

/**
 * Why what this box did not reach may be its own fault. Many providers let no customer reach port 25 of others, and some
 * redirect port 53. Whoever reached another mail server in the last hour is not a customer of such a one; for name
 * servers, of which a zone may have two only, this one counts too.
 */
function notQualified(state: ServicesState, one: Tried, nowMs: number): string | undefined {
  const { protocol, inside, checks } = one.of;
  if (inside || (protocol !== 'smtp' && protocol !== 'dns')) return undefined;
  const addresses = new Set(checks.map(({ address }) => address));
  const reachedAnother = [...state.tried.values()].some(
    ({ of, answeredAtMs }) =>
      of.protocol === protocol &&
      !of.inside &&
      answeredAtMs !== undefined &&
      nowMs - answeredAtMs < qualifiedForMs &&
      (protocol === 'dns' || of.checks.every(({ address }) => !addresses.has(address))),
  );
  if (reachedAnother) return undefined;
  const what = protocol === 'smtp' ? 'other mail server' : 'name server';
  return `this box reached no ${what} in the last hour, so it may be its own line`;
}
