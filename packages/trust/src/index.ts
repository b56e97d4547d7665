/**
 * Who is who in the circle, and what each may do: records and their exact form, the roster they add up to, invites,
 * offers and grants. Pure: keys, signatures and hashes are handled by the agent, which opens each envelope and hands
 * over `Signed<…>` values.
 *
 *     const roster = computeRoster(circle, memberRecords, toHex);
 *     for (const duty of duties(roster, agreements, self)) …
 *
 * Promises: a record is read only when it is exactly one (size, canonical form, fields); the roster is the same
 * whatever order its records came in; contact comes from the roster, authority only from each owner's own grants.
 * Does not: sign, verify, store, or look at a clock to decide who is a friend.
 */

export {
  type AddressRecord,
  type Away,
  decodeAddressRecord,
  decodeHoldsRecord,
  decodeVoteRecord,
  encodeAddressRecord,
  encodeHoldsRecord,
  encodeVoteRecord,
  type HoldsRecord,
  holdsThatFit,
  type VoteRecord,
} from './box-records.ts';
export {
  type CanonicalValue,
  decodeCanonical,
  decodeStored,
  encodeCanonical,
  type FieldReader,
  readFields,
} from './canonical.ts';
export { type ClaimConflict, type Claims, claimConflict } from './claims.ts';
export { type Agreements, type Duty, duties, mergeGrants, offered, providersOf } from './duties.ts';
export {
  decodeInviteText,
  encodeInviteText,
  type InviteText,
  inviteIdOf,
  type Sha256,
} from './invite-text.ts';
export {
  admitInvite,
  admitJoiner,
  type JoinProof,
  type JoinRefusal,
  joinProofBytes,
  joinRefusalText,
} from './join.ts';
export {
  inviteLifeMs,
  maxAddressesPerBox,
  maxAwayNoteLength,
  maxBoxesPerOwner,
  maxEnvelopeOverheadBytes,
  maxInviteContacts,
  maxInviteLifeMs,
  maxInviteTextLength,
  maxMembers,
  maxProbedServices,
  maxRecordBytes,
  maxRevokedBoxes,
  maxRevokedSeen,
  maxServicesPerBox,
  maxSwapNumber,
  maxSwapVotes,
  maxZonesPerOwner,
  swapVotesWithinMs,
} from './limits.ts';
export {
  decodeInviteRecord,
  decodeMemberRecord,
  decodeRemovalRecord,
  decodeRevocationRecord,
  encodeInviteRecord,
  encodeMemberRecord,
  encodeRemovalRecord,
  encodeRevocationRecord,
  type InviteRecord,
  type MemberRecord,
  type RemovalRecord,
  type RevocationRecord,
} from './membership-records.ts';
export {
  type KeyProofSubject,
  keyProofBytes,
  nextOwnerEpoch,
  type OwnerState,
  ownerKeyOf,
  ownerRecordRank,
  resolveOwner,
} from './owner-chain.ts';
export {
  type BoxEntry,
  decodeOwnerRecord,
  encodeOwnerRecord,
  type KeyProof,
  type OwnerKey,
  type OwnerRecord,
  type RevokedBox,
} from './owner-record.ts';
export { isPeerId, keyFromPeerId, peerIdFromKey } from './peer-id.ts';
export {
  decodeProbesRecord,
  encodeProbesRecord,
  type ProbesRecord,
  type ServiceStatement,
  statementsThatFit,
} from './probes-record.ts';
export { type RecordKind, type Role, recordKinds, roles, type Service, services } from './record-kinds.ts';
export {
  boxMay,
  computeRoster,
  type InviteState,
  inviteState,
  type Member,
  ownerRecordFault,
  type Roster,
  type RosterRecords,
  type RosterView,
  type SignedMember,
  signatureStands,
} from './roster.ts';
export {
  decodeGrantsRecord,
  decodeOffersRecord,
  decodeReceiptRecord,
  encodeGrantsRecord,
  encodeOffersRecord,
  encodeReceiptRecord,
  type Grant,
  type GrantsRecord,
  grantsFault,
  type OffersRecord,
  type ReceiptRecord,
} from './service-records.ts';
export type { Signed } from './signed.ts';
export { isCertificate, isSwapQuorum, isToStandby, type SwapVote, swapQuorum } from './swap-quorum.ts';
export {
  decodeServicesRecord,
  decodeSwapRecord,
  decodeTakeoverRecord,
  encodeServicesRecord,
  encodeSwapRecord,
  encodeTakeoverRecord,
  type ServiceEntry,
  type ServicePin,
  type ServicesRecord,
  type StandbySet,
  type SwapRecord,
  servicePins,
  type TakeoverRecord,
  takeoverRank,
} from './takeover-records.ts';
export { compareWords } from './words.ts';
