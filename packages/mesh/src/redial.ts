import { isDue, isPrivate, parseHostPort } from '@copain/core';
import {
  dialTimeoutMs,
  directRetryMaxMs,
  incompatibleRetryMs,
  redialFirstMs,
  redialMaxMs,
  relayBackMs,
} from './limits.ts';

/** One friend's box to keep a connection to. */
interface RedialEntry {
  addresses: readonly string[];
  connected: boolean;
  /** Set while a dial is under way; it counts as failed after the dial timeout, whatever became of it. */
  dialingSinceMs: number | undefined;
  nextAtMs: number;
  backoffMs: number;
  /** When a second dial was last wanted, since nothing is heard on the connection that seems to be there. */
  silentAtMs?: number | undefined;
  /** Not dialled before then, whatever happens to his connections. */
  incompatibleUntilMs?: number;
  /** The same for dials that look for a direct way beside a relayed one. */
  direct: { sinceMs: number | undefined; nextAtMs: number; backoffMs: number };
  /** Set while a relay that came back is tried again and again, whatever hangs beside. */
  relayed?: { sinceMs: number | undefined; nextAtMs: number; untilMs: number } | undefined;
}

/** Which ways are tried: his addresses and then relays; only his addresses, since a relayed connection stands; only relays. */
export type DialWay = 'any' | 'direct' | 'relayed';

const directAnew = (nowMs: number): RedialEntry['direct'] => ({
  sinceMs: undefined,
  nextAtMs: nowMs,
  backoffMs: redialFirstMs,
});

export type RedialState = ReadonlyMap<string, RedialEntry>;

export type RedialInput =
  /** The roster or an address changed; a box no longer listed is forgotten. */
  | { kind: 'friends'; boxes: readonly { peer: string; addresses: readonly string[] }[] }
  /** `dial-second` may come every second while a friend is silent; `dial-again`: the way to him just opened. */
  | { kind: 'connected' | 'disconnected' | 'dial-second' | 'dial-again'; peer: string }
  | { kind: 'dial-failed'; peer: string; way?: DialWay }
  /** He speaks no version of ours: until somebody updates, another connection brings nothing. */
  | { kind: 'incompatible'; peer: string }
  /** `relayed`: those to whom only relayed connections lead, so that the direct way is tried beside them. */
  | { kind: 'tick'; relayed: ReadonlySet<string> }
  /** One of his addresses answers that did not: a direct connection may be had. */
  | { kind: 'direct-way'; peer: string }
  /**
   * A friend through whom these may be reached, and from whom nothing is heard, has a new connection with us, or (not
   * `fresh`) takes calls for us on one: they are dialled through him at once, and again every 2 s for a while.
   */
  | { kind: 'relay-back'; peers: readonly string[]; fresh: boolean };

/** `second`: dial although a connection seems to be there, since an old one stays blind after an outage. */
export interface RedialEffect {
  kind: 'dial';
  peer: string;
  addresses: readonly string[];
  second: boolean;
  way: DialWay;
}

/** A second dial is asked for every second as long as it is wanted. */
const silentForMs = 2500;

/**
 * Whatever became of a dial that was never heard of again, it is over after twice its time; and one that began in the
 * future began by a clock that was set back since.
 */
function isUnderWay(sinceMs: number | undefined, nowMs: number): boolean {
  return sinceMs !== undefined && nowMs >= sinceMs && nowMs < sinceMs + 2 * dialTimeoutMs;
}

/** The longest wait that is planned for a backoff of so long, by its jitter. */
const withJitterMs = (backoffMs: number): number => 1.25 * backoffMs;

/**
 * Who is not being dialled but waits for the next dial, not connected or silent: whoever is knocked at meanwhile. A router
 * that says "unreachable" ends each dial of an outage at once, and the last may have been half a minute ago.
 */
export function waitingForDial(
  state: RedialState,
  nowMs: number,
): { peer: string; addresses: readonly string[] }[] {
  const waiting: { peer: string; addresses: readonly string[] }[] = [];
  for (const [peer, entry] of state) {
    const isSilent = entry.silentAtMs !== undefined && nowMs - entry.silentAtMs <= silentForMs;
    const idle = (!entry.connected || isSilent) && !isUnderWay(entry.dialingSinceMs, nowMs);
    if (!idle || entry.addresses.length === 0 || nowMs < (entry.incompatibleUntilMs ?? nowMs)) continue;
    waiting.push({ peer, addresses: entry.addresses });
  }
  return waiting;
}

/**
 * Keeps every friend dialled, for ever: 2, 4, 8 … 30 s with jitter as long as the roster lists him. `jitter` is a
 * random number from 0 to 1. A new address resets the waiting, since it is the likeliest reason for the silence. A
 * friend without any address is dialled too: a relay may lead to him.
 */
