import { relayAnswerMs, relayRenewMs, relayRetryMs, relaysPerBox } from './limits.ts';

/** A friend's box that offers to relay for this one, over the direct connection that it is reached by now. */
export interface RelayCandidate {
  peer: string;
  connectionId: string;
}

/** What was asked of one relay, and what became of it. A reservation holds for the connection it was made on. */
interface Reservation {
  connectionId: string;
  atMs: number;
  /** `renewing`: held, and asked for anew. */
  state: 'asked' | 'renewing' | 'held' | 'refused';
}

export type RelayState = ReadonlyMap<string, Reservation>;

export type RelayInput =
  /** Every second: `reachable` as far as friends could tell, and who would relay, best first. */
  | { kind: 'tick'; reachable: boolean | undefined; candidates: readonly RelayCandidate[] }
  | { kind: 'reserved' | 'refused'; peer: string; connectionId: string };

export type RelayEffect = { kind: 'reserve'; peer: string; connectionId: string };

/**
 * Keeps a box that cannot be dialled, or does not know, reachable through up to two friends: reserves with them, renews
 * long before a reservation ends, reserves again on every new connection, and asks whoever refused again, for ever.
 * Never looks at a date that a relay names: clocks differ.
 */
export function stepRelay(
  state: RelayState,
  input: RelayInput,
  nowMs: number,
): [state: RelayState, effects: RelayEffect[]] {
  if (input.kind !== 'tick') {
    const known = state.get(input.peer);
    if (known?.connectionId !== input.connectionId) return [state, []];
    const next: Reservation = {
      ...known,
      atMs: nowMs,
      state: input.kind === 'reserved' ? 'held' : 'refused',
    };
    return [new Map(state).set(input.peer, next), []];
  }
  if (input.reachable === true) return [new Map(), []];
  const next = new Map<string, Reservation>();
  const hasEnough = (): boolean =>
    [...next.values()].filter((one) => one.state !== 'refused').length >= relaysPerBox;
  // Who answers late, when another was asked in his place, may be one too many: those that hold come first.
  const keep = (isKept: (one: Reservation) => boolean): void => {
    for (const { peer, connectionId } of input.candidates) {
      const known = state.get(peer);
      if (known?.connectionId !== connectionId || isOver(known, nowMs) || !isKept(known)) continue;
      if (known.state === 'refused' || !hasEnough()) next.set(peer, known);
    }
  };
  keep(isHeld);
  keep((one) => !isHeld(one));
  const effects: RelayEffect[] = [];
  const reserve = ({ peer, connectionId }: RelayCandidate, how: 'asked' | 'renewing'): void => {
    next.set(peer, { connectionId, atMs: nowMs, state: how });
    effects.push({ kind: 'reserve', peer, connectionId });
  };
  for (const candidate of input.candidates) {
    const known = next.get(candidate.peer);
    if (known?.state === 'held' && nowMs - known.atMs >= relayRenewMs) reserve(candidate, 'renewing');
  }
  for (const candidate of input.candidates)
    if (!hasEnough() && !next.has(candidate.peer)) reserve(candidate, 'asked');
  return [next, effects];
}

function isOver(one: Reservation, nowMs: number): boolean {
  if (one.state === 'held') return false;
  return nowMs - one.atMs >= (one.state === 'refused' ? relayRetryMs : relayAnswerMs);
}

const isHeld = ({ state }: Reservation): boolean => state === 'held' || state === 'renewing';

/** The friends through whom this box can be reached now. */
export function heldRelays(state: RelayState): string[] {
  return [...state].flatMap(([peer, one]) => (isHeld(one) ? [peer] : []));
}

/**
 * Through whom a friend may be dialled where no direct way leads to him: every other friend whom this box reaches
 * directly and who offers him to relay. Whether he listens there only the relay knows, and it answers at once.
 */
export function relaysTowards(
  peer: string,
  direct: readonly string[],
  relaysFor: (relay: string, peer: string) => boolean,
): string[] {
  return direct.filter((relay) => relay !== peer && relaysFor(relay, peer));
}
