/** One frame of the sync stream: the largest record (grants, 48 kB) with its envelope fits, nothing larger. */
export const maxSyncFrameBytes = 65_536;

/** Record hashes (8 bytes each) in one `have` or `want` frame. */
export const maxHashesPerFrame = 8000;

/** Facts this box keeps: 64 members with 8 boxes and some hundred records each, and an end to what a friend can fill. */
export const maxFacts = 8000;

/** Between beats on a healthy stream; ± 10 % so that friends do not beat in step. */
export const beatEveryMs = 10_000;
export const beatJitter = 0.1;
export const firstBeatAfterMs = 1000;

/** A digest exchange that brought nothing new is not repeated at every beat: it waits twice as long each time, up to this. */
export const exchangeBackoffMaxMs = 300_000;

/** Redial: first after 2 s, then doubled up to 30 s, with jitter, for ever. */
export const redialFirstMs = 2000;
export const redialMaxMs = 30_000;

/** A friend with whom no version is shared is tried again this often: one of both may have been updated. */
export const incompatibleRetryMs = 600_000;

/** A dial must survive an uplink queue of 2 s, with several round trips. */
export const dialTimeoutMs = 45_000;

/** A connection on which nothing at all was heard for this long is given up, whatever TCP believes. */
export const connectionSilenceMs = 90_000;

/** A stranger at the gate: how long, how much, how many at once. */
export const guestDeadlineMs = 20_000;
export const maxGuestFrameBytes = 24_576;
export const maxGuests = 16;

/** Guests from one IPv4 /24 or IPv6 /48: a household that joins together, and no network that takes all the places. */
export const maxGuestsPerNetwork = 4;

/** A former friend's box is let in to be told of its removal once in this time; one that hears it comes no more. */
export const farewellEveryMs = 60_000;

/** Records that say why a box is out: the removals of one member, and how those who signed them came in, over years. */
export const maxFarewellRecords = 500;

/**
 * What one friend may say on his sync streams. All that a box may know comes at once where somebody was away; after that
 * a circle at its busiest says far less than this. Beats come every 10 s, and an exchange at most with each.
 */
export const syncLimits = {
  /** As many as a box may know (`maxFacts`). */
  pushes: { perSecond: 50, burst: 8000 },
  talk: { perSecond: 5, burst: 50 },
  exchanges: { perSecond: 0.5, burst: 20 },
  /** Twice that. */
  answers: { perSecond: 50, burst: 16_000 },
  asks: { perSecond: 0.2, burst: 6 },
} as const;

/**
 * New versions of what one box signed before: each is written, synced and passed on to everybody, so nobody may make the
 * whole circle work by counting up. What is too much now comes again with a later digest.
 */
export const versionLimit = { perSecond: 2, burst: 300 } as const;

/** A frame whose first bytes came is whole after this, also at the end of a queue on a slow line; or its stream ends. */
export const frameDeadlineMs = 120_000;

/** Bytes that wait for one friend who does not read. */
export const maxQueuedBytes = 32_000_000;

/** How long after an invite was used, revoked or expired its bearer still gets told so instead of a closed door. */
export const closedInviteMemoryMs: number = 7 * 86_400_000;

/** Streams of one protocol that one friend may have open at once. */
export const maxStreamsPerProtocol = 32;

/** Streams that the other side may have open on one connection: those of every protocol, and relayed connections. */
export const maxStreamsPerConnection = 256;

/** A bucket of the line holds this much of its rate at most: an idle line does not save up for a long burst. */
export const burstMs = 100;

/** One write on the line: small enough for a slow uplink, large enough not to be mostly headers. */
export const minPieceBytes = 1024;
export const maxPieceBytes = 16_384;

/** Pieces that wait for the line; whoever adds to a longer queue has a friend who is not read from. */
export const maxLineQueue = 10_000;

/** What a write costs beside its bytes: yamux and Noise framing once; Ethernet, IP and TCP headers per segment. */
export const wireOverhead = { perWriteBytes: 32, perSegmentBytes: 70 } as const;
export const segmentBytes = 1400;

/**
 * Where a dial hangs, or a friend is waited for, a plain TCP connection is tried this often in the first minutes, and then
 * for as long as it takes; each has its time to be answered.
 */
export const knockOftenMs = 500;
export const knockOftenForMs = 300_000;
export const knockEveryMs = 3000;
export const knockTimeoutMs = 2500;

