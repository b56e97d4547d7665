/** Wall-clock time. The deciding code takes `nowMs` instead; only io and the agent hold a Clock. */
export interface Clock {
  /** Milliseconds since 1970, UTC. */
  nowMs(): number;
}

/** Randomness, real or seeded. */
export interface Random {
  /** `length` random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
  /** A number from 0 (included) to 1 (excluded). */
  fraction(): number;
}

/** One change of a Table; `value` undefined deletes the key. */
export interface TableChange {
  key: string;
  value: Uint8Array | undefined;
}

/**
 * An ordered table of small values (level, or a memory twin). Keys order by UTF-16 code unit as in JavaScript's `<`
 * for ASCII keys; use ASCII keys only. After a failed write the table reopens itself; the write that failed rejects.
 */
export interface Table {
  /** The value, or undefined where there is none. Rejects where the stored bytes fail their checksum. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** All changes or none, on disk (synced) when it resolves. */
  write(changes: readonly TableChange[]): Promise<void>;
  /** Every entry whose key begins with `prefix`, in key order. */
  entries(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>;
  close(): Promise<void>;
}

/**
 * Whole files that appear durably or not at all: temporary name, fdatasync, rename, fsync of the folder. Names are
 * `[a-z0-9._-]{1,128}`, no leading dot.
 */
export interface Files {
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** The whole content, or undefined where there is no such file. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Removing what is not there is no error. */
  remove(name: string): Promise<void>;
  list(): Promise<string[]>;
}

/** Where one appended record lies. `id` is unique for the life of the store and orders by time of appending. */
export interface SegmentEntry {
  id: string;
  sizeBytes: number;
}

/** A record too large for memory: how long it is, and its bytes in pieces, from the start each time it is asked. */
export interface RecordSource {
  sizeBytes: number;
  pieces(): AsyncIterable<Uint8Array>;
}

/** What became of an append: on disk, or refused for now (disk full, I/O error), with nothing visible left behind. */
export type AppendOutcome = { kind: 'stored'; entry: SegmentEntry } | { kind: 'failed'; cause: unknown };

/**
 * Append-only log of opaque records in checksummed segment files with group commit: all appends in flight share one
 * fdatasync. A torn tail is cut when the store is opened; a record that fails its checksum is skipped and counted.
 */
export interface Segments {
  /** Resolves only after the record is synced. Never rejects for disk trouble: see AppendOutcome. */
  append(record: Uint8Array | RecordSource): Promise<AppendOutcome>;
  /** The record, or undefined where it was removed or never was. Rejects where it fails its checksum. */
  read(id: string): Promise<Uint8Array | undefined>;
  /**
   * `lengthBytes` of the record from `offset` on, or what is left of it; undefined where it is gone. The checksum is over
   * the whole record and is not looked at: for whoever has a hash of his own over what he passes on.
   */
  readPart(id: string, offset: number, lengthBytes: number): Promise<Uint8Array | undefined>;
  /** Durably marks the record as gone; space comes back when its whole segment is gone. Removing twice is no error. */
  remove(id: string): Promise<void>;
  /** Every live record, oldest first. */
  entries(): AsyncIterable<SegmentEntry>;
  /**
   * The same with the first `lengthBytes` of each, or all of a shorter one; for whoever has to look at very many. As with
   * `readPart`, checksums are not looked at. A view that is good until the next one is asked for; undefined where the file
   * cannot be read.
   */
  starts(lengthBytes: number): AsyncIterable<SegmentEntry & { start: Uint8Array | undefined }>;
  close(): Promise<void>;
}

/**
 * A two-way stream of whole frames, each with a size limit set by whoever made the stream; with back-pressure in both
 * directions. The mesh makes them from libp2p streams; tests from memory.
 */
export interface FrameStream {
  /** Resolves when the frame was taken over by the transport with room to spare; rejects when the stream is gone. */
  send(frame: Uint8Array): Promise<void>;
  /** The next frame; undefined after the other side's clean end; rejects when the stream broke. */
  receive(): Promise<Uint8Array | undefined>;
  /** No more frames from here; what was sent still arrives. */
  end(): Promise<void>;
  /** Gives up both directions at once. Safe at any time, also twice. */
  abort(reason: Error): void;
}
