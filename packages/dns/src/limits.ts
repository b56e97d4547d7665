/** RFC 1035 §2.3.4: octets of one label. */
export const labelBytesMax = 63;

/** RFC 1035 §2.3.4: octets of a whole name with its length octets and the root. */
export const nameBytesMax = 255;

/** RFC 1035 §4.2.1: what every DNS client takes over UDP without EDNS. */
export const udpPlainBytesMax = 512;

/** DNS flag day 2020: the largest UDP answer that crosses today's paths without fragmentation. */
export const udpEdnsBytesMax = 1232;

/** RFC 1035 §4.2.2: the two-octet length prefix of TCP allows no more. */
export const messageBytesMax = 65_535;

/**
 * Records followed in one answer by CNAME and DNAME. The same as Knot and BIND use: far above any honest chain, low
 * enough that a loop costs little.
 */
export const aliasesPerAnswerMax = 20;

/** Octets of one zone in its carried form, unless a grant says otherwise. Above it a friend refuses the version. */
export const zoneBytesMax: number = 64 * 1024 * 1024;

/**
 * Octets of one delta between two versions of a zone, unpacked. Above it the whole content is sent, and the work of
 * applying one stays within some tens of milliseconds.
 */
export const deltaBytesMax: number = 128 * 1024;

/** Steps from one version to the next that are kept for each zone: a friend who missed more gets the whole content. */
export const deltasPerZoneMax = 16;

/** Octets of all deltas kept, over all zones; the oldest go first. */
export const deltasKeptBytesMax: number = 16 * 1024 * 1024;

/**
 * Records of one zone. Taking in half a million costs a box some seconds of its one thread; 64 MiB of the smallest
 * records would cost minutes, during which it answers nobody.
 */
export const zoneRecordsMax = 500_000;

/** Names of a large zone that stand apart from its others until it is copied: twice asking costs a little, copying 100,000 costs 30 ms. */
export const mapPatchesMax = 1024;

/** Hosts of one RRset whose addresses are looked up for the additional section; honest sets have a dozen. */
export const hostsPerRRsetMax = 64;

/** Octets of a master file with all it includes. Text is at most a few times the size of the carried form. */
export const masterFileBytesMax: number = 128 * 1024 * 1024;

/** Entries of a master file that are read again together where one of them changed. */
export const piecesEntries = 64;

/** Records that are read again up to which the rest of a zone is taken over as it was; beyond, reading all is as quick. */
export const namesAgainMax = 10_000;

/** Depth of $INCLUDE: deep enough for generated files, shallow enough that a file including itself ends soon. */
export const includeDepthMax = 8;

/**
 * Problems told of one zone: mistakes of its master file, errors of the zone and warnings, as many of each. A file that is
 * no master file at all would give one for each line, and a zone with one wrong habit one for each record.
 */
export const problemsMax = 100;

/** Keys of one tag that are tried for one signature: tags collide by chance twice at most, by intent without end. */
export const keysPerSignatureMax = 4;

/** Characters of one master-file entry (with its continuation lines); the largest rdata as hexadecimal fits. */
export const entryCharactersMax = 262_144;

/** Octets of a signed zone-version header: it is pushed to every friend at once and so must stay small. */
export const zoneVersionBytesMax = 1024;

/** Encoded answers kept by the answer cache: far more than a circle's zones have names, at some 200 octets each. */
export const cachedAnswersMax = 40_000;

/** Octets of all encoded answers in the cache. When this is reached it starts anew. */
export const cachedAnswersBytesMax: number = 16 * 1024 * 1024;

/** Encoded answers longer than this are made each time: they are rare, and a few of them would fill the cache. */
export const cachedAnswerBytesMax = 4096;

/** A server cookie counts for an hour (RFC 9018 §4.3). */
export const cookieLifeS = 3600;

/** A cookie older than this is replaced in the answer (RFC 9018 §4.3: half an hour). */
export const cookieRenewS = 1800;

/** How far another box's clock may be ahead where a cookie was made (RFC 9018 §4.3: five minutes). */
export const cookieAheadMaxS = 300;

/** The secret behind the cookies lasts a day, and one more beside its successor (RFC 7873 §7.1: at most 26 days). */
export const cookieRotateMs: number = 24 * 3_600_000;

