/**
 * The mesh's decisions: who may connect, whom to dial and when, what to tell a friend so that both know the same.
 *
 *     const [next, effects] = stepSync(state, { kind: 'frame', frame }, context, nowMs);
 *     const [dials, todo] = stepRedial(redial, { kind: 'tick' }, random.fraction(), nowMs);
 *
 * Promises: pure; every fact reaches everyone connected by push, and everyone else by digest; a friend is redialled
 * for ever. Does not: open sockets, verify signatures, or know what a record means.
 */
export {
  canReach,
  type DialbackLedger,
  type DialbackReport,
  isSettled,
  judgeDialback,
  type Reachability,
  type ReachabilityInput,
  stepReachability,
  unknownReachability,
} from './dialback.ts';
export { decodeDialbackFrame, encodeDialbackFrame, type PortAnswer } from './dialback-frames.ts';
export {
  addFact,
  answerHave,
  answerWant,
  emptyFactLog,
  type Fact,
  type FactLog,
  type FactOutcome,
  factsInOrder,
  haveList,
  judgeFact,
  withoutFacts,
} from './fact-log.ts';
export {
  type Admission,
  admitConnection,
  admitProtocol,
  type GateView,
  isOurCopainOlder,
  type ProtocolName,
  protocolClass,
  protocols,
  protocolVersion,
  type VersionGap,
  versionGap,
} from './gate.ts';
export { afterKnock, isDeadConnection, type KnockState, knockIsDue, startKnocking } from './knock.ts';
export {
  closedInviteMemoryMs,
  connectionSilenceMs,
  dialbackAnswerMs,
  dialbackDialMs,
  dialTimeoutMs,
  directKnockEveryMs,
  doubtAgainMs,
  farewellEveryMs,
  guestDeadlineMs,
  knockOftenMs,
  knockTimeoutMs,
  mappingDoubtMs,
  mappingRetryMs,
  maxDialbackFrameBytes,
  maxFarewellRecords,
  maxGuestFrameBytes,
  maxGuests,
  maxSendWindowBytes,
  maxSyncFrameBytes,
  relayAnswerMs,
  relayedDialMs,
  relaySilenceMs,
  unmapMs,
  versionLimit,
} from './limits.ts';
export { type TrafficClass, trafficClasses } from './line-scheduler.ts';
export { type MappingWay, nextMappingMs } from './port-mapping.ts';
export {
  type DialWay,
  dialableAddresses,
  type RedialEffect,
  type RedialInput,
  type RedialState,
  stepRedial,
  waitingForDial,
} from './redial.ts';
export {
  heldRelays,
  type RelayCandidate,
  type RelayEffect,
  type RelayInput,
  type RelayState,
  relaysTowards,
  stepRelay,
} from './relay-plan.ts';
export {
  passOn,
  type SyncContext,
  type SyncEffect,
  type SyncInput,
  type SyncState,
  startSync,
  stepSync,
} from './sync.ts';
export {
  decodeSyncFrame,
  encodeSyncFrame,
  peersInTags,
  peerTag,
  peerTags,
  type SyncFrame,
} from './sync-frames.ts';
export { fullBucket, type TokenBucket, takeToken } from './token-bucket.ts';
