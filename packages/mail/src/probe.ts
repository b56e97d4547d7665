import {
  canaryAgainMs,
  canaryEveryMs,
  canaryWithinMs,
  probeAgainMs,
  probeEveryMs,
  probeFailuresMax,
  probeFirstMs,
  probeTargetsMax,
} from './limits.ts';

/** A friend's box that takes the mail of a domain of ours while we are away. */
interface ProbeTarget {
  domain: string;
  /** Whose box. */
  peer: string;
}

/** What came of asking a backup as a stranger's mail server would. */
export interface ProbeOutcome {
  /**
   * `passed`: it gave the question to our own server, and that refused. `refused`: it answered, and would not take the mail. `silent`: it could not be reached at the address. `unknown`:
   * there was no address to try, so nothing is said about the friend.
   */
  kind: 'accepted' | 'passed' | 'refused' | 'silent' | 'unknown';
  /** For people: the reply, or what went wrong. */
  text: string;
  /** `host:port`, empty where there was none. */
  address: string;
}

/** What a server showed of itself in STARTTLS, whoever vouches for it. */
export interface SeenTls {
  /** sha256 over the SubjectPublicKeyInfo, for TLSA 3 1 1 (RFC 6698 §2.1), hexadecimal. */
  spkiSha256: string;
  /** Is the certificate for the name that was asked for? */
  fitsName: boolean;
  /** Why a sender that insists on a known authority would not take it; undefined where it would. */
  untrusted: string | undefined;
  validToMs: number;
}

/** One backup of one domain, and how its checks stand. */
export interface ProbeRow extends ProbeTarget {
  nextAtMs: number;
  nextCanaryAtMs: number;
  probe: (ProbeOutcome & { atMs: number; failures: number }) | undefined;
  okAtMs: number | undefined;
  canary: CanaryState | undefined;
}

type CanaryState =
  | { kind: 'sent'; token: string; atMs: number }
  | { kind: 'arrived'; atMs: number; tookMs: number }
  | { kind: 'failed'; atMs: number; text: string };

/** In the order of asking; one thing at a time. */
export interface Probes {
  rows: readonly ProbeRow[];
  /** What is under way. */
  busy: { what: 'probe' | 'canary'; domain: string; peer: string } | undefined;
}

export type ProbeInput =
  /** Who is to be checked now, and when each was last sent a canary (0: never). */
  | {
      kind: 'targets';
      targets: readonly (ProbeTarget & { canaryAtMs: number })[];
      fractions: readonly number[];
    }
  | { kind: 'tick'; fraction: number; canaries: boolean }
  /** Ask everybody as soon as may be: somebody waits for the answer. */
  | { kind: 'now' }
  | { kind: 'probed'; outcome: ProbeOutcome; fraction: number }
  /** The backup took the canary that was sent at `atMs`, or did not. */
  | { kind: 'sent'; token: string; atMs: number; fraction: number }
  | { kind: 'notSent'; text: string; fraction: number }
  /** A canary came back over the whole path; `intact`: byte for byte. */
  | { kind: 'arrived'; token: string; intact: boolean; atMs: number };

export type ProbeEffect = { kind: 'probe' | 'canary'; domain: string; peer: string };

export const noProbes: Probes = { rows: [], busy: undefined };

/** Does a backup with this outcome do its part? */
export const doesTake = ({ kind }: ProbeOutcome): boolean => kind === 'accepted' || kind === 'passed';

/** A span, longer or shorter by a tenth, so that friends are not all asked in the same minute. */
const about = (spanMs: number, fraction: number): number => spanMs * (0.9 + 0.2 * fraction);

const isSame = (a: ProbeTarget, b: ProbeTarget): boolean => a.domain === b.domain && a.peer === b.peer;

/**
 * When which backup is asked to take mail (hourly), and sent a canary (daily, only where it took mail when it was asked
 * last). A first refusal is asked again soon, before anybody is told. Called by the agent's mail probe.
 */