/** Answers a second over UDP to one network (/24, /56) and of one kind, unless `[dns] rate-limit` says otherwise. */
export const answersPerSecondDefault = 500;

/** An answer counts once for each of these octets it has, so that large ones, which attackers want, run out first. */
export const answerUnitBytes = 128;

/** Of the answers above the rate every second is sent as a truncated one: an honest client behind it comes by TCP. */
export const limitedPerSlip = 2;

/** The same for loopback, where the rate is many times higher. */
export const loopbackUnitBytes = 64;

/** Networks whose rate is remembered: 1.3 MB; of more than these the least busy are forgotten. */
export const limitedNetworksMax = 65_536;

/** From loopback, which nobody elsewhere can forge, only repeats of one question are limited, and these loosely. */
export const loopbackRateFactor = 8;

/** Octets that `nsid`, `hostname` and `version` may have; with it and the longest question an answer has room in 512. */
export const identityBytesMax = 128;

/** Octets of memory from which small answers are cut, instead of asking for memory for each. */
export const answerSlabBytes = 65_536;

/** NSEC3 iterations above which no proofs are made (RFC 9276 §3.2 lets validators ignore such zones). */
export const nsec3IterationsMax = 150;

/** TCP connections to one server in all: each costs some kilobytes; RFC 7766 §6.2.2 asks for a limit. */
export const tcpConnectionsMax = 600;

/** TCP connections from one source address; a resolver farm behind one address gets by with fewer. */
export const tcpConnectionsPerSourceMax = 30;

/** TCP connections from one network (/24, /56), so that nobody with a range of addresses has them all. */
export const tcpConnectionsPerNetworkMax = 150;

/** RFC 7766 §6.2.3: an idle TCP connection is closed after seconds; pipelining clients reuse it within that time. */
export const tcpIdleMs = 10_000;

/** A query that has begun to arrive over TCP must be whole by then, however slowly its octets drip. */
export const tcpQueryMs = 10_000;

/** Octets of answers a TCP client may leave unread before its queries are no longer read. */
export const tcpUnreadBytesMax = 262_144;

/** Octets that all TCP clients together may leave unread: above this each may only have one answer waiting. */
export const tcpUnreadBytesAllMax: number = 16 * 1024 * 1024;

/** How often a wildcard listener looks for new and vanished local addresses. */
export const rescanMs = 10_000;

/** Zones one friend's state may hold, over all owners: some thirty friends with tens of domains each. */
export const zonesHeldMax = 10_000;

/** Known holders remembered per zone version: more friends than this never speed up a fetch. */
export const holdersPerZoneMax = 64;

/** Wait before a failed fetch of a zone is tried again when every source failed: doubles from the first to the last. */
export const fetchRetryMs: { readonly first: number; readonly last: number } = { first: 1000, last: 60_000 };

/** A fetch that neither delivered nor failed by then counts as failed, so that a lost answer never stops a zone. */
export const fetchPatienceMs = 120_000;

/** An owner says anew, signed, that a version is still his newest: friends who do not reach him hear it from others. */
export const stillCurrentEveryMs: number = 6 * 3_600_000;

/** How long friends serve a zone without hearing from its owner. */
export const expiresAfterDefaultMs: number = 1000 * 3_600_000;

/** People hear of a copy when so much of its time is gone: by default after ten days, three weeks and a month. */
export const freshnessSharesPercent = [25, 50, 75] as const;

/** Seconds that the clocks of two servers with a TSIG key may differ (RFC 8945 §10: 300 recommended). */
export const tsigFudgeS = 300;

/** Unsigned messages between two signed ones of a transfer (RFC 8945 §5.3.1). */
export const tsigUnsignedMax = 99;

/** Octets of a file with a TSIG key; one key takes a hundred. */
export const tsigKeyFileBytesMax = 65_536;

/** Octets of a TSIG secret: with fewer it could be guessed (RFC 8945 §7 asks for as many as the MAC has). */
export const tsigSecretBytesMin = 16;

/** A longer secret adds nothing: HMAC folds it to one block (RFC 2104 §3). */
export const tsigSecretBytesMax = 512;

/** Queries that one thread passes on to the main one in a second: transfers and NOTIFY are rare. */
export const forwardsPerSecondMax = 500;

