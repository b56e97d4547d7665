import { concatBytes, type Files, type RecordSource, type Segments, type Table } from '@copain/core';
import { isFileName } from './file-name.ts';

/** A Table in memory. Give the same map again to imitate a restart. */
export function memoryTable(rows: Map<string, Uint8Array> = new Map()): Table {
  return {
    get: async (key) => rows.get(key)?.slice(),
    write: async (changes) => {
      for (const { key, value } of changes) {
        if (value === undefined) rows.delete(key);
        else rows.set(key, value.slice());
      }
    },
    entries: async function* (prefix) {
      const keys = [...rows.keys()].filter((key) => key.startsWith(prefix)).sort();
      for (const key of keys) {
        const value = rows.get(key);
        if (value) yield [key, value.slice()] as const;
      }
    },
    close: async () => {},
  };
}

/** Whole files in memory. Give the same map again to imitate a restart. */
export function memoryFiles(contents: Map<string, Uint8Array> = new Map()): Files {
  return {
    write: async (name, bytes) => {
      if (!isFileName(name)) throw new RangeError(`not a file name: ${name}`);
      contents.set(name, bytes.slice());
    },
    read: async (name) => contents.get(name)?.slice(),
    remove: async (name) => {
      contents.delete(name);
    },
    list: async () => [...contents.keys()].sort(),
  };
}

/** What stays of memory segments when they are "closed": the records and the number of the next one. */
export interface MemoryLog {
  nextNumber: number;
  records: Map<string, Uint8Array>;
}

/** An empty log for `memorySegments`. */
export function memoryLog(): MemoryLog {
  return { nextNumber: 1, records: new Map() };
}

/** Append-only records in memory. Give the same log again to imitate a restart. */
export function memorySegments(log: MemoryLog = memoryLog()): Segments {
  return {
    append: async (given) => {
      let record: Uint8Array;
      try {
        record = given instanceof Uint8Array ? given : await wholeOf(given);
      } catch (cause) {
        return { kind: 'failed', cause };
      }
      const id = log.nextNumber.toString(16).padStart(12, '0');
      log.nextNumber += 1;
      log.records.set(id, record.slice());
      return { kind: 'stored', entry: { id, sizeBytes: record.length } };
    },
    read: async (id) => log.records.get(id)?.slice(),
    readPart: async (id, offset, lengthBytes) => log.records.get(id)?.slice(offset, offset + lengthBytes),
    remove: async (id) => {
      log.records.delete(id);
    },
    entries: async function* () {
      for (const [id, record] of log.records) yield { id, sizeBytes: record.length };
    },
    starts: async function* (lengthBytes) {
      for (const [id, record] of log.records)
        yield { id, sizeBytes: record.length, start: record.slice(0, lengthBytes) };
    },
    close: async () => {},
  };
}

async function wholeOf(source: RecordSource): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source.pieces()) pieces.push(piece.slice());
  const whole = concatBytes(...pieces);
  if (whole.length !== source.sizeBytes) throw new RangeError('not as long as it said');
  return whole;
}
