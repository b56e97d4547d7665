import {
  flapsWithinMs,
  type TakeoverSituation,
  type TakeoverState,
  type WatchedService,
} from '@copain/liveness';
import { holdOf } from '../../../packages/liveness/src/takeover.ts';
import {
  flapsMax,
  probeCalmEveryMs,
  probeDoubtEveryMs,
  probeFreshMs,
  probeLateEveryMs,
  probesOften,
  refreshVoteAfterMs,
} from '../../../packages/liveness/src/takeover-limits.ts';

/*
 * When a box need not look at a service: a mirror of what the deciding code waits for. That it is a true one is what the
 * comparison with runs that leave nothing out is for.
 */

export type Memory = TakeoverState['memories'] extends ReadonlyMap<string, infer M> ? M : never;
type Row = Memory['primary'];
type Where = 'primary' | 'standby';

interface Place {
  service: WatchedService;
  /** As the tick just now left it. */
  memory: Memory;
  self: string;
  canJudge: boolean;
  isQuorum: TakeoverSituation['isQuorum'];
  nowMs: number;
}

const isDoubted = ({ number, box }: WatchedService, { primary }: Memory): boolean =>
  number % 2 === 1 || box.state !== 'up' || primary.ok === false;

const everyOf = (service: WatchedService, memory: Memory): number => {
  if (!isDoubted(service, memory)) return probeCalmEveryMs;
  return memory.primary.inARow < probesOften ? probeDoubtEveryMs : probeLateEveryMs;
};

/** When the standby begins to be tried too; Infinity where it will not. */
const soonFromMs = ({ number, afterMs, box }: WatchedService, { primary }: Memory): number => {
  if (number % 2 === 1) return Number.POSITIVE_INFINITY;
  const fromMs = Math.min(
    box.silentSinceMs ?? Number.POSITIVE_INFINITY,
    primary.ok === false ? primary.sinceMs : Number.POSITIVE_INFINITY,
  );
  return fromMs + afterMs - probeFreshMs;
};

const isTriedAtStandby = (place: Pick<Place, 'service' | 'memory' | 'nowMs'>): boolean =>
  isDoubted(place.service, place.memory) && soonFromMs(place.service, place.memory) <= place.nowMs;

/** Tries that go on at one distance, all with the result that is known. */
export interface Steady {
  everyMs: number;
  where: readonly Where[];
}

/** Undefined where the next tries are to be simulated. */
export function steadyTries(
  place: Place & { will: (where: Where) => boolean; isTried: (where: Where) => boolean },
): Steady | undefined {
  const { service, memory, will, isTried } = place;
  const everyMs = everyOf(service, memory);
  if (service.isMine || isTried('primary') || isTried('standby')) return undefined;
  if (everyMs === probeDoubtEveryMs || memory.primary.ok !== will('primary')) return undefined;
  if (isTriedAtStandby(place))
    return memory.standby.ok === will('standby') ? { everyMs, where: ['primary', 'standby'] } : undefined;
  const staysSo = !isDoubted(service, memory) || soonFromMs(service, memory) === Number.POSITIVE_INFINITY;
  return staysSo ? { everyMs, where: ['primary'] } : undefined;
}

