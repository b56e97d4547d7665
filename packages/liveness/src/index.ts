/**
 * Who of my friends is there, as one box sees it: silence, suspicion, votes, verdicts, and the difference between
 * "they are gone" and "my line is cut". Plain values in, plain values out; the agent supplies clock, mesh and disk.
 *
 *     let view = emptyView();
 *     let effects: LivenessEffect[];
 *     [view, effects] = step(view, { kind: 'roster', self, selfNetwork: '', friends }, nowMs);
 *     [view, effects] = step(view, { kind: 'heard', peer: bob }, nowMs);
 *     [view, effects] = step(view, { kind: 'tick' }, nowMs); // every second
 *     const rows = facts(view);
 *
 * Promises: a friend who stops is no longer `up` at once when he says good-bye and within 31 s when he does not; a
 * confirmed `down` has votes from two networks, and is never given by a box that hears less than half of the circle,
 * nor while anybody it hears still hears him; heard again is up at once. Does not: sign or verify votes, or survive a restart (votes do, where they are kept).
 */

export {
  emptyHistory,
  type History,
  type HistoryState,
  historySummary,
  withState,
} from './history.ts';
export { decodeHistory, encodeHistory } from './history-row.ts';
export {
  downAloneAfterMs,
  friendsMax,
  historiesMax,
  probeEveryMs,
  probeRetryMs,
  probeTimeoutMs,
  secondDialAfterMs,
  suspectAfterMs,
  voteAfterMs,
} from './limits.ts';
export {
  type AddressChange,
  type AddressFamily,
  type OwnAddress,
  type OwnAddressInput,
  type OwnAddressState,
  startOwnAddress,
  stepOwnAddress,
  unconfirmed,
} from './own-address.ts';
export {
  judgeGreeting,
  judgeHttp,
  type ProbeResult,
  parseCheck,
  type ServiceCheck,
} from './service-check.ts';
export {
  type Certified,
  type ServiceOrder,
  type ServiceStanding,
  serviceStanding,
} from './service-standing.ts';
export {
  emptyServices,
  findings,
  type ProbePace,
  type ServiceFinding,
  type ServicesEffect,
  type ServicesInput,
  type ServicesState,
  type ServiceTarget,
  serviceKey,
  stepServices,
  type TargetCheck,
} from './service-step.ts';
export {
  judgeService,
  type ServiceFault,
  type ServiceVerdict,
  type ServiceView,
  serviceFault,
} from './service-verdict.ts';
export { type LivenessEffect, type LivenessInput, step } from './step.ts';
export {
  holdOf,
  type KnownSwapVote,
  startTakeovers,
  stepTakeover,
  type TakeoverEffect,
  type TakeoverInput,
  type TakeoverSituation,
  type TakeoverState,
  type WatchedService,
} from './takeover.ts';
export { flapsMax, flapsWithinMs } from './takeover-limits.ts';
export {
  emptyView,
  type FriendFacts,
  type FriendState,
  facts,
  heardNow,
  type LineState,
  type LivenessState,
} from './view.ts';
export { type Candidate, watchersOf } from './watchers.ts';
