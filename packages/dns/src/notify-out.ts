import {
  notifiesPerStepMax,
  notifyRefusedAfter,
  notifyRefusedRetryMs,
  notifyRetryMs,
  notifySilentAfter,
} from './limits.ts';
import type { NameKey } from './name.ts';
import { Rcode } from './record-types.ts';

/** A peer who is to hear that a zone has a new serial, and has not said that he did. */
interface PendingNotify {
  peer: number;
  origin: NameKey;
  serial: number;
  attempts: number;
  refusals: number;
  /** When this serial was new. */
  sinceMs: number;
  /** When it is sent, for the first time or again. */
  dueAtMs: number;
}

/** Which zones are served, and who was not heard to know it. Peers are known by their number. */
export interface NotifyState {
  peers: number;
  serials: ReadonlyMap<NameKey, number>;
  pending: ReadonlyMap<string, PendingNotify>;
  /** Peers that answer nothing, and when each is asked next: with one datagram, whatever is pending for him. */
  silent: ReadonlyMap<number, number>;
  /** When each peer last answered anything. */
  heardAtMs: ReadonlyMap<number, number>;
}

export type NotifyInput =
  /** All zones that are served now. */
  | { kind: 'zones'; serials: ReadonlyMap<NameKey, number> }
  /** A peer answered: with an rcode other than 0 he does not want it, yet. */
  | { kind: 'answered'; peer: number; origin: NameKey; serial: number; rcode: number }
  | { kind: 'tick' };

export type NotifyEffect =
  | { kind: 'send'; peer: number; origin: NameKey; serial: number }
  /** Said once, when a peer has not answered for half a minute, and when he then answers. */
  | { kind: 'silent'; peer: number; origin: NameKey }
  | { kind: 'back'; peer: number }
  /** Said once for each change that a peer goes on saying no to. */
  | { kind: 'refused'; peer: number; origin: NameKey; rcode: number };

/** Nothing is served yet; the first zones are told to every peer, so that who was off learns of what changed. */
export function startNotifyState(peers: number): NotifyState {
  return { peers, serials: new Map(), pending: new Map(), silent: new Map(), heardAtMs: new Map() };
}

/**
 * NOTIFY to the servers that transfer our zones (RFC 1996 §3): at once for a new serial, again after 1, 2, 4, 8, 16 s until
 * there is an answer (§3.6). A peer that gave none to any of these gets one datagram a minute, however many zones wait
 * for him, and without end, since that is less than an hour of stale answers; once he answers he is told all at once. Who
 * said no is told again after 10 s, …, 1 h: a server may learn of the zone a moment later, from a catalog for example.
 */
export function stepNotify(
  state: NotifyState,
  input: NotifyInput,
  nowMs: number,
): [NotifyState, NotifyEffect[]] {
  const effects: NotifyEffect[] = [];
  const pending = new Map(state.pending);
  const silent = new Map(state.silent);
  const heardAtMs = new Map(state.heardAtMs);
  let { serials } = state;
  switch (input.kind) {
    case 'zones':
      for (const key of newsFor(state, input.serials, pending, nowMs)) pending.delete(key);
      serials = input.serials;
      break;
    case 'answered': {
      heardAtMs.set(input.peer, nowMs);
      if (silent.delete(input.peer)) {
        effects.push({ kind: 'back', peer: input.peer });
        for (const [key, waiting] of pending)
          if (waiting.peer === input.peer) pending.set(key, { ...waiting, attempts: 1, dueAtMs: nowMs });
      }
      const key = keyOf(input);
      const waiting = pending.get(key);
      // What was sent before the zone changed again says nothing about the newest serial.
      if (waiting === undefined || waiting.serial !== input.serial || waiting.attempts === 0) break;
      if (input.rcode === Rcode.noError) pending.delete(key);
      else {
        const refusals = waiting.refusals + 1;
        if (refusals === notifyRefusedAfter)
          effects.push({ kind: 'refused', ...pick(waiting), rcode: input.rcode });
        pending.set(key, {
          ...waiting,
          refusals,
          dueAtMs: nowMs + wait(notifyRefusedRetryMs, refusals),
        });
      }
      break;
    }
    case 'tick':
      break;
  }
  send({ pending, silent, heardAtMs }, effects, nowMs);
  return [{ peers: state.peers, serials, pending, silent, heardAtMs }, effects];
}

/** Adds what is new for each peer; gives the keys of what concerns zones that are gone. */
function newsFor(
  { peers, serials }: NotifyState,
  now: ReadonlyMap<NameKey, number>,
  pending: Map<string, PendingNotify>,
  nowMs: number,
): string[] {
  for (const [origin, serial] of now) {
    if (serials.get(origin) === serial) continue;
    const fresh = { origin, serial, attempts: 0, refusals: 0, sinceMs: nowMs, dueAtMs: nowMs };
    for (let peer = 0; peer < peers; peer++) pending.set(keyOf({ peer, origin }), { peer, ...fresh });
  }
  return [...pending].flatMap(([key, { origin }]) => (now.has(origin) ? [] : [key]));
}

/**
 * Sends what is due, to each peer at most so many at once; what is left follows at the next tick. To one that is silent:
 * what is new, and one other.
 */
function send(
  {
    pending,
    silent,
    heardAtMs,
  }: {
    pending: Map<string, PendingNotify>;
    silent: Map<number, number>;
    heardAtMs: ReadonlyMap<number, number>;
  },
  effects: NotifyEffect[],
  nowMs: number,
): void {
  const sent = new Map<number, number>();
  for (const [key, waiting] of pending) {
    const { peer, origin, serial } = waiting;
    const count = sent.get(peer) ?? 0;
    const dueAtMs = waiting.attempts === 0 ? waiting.dueAtMs : (silent.get(peer) ?? waiting.dueAtMs);
    if (dueAtMs > nowMs || count >= notifiesPerStepMax) continue;
    sent.set(peer, count + 1);
    const attempts = waiting.attempts + 1;
    pending.set(key, { ...waiting, attempts, dueAtMs: nowMs + wait(notifyRetryMs, attempts) });
    effects.push({ kind: 'send', peer, origin, serial });
    const isSilent = attempts >= notifySilentAfter && (heardAtMs.get(peer) ?? -1) < waiting.sinceMs;
    if (isSilent && !silent.has(peer)) effects.push({ kind: 'silent', peer, origin });
    if (isSilent || silent.has(peer)) silent.set(peer, nowMs + notifyRetryMs.last);
  }
}

/** Doubles with each attempt from the first wait to the last. */
function wait({ first, last }: { first: number; last: number }, attempts: number): number {
  return Math.min(last, first * 2 ** Math.min(attempts - 1, 30));
}

function keyOf({ peer, origin }: { peer: number; origin: NameKey }): string {
  return `${peer} ${origin}`;
}

function pick({ peer, origin }: PendingNotify): { peer: number; origin: NameKey } {
  return { peer, origin };
}
