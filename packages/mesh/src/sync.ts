import { compareBytes } from '@copain/core';
import {
  answerHave,
  answerWant,
  type Fact,
  type FactLog,
  factsBeyond,
  haveList,
  isKindOf,
  logOfVersion,
} from './fact-log.ts';
import { beatEveryMs, beatJitter, exchangeBackoffMaxMs, firstBeatAfterMs } from './limits.ts';
import { peersInTags, peerTags, type SyncFrame } from './sync-frames.ts';

/** Frames that came with version 2 of the sync protocol; a friend who speaks version 1 is not sent them. */
const sinceVersion2: ReadonlySet<SyncFrame['t']> = new Set(['boot', 'ask-own', 'own-done']);

/** May this frame be sent on a stream of this version? A push: where the friend knows records of its kind. */
export function isSpoken(version: number, frame: SyncFrame): boolean {
  if (frame.t === 'push') return isKindOf(version, frame.kind);
  return version >= 2 || !sinceVersion2.has(frame.t);
}

/** One friend's sync stream, as this box sees it. The lower PeerId of a pair opens it and beats; the other acks. */
export interface SyncState {
  peer: string;
  /** Of the protocol: 1 knows no `boot`, `ask-own` and `own-done`. */
  version: number;
  beats: boolean;
  counter: number;
  /** Round trip as the beating side measured it last, in microseconds; 0 while it is not known. */
  rttMicros: number;
  nextBeatAtMs: number;
  /** When the next digest exchange may start, and how long the one after that waits if this brings nothing. */
  exchangeAtMs: number;
  exchangeBackoffMs: number;
  /** The digest that the friend had when the last exchange started. */
  lastDigest: Uint8Array;
}

export type SyncInput =
  | { kind: 'frame'; frame: SyncFrame }
  | { kind: 'tick' }
  /** A fact of ours, or one that we just learned from `from` (undefined: our own), reached so far by `reached`. */
  | { kind: 'fact'; fact: Fact; reached: Uint8Array };

export type SyncEffect =
  | { kind: 'send'; frame: SyncFrame }
  | { kind: 'received'; record: { kind: Fact['kind']; envelope: Uint8Array; reached: Uint8Array } }
  | {
      kind: 'hello';
      name: string;
      version: string;
      bootId: Uint8Array;
      previousBootId: Uint8Array;
      clockOffsetMs: number;
    }
  | { kind: 'heard-bits'; peers: string[] }
  /** The friend knows exactly the same records as this box, of the kinds that the version of this stream has. */
  | { kind: 'same-records' }
  /** The boot id that the friend saw of this box before; empty where he saw none. */
  | { kind: 'last-seen'; bootId: Uint8Array }
  /** The friend has sent every record of this box that it lacked. */
  | { kind: 'own-told' };

/** What of the box the stream needs to know. */
export interface SyncContext {
  log: FactLog;
  /** Of all records those that this box signed. */
  signedBy: (peer: string) => readonly Fact[];
  /** PeerIds of all friends' boxes. */
  friends: readonly string[];
  /** Friends heard in the last 30 s. */
  heard: readonly string[];
  /** From 0 (included) to 1 (excluded). */
  jitter: number;
}

/** A fresh stream to `peer`; the first exchange may start at once, the first beat comes after one interval. */
export function startSync(
  { peer, version, beats }: Pick<SyncState, 'peer' | 'version' | 'beats'>,
  nowMs: number,
): SyncState {
  return {
    peer,
    version,
    beats,
    counter: 0,
    rttMicros: 0,
    // A first beat comes soon, so that both sides know the round trip; then one every interval.
    nextBeatAtMs: nowMs + firstBeatAfterMs,
    exchangeAtMs: nowMs,
    exchangeBackoffMs: beatEveryMs,
    lastDigest: new Uint8Array(8),
  };
}

const push = (fact: Fact, reached: Uint8Array): SyncEffect => ({
  kind: 'send',
  frame: { t: 'push', kind: fact.kind, reached, envelope: fact.envelope },
});

/**
 * Is it still too early for this? What lies further ahead than anything is ever planned was planned by a clock that has
 * been set back since: friends would take a box for dead that waited for its old time to come round again.
 */
function isAhead(atMs: number, nowMs: number, furthestMs: number): boolean {
  return nowMs < atMs && atMs - nowMs <= furthestMs;
}

/**
 * One step of one sync stream. A digest that differs starts an exchange (the beating side sends `have`); one that
 * brought nothing is retried ever more slowly, since a friend may hold records that this box refuses for good.
 */