export function stepRedial(
  state: RedialState,
  input: RedialInput,
  jitter: number,
  nowMs: number,
): [RedialState, RedialEffect[]] {
  const next = new Map(state);
  const effects: RedialEffect[] = [];
  const dial = (peer: string, entry: RedialEntry, second: boolean, way: DialWay = 'any'): void => {
    if (nowMs < (entry.incompatibleUntilMs ?? nowMs)) return;
    if (way === 'direct' && entry.addresses.length === 0) return;
    const dialling = {
      any: { dialingSinceMs: nowMs },
      direct: { direct: { ...entry.direct, sinceMs: nowMs } },
      relayed: { relayed: entry.relayed && { ...entry.relayed, sinceMs: nowMs } },
    };
    next.set(peer, { ...entry, ...dialling[way] });
    effects.push({ kind: 'dial', peer, addresses: entry.addresses, second, way });
  };
  switch (input.kind) {
    case 'friends': {
      const listed = new Set(input.boxes.map((box) => box.peer));
      for (const peer of state.keys()) if (!listed.has(peer)) next.delete(peer);
      for (const { peer, addresses } of input.boxes) {
        const known = state.get(peer);
        const same = known !== undefined && known.addresses.join() === addresses.join();
        if (same) continue;
        next.set(peer, {
          addresses,
          connected: known?.connected ?? false,
          dialingSinceMs: known?.dialingSinceMs,
          nextAtMs: nowMs,
          backoffMs: redialFirstMs,
          direct: directAnew(nowMs),
          relayed: known?.relayed,
        });
      }
      break;
    }
    case 'connected':
    case 'disconnected': {
      const known = state.get(input.peer);
      if (known === undefined) break;
      const connected = input.kind === 'connected';
      const soonMs = nowMs + redialFirstMs * (0.5 + jitter / 2);
      next.set(input.peer, {
        ...known,
        connected,
        silentAtMs: undefined,
        dialingSinceMs: undefined,
        backoffMs: redialFirstMs,
        nextAtMs: soonMs,
        direct: known.connected && connected ? known.direct : directAnew(soonMs),
        relayed: connected ? undefined : known.relayed,
      });
      break;
    }
    case 'dial-failed': {
      const known = state.get(input.peer);
      if (known === undefined) break;
      if (input.way === 'relayed') {
        const nextAtMs = nowMs + redialFirstMs * (0.75 + jitter / 2);
        const relayed = known.relayed && { ...known.relayed, sinceMs: undefined, nextAtMs };
        next.set(input.peer, { ...known, relayed });
        break;
      }
      if (input.way === 'direct') {
        const backoffMs = Math.min(known.direct.backoffMs * 2, directRetryMaxMs);
        const nextAtMs = nowMs + known.direct.backoffMs * (0.75 + jitter / 2);
        next.set(input.peer, { ...known, direct: { sinceMs: undefined, nextAtMs, backoffMs } });
        break;
      }
      const backoffMs = Math.min(known.backoffMs * 2, redialMaxMs);
      next.set(input.peer, {
        ...known,
        dialingSinceMs: undefined,
        backoffMs,
        nextAtMs: nowMs + known.backoffMs * (0.75 + jitter / 2),
      });
      break;
    }
    case 'incompatible': {
      const known = state.get(input.peer);
      if (known !== undefined)
        next.set(input.peer, { ...known, incompatibleUntilMs: nowMs + incompatibleRetryMs });
      break;
    }
    case 'dial-second': {
      const known = state.get(input.peer);
      if (known === undefined) break;
      const silent = { ...known, silentAtMs: nowMs };
      next.set(input.peer, silent);
      if (!isUnderWay(known.dialingSinceMs, nowMs) && isDue(known.nextAtMs, nowMs, withJitterMs(redialMaxMs)))
        dial(input.peer, silent, true);
      break;
    }
    case 'dial-again': {
      const known = state.get(input.peer);
      if (known !== undefined) dial(input.peer, known, known.connected);
      break;
    }
    case 'tick':
      for (const [peer, entry] of state) {
        if (!entry.connected) {
          if (
            !isUnderWay(entry.dialingSinceMs, nowMs) &&
            isDue(entry.nextAtMs, nowMs, withJitterMs(redialMaxMs))
          )
            dial(peer, entry, false);
        } else if (input.relayed.has(peer)) {
          const { sinceMs, nextAtMs } = entry.direct;
          if (!isUnderWay(sinceMs, nowMs) && isDue(nextAtMs, nowMs, withJitterMs(directRetryMaxMs)))
            dial(peer, entry, true, 'direct');
        }
      }
      for (const [peer, entry] of next) {
        const { relayed } = entry;
        if (relayed === undefined) continue;
        if (nowMs >= relayed.untilMs) next.set(peer, { ...entry, relayed: undefined });
        else if (
          !isUnderWay(relayed.sinceMs, nowMs) &&
          isDue(relayed.nextAtMs, nowMs, withJitterMs(redialFirstMs))
        )
          dial(peer, entry, true, 'relayed');
      }
      break;
    case 'direct-way': {
      const known = state.get(input.peer);
      if (known !== undefined) next.set(input.peer, { ...known, direct: directAnew(nowMs) });
      break;
    }
    case 'relay-back':
      for (const peer of input.peers) {
        const known = state.get(peer);
        if (known === undefined) continue;
        // Over a connection that is new a dial that hangs on the old one is not worth waiting for.
        if (!input.fresh && isUnderWay(known.relayed?.sinceMs, nowMs)) continue;
        const relayed = { sinceMs: undefined, nextAtMs: nowMs, untilMs: nowMs + relayBackMs };
        dial(peer, { ...known, relayed }, true, 'relayed');
      }
      break;
  }
  return [next, effects];
}

/**
 * The addresses of a friend that may be dialled, best first and each once: the last good one, then what he announced,
 * then what an invite said. A friend's claim never leads into our own network or to our own loopback, unless allowed.
 */
export function dialableAddresses(
  sources: { lastGood: string | undefined; announced: readonly string[]; invited: readonly string[] },
  allowPrivate: boolean,
): string[] {
  const all = [
    ...(sources.lastGood === undefined ? [] : [sources.lastGood]),
    ...sources.announced,
    ...sources.invited,
  ];
  return [...new Set(all)].filter((text) => {
    const address = parseHostPort(text);
    return address !== undefined && address.port > 0 && (allowPrivate || !isPrivate(address.host));
  });
}
