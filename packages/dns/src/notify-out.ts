import { notifiesPerStepMax, notifyRefusedRetryMs, notifyRetryMs, notifySilentAfter } from './limits.ts';
import type { NameKey } from './name.ts';
import { Rcode } from './record-types.ts';

/** A peer who is to hear that a zone has a new serial, and has not said that he did. */
interface PendingNotify {
  peer: number;
  origin: NameKey;
  serial: number;
  attempts: number;
  /** When it is sent, for the first time or again. */
  dueAtMs: number;
}

/** Which zones are served, and who was not heard to know it. Peers are known by their number. */
export interface NotifyState {
  peers: number;
  serials: ReadonlyMap<NameKey, number>;
  pending: ReadonlyMap<string, PendingNotify>;
}

export type NotifyInput =
  /** All zones that are served now. */
  | { kind: 'zones'; serials: ReadonlyMap<NameKey, number> }
  /** A peer answered: with an rcode other than 0 he does not want it, yet. */
  | { kind: 'answered'; peer: number; origin: NameKey; serial: number; rcode: number }
  | { kind: 'tick' };

export type NotifyEffect =
  | { kind: 'send'; peer: number; origin: NameKey; serial: number }
  /** Said once for each change, when a peer has not answered for half a minute, or said no. */
  | { kind: 'silent'; peer: number; origin: NameKey }
  | { kind: 'refused'; peer: number; origin: NameKey; rcode: number };

/** Nothing is served yet; the first zones are told to every peer, so that who was off learns of what changed. */
export function startNotifyState(peers: number): NotifyState {
  return { peers, serials: new Map(), pending: new Map() };
}

/**
 * NOTIFY to the servers that transfer our zones (RFC 1996 §3): at once for a new serial, again after 1, 2, 4, … 60 s until
 * there is an answer (§3.6; without end, since one datagram a minute is less than an hour of stale answers), and after
 * 10 s, …, 1 h to who said no, since a server may learn of the zone a moment later from a catalog or its configuration.
 */
export function stepNotify(
  state: NotifyState,
  input: NotifyInput,
  nowMs: number,
): [NotifyState, NotifyEffect[]] {
  const effects: NotifyEffect[] = [];
  const pending = new Map(state.pending);
  let { serials } = state;
  switch (input.kind) {
    case 'zones':
      for (const key of newsFor(state, input.serials, pending, nowMs)) pending.delete(key);
      serials = input.serials;
      break;
    case 'answered': {
      const key = keyOf(input);
      const waiting = pending.get(key);
      // What was sent before the zone changed again says nothing about the newest serial.
      if (waiting === undefined || waiting.serial !== input.serial || waiting.attempts === 0) break;
      if (input.rcode === Rcode.noError) pending.delete(key);
      else {
        if (waiting.attempts === 1) effects.push({ kind: 'refused', ...pick(waiting), rcode: input.rcode });
        pending.set(key, {
          ...waiting,
          dueAtMs: nowMs + wait(notifyRefusedRetryMs, waiting.attempts),
        });
      }
      break;
    }
    case 'tick':
      break;
  }
  send(pending, effects, nowMs);
  return [{ peers: state.peers, serials, pending }, effects];
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
    for (let peer = 0; peer < peers; peer++)
      pending.set(keyOf({ peer, origin }), { peer, origin, serial, attempts: 0, dueAtMs: nowMs });
  }
  return [...pending].flatMap(([key, { origin }]) => (now.has(origin) ? [] : [key]));
}

/** Sends what is due, to each peer at most so many at once; what is left follows at the next tick. */
function send(pending: Map<string, PendingNotify>, effects: NotifyEffect[], nowMs: number): void {
  const sent = new Map<number, number>();
  for (const [key, waiting] of pending) {
    const { peer, origin, serial } = waiting;
    const count = sent.get(peer) ?? 0;
    if (waiting.dueAtMs > nowMs || count >= notifiesPerStepMax) continue;
    sent.set(peer, count + 1);
    const attempts = waiting.attempts + 1;
    pending.set(key, { ...waiting, attempts, dueAtMs: nowMs + wait(notifyRetryMs, attempts) });
    effects.push({ kind: 'send', peer, origin, serial });
    if (attempts === notifySilentAfter) effects.push({ kind: 'silent', peer, origin });
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
