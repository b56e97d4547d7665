/** Largest message, in bytes of DATA. Larger than what the big providers send. */
export const messageMaxBytes: number = 50 * 1000 * 1000;

/** A spool record has at most this: seal and envelope on top of the largest message. */
export const recordMaxBytes: number = messageMaxBytes + 1_000_000;

/** What of one message is kept in memory while it arrives; the rest waits in a file, so that large mail costs no memory. */
export const messageMemoryBytes: number = 256 * 1024;

/** Message bytes in memory at once, over all sessions; beyond it short messages wait in files too. */
export const arrivingMemoryMaxBytes: number = 32 * 1024 * 1024;

/**
 * Bytes of messages under way at once, on disk and in memory, until each client network has an equal share of it only:
 * above its share 452, so that whoever sends a lot and then waits keeps nobody else out.
 */
export const arrivingMaxBytes: number = 1000 * 1000 * 1000;

/** Partly pulled messages of friends that an owner keeps in memory; the oldest make way. */
export const partialsMaxBytes: number = 100 * 1000 * 1000;

/** Nothing new is held while the disk has less free than this: the rest of the box, and of the machine, needs it more. */
export const diskFloorBytes: number = 64 * 1000 * 1000;

/** Recipients of one transaction; RFC 5321 §4.5.3.1.8 asks for at least 100. The rest get 452 and come again. */
export const recipientsMax = 100;

/** Longest address, angle brackets included (RFC 5321 §4.5.3.1.3). */
export const addressMaxLength = 256;

/** Longest ENVID (RFC 3461 §4.4) and ORCPT (§4.2) of a sender who asks for delivery reports. */
export const envidMaxLength = 100;
export const orcptMaxLength = 500;

/** Received lines after which a message is taken for looping; RFC 5321 §6.3 asks for at least 100. */
export const hopsMax = 100;

/** Sessions at once at one listening address; above it the network that has the most of them makes room for others. */
export const sessionsMax = 500;

/** Sessions at once from one address, so that one stranger cannot take them all. Senders open a few dozen at most. */
export const sessionsPerAddressMax = 30;

/** A client that kept silent until its greeting does not have to show it again for this long; postscreen keeps it as long. */
export const patientForMs: number = 24 * 3_600_000;

/** Such clients that are remembered; the one that waited longest ago is forgotten first, and waits again. */
export const patientClientsMax = 10_000;

/** No bytes for this long ends a session; RFC 5321 §4.5.3.2 asks for five minutes. */
export const sessionIdleMs = 300_000;

/** A session that has got nothing done for this long ends, however many bytes it trickles. */
export const sessionProgressMs = 600_000;

/** DATA has this long before its speed is judged. */
export const dataGraceMs = 60_000;

/**
 * Slower DATA than this ends the session, judged anew for every `dataGraceMs` that we waited for the client: one who sends
 * much at first and then a byte a second would hold its place for days.
 */
export const dataMinBytesPerSecond = 500;

/** From DATA to the dot, however fast: 50 MB over a line of 128 kbit/s take 52 minutes. */
export const dataMaxMs: number = 7_200_000;

/** How often sessions are judged, and the certificate files looked at. */
export const sweepEveryMs = 5000;

/** How long sessions in the middle of DATA, and an MTA that owes the answer to a dot, are waited for at a stop. */
export const stopGraceMs = 4000;

/** The owner's box must give a stream within this, else the message is held: the sender waits at its RCPT meanwhile. */
export const liveOpenMs = 5000;

/** The owner's MTA must answer MAIL and RCPT within this; it may ask blocklists first. */
export const liveReplyMs = 60_000;

/** A piece of DATA that the path does not take within this means that the path is gone. */
export const liveStallMs = 60_000;

/** From the client's dot to the owner's final reply; after that the friend answers itself. */
export const liveFinalMs = 120_000;

/** An owner's agent waits this long for the next frame of a live conversation; the client at the far end may be slow. */
export const liveFrameMs = 660_000;

/** How long the owner's MTA has to accept a connection and to greet. */
export const mtaConnectMs = 5000;

/** How long the MTA has to answer a command. */
export const mtaReplyMs = 60_000;

/** How long the MTA has to answer the final dot (RFC 5321 §4.5.3.2.6: ten minutes). */
export const mtaFinalMs = 600_000;