/** Until when nothing follows but tries; the present, where something may at the next tick. */
export function quietUntilMs(place: Place & { swapsAtMs: readonly number[]; isSteady: boolean }): number {
  const { service, memory, self, canJudge, isQuorum, nowMs } = place;
  const { key, number, isMine, isFixed, isCertified, votes, box } = service;
  const never = Number.POSITIVE_INFINITY;
  const isAway = number % 2 === 1;
  const areTogether = (next: number): boolean => {
    const standing = votes.filter((one) => one.stands && one.number === next);
    return standing.some(({ atMs: endMs }) =>
      isQuorum(
        key,
        next,
        standing.filter(({ atMs }) => atMs <= endMs && endMs - atMs <= 2 * refreshVoteAfterMs),
      ),
    );
  };
  if (!isFixed && (areTogether(number + 1) || (isAway && !isCertified))) return nowMs;
  const mine = votes.find(({ voter }) => voter === self);
  const isSaid = mine?.stands === true && mine.number > number;
  /** A takeover of the last day counts no more. */
  const nextDecayMs = Math.min(
    ...place.swapsAtMs.map((atMs) => atMs + flapsWithinMs).filter((atMs) => atMs > nowMs),
  );
  if (isMine) {
    if (isFixed) return isSaid ? nowMs : never;
    if (!isAway) {
      const inVain = votes.filter((one) => !one.stands && one.number > number).map((one) => one.number);
      const passed = Math.max(number, ...inVain);
      return isSaid || passed + (passed % 2) > service.orderNumber ? nowMs : never;
    }
    if (!canJudge || service.swapsInDay >= flapsMax) return isSaid ? nowMs : nextDecayMs;
    return isSaid ? Math.min(mine.atMs + refreshVoteAfterMs, nextDecayMs) : nowMs;
  }
  // Said already that it may go home: again only when that is old.
  const staysSaid = isSaid && isAway && mine.number === number + 1;
  if (isSaid && !staysSaid) return nowMs;
  const everyMs = everyOf(service, memory);
  const nextTryMs = (row: Row): number => row.askedAtMs + everyMs;
  const isTwofold = isTriedAtStandby(place);
  let untilMs = never;
  if (!place.isSteady) {
    untilMs = Math.min(nextTryMs(memory.primary), isTwofold ? nextTryMs(memory.standby) : never);
    if (isDoubted(service, memory) && !isTwofold) untilMs = Math.min(untilMs, soonFromMs(service, memory));
  }
  if (!isAway) {
    const mayFail = memory.primary.ok === false && !(place.isSteady && memory.standby.ok === false);
    return mayFail ? nowMs : untilMs;
  }
  const isThere = box.state === 'up' || box.state === 'slow';
  const mayGoHome = !isFixed && canJudge && isThere && memory.primary.ok === true;
  if (staysSaid) {
    const staysWell = mayGoHome && service.swapsInDay < flapsMax;
    return staysWell ? Math.min(untilMs, nextDecayMs, mine.atMs + refreshVoteAfterMs) : nowMs;
  }
  if (!mayGoHome) return untilMs;
  if (service.swapsInDay >= flapsMax) return Math.min(untilMs, nextDecayMs);
  const wellMs = Math.max(box.sinceMs, memory.primary.sinceMs, service.sinceMs);
  const homeMs = wellMs + holdOf(service.holdMs, service.swapsInDay);
  return Math.min(untilMs, nextDecayMs, homeMs);
}

/**
 * What tries that were left out made of one row: those at or before `untilMs`. `tookMs` is how long the n-th of them took, the
 * first being 1; `late` is told of the last one where its answer comes only after `nowMs`, and `count` how many there were.
 */
export function withTries(
  row: Row,
  options: {
    everyMs: number;
    untilMs: number;
    nowMs: number;
    tookMs: (n: number) => number;
    count: (tries: number) => void;
    late: (up: boolean, atMs: number) => void;
  },
): Row {
  const { everyMs, untilMs, nowMs, tookMs } = options;
  const tries = Math.floor((untilMs - row.askedAtMs) / everyMs);
  if (tries <= 0) return row;
  const answeredAtMs = (n: number): number => row.askedAtMs + n * everyMs + tookMs(n);
  const lastMs = answeredAtMs(tries);
  const isLate = lastMs > nowMs;
  const answered = isLate ? tries - 1 : tries;
  const up = row.ok === true;
  const atMs = answered === 0 ? row.atMs : answeredAtMs(answered);
  options.count(tries);
  if (isLate) options.late(up, lastMs);
  return {
    ...row,
    askedAtMs: row.askedAtMs + tries * everyMs,
    atMs,
    inARow: row.inARow + answered,
    goodAtMs: up && answered > 0 ? atMs : row.goodAtMs,
  };
}
