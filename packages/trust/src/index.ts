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
  type CanonicalValue,
  decodeCanonical,
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
  maxBoxesPerOwner,
  maxEnvelopeOverheadBytes,
  maxInviteContacts,
  maxInviteLifeMs,
  maxInviteTextLength,
  maxMembers,
  maxRecordBytes,
  maxRevokedBoxes,
  maxRevokedSeen,
} from './limits.ts';
export {
  type KeyProofSubject,
  keyProofBytes,
  nextOwnerEpoch,
  type OwnerState,
  ownerKeyOf,
  ownerRecordRank,
  resolveOwner,
} from './owner-chain.ts';
export { isPeerId, keyFromPeerId, peerIdFromKey } from './peer-id.ts';
export {
  type AddressRecord,
  type BoxEntry,
  decodeAddressRecord,
  decodeGrantsRecord,
  decodeHoldsRecord,
  decodeInviteRecord,
  decodeMemberRecord,
  decodeOffersRecord,
  decodeOwnerRecord,
  decodeReceiptRecord,
  decodeRemovalRecord,
  decodeRevocationRecord,
  decodeVoteRecord,
  encodeAddressRecord,
  encodeGrantsRecord,
  encodeHoldsRecord,
  encodeInviteRecord,
  encodeMemberRecord,
  encodeOffersRecord,
  encodeOwnerRecord,
  encodeReceiptRecord,
  encodeRemovalRecord,
  encodeRevocationRecord,
  encodeVoteRecord,
  type Grant,
  type GrantsRecord,
  type HoldsRecord,
  type InviteRecord,
  type KeyProof,
  type MemberRecord,
  type OffersRecord,
  type OwnerKey,
  type OwnerRecord,
  type ReceiptRecord,
  type RecordKind,
  type RemovalRecord,
  type RevocationRecord,
  type RevokedBox,
  type Role,
  recordKinds,
  roles,
  type Service,
  services,
  type VoteRecord,
} from './records.ts';
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
export type { Signed } from './signed.ts';
export { compareWords } from './words.ts';