/** Longest line of a reply that is read from an MTA (RFC 5321 §4.5.3.1.5 allows 512), and how many lines one reply has. */
export const replyLineMaxBytes = 2048;
export const replyLinesMax = 64;

/** Bytes of mail in one frame between boxes; small, so that a beat never waits long behind it. */
export const chunkBytes: number = 32 * 1024;

/** Longest frame that is decoded: one chunk with its fields. */
export const frameMaxBytes: number = 64 * 1024;

/** Messages in one offer, and bytes its frame may have. */
export const offerItemsMax = 100;
export const offerMaxBytes: number = 48 * 1024;

/** Held messages known per box; beyond it 452, whatever their size. */
export const heldMessagesMax = 200_000;

/** The clear part of a spool record. */
export const recordHeaderMaxBytes: number = 16 * 1024;

/** What is read of a record to know whose it is: the clear part and the bytes before it. */
export const recordStartMaxBytes: number = recordHeaderMaxBytes + 64;

/** Messages sealed within a second before a thread of its own does it: a quiet box needs none, and has its memory. */
export const sealsBeforeThread = 20;

/** That thread ends when it had nothing to do for this long. */
export const sealThreadIdleMs = 30_000;

/** A message that the thread has not sealed within this is sealed without it. */
export const sealThreadPatienceMs = 5000;

/** Of each held message this much is read at the start of a box: enough for one or two recipients; else it is read again. */
export const recordStartUsualBytes = 1024;

/** The envelope line inside the seal: 100 recipients of 256 characters, each with an ORCPT, with room. */
export const envelopeMaxBytes: number = 128 * 1024;

/** Partly pulled messages that an owner keeps, so that a broken line does not begin a large one again. */
export const partialsMax = 4;

/** Deliveries to the own MTA at once, so that one slow message does not hold up the rest. */
export const deliveriesAtOnce = 4;

/** A silent drain stream is given up after this. */
export const drainFrameMs = 120_000;

/** First and longest wait between two tries. */
export const retryFirstMs = 5000;
export const retryMaxMs = 300_000;

/** The last instant that has a four-digit year; a later one from outside could not be written into a header. */
export const instantMaxMs = 253_402_300_799_999;

/**
 * Held mail handed over more slowly than this, once `dataGraceMs` passed, is a friend who means to keep us busy: even
 * beside everything else on a full line it has more. What came is kept, and the next stream goes on from there.
 */
export const drainMinBytesPerSecond = 100;

/** Messages that one question lists, and messages held for friends that a list at a box shows: the newest; others are counted. */
export const listMax = 500;

/** Of each listed message this much is sent: record header, seal and envelope of a message to a few recipients. */
export const recordHeadBytes = 4096;

/** A silent answer to a question about mail is given up after this. */
export const questionFrameMs = 20_000;

/** The next question on a stream has to come within this. */
export const questionIdleMs = 60_000;

/** Questions on one stream; a person who reads opens a new one for each command. */
export const questionsMax = 64;

/** Recipients known of one domain; a friend keeps 16 bytes of each. More than a circle's household or club has. */
export const recipientsKnownMax = 10_000;

/** Recipients of one domain that its server refused lately; the newest are kept, spammers try any number. */
export const recipientsRefusedMax = 1000;

/** For how long a refusal is remembered: who opens a mailbox today gets mail tomorrow, whatever happens to his server. */
export const refusedForMs: number = 24 * 3_600_000;

/** Bytes of a recipient's digest (HMAC-SHA-256, cut as RFC 2104 §5 allows). */
export const digestBytes = 16;

/** A file of recipients that is longer is a mistake. */
export const recipientFileMaxBytes: number = 1024 * 1024;

/** Changed lists go to a friend no faster than this on average, so that a learnt address costs a narrow line nothing. */
export const policyBytesPerSecond = 200;

/** How long a friend has to answer in a policy stream. */
export const policyAnswerMs = 30_000;

/** Connections at one raw address that are passed to the owner's MTA at once; more get the conversation here. */
export const rawSessionsMax = 24;

/** Of these, from one network of clients, so that one stranger does not take the direct way from all others. */
export const rawPerNetworkMax = 8;

/** Raw connections that an owner's agent passes to its MTA at once, from all friends; Postfix takes 100 by default. */
export const rawAtOwnerMax = 64;

/** How long the owner's MTA has to accept a raw connection and to greet: within the five seconds of the friend. */
export const rawGreetMs = 4000;

