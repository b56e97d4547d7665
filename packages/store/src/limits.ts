/**
 * Bytes after which a segment file is sealed and the next one begun. Small enough that space comes back soon after its
 * records are gone, large enough that a mail of the largest allowed size does not need a file of its own every time.
 */
export const segmentBytesDefault: number = 16 * 1024 * 1024;

/** The longest record a segment takes: the largest mail, sealed, with room to spare; a longer length field is damage. */
export const recordMaxBytes: number = 256 * 1024 * 1024;

/** Most bytes written in one group commit, so that one group cannot delay the 250 of everybody behind it for long. */
export const groupMaxBytes: number = 64 * 1024 * 1024;

/** Longest key of a table row, which is also what keeps a key from outside from filling memory. */
export const keyMaxLength = 512;