export function stepProbes(state: Probes, input: ProbeInput, nowMs: number): [Probes, ProbeEffect[]] {
  switch (input.kind) {
    case 'targets': {
      const rows = input.targets.slice(0, probeTargetsMax).map((target, i): ProbeRow => {
        const known = state.rows.find((row) => isSame(row, target));
        const fraction = input.fractions[i] ?? 0.5;
        const { domain, peer, canaryAtMs } = target;
        return (
          known ?? {
            domain,
            peer,
            nextAtMs: nowMs + about(probeFirstMs, fraction),
            nextCanaryAtMs: canaryAtMs === 0 ? nowMs : canaryAtMs + about(canaryEveryMs, fraction),
            probe: undefined,
            okAtMs: undefined,
            canary: undefined,
          }
        );
      });
      return [{ ...state, rows }, []];
    }
    case 'now':
      return [{ ...state, rows: state.rows.map((row) => ({ ...row, nextAtMs: nowMs })) }, []];
    case 'tick':
      return tick(withLostCanaries(state, nowMs, input.fraction), input.canaries, nowMs);
    case 'probed':
      return [
        finish(state, 'probe', (row) => {
          const { outcome, fraction } = input;
          const isOk = doesTake(outcome);
          const failures = isOk || outcome.kind === 'unknown' ? 0 : (row.probe?.failures ?? 0) + 1;
          const isNew = failures > 0 && failures < probeFailuresMax;
          return {
            ...row,
            probe: { ...outcome, atMs: nowMs, failures },
            okAtMs: isOk ? nowMs : row.okAtMs,
            nextAtMs: nowMs + about(isNew ? probeAgainMs : probeEveryMs, fraction),
          };
        }),
        [],
      ];
    case 'sent':
      return [
        finish(state, 'canary', (row) => ({
          ...row,
          canary: { kind: 'sent', token: input.token, atMs: input.atMs },
          nextCanaryAtMs: nowMs + about(canaryEveryMs, input.fraction),
        })),
        [],
      ];
    case 'notSent':
      return [
        finish(state, 'canary', (row) => ({
          ...row,
          canary: { kind: 'failed', atMs: nowMs, text: input.text },
          nextCanaryAtMs: nowMs + about(canaryAgainMs, input.fraction),
        })),
        [],
      ];
    case 'arrived': {
      const rows = state.rows.map((row): ProbeRow => {
        if (row.canary?.kind !== 'sent' || row.canary.token !== input.token) return row;
        const canary: CanaryState = input.intact
          ? { kind: 'arrived', atMs: input.atMs, tookMs: Math.max(0, input.atMs - row.canary.atMs) }
          : { kind: 'failed', atMs: nowMs, text: 'it came back changed on the way' };
        return { ...row, canary };
      });
      return [{ ...state, rows }, []];
    }
  }
}

/** What was sent and has not come for so long is lost, for what it tells: it is sent again soon. */
function withLostCanaries(state: Probes, nowMs: number, fraction: number): Probes {
  const isLost = ({ canary }: ProbeRow): boolean =>
    canary?.kind === 'sent' && nowMs - canary.atMs > canaryWithinMs;
  if (!state.rows.some(isLost)) return state;
  const rows = state.rows.map((row): ProbeRow => {
    if (!isLost(row)) return row;
    const text = `it was taken and did not come within ${Math.round(canaryWithinMs / 60_000)} minutes`;
    const nextCanaryAtMs = nowMs + about(canaryAgainMs, fraction);
    return { ...row, canary: { kind: 'failed', atMs: nowMs, text }, nextCanaryAtMs };
  });
  return { ...state, rows };
}

function tick(state: Probes, canaries: boolean, nowMs: number): [Probes, ProbeEffect[]] {
  if (state.busy !== undefined) return [state, []];
  const probe = state.rows.find(({ nextAtMs }) => nowMs >= nextAtMs);
  if (probe !== undefined) return start(state, 'probe', probe);
  const canary = canaries
    ? state.rows.find(
        (row) =>
          nowMs >= row.nextCanaryAtMs &&
          row.probe !== undefined &&
          doesTake(row.probe) &&
          row.canary?.kind !== 'sent',
      )
    : undefined;
  return canary === undefined ? [state, []] : start(state, 'canary', canary);
}

function start(state: Probes, what: 'probe' | 'canary', { domain, peer }: ProbeRow): [Probes, ProbeEffect[]] {
  return [{ ...state, busy: { what, domain, peer } }, [{ kind: what, domain, peer }]];
}

function finish(state: Probes, what: ProbeEffect['kind'], change: (row: ProbeRow) => ProbeRow): Probes {
  const { busy } = state;
  if (busy?.what !== what) return state;
  const rows = state.rows.map((row) => (isSame(row, busy) ? change(row) : row));
  return { rows, busy: undefined };
}
