/** Members of one circle. The mesh is a full mesh and was measured up to 30 boxes; beyond that it needs another shape. */
export const maxMembers = 64;

/** Boxes of one owner: home server, second server, laptop, with room to spare. */
export const maxBoxesPerOwner = 8;

/**
 * Owner records signed by an owner key one after the other; then the paper key has to sign one. So whoever stole an owner
 * key reaches only so many epochs beyond the last record of the paper key.
 */
export const maxOwnerSignedInARow = 64;

/** Owner records signed by the paper key that count, in one owner's life: one every few months for decades. */
export const maxPaperSigned = 192;

/** The highest epoch of an owner record: what both limits allow, each record of the paper key above all that could be. */
export const maxOwnerEpoch: number = (maxPaperSigned + 1) * (maxOwnerSignedInARow + 1);

/** Boxes that one owner record says are revoked. */
export const maxRevokedBoxes = 32;

/** Hashes of records of revoked boxes that stand, in one owner record: all admissions of a full circle and room to spare. */
export const maxRevokedSeen = 256;

/** Mail domains one owner may grant, and entries of a list of zones that every version reads; further zones stand apart. */
export const maxGrantsPerOwner = 256;

/** Zones one owner may grant: a self-hoster has tens of domains, and a few have many hundreds. */
export const maxZonesPerOwner = 1024;

/** Zones of one owner in one record of what a box holds: a record of the allowed size has no room for more. */
export const maxHeldZones = 2048;

/** Contacts in an invite (the inviter first), so that the text still fits a chat line and a QR code. */
export const maxInviteContacts = 3;

/** An invite text is at most this long before anything is decoded. */
export const maxInviteTextLength = 1024;

/** How long an invite is open unless said otherwise. */
export const inviteLifeMs: number = 72 * 3_600_000;

/** The longest life an invite may be given. */
export const maxInviteLifeMs: number = 30 * 86_400_000;

/** Addresses a box may claim for itself. */
export const maxAddressesPerBox = 8;

/** Characters of what a box says about its planned absence: one line on friends' pages. */
export const maxAwayNoteLength = 120;

/** Services that one box says something about: a full circle's mail and name servers, as far as it is to try them. */
export const maxProbedServices = 192;
/** Services of one box that friends may stand in for: each watcher signs a vote about each, within his own quota. */
export const maxServicesPerBox = 8;

/** Zones in which services of one box have ended: their transitions stay in the served serial. */
export const maxEndedZones = 64;

/** The highest transition of a service: one every hour for a century, and far from what a serial can rise by at once. */
export const maxSwapNumber = 1_000_000;

/** Votes in one certificate: a majority of the largest circle. */
export const maxSwapVotes = 33;

/** Votes that are further apart are of two outages. */
export const swapVotesWithinMs = 600_000;

/** Payload bytes of each kind of record, checked before parsing. */
export const maxRecordBytes = {
  owner: 16_384,
  member: 24_576,
  invite: 2048,
  revocation: 512,
  removal: 8192,
  offers: 16_384,
  grants: 49_152,
  address: 2048,
  zone: 1024,
  holds: 49_152,
  vote: 512,
  receipt: 512,
  probes: 24_576,
  services: 16_384,
  swap: 512,
  takeover: 24_576,
} as const;

/** Bytes that the signed envelope adds at most (public key, domain, type, signature; measured 111 to 120). */
export const maxEnvelopeOverheadBytes = 256;