/** A connection that answered nothing for so long, while a fresh one would stand at once, is as good as closed. */
export const doubtAfterMs = 3000;

/** A friend to whom a fresh connection was dialled for that reason is not dialled so again sooner. */
export const doubtAgainMs = 10_000;

/** So many knocks without an answer are an outage; fewer may be a full line. */
export const knocksUnanswered = 2;

/** Friends through whom a box that cannot be dialled listens: one may be away. */
export const relaysPerBox = 2;

/** A relay that said nothing to a reservation in this time did not make one; whoever refused is asked again later. */
export const relayAnswerMs = 30_000;
export const relayRetryMs = 60_000;

/** A reservation holds for two hours on the relay; this is often enough to survive three failures. */
export const relayRenewMs = 1_800_000;

/** Reservations that a relay keeps: every box of a full circle. */
export const maxRelayReservations = 512;

/** How long a relay keeps one; circuit relay v2 names no life, and its implementations grant an hour or two. */
export const relayReservationMs = 7_200_000;

/** A message of the relay protocols: addresses, and a voucher where another implementation sends one. */
export const maxRelayMessageBytes = 16_384;

/**
 * How long a relay tries to put a call through, on a line with 2 s in its queue or to a box that is about to come back;
 * its next connection is tried beside one that hangs.
 */
export const relayCallMs = 15_000;
export const nextConnectionAfterMs = 1500;

/** A friend's relay that came back is tried for so long, every 2 s; one such dial, with what the relay needs for a call. */
export const relayBackMs = 30_000;
export const relayedDialMs = 25_000;

/** Who was heard later than this is not dialled anew when a relay comes back: a beat and some delay. */
export const relaySilenceMs = 14_000;

/** Beside a relayed connection a plain TCP connection to each address is tried this often: two packets, mostly. */
export const directKnockEveryMs = 60_000;

/** Relayed connections that one relay carries. */
export const maxRelayCircuits = 512;

/** So much of one side of a relayed connection waits in the relay before it is held back; stream windows come beside. */
export const relayHoldBytes = 65_536;

/** What all sides together may have waiting, windows included: a small box has this much memory to spare. */
export const maxRelayHeldBytes = 33_554_432;

/** How often a relay looks what waits in it: a line of 1 Gbit/s brings no more than that much again meanwhile. */
export const relayLookMs = 250;

/**
 * What each side of a relayed connection has passed on at once, for beats and gossip: 60 bytes in 10 s, and an exchange
 * of records now and then.
 */
export const relayedUrgent = { perSecond: 128, burst: 4096 } as const;

/** Relayed connections that one friend's box may ask for through this one: one to every member, and some that just ended. */
export const maxRelayedPerFriend = 96;

/** Beside a dial that hangs, the friend's next address is tried; a relay only when the direct ways had some time. */
export const nextAddressAfterMs = 2000;
export const relayedAfterMs = 4000;

/** While a friend is reached through a relay, the direct way is tried again, ever more seldom, up to this. */
export const directRetryMaxMs = 300_000;

/** A direct connection that was silent this long is no better than a relayed one on which something was just heard. */
export const directSilenceMs = 25_000;

/**
 * Connections before Noise. A handshake and a refusal cost 5 to 7 ms, so all that may be computed for others than proven
 * friends (20 strangers a second, and 20 at hosts of friends) is a quarter of a core here. Friends prove who they are
 * before it (`ArrivalProof`) and have their own shares; that of a host is for friends whose clock or copain is too old
 * to prove anything, and for their neighbours.
 */
export const arrivalLimits = {
  /** An IPv4 /24 or IPv6 /48. */
  network: { perSecond: 4, burst: 20, pending: 64 },
  strangers: { perSecond: 20, burst: 60, pending: 256 },
  /** A host at which a friend was met; and all of them. A friend redials every 2 to 30 s. */
  knownHost: { perSecond: 10, burst: 50, pending: 128 },
  allKnown: { perSecond: 20, burst: 100, pending: 512 },
  /** A friend's box with its proof: dials, second dials at silence, bulk. */
  friend: { perSecond: 2, burst: 20, pending: 8 },
  maxFriendsPending: 512,
  /**
   * Without a share, before they said a word. The first bytes come with the end of TCP's handshake or, where they were
   * lost, a second or three later.
   */
  waiting: { perSource: 128, inAll: 512, forMs: 5000 },
  /** Sources remembered; a bucket that is forgotten is a full one, and the buckets of all hold beyond. */
  maxSources: 512,
} as const;

