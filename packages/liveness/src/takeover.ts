import type { ProbeResult } from './service-check.ts';
import {
  beatSlackMs,
  certifyAfterMs,
  flapsMax,
  holdMaxMs,
  probeCalmEveryMs,
  probeDoubtEveryMs,
  probeFreshMs,
  probeLateEveryMs,
  probesForBack,
  probesForSwap,
  probesOften,
  refreshVoteAfterMs,
} from './takeover-limits.ts';

/*
 * What one box does about takeovers: whom it asks, what it votes, when it puts votes together. What is answered follows
 * from records alone (`serviceStanding`); nothing here is needed for that.
 */

/** A vote that is known here, one a voter and service. */
export interface KnownSwapVote {
  voter: string;
  owner: string;
  network: string;
  number: number;
  stands: boolean;
  atMs: number;
}

/** One service, as it looks to this box at one instant. */
export interface WatchedService {
  /** The same for one service always. */
  key: string;
  /** Is it a service of this very box? */
  isMine: boolean;
  afterMs: number;
  holdMs: number;
  /** The transition in force here, and since when. */
  number: number;
  sinceMs: number;
  /** A record that stands says so; else this box remembers it alone. */
  isCertified: boolean;
  /** What the owner signed himself. */
  orderNumber: number;
  /** Pinned, or rehearsed: not for friends to decide. */
  isFixed: boolean;
  /** Takeovers in the last 24 hours. */
  swapsInDay: number;
  /** The owner's box, as liveness sees it. */
  box: { state: string; confirmed: boolean; sinceMs: number; silentSinceMs: number | undefined };
  votes: readonly KnownSwapVote[];
}

export interface TakeoverSituation {
  self: string;
  /** Do I hear enough of the circle to judge anybody? */
  canJudge: boolean;
  services: readonly WatchedService[];
  /** Do these votes make transition `number` of this service? */
  isQuorum: (key: string, number: number, votes: readonly KnownSwapVote[]) => boolean;
}

export type TakeoverInput =
  /** Every second. */
  | { kind: 'tick'; situation: TakeoverSituation }
  | { kind: 'probed'; key: string; where: 'primary' | 'standby'; result: ProbeResult };

/** What is to be done. */
export type TakeoverEffect =
  | { kind: 'probe'; key: string; where: 'primary' | 'standby' }
  /** Sign and gossip; `stands` false takes the word back. */
  | { kind: 'vote'; key: string; number: number; stands: boolean }
  /** Put these boxes' votes together. */
  | { kind: 'certify'; key: string; number: number; voters: string[] }
  /** Of a service of this box: sign that this transition stands, which makes votes for lower ones void. */
  | { kind: 'order'; key: string; number: number };

/** Answers of one address in a row; `unknown` ones change nothing. */
interface Row {
  askedAtMs: number;
  atMs: number;
  ok: boolean | undefined;
  inARow: number;
  sinceMs: number;
  /** When it last answered. */
  goodAtMs: number;
}

interface Memory {
  primary: Row;
  standby: Row;
  /** When a quorum for this number was first seen. */
  quorum: { number: number; atMs: number } | undefined;
  /** The last number that was certified or ordered here, and when, so that it is not done each second. */
  done: { number: number; atMs: number } | undefined;
}

export interface TakeoverState {
  readonly memories: ReadonlyMap<string, Memory>;
}

const never = Number.NEGATIVE_INFINITY;
const emptyRow: Row = {
  askedAtMs: never,
  atMs: never,
  ok: undefined,
  inARow: 0,
  sinceMs: never,
  goodAtMs: never,
};
const emptyMemory: Memory = { primary: emptyRow, standby: emptyRow, quorum: undefined, done: undefined };

export function startTakeovers(): TakeoverState {
  return { memories: new Map() };
}

/** One box's next step. Called by the agent each second and after each probe; `nowMs` comes from one clock. */
export function stepTakeover(
  state: TakeoverState,
  input: TakeoverInput,
  nowMs: number,
): [TakeoverState, TakeoverEffect[]] {
  if (input.kind === 'probed') {
    const memory = state.memories.get(input.key);
    if (memory === undefined) return [state, []];
    const row = withResult(memory[input.where], input.result, nowMs);
    return [{ memories: new Map(state.memories).set(input.key, { ...memory, [input.where]: row }) }, []];
  }
  const memories = new Map<string, Memory>();
  const effects: TakeoverEffect[] = [];
  for (const service of input.situation.services) {
    const before = notInFuture(state.memories.get(service.key) ?? emptyMemory, nowMs);
    memories.set(service.key, watched(service, before, input.situation, nowMs, effects));
  }
  return [{ memories }, effects];
}