export function stepSync(
  state: SyncState,
  input: SyncInput,
  context: SyncContext,
  nowMs: number,
): [SyncState, SyncEffect[]] {
  switch (input.kind) {
    case 'tick': {
      if (!state.beats || isAhead(state.nextBeatAtMs, nowMs, beatEveryMs * (1 + beatJitter)))
        return [state, []];
      const spread = 1 + beatJitter * (2 * context.jitter - 1);
      const next = { ...state, counter: state.counter + 1, nextBeatAtMs: nowMs + beatEveryMs * spread };
      const frame: SyncFrame = {
        t: 'beat',
        counter: next.counter,
        rttMicros: state.rttMicros,
        digest: logOfVersion(context.log, state.version).digest,
        heard: peerTags(context.heard),
      };
      return [next, [{ kind: 'send', frame }]];
    }
    case 'fact':
      return [state, isKindOf(state.version, input.fact.kind) ? [push(input.fact, input.reached)] : []];
    case 'frame':
      return stepFrame(state, input.frame, context, nowMs);
  }
}

function stepFrame(
  state: SyncState,
  frame: SyncFrame,
  context: SyncContext,
  nowMs: number,
): [SyncState, SyncEffect[]] {
  switch (frame.t) {
    case 'hello': {
      const log = logOfVersion(context.log, state.version);
      const [next, exchange] = exchangeIfDifferent(state, frame.digest, log, nowMs);
      const { name, version, bootId, previousBootId } = frame;
      const clockOffsetMs = frame.nowMs - nowMs;
      return [next, [{ kind: 'hello', name, version, bootId, previousBootId, clockOffsetMs }, ...exchange]];
    }
    case 'beat':
    case 'ack': {
      const log = logOfVersion(context.log, state.version);
      const [next, exchange] = exchangeIfDifferent(state, frame.digest, log, nowMs);
      const bits: SyncEffect = { kind: 'heard-bits', peers: peersInTags(frame.heard, context.friends) };
      const heard = peerTags(context.heard);
      const ack: SyncFrame = { t: 'ack', counter: frame.counter, digest: log.digest, heard };
      const answer: SyncEffect[] = frame.t === 'beat' ? [{ kind: 'send', frame: ack }] : [];
      return [next, [bits, ...answer, ...exchange]];
    }
    case 'push':
      return [
        state,
        [
          {
            kind: 'received',
            record: { kind: frame.kind, envelope: frame.envelope, reached: frame.reached },
          },
        ],
      ];
    case 'have': {
      const answer = answerHave(logOfVersion(context.log, state.version), frame.hashes);
      const effects = answer.push.map((fact) => push(fact, new Uint8Array()));
      if (answer.want.length > 0) effects.push({ kind: 'send', frame: { t: 'want', hashes: answer.want } });
      return [state, effects];
    }
    case 'boot':
      return [state, [{ kind: 'last-seen', bootId: frame.lastSeen }]];
    case 'ask-own': {
      const lacking = factsBeyond(context.signedBy(state.peer), frame.hashes);
      const pushes = lacking.map((fact) => push(fact, new Uint8Array()));
      return [state, [...pushes, { kind: 'send', frame: { t: 'own-done' } }]];
    }
    case 'own-done':
      return [state, [{ kind: 'own-told' }]];
    case 'ignored':
      return [state, []];
    case 'want':
      return [
        state,
        answerWant(logOfVersion(context.log, state.version), frame.hashes).map((fact) =>
          push(fact, new Uint8Array()),
        ),
      ];
  }
}

function exchangeIfDifferent(
  state: SyncState,
  digest: Uint8Array,
  log: FactLog,
  nowMs: number,
): [SyncState, SyncEffect[]] {
  if (compareBytes(digest, log.digest) === 0) {
    return [{ ...state, exchangeAtMs: nowMs, exchangeBackoffMs: beatEveryMs }, [{ kind: 'same-records' }]];
  }
  if (!state.beats) return [state, []];
  const moved = compareBytes(digest, state.lastDigest) !== 0;
  if (!moved && isAhead(state.exchangeAtMs, nowMs, exchangeBackoffMaxMs)) return [state, []];
  const backoffMs = moved ? beatEveryMs : Math.min(state.exchangeBackoffMs * 2, exchangeBackoffMaxMs);
  return [
    { ...state, lastDigest: digest, exchangeAtMs: nowMs + backoffMs, exchangeBackoffMs: backoffMs },
    [{ kind: 'send', frame: { t: 'have', hashes: haveList(log) } }],
  ];
}

/** To whom a fact that just became known is passed on: everyone connected whom it did not reach yet. */
export function passOn(
  connected: readonly string[],
  reached: Uint8Array,
  from: string | undefined,
): { to: string[]; reached: Uint8Array } {
  const already = new Set(peersInTags(reached, connected));
  const to = connected.filter((peer) => peer !== from && !already.has(peer));
  const tags = peerTags(to);
  const all = new Uint8Array(reached.length + tags.length);
  all.set(reached);
  all.set(tags, reached.length);
  return { to, reached: all };
}
