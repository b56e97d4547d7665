/** Two beats of 10 s missed: dial a second connection, since an old one stays blind for up to 0.4 × the outage. */
export const secondDialAfterMs = 20_000;

/** Three beats missed: from here on a friend is suspect. Below this, loss and full queues give false alarms. */
export const suspectAfterMs = 30_000;

/** When a silence is worth a signed vote: one more redial has had its chance. */
export const voteAfterMs = 35_000;

/** When one observer alone, whose own line is known to work, shows a friend as down without confirmation. */
export const downAloneAfterMs = 60_000;

/** Votes of as many different networks make a verdict for status and alerts. */
export const networksNeeded = 2;

/** A friend's word that he heard somebody is good for as long as three of his beats. */
export const claimValidMs = 30_000;

/**
 * A claim says "heard within the last 30 s", and beats are up to 11 s apart. Only a claim that came this long after I
 * last heard somebody proves that he was still heard after I lost him.
 */
export const claimProvesAfterMs = 42_000;

/**
 * A cut takes away several friends within one beat interval, 9 to 11 s, or two where a beat was lost. Whoever was heard
 * this long after another fell silent was not taken away by the same cut.
 */
export const outlastsAfterMs = 22_000;

/** While nobody is heard, something outside the circle is asked this often. */
export const lineCheckEveryMs = 30_000;

/** An answer of the line check counts for two rounds. */
export const lineCheckValidMs = 60_000;

/** Ticks come every second; a longer gap than this is time in which this process slept or its clock was set. */
export const stallMs = 5_000;

/**
 * More friends than this are not watched (those with the highest ids stay unknown): what is kept grows with the
 * square, and a circle is people who know each other.
 */
export const friendsMax = 64;

/** Changes of this box's own address that are remembered: with one a day, more than half a year. */
export const addressChangesMax = 200;

/** Characters of one check as its owner writes it. */
export const checkTextMax = 300;

/** A probe is over after this: a mail server may look up its client's name before it greets. */
export const probeTimeoutMs = 10_000;

/** Bytes of an answer that a probe reads: a greeting is one line, and a page says what it is known by early. */
export const probeBytesMax = 65_536;

/** How often a service that is up is tried. */
export const probeEveryMs = 60_000;

/** How soon after a try that went against what is said, and while nothing is known. */
export const probeRetryMs = 20_000;

/** Rounds in a row without an answer after which a service is said to be down. */
export const roundsToDown = 3;

/** Rounds in a row with an answer after which it is said to be up again. */
export const roundsToUp = 2;

/** A server reached this long ago shows that the line here lets its protocol through. */
export const qualifiedForMs = 3_600_000;

/** Probes under way at one time: each may wait 10 s. */
export const probesAtOnceMax = 8;

/** Services that one box tries; those beyond are not tried. */
export const probeTargetsMax = 128;

/** Round trips, one a beat, that decide whether a friend is slow: half a minute, so that one full moment is nothing. */
export const roundTripsJudged = 3;

/** A round trip from here on is slow: the other side of the world takes 0.3 s, the queue of a full home line 1 to 2 s. */
export const slowFromMs = 1000;

/** Below this it is not slow any more. */
export const fastBelowMs = 500;

/** Changes of state kept one by one, of each friend and service: a restless week. */
export const historyChangesMax = 64;

/** Hours kept: two weeks. */
export const historyHours = 336;

/** Days kept: a year, and a day for the one that is not over. */
export const historyDays = 366;

/** States are looked at every few seconds; after a longer pause nobody knows what was. */
export const historyGapMs = 60_000;

/** Friends and services of which a history is kept: of a full circle each friend, and three services of each. */
export const historiesMax = 256;

/** Bytes of one history on disk at most, all of it. */
export const historyBytesMax = 24_576;

/**
 * In a circle where a box has more friends than this, so many of them watch it and vote; with fewer all do. Two votes
 * are enough, and with eight watchers six may be off themselves.
 */
export const watchersMax = 8;