/** A clock that was set back must not keep anybody from trying, and from counting, until it has caught up. */
function notInFuture(memory: Memory, nowMs: number): Memory {
  const { primary, standby } = memory;
  if (
    primary.askedAtMs <= nowMs &&
    primary.atMs <= nowMs &&
    standby.askedAtMs <= nowMs &&
    standby.atMs <= nowMs
  )
    return memory;
  const clamped = (row: Row): Row => ({
    ...row,
    askedAtMs: Math.min(nowMs, row.askedAtMs),
    atMs: Math.min(nowMs, row.atMs),
    sinceMs: Math.min(nowMs, row.sinceMs),
    goodAtMs: Math.min(nowMs, row.goodAtMs),
  });
  return { ...memory, primary: clamped(primary), standby: clamped(standby) };
}

function withResult(row: Row, result: ProbeResult, nowMs: number): Row {
  if (result.kind === 'unknown') return row;
  const ok = result.kind === 'up';
  const goesOn = row.ok === ok;
  return {
    ...row,
    ok,
    atMs: nowMs,
    goodAtMs: ok ? nowMs : row.goodAtMs,
    inARow: goesOn ? row.inARow + 1 : 1,
    // What failed at this probe may have failed since the one before; what works now is known to work from now on.
    sinceMs: goesOn ? row.sinceMs : nowMs,
  };
}

function watched(
  service: WatchedService,
  before: Memory,
  situation: TakeoverSituation,
  nowMs: number,
  effects: TakeoverEffect[],
): Memory {
  let memory = before;
  if (!service.isMine) memory = withProbes(service, memory, nowMs, effects);
  vote(service, memory, situation, nowMs, effects);
  memory = withCertificate(service, memory, situation, nowMs, effects);
  return service.isMine ? withOrder(service, memory, nowMs, effects) : memory;
}

/** Calm services are tried once a minute; those in doubt, and both sides of one that is about to move, often. */
function withProbes(
  { key, number, afterMs, box }: WatchedService,
  memory: Memory,
  nowMs: number,
  effects: TakeoverEffect[],
): Memory {
  const isAway = number % 2 === 1;
  const inDoubt = isAway || box.state !== 'up' || memory.primary.ok === false;
  const due = (row: Row, everyMs: number): boolean => nowMs - row.askedAtMs >= everyMs;
  let { primary, standby } = memory;
  const everyMs = !inDoubt
    ? probeCalmEveryMs
    : primary.inARow < probesOften
      ? probeDoubtEveryMs
      : probeLateEveryMs;
  if (due(primary, everyMs)) {
    primary = { ...primary, askedAtMs: nowMs };
    effects.push({ kind: 'probe', key, where: 'primary' });
  }
  const silentMs = nowMs - (box.silentSinceMs ?? nowMs);
  const failingMs = memory.primary.ok === false ? nowMs - memory.primary.sinceMs : 0;
  const soon = !isAway && Math.max(silentMs, failingMs) >= afterMs - probeFreshMs;
  if (inDoubt && soon && due(standby, everyMs)) {
    standby = { ...standby, askedAtMs: nowMs };
    effects.push({ kind: 'probe', key, where: 'standby' });
  }
  return { ...memory, primary, standby };
}

const isFresh = (row: Row, nowMs: number): boolean => nowMs - row.atMs <= probeFreshMs;

/**
 * Is the service down, so that this box would answer the standby? Only what it tried itself counts: a box that is gone while
 * its service goes on is no reason, nor is a service that fails where its standby fails too.
 */
function isDue({ afterMs, box }: WatchedService, { primary, standby }: Memory, nowMs: number): boolean {
  if (primary.ok !== false || primary.inARow < probesForSwap || !isFresh(primary, nowMs)) return false;
  if (standby.ok !== true || !isFresh(standby, nowMs)) return false;
  if (box.state === 'down' && box.confirmed && box.silentSinceMs !== undefined) {
    // The last beat may be as old as a beat's distance when the line is cut: counted so, nobody acts before the time.
    // A site that went on for a while after its box was gone has its time from then.
    return nowMs - Math.max(box.silentSinceMs + beatSlackMs, primary.goodAtMs) >= afterMs;
  }
  const isThere = box.state === 'up' || box.state === 'slow';
  // While the box was out of reach the site was too: only what fails beside a box that is heard is the site's own fault.
  const failsSinceMs = Math.max(primary.sinceMs, box.sinceMs);
  return isThere && primary.inARow > probesForSwap && nowMs - failsSinceMs >= afterMs;
}

/** How long a service must be well before it goes home: twice as long with each takeover within a day. */
export function holdOf(holdMs: number, swapsInDay: number): number {
  return Math.min(holdMs * 2 ** Math.max(0, swapsInDay - 1), Math.max(holdMs, holdMaxMs));
}