/** A thread that has not taken in new zones by then is ended and started anew; the largest zone takes a few seconds. */
export const threadPatienceMs = 30_000;

/** A thread that ended by itself is started again after this. */
export const threadRestartMs = 1000;

/**
 * Octets after which a message of a transfer is closed: names are only compressed towards the first 16 KiB (RFC 1035
 * §4.1.4), and making one never keeps queries waiting for long.
 */
export const transferMessageBytes = 16_384;

/** Transfers under way at once, each some kilobytes of memory; a server that starts asks for many zones together. */
export const transfersAtOnceMax = 64;

/** A transfer that is not through by then is broken off: the largest zone takes seconds to a server that reads. */
export const transferMs = 600_000;

/** Changes remembered of each zone for IXFR: whoever is further behind takes the whole zone. */
export const journalChangesMax = 100;

/** Octets of one change that is kept on disk for IXFR after a restart; who needs a larger one takes the whole zone. */
export const keptChangeBytesMax = 65_536;

/** Octets of all changes that are kept on disk for IXFR, and so are read at the start; the oldest give way. */
export const keptChangesBytesMax = 16_777_216;

/** A NOTIFY without an answer is sent again after this, doubling (RFC 1996 §3.6 proposes 60 s). */
export const notifyRetryMs: { readonly first: number; readonly last: number } = { first: 1000, last: 60_000 };

/** A server that refused a NOTIFY is tried again after this, doubling: it may not know the zone yet. */
export const notifyRefusedRetryMs: { readonly first: number; readonly last: number } = {
  first: 10_000,
  last: 3_600_000,
};

/** Of so many datagrams without an answer, half a minute's, people are told. */
export const notifySilentAfter = 6;

/** So often a server says no to a zone, within half a minute, before people are told: it may not know the zone yet. */
export const notifyRefusedAfter = 3;

/** NOTIFY datagrams sent to one server at once, so that a thousand zones do not overrun its socket. */
export const notifiesPerStepMax = 100;

/** NOTIFY datagrams whose answers are waited for; the oldest gives way, and is sent again in its time. */
export const notifiesInFlightMax = 4096;

/** Zones in a catalog: as many as friends' zones and a good many of our own. */
export const catalogMembersMax = 11_000;

/**
 * Octets of one transfer from a primary as they come. Names are compressed there and signatures added, so it is about
 * the size of the zone; twice that is no zone that could be published.
 */
export const transferInBytesMax: number = 2 * zoneBytesMax;

/** A transfer of which nothing has come for so long has stopped. */
export const transferStallMs = 20_000;

/** How long a primary may take to accept a TCP connection. */
export const primaryConnectMs = 5000;

/** How long an update of addresses (RFC 2136) may take, from the connection to its answer: the server writes to its disk. */
export const updateMs = 20_000;

/** How long the answer to each SOA question over UDP is waited for; then TCP is tried. */
export const primaryAnswerMs: readonly number[] = [1000, 2000];

/** Addresses of one primary's name that are tried, one after the other. */
export const primaryAddressesMax = 4;

/** Zones that are asked for at once: a primary of a thousand zones limits its transfers to some tens. */
export const primaryPullsAtOnceMax = 16;

/** The first NOTIFY counts at once; those within so long after a question to the primary are one, at its end. */
export const notifyPauseMs = 200;

/** NOTIFYs of strangers that are answered in a second, over all zones. */
export const notifyRefusalsPerSecondMax = 50;

/** Seconds that the SOA's REFRESH means at least and at most, so that no typing error asks without end, or never. */
export const refreshBoundsS: { readonly least: number; readonly most: number } = { least: 10, most: 86_400 };

/** The same for the SOA's RETRY. */
export const retryBoundsS: { readonly least: number; readonly most: number } = { least: 5, most: 3600 };

/** The first wait after a primary could not be asked; it doubles up to the SOA's RETRY. */
export const primaryRetryFirstMs = 1000;

/** The longest wait before a primary is asked again that never gave the zone, and so no RETRY. */
export const primaryRetryUnknownMs = 60_000;

/** So many failures in a row are told as an event: a primary that restarts fails once or twice. */
export const primaryFailuresTold = 3;
