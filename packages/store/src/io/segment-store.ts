import { type FileHandle, open, readdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import {
  type AppendOutcome,
  fromUtf8,
  type RecordSource,
  type SegmentEntry,
  type Segments,
  toUtf8,
} from '@copain/core';
import { groupMaxBytes, recordMaxBytes, segmentBytesDefault } from '../limits.ts';
import { decodeRecordHeader, fileHeader, recordHeaderBytes, scanSegment } from '../segment-format.ts';
import { makeFolder, syncFolder } from './durable-files.ts';
import { StoreError } from './errors.ts';
import { readInto } from './reused-read.ts';
import { readStarts } from './segment-starts.ts';
import { type RecordToWrite, writeRecords } from './segment-write.ts';

export interface SegmentsOptions {
  /** Size after which a segment is sealed, in bytes. */
  segmentBytes?: number;
  /** How a file is made durable; tests put one that fails in its place. */
  sync?: (file: FileHandle) => Promise<void>;
}

/** Segments on disk, and what was found damaged when they were opened. */
export interface DiskSegments extends Segments {
  readonly damagedRecords: number;
}

interface Place {
  segment: number;
  offset: number;
  sizeBytes: number;
}

/** What is known of one file: its live records, and how many of its tombstones speak of records in which other file. */
interface SegmentState {
  live: number;
  tombstonesFor: Map<number, number>;
}

interface Job extends RecordToWrite {
  target: string | undefined;
  stored: (entry: SegmentEntry) => void;
  failed: (cause: unknown) => void;
}

/**
 * Opens (or makes, mode 0700) the segments in `dir`. Every opening begins a new file, so ids go on rising; the file with
 * the highest number is never deleted, so no number is used twice. One process at a time: the caller sees to that.
 */
export async function openSegments(dir: string, options: SegmentsOptions = {}): Promise<DiskSegments> {
  const store = new SegmentStore(dir, options);
  await store.open();
  return store;
}

class SegmentStore implements DiskSegments {
  damagedRecords = 0;
  readonly #dir: string;
  readonly #segmentBytes: number;
  readonly #sync: (file: FileHandle) => Promise<void>;
  readonly #places = new Map<string, Place>();
  readonly #segments = new Map<number, SegmentState>();
  #jobs: Job[] = [];
  #committing: Promise<void> | undefined;
  #active: { number: number; file: FileHandle; sizeBytes: number } | undefined;
  #lastNumber = 0;
  #closed = false;

  constructor(dir: string, { segmentBytes = segmentBytesDefault, sync }: SegmentsOptions) {
    this.#dir = dir;
    this.#segmentBytes = segmentBytes;
    this.#sync = sync ?? ((file) => file.datasync());
  }

  async open(): Promise<void> {
    await makeFolder(this.#dir);
    const numbers = (await readdir(this.#dir)).map(segmentNumber).filter((number) => number !== undefined);
    const gone: { target: string; by: number }[] = [];
    const room = { bytes: new Uint8Array() };
    for (const number of numbers.sort((a, b) => a - b)) {
      this.#lastNumber = number;
      const path = this.#path(number);
      const bytes = await readInto(room, path);
      const scan = scanSegment(bytes, crc32);
      this.damagedRecords += scan.damaged;
      if (scan.goodEnd < bytes.length) await truncate(path, scan.goodEnd);
      const state: SegmentState = { live: 0, tombstonesFor: new Map() };
      this.#segments.set(number, state);
      for (const { kind, offset, body } of scan.records) {
        const id = recordId(number, offset);
        if (kind === 'data') this.#places.set(id, { segment: number, offset, sizeBytes: body.length });
        else gone.push({ target: fromUtf8(body) ?? '', by: number });
        if (kind === 'data') state.live += 1;
      }
    }
    for (const { target, by } of gone) this.#bury(target, by);
    try {
      await this.#begin();
    } catch {
      // A full disk keeps nobody from reading what is there; the first append tries again, and tells what is wrong.
    }
    await this.#deleteEmpty();
  }

  append(record: Uint8Array | RecordSource): Promise<AppendOutcome> {
    return new Promise((resolve) => {
      const sizeBytes = record instanceof Uint8Array ? record.length : record.sizeBytes;
      if (sizeBytes > recordMaxBytes) {
        resolve({ kind: 'failed', cause: new RangeError('record too long') });
        return;
      }
      this.#enqueue({
        kind: 'data',
        sizeBytes,
        body: record,
        target: undefined,
        stored: (entry) => resolve({ kind: 'stored', entry }),
        failed: (cause) => resolve({ kind: 'failed', cause }),
      });
    });
  }

  async read(id: string): Promise<Uint8Array | undefined> {
    const place = this.#places.get(id);
    if (!place) return undefined;
    const file = await open(this.#path(place.segment), 'r');
    try {
      const bytes = new Uint8Array(recordHeaderBytes + place.sizeBytes);
      await file.read(bytes, 0, bytes.length, place.offset);
      const header = decodeRecordHeader(bytes, 0, crc32);
      const body = bytes.subarray(recordHeaderBytes);
      if (header?.lengthBytes !== body.length || crc32(body) !== header.bodyChecksum)
        throw new StoreError({ code: 'DAMAGED', where: `${this.#dir} ${id}`, temporary: false });
      return body;
    } finally {
      await file.close();
    }
  }

  async readPart(id: string, offset: number, lengthBytes: number): Promise<Uint8Array | undefined> {
    const place = this.#places.get(id);
    if (!place) return undefined;
    const bytes = new Uint8Array(Math.max(0, Math.min(lengthBytes, place.sizeBytes - offset)));
    const file = await open(this.#path(place.segment), 'r');
    try {
      const { bytesRead } = await file.read(
        bytes,
        0,
        bytes.length,
        place.offset + recordHeaderBytes + offset,
      );
      if (bytesRead !== bytes.length)
        throw new StoreError({ code: 'DAMAGED', where: `${this.#dir} ${id}`, temporary: false });
      return bytes;
    } finally {
      await file.close();
    }
  }

  remove(id: string): Promise<void> {
    if (!this.#places.has(id)) return Promise.resolve();
    const body = toUtf8(id);
    return new Promise((resolve, reject) => {
      this.#enqueue({
        kind: 'tombstone',
        sizeBytes: body.length,
        body,
        target: id,
        stored: () => resolve(),
        failed: (cause) =>
          reject(new StoreError({ code: 'DISK', where: this.#dir, temporary: true }, { cause })),
      });
    });
  }

  async *entries(): AsyncIterable<SegmentEntry> {
    for (const [id, { sizeBytes }] of this.#places) yield { id, sizeBytes };
  }

  async *starts(lengthBytes: number): AsyncIterable<SegmentEntry & { start: Uint8Array | undefined }> {
    const places = this.#places;
    const records = function* () {
      for (const [id, place] of places) yield { id, ...place };
    };
    for await (const { record, start } of readStarts(records(), lengthBytes, (number) => this.#path(number)))
      yield { id: record.id, sizeBytes: record.sizeBytes, start };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#committing;
    await this.#active?.file.close();
    this.#active = undefined;
  }

  #enqueue(job: Job): void {
    if (this.#closed) {
      job.failed(new StoreError({ code: 'CLOSED', where: this.#dir, temporary: true }));
      return;
    }
    this.#jobs.push(job);
    this.#committing ??= this.#commitAll();
  }

  /** At most one group is on its way to the disk; what arrives meanwhile makes up the next. */
  async #commitAll(): Promise<void> {
    // One turn of the loop lets the other sockets that are readable now join the first group.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#jobs.length > 0) await this.#commit(this.#takeGroup());
    this.#committing = undefined;
  }

  #takeGroup(): Job[] {
    let sizeBytes = 0;
    const tooMany = this.#jobs.findIndex((job, i) => {
      sizeBytes += job.sizeBytes;
      return i > 0 && sizeBytes > groupMaxBytes;
    });
    return this.#jobs.splice(0, tooMany < 0 ? this.#jobs.length : tooMany);
  }

  async #commit(jobs: Job[]): Promise<void> {
    const placed: { job: Job; id: string; place: Place }[] = [];
    const failed: { job: Job; cause: unknown }[] = [];
    try {
      const active = await this.#activeSegment();
      const { written, endBytes } = await writeRecords(active.file, active.sizeBytes, jobs);
      await this.#sync(active.file);
      active.sizeBytes = endBytes;
      for (const [i, outcome] of written.entries()) {
        const job = jobs[i];
        if (job === undefined) continue;
        if ('cause' in outcome) failed.push({ job, cause: outcome.cause });
        else {
          const place = { segment: active.number, offset: outcome.offset, sizeBytes: job.sizeBytes };
          placed.push({ job, id: recordId(active.number, outcome.offset), place });
        }
      }
    } catch (cause) {
      await this.#abandonActive();
      for (const job of jobs) job.failed(cause);
      return;
    }
    for (const { job, cause } of failed) job.failed(cause);
    for (const { job, id, place } of placed) {
      if (job.target !== undefined) this.#bury(job.target, place.segment);
      else {
        this.#places.set(id, place);
        this.#state(place.segment).live += 1;
      }
    }
    if (jobs.some(({ kind }) => kind === 'tombstone')) await this.#deleteEmpty();
    for (const { job, id, place } of placed) job.stored({ id, sizeBytes: place.sizeBytes });
  }

  async #activeSegment(): Promise<{ number: number; file: FileHandle; sizeBytes: number }> {
    if (this.#active && this.#active.sizeBytes >= this.#segmentBytes) {
      const full = this.#active;
      this.#active = undefined;
      await full.file.close();
    }
    return this.#active ?? (await this.#begin());
  }

  /** A new file, durable by content and by name before the first record goes into it. */
  async #begin(): Promise<{ number: number; file: FileHandle; sizeBytes: number }> {
    const number = this.#lastNumber + 1;
    const path = this.#path(number);
    const file = await open(path, 'wx', 0o600);
    this.#lastNumber = number;
    try {
      await file.write(fileHeader);
      await this.#sync(file);
      await syncFolder(this.#dir);
    } catch (error) {
      await file.close();
      await rm(path, { force: true });
      throw error;
    }
    this.#segments.set(number, { live: 0, tombstonesFor: new Map() });
    this.#active = { number, file, sizeBytes: fileHeader.length };
    return this.#active;
  }

  /**
   * After a failed write or sync the kernel may have dropped the pages and call the next sync on this descriptor a
   * success, so it is not used again. What the failed group may have left in the file is cut off, as well as the disk
   * allows; if even that fails the records turn up after a restart, which is a double and never a loss.
   */
  async #abandonActive(): Promise<void> {
    const broken = this.#active;
    this.#active = undefined;
    if (!broken) return;
    await broken.file.close().catch(() => {});
    await truncate(this.#path(broken.number), broken.sizeBytes).catch(() => {});
  }

  #state(number: number): SegmentState {
    const known = this.#segments.get(number);
    if (known) return known;
    const fresh: SegmentState = { live: 0, tombstonesFor: new Map() };
    this.#segments.set(number, fresh);
    return fresh;
  }

  #bury(target: string, by: number): void {
    const place = this.#places.get(target);
    if (!place) return;
    this.#places.delete(target);
    this.#state(place.segment).live -= 1;
    if (place.segment === by) return;
    const { tombstonesFor } = this.#state(by);
    tombstonesFor.set(place.segment, (tombstonesFor.get(place.segment) ?? 0) + 1);
  }

  /**
   * Deletes sealed files that nobody needs: no live record, and no tombstone for a record in a file that still exists
   * (deleting that one would bring the record back). The newest file that there is stays: a number that was tried in vain,
   * on a full disk, leaves no file for the next opening to count from.
   */
  async #deleteEmpty(): Promise<void> {
    const newest = Math.max(...this.#segments.keys());
    for (const [number, { live, tombstonesFor }] of [...this.#segments].sort(([a], [b]) => a - b)) {
      const needed = [...tombstonesFor.keys()].some((other) => this.#segments.has(other));
      if (live > 0 || needed || number === newest) continue;
      try {
        await rm(this.#path(number), { force: true });
        await syncFolder(this.#dir);
        this.#segments.delete(number);
      } catch {
        // Tried again after the next commit; the file holds nothing that anybody is waiting for.
      }
    }
  }

  #path(number: number): string {
    return join(this.#dir, `${number.toString(16).padStart(12, '0')}.seg`);
  }
}

function segmentNumber(name: string): number | undefined {
  const match = /^([0-9a-f]{12})\.seg$/.exec(name);
  return match ? Number.parseInt(match[1] ?? '', 16) : undefined;
}

function recordId(segment: number, offset: number): string {
  return `${segment.toString(16).padStart(12, '0')}-${offset.toString(16).padStart(9, '0')}`;
}