/** May it go home, by what this box saw? */
function isWellAgain(
  { box, holdMs, sinceMs, swapsInDay }: WatchedService,
  { primary }: Memory,
  nowMs: number,
): boolean {
  const isThere = box.state === 'up' || box.state === 'slow';
  if (!isThere || primary.ok !== true || primary.inARow < probesForBack || !isFresh(primary, nowMs))
    return false;
  return nowMs - Math.max(box.sinceMs, primary.sinceMs, sinceMs) >= holdOf(holdMs, swapsInDay);
}

/** What this box would have: a number that it is for, or none. */
function wanted(
  service: WatchedService,
  memory: Memory,
  { canJudge }: TakeoverSituation,
  nowMs: number,
): number | undefined {
  const { number, isFixed, isMine, isCertified, swapsInDay } = service;
  if (!canJudge || isFixed) return undefined;
  if (number % 2 === 0) return !isMine && isDue(service, memory, nowMs) ? number + 1 : undefined;
  if (swapsInDay < flapsMax && (isMine || isWellAgain(service, memory, nowMs))) return number + 1;
  // What was agreed stands by nobody's record any more, since the circle changed: those who still see it say it again.
  return !isMine && !isCertified && isDue(service, memory, nowMs) ? number : undefined;
}

function vote(
  service: WatchedService,
  memory: Memory,
  situation: TakeoverSituation,
  nowMs: number,
  effects: TakeoverEffect[],
): void {
  const { key, number } = service;
  const want = wanted(service, memory, situation, nowMs);
  const mine = service.votes.find(({ voter }) => voter === situation.self);
  if (want !== undefined) {
    const isSaid =
      mine?.stands === true && mine.number === want && Math.abs(nowMs - mine.atMs) < refreshVoteAfterMs;
    if (!isSaid) effects.push({ kind: 'vote', key, number: want, stands: true });
  } else if (mine?.stands === true && mine.number > number)
    effects.push({ kind: 'vote', key, number: mine.number, stands: false });
}

/** The lowest of the voters puts the votes together at once; should it be gone, the others do. */
function withCertificate(
  service: WatchedService,
  memory: Memory,
  { self, isQuorum }: TakeoverSituation,
  nowMs: number,
  effects: TakeoverEffect[],
): Memory {
  const { key, number, isCertified, isFixed } = service;
  const numbers = isCertified || number % 2 === 0 ? [number + 1] : [number, number + 1];
  for (const next of isFixed ? [] : numbers) {
    const standing = service.votes.filter((one) => one.stands && one.number === next);
    const votes = groupsInTime(standing).find((group) => isQuorum(key, next, group));
    if (votes === undefined) continue;
    const seen = memory.quorum?.number === next ? memory.quorum : { number: next, atMs: nowMs };
    const voters = votes.map(({ voter }) => voter).sort();
    const isMyTurn = voters[0] === self || nowMs - seen.atMs >= certifyAfterMs;
    const isDone = memory.done?.number === next && nowMs - memory.done.atMs < 2 * certifyAfterMs;
    if (!isMyTurn || isDone) return { ...memory, quorum: seen };
    effects.push({ kind: 'certify', key, number: next, voters });
    return { ...memory, quorum: seen, done: { number: next, atMs: nowMs } };
  }
  return memory.quorum === undefined ? memory : { ...memory, quorum: undefined };
}

/**
 * Votes that are near each other in time, one a person, so that none is of another outage; newest first. Of whom the clock is days
 * ahead the vote is newest for ever: it must not keep those from counting that are together without it.
 */
function groupsInTime(votes: readonly KnownSwapVote[]): KnownSwapVote[][] {
  const byVoter = votes.toSorted((a, b) => (a.voter < b.voter ? 1 : -1));
  const endsMs = [...new Set(votes.map(({ atMs }) => atMs))].toSorted((a, b) => b - a);
  return endsMs.map((endMs) => {
    const near = byVoter.filter(({ atMs }) => atMs <= endMs && endMs - atMs <= 2 * refreshVoteAfterMs);
    return [...new Map(near.map((one) => [one.owner, one])).values()];
  });
}

/**
 * The owner's box makes the number its own word once the service is at home, and passes over numbers that somebody voted
 * for in vain: a vote that was taken back must be of no use to anybody who kept it.
 */
function withOrder(
  service: WatchedService,
  memory: Memory,
  nowMs: number,
  effects: TakeoverEffect[],
): Memory {
  const { key, number, orderNumber, isFixed, votes } = service;
  if (isFixed || number % 2 === 1) return memory;
  const inVain = votes.filter((one) => !one.stands && one.number > number).map((one) => one.number);
  const passed = Math.max(number, ...inVain);
  const order = passed + (passed % 2);
  const isDone = memory.done?.number === order && nowMs - memory.done.atMs < 2 * certifyAfterMs;
  if (order <= orderNumber || isDone) return memory;
  effects.push({ kind: 'order', key, number: order });
  return { ...memory, done: { number: order, atMs: nowMs } };
}