/** Proofs of friends remembered, so that none counts twice: all that ten friends may use in a quarter of an hour. */
export const maxProofsRemembered = 20_000;

/**
 * From the first byte to an authenticated connection. Over an uplink with 2 s in its queue a handshake takes four round
 * trips; whoever says nothing is pushed out by others long before (see `arrivalLimits`).
 */
export const inboundUpgradeTimeoutMs = 45_000;

/** Connections of one box at once: control, bulk, and a few zombies of lines that were cut. The oldest goes. */
export const maxConnectionsPerPeer = 8;

/** Hosts remembered at which one friend's box was met. */
export const maxHostsPerPeer = 4;

/** What a bulk transfer may have under way: so much time of the line, since whatever is urgent waits behind it. */
export const windowSpanMs = 400;
export const startSendWindowBytes = 16_384;
export const minSendWindowBytes = 2048;
export const maxSendWindowBytes = 1_048_576;
export const rateMemoryMs = 3000;

/** One chunk of it: not mostly headers, and a fraction of a second of a slow line. */
export const minBulkChunkBytes = 1024;
export const maxBulkChunkBytes = 32_768;

/** A bulk transfer of which something is under way and nothing was acknowledged for so long is over. */
export const bulkSilenceMs = 30_000;

/** Bulk goes last: its sender may have had no turn on his line for so long before his transfer is given up. */
export const bulkStarvedMs = 600_000;

/** A friend's second connection is closed when it was not used for so long. */
export const bulkIdleMs = 60_000;

/** After an accepted offer the other side comes back on a second connection within this, or starts again. */
export const bulkTicketMs = 60_000;

/** How long a friend's new connection may turn out to be the one for bulk before it gets a sync stream. */
export const bulkArrivalMs = 5000;

/** Bulk transfers that one friend may have open here at once. */
export const maxBulkTransfers = 4;

/** Less than this under way on a connection is no queue, and needs no ping to tell. */
export const paceFromBytes = 4096;

/** A ping that is not answered in this time tells nothing any more; the connection's own silence will. */
export const paceEchoMs = 60_000;

/** A connection on which nothing large was sent for so long starts to find its pace anew. */
export const paceRestMs = 2000;

/** A dial-back frame: a few ports, one address. */
export const maxDialbackFrameBytes = 1024;
export const maxDialbackPorts = 4;

/** Ports that a friend may always have dialled at his own address: his DNS, his mail, and the mesh where it usually is. */
export const servicePorts: readonly number[] = [25, 53, 4853];

/** How many requests a friend has in a window; his own agent needs two an hour, a person who tries things some more. */
export const dialbackPerFriend = 8;
export const dialbackWindowMs = 600_000;

/** Friends asked in one round, how often, and how long what they said counts. */
export const dialbackFriends = 2;
export const dialbackEveryMs = 1_800_000;
export const dialbackMemoryMs: number = 2 * dialbackEveryMs + 600_000;

/** One dial back, and the whole question with its answer. */
export const dialbackDialMs = 5000;
export const dialbackAnswerMs = 15_000;

/** A port mapping is asked of the router for two hours (RFC 6886 §3.3); one that offers none is asked again later. */
export const mappingLifeS = 7200;
export const mappingRetryMs = 600_000;

/** What a router says over HTTP: descriptions in the field are 2 to 30 kB; a LAN's pace, and routers are slow. */
export const maxIgdAnswerBytes = 65_536;
export const igdAnswerMs = 5000;

/** A search is repeated, since it is a datagram; the router is told to answer within a second. */
export const igdSearchMs = 3000;

/** Ports or lives that are tried at a router which refuses: a home has few boxes that want the same port. */
export const igdPortTries = 4;

/** A router that friends say passes nothing on is not asked again sooner: it may have started anew and forgotten. */
export const mappingDoubtMs = 60_000;

/** What the end of an agent may wait for the router to take a mapping away. */
export const unmapMs = 2000;

/** Datagrams to a router that says nothing: 250 ms, then doubled, 4 s in all. */
export const mappingTries = 4;
