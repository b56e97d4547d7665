import { syncLimits } from './limits.ts';
import type { SyncEffect } from './sync.ts';
import type { SyncFrame } from './sync-frames.ts';
import { fullBucket, refilled, type TokenBucket, takeToken } from './token-bucket.ts';

/**
 * How much of one friend's talk this box acts on, over all his streams. Nobody is hung up on for talking too much, or he
 * would only dial again: records wait, and everything else that is too much is passed over.
 */
export interface SyncPace {
  talk: TokenBucket;
  pushes: TokenBucket;
  exchanges: TokenBucket;
  /** Records told him in answer to what he asked. */
  answers: TokenBucket;
  /** Lists of all that we know, sent because his digest differs from ours. */
  asks: TokenBucket;
}

/** A friend who said nothing yet. */
export function startPace(nowMs: number): SyncPace {
  return {
    talk: fullBucket(syncLimits.talk, nowMs),
    pushes: fullBucket(syncLimits.pushes, nowMs),
    exchanges: fullBucket(syncLimits.exchanges, nowMs),
    answers: fullBucket(syncLimits.answers, nowMs),
    asks: fullBucket(syncLimits.asks, nowMs),
  };
}

const exchanging: ReadonlySet<SyncFrame['t']> = new Set(['have', 'want', 'ask-own']);

function bucketOf(frame: SyncFrame): 'talk' | 'pushes' | 'exchanges' {
  if (frame.t === 'push') return 'pushes';
  return exchanging.has(frame.t) ? 'exchanges' : 'talk';
}

/** What to do with a frame of his: take it now, take it `waitMs` later and read nothing until then, or pass it over. */
export function paceFrame(
  pace: SyncPace,
  frame: SyncFrame,
  nowMs: number,
): [SyncPace, { kind: 'take'; waitMs: number } | { kind: 'pass-over' }] {
  const name = bucketOf(frame);
  const limit = syncLimits[name];
  const { bucket, taken } = takeToken(pace[name], limit, nowMs);
  if (taken)
    return [
      { ...pace, [name]: bucket },
      { kind: 'take', waitMs: 0 },
    ];
  if (name !== 'pushes') return [{ ...pace, [name]: bucket }, { kind: 'pass-over' }];
  const waitMs = Math.ceil(((1 - bucket.tokens) / limit.perSecond) * 1000);
  return [
    { ...pace, pushes: { ...bucket, tokens: bucket.tokens - 1 } },
    { kind: 'take', waitMs },
  ];
}

/**
 * Of what a frame of his makes us send, what we do send: a short question must not make this box say everything again
 * and again. Whoever was told less is not told either that this was all.
 */
export function paceAnswers(
  pace: SyncPace,
  effects: readonly SyncEffect[],
  nowMs: number,
): [SyncPace, SyncEffect[]] {
  const answers = refilled(pace.answers, syncLimits.answers, nowMs);
  let asks = refilled(pace.asks, syncLimits.asks, nowMs);
  let told = 0;
  let left = 0;
  const kept = effects.filter((effect) => {
    if (effect.kind !== 'send') return true;
    if (effect.frame.t === 'have') {
      const { bucket, taken } = takeToken(asks, syncLimits.asks, nowMs);
      asks = bucket;
      return taken;
    }
    if (effect.frame.t === 'own-done') return left === 0;
    if (effect.frame.t !== 'push') return true;
    if (told + 1 > answers.tokens) {
      left += 1;
      return false;
    }
    told += 1;
    return true;
  });
  return [{ ...pace, asks, answers: { ...answers, tokens: answers.tokens - told } }, kept];
}
