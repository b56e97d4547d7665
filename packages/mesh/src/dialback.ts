import { type HostPort, isLoopback, isPrivate, parseHostPort } from '@copain/core';
import type { PortAnswer } from './dialback-frames.ts';
import {
  dialbackEveryMs,
  dialbackFriends,
  dialbackMemoryMs,
  dialbackPerFriend,
  dialbackWindowMs,
  servicePorts,
} from './limits.ts';

/** When each friend asked this box to dial back, within the window. */
export type DialbackLedger = ReadonlyMap<string, readonly number[]>;

/**
 * Judges a friend's request. Only the address that his connection comes from is ever dialled, so that nobody can send
 * this box against a third party; only well-known ports of his services, and ports that his own signed address record
 * names for that very address. `observed` undefined: the question came over a relay.
 */
export function judgeDialback(
  ledger: DialbackLedger,
  request: {
    peer: string;
    observed: string | undefined;
    ports: readonly number[];
    announced: readonly string[];
  },
  allowPrivate: boolean,
  nowMs: number,
):
  | { ledger: DialbackLedger; dial: HostPort[]; refused: number[] }
  | { ledger: DialbackLedger; later: string } {
  const { peer, observed, ports } = request;
  if (observed === undefined) return { ledger, later: 'your question came over a relay, from no address' };
  // Whoever dials from his own machine comes from whatever loopback address the kernel picks.
  if (isLoopback(observed))
    return { ledger, later: 'you are on my own machine, which tells nothing about the internet' };
  if (isPrivate(observed) && !allowPrivate)
    return { ledger, later: 'you are in my own network, which tells nothing about the internet' };
  const recent = (ledger.get(peer) ?? []).filter((atMs) => nowMs - atMs < dialbackWindowMs);
  if (recent.length >= dialbackPerFriend) return { ledger, later: 'you asked too often' };
  const announced = request.announced.flatMap((text) => {
    const address = parseHostPort(text);
    return address?.host === observed ? [address.port] : [];
  });
  const allowed = new Set([...servicePorts, ...announced]);
  const wanted = [...new Set(ports)];
  return {
    ledger: new Map(ledger).set(peer, [...recent, nowMs]),
    dial: wanted.filter((port) => allowed.has(port)).map((port) => ({ host: observed, port })),
    refused: wanted.filter((port) => !allowed.has(port)),
  };
}

/** What one friend said when he was asked to dial back. */
export interface DialbackReport {
  atMs: number;
  host: string;
  ports: readonly { port: number; answer: PortAnswer }[];
}

/** What friends said about how this box can be reached, and whom it asked in this round. */
export interface Reachability {
  reports: ReadonlyMap<string, DialbackReport>;
  roundAtMs: number | undefined;
  /** Of this round: whether an answer may still come or came; whoever could not say is no help. */
  asked: ReadonlyMap<string, 'asked' | 'answered' | 'no-help'>;
}

export type ReachabilityInput =
  /** Every second: the friends who are connected directly. */
  | { kind: 'tick'; friends: readonly string[] }
  | { kind: 'report'; peer: string; report: DialbackReport }
  | { kind: 'no-help'; peer: string }
  /** What was said holds no longer; ask anew. */
  | { kind: 'address-changed' }
  /** Ask anew; what was said stands until then. */
  | { kind: 'ask-now' };

export const unknownReachability: Reachability = {
  reports: new Map(),
  roundAtMs: undefined,
  asked: new Map(),
};

/** Asks at most two friends at a time: at start, when the address changed, and every half hour. Gives whom to ask now. */
export function stepReachability(
  state: Reachability,
  input: ReachabilityInput,
  nowMs: number,
): [state: Reachability, ask: string[]] {
  switch (input.kind) {
    case 'report': {
      const asked = new Map(state.asked).set(input.peer, 'answered');
      return [{ ...state, reports: new Map(state.reports).set(input.peer, input.report), asked }, []];
    }
    case 'no-help':
      return [{ ...state, asked: new Map(state.asked).set(input.peer, 'no-help') }, []];
    case 'address-changed':
      return [unknownReachability, []];
    case 'ask-now':
      return [{ ...state, roundAtMs: undefined }, []];
    case 'tick':
      break;
  }
  const isDue = state.roundAtMs === undefined || nowMs - state.roundAtMs >= dialbackEveryMs;
  if (isDue && input.friends.length === 0) return [state, []];
  const asked = new Map(isDue ? [] : state.asked);
  const reports = new Map([...state.reports].filter(([, { atMs }]) => nowMs - atMs < dialbackMemoryMs));
  const helpful = [...asked.values()].filter((how) => how !== 'no-help').length;
  const ask = input.friends
    .filter((peer) => !asked.has(peer))
    .slice(0, Math.max(0, dialbackFriends - helpful));
  for (const peer of ask) asked.set(peer, 'asked');
  return [{ reports, roundAtMs: isDue ? nowMs : state.roundAtMs, asked }, ask];
}

/** Can this TCP port be reached from outside? One friend who got through proves it; undefined where nobody could say. */
export function canReach(state: Reachability, port: number): { answer: boolean | undefined; by: string[] } {
  const said = (wanted: PortAnswer): string[] =>
    [...state.reports].flatMap(([peer, { ports }]) =>
      ports.some((one) => one.port === port && one.answer === wanted) ? [peer] : [],
    );
  const yes = said('yes');
  if (yes.length > 0) return { answer: true, by: yes };
  const no = said('no');
  return { answer: no.length > 0 ? false : undefined, by: no };
}

/** Has everybody who was asked in this round said something? */
export function isSettled(state: Reachability): boolean {
  return state.roundAtMs !== undefined && ![...state.asked.values()].includes('asked');
}