/** No byte in either direction for this long ends a raw connection; RFC 5321 §4.5.3.2 asks for five minutes. */
export const rawIdleMs = 300_000;

/** A raw connection ends after this, however busy: 50 MB over a line of 128 kbit/s take 52 minutes. */
export const rawMaxMs: number = 7_200_000;

/** How long a client has to close its side after the MTA has closed. */
export const rawLingerMs = 10_000;

/**
 * For how many of an owner's newest numbers a friend knows which message it was; for older ones only while he holds the
 * message. An owner who is there asks within the minute, and one who is away has his mail held here.
 */
export const acceptedKeptMax = 10_000;

/** After this many accepted messages a friend looks for numbers that need not be known any more. */
export const acceptedSweepEvery = 1000;

/** Numbers in one answer to an owner who holds receipts against what arrived, and tags in it: 100 recipients count for 100. */
export const acceptedPageMax = 200;
export const acceptedPageTagsMax = 1000;

/** Numbers of one friend that an owner waits for; while there are more he asks for none beyond, and loses none by it. */
export const pendingNumbersMax = 1000;

/** Recipients of these messages, beyond which no more are asked for either: all of it is one row of the table. */
export const pendingTagsMax = 5000;

/** Gaps in one friend's numbers that are kept apart; above it the last ones are shown as one. */
export const receiptGapsMax = 32;

/** The client waits this long after its dot for a second friend to have the message; then it hears 250 with one copy. */
export const secondCopyMs = 5000;

/** Messages on the way to one friend at once: each is a conversation of its own, so that none waits for another's reply. */
export const copiesAtOnce = 16;

/** Messages that one friend may be sending at once; a little more than a friend of ours does. */
export const copiesArrivingMax = 24;

/** How long a friend has to answer an offered copy, and to have it on his disk once he has all of it. */
export const copyAnswerMs = 30_000;

/** A stream for copies on which nothing is to be said is closed after this. */
export const copyIdleMs = 30_000;

/** How often it is looked through what has to go to another friend. */
export const copyLookEveryMs = 2000;

/** Mail leaves this box for another friend's once this box has kept none for its domain for so long: a word that is taken back at once moves nothing. */
export const giveUpAfterMs = 5000;

/** A message that comes from one friend is waited for this long before the next one who has it is put off. */
export const otherPullMs = 30_000;

/** Slower than this, and what comes from one friend is pulled from the next one too: half of a line of 128 kbit/s. */
export const otherPullBytesPerSecond = 8000;

/** What a friend said about a copy is asked anew when he was away for so long: his disk may be another one. */
export const copyDoubtMs: number = 600_000;

/** Notes that an owner hears on one stream; each is an event that he reads, and a friend of ours has a few at most. */
export const notesPerStreamMax = 100;

/** Rows of notes for owners, over all owners: sums by domain and friend, so few. More are told in the log only. */
export const ownerNotesMax = 1000;

/** How often a backup is asked whether it takes our mail, longer or shorter by a tenth. */
export const probeEveryMs = 3_600_000;

/** After a backup is heard, at a start too: whoever comes and goes, or restarts often, is not asked each time. */
export const probeFirstMs = 600_000;

/** A backup that did not take it is asked again after this, and only then told of. */
export const probeAgainMs = 300_000;
export const probeFailuresMax = 2;

/** How often a canary goes the whole way, and how soon again where one was lost. */
export const canaryEveryMs: number = 24 * 3_600_000;
export const canaryAgainMs = 3_600_000;

/** What may be a canary of another box of the owner, which cannot be asked, waits so long at the friend; then it is mail. */
export const canaryAskForMs = 3_600_000;

/** A canary that takes longer is lost: the friend is heard, and hands over at once. */
export const canaryWithinMs = 900_000;

/** Canaries that are remembered, so that one that comes late reaches no mailbox. */
export const canariesKeptMax = 200;

/** Backups that are checked, over all domains: one probe at a time gets through them within the hour. */
export const probeTargetsMax = 60;

/** How long a backup has to accept a connection, and to answer a command; its own question to us may take a minute. */
export const probeConnectMs = 15_000;
export const probeReplyMs = 90_000;

/** Addresses of one MX that are tried, and bytes of a reply that are read. */
export const probeAddressesMax = 4;

/** Listening addresses that a friend tells of. */
export const doorsMax = 16;
