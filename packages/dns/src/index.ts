/**
 * DNS for a circle of friends: reads master files, answers queries as NSD and Knot do, and decides which version of
 * whose zone is published, fetched and served.
 *
 *     const { zone, problems } = loadZone({ text, file: 'alice.zone', origin: nameOf('alice.example') });
 *     for (const problem of problems) console.log(formatProblem(problem));
 *     const answerer = createAnswerer([{ zone, expired: false }], { sha1 });
 *     const answer = answerer.answer(query, { transport: 'udp', address: '192.0.2.7', nowMs });
 *     const [next, effects] = stepSecondary(state, { kind: 'announced', header, from, direct: true }, nowMs);
 *     for (const effect of effects) await perform(effect);
 *
 * Promises: names are raw octets, so no label is ever mangled; a malformed message is an outcome, never an exception; a
 * zone has exactly one encoding; a version never gives way to an older one; effects come in the order of doing, what is
 * to be durable before what is seen. Does not sign zones or resolve names.
 */

export { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from './address-text.ts';
export {
  type Answerer,
  type AnswererOptions,
  type Asker,
  answerQuery,
  createAnswerer,
} from './answer.ts';
export { AnswerCounts, type Transport } from './answer-counts.ts';
export { formatBase64 } from './base-text.ts';
export { buildCatalog, type CatalogMember, catalogName, nextCatalogSerial } from './catalog-zone.ts';
export { type CookieSecrets, rotateSecrets } from './cookie.ts';
export { type DeltaShelf, deltaBetween, shelveDelta } from './delta-shelf.ts';
export type { Sha1 } from './denial.ts';
export { checkSignatures, signedSetFault, type VerifySignature } from './dnssec-check.ts';
export { type FollowedZone, followAddresses } from './follow-addresses.ts';
export {
  type FreshnessEffect,
  type FreshnessStage,
  type FreshnessState,
  freshnessStage,
  stepFreshness,
  type Term,
} from './freshness.ts';
export { cutFile, type FilesRead, mayBeHalfWritten } from './half-written.ts';
export { changesLeadingTo, decodeKeptChange, encodeKeptChange, type KeptChange } from './kept-change.ts';
export {
  answersPerSecondDefault,
  cookieRotateMs,
  deltaBytesMax,
  expiresAfterDefaultMs,
  freshnessSharesPercent,
  identityBytesMax,
  keptChangesBytesMax,
  notifyPauseMs,
  notifyRefusalsPerSecondMax,
  primaryPullsAtOnceMax,
  zoneBytesMax,
  zoneVersionBytesMax,
} from './limits.ts';
export { type LoadedZone, loadZone } from './load-zone.ts';
export {
  formatProblem,
  type Included,
  type MasterFile,
  type MasterFileOptions,
  type MasterRecord,
  parseMasterFile,
  type ResourceRecord,
  type ZoneProblem,
} from './master-file.ts';
export {
  decodeMessage,
  encodeMessage,
  Flag,
  type Message,
  type MessageRecord,
  type Question,
} from './message.ts';
export {
  compareNames,
  type DomainName,
  isAtOrBelow,
  isBelow,
  keyToName,
  lowerName,
  type NameKey,
  nameKey,
  nameOf,
  nameToText,
  type ParsedName,
  parseName,
  readName,
  sameName,
} from './name.ts';
export { answerNotify, isNotify, type NotifiedZone } from './notify-in.ts';
export {
  type NotifyEffect,
  type NotifyInput,
  type NotifyState,
  startNotifyState,
  stepNotify,
} from './notify-out.ts';
export {
  type PrimaryEffect,
  type PrimaryInput,
  type PrimaryState,
  type Sha256,
  serialProblems,
  startPrimaryState,
  stepPrimary,
  stillCurrent,
  withSerial,
} from './primary.ts';
export { RateLimiter } from './rate-limit.ts';
export { rdataToText } from './rdata-print.ts';
export { canonicalRdata } from './rdata-wire.ts';
export { RecordType, rcodeToText, typeFromText, typeToText } from './record-types.ts';
export type { ServedZone, ServedZones } from './resolve.ts';
export {
  type HeldZone,
  type Refusal,
  type SecondaryEffect,
  type SecondaryInput,
  type SecondaryState,
  startSecondaryState,
  stepSecondary,
} from './secondary.ts';
export {
  type TransferableZone,
  type TransferFact,
  type TransferKind,
  TransferOut,
  type TransferOutOptions,
  type TransferPeer,
} from './transfer-out.ts';
export type { MessageSource } from './transfer-stream.ts';
export {
  signTsigQuery,
  signTsigRefusal,
  type TsigAnswerVerdict,
  type TsigContext,
  type TsigKeys,
  type TsigRefusal,
  TsigSigner,
  type TsigVerdict,
  TsigVerifier,
  verifyTsigQuery,
} from './tsig.ts';
export { parseTsigKeyFile, type TsigKeyFile, tsigKeyFileExample } from './tsig-key-file.ts';
export {
  type TsigAlgorithm,
  type TsigCrypto,
  type TsigKey,
  tsigErrorToText,
  tsigRecordBytes,
} from './tsig-record.ts';
export type { AddressUpdate } from './update-message.ts';
export { type RRset, rrsetOf, type Zone } from './zone.ts';
export { type OpenedZone, openZoneBody } from './zone-body.ts';
export { type BuiltZone, buildZone } from './zone-build.ts';
export { soaOf, type ZoneChange } from './zone-changes.ts';
export {
  applyZoneDelta,
  decodeZoneDelta,
  diffBodies,
  encodeZoneDelta,
  joinDeltas,
  type PatchedZone,
  type ZoneDelta,
  type ZoneWithBody,
} from './zone-delta.ts';
export { diffZones, type ZoneDiff } from './zone-diff.ts';
export { decodeZone, encodeZone, zoneRecords } from './zone-encoding.ts';
export { addressesIn, mailServersOf, nameServersOf } from './zone-hosts.ts';
export { type JournaledZone, journalZones, type ZoneJournal } from './zone-journal.ts';
export {
  type NameOverlay,
  overlayFault,
  overlayTypes,
  overlayZone,
  replacedTypes,
  signatureLife,
} from './zone-overlay.ts';
export {
  expiresAtMs,
  type RefreshInput,
  type RefreshState,
  type SoaTimers,
  soaTimers,
  startRefresh,
  stepRefresh,
} from './zone-refresh.ts';
export { addToSerial, isNewerSerial } from './zone-serial.ts';
export {
  compareZoneVersions,
  decodeZoneVersion,
  encodeZoneVersion,
  sameZoneVersion,
  type ZoneKey,
  type ZoneVersion,
  zoneKey,
} from './zone-version.ts';
