import { crc32 } from 'node:zlib';
import { encodeRecord, fileHeader, scanSegment } from '../../../packages/store/src/segment-format.ts';
import type { Agenda } from './agenda.ts';
import { type Chance, lot } from './chance.ts';

/** One box's disk: a table whose rows are there or not, and an append-only log of records that can be torn. */
export interface Disk {
  /** Rows as they would be found after a crash now. */
  readonly rows: ReadonlyMap<string, unknown>;
  /** Writes rows (undefined deletes), all or none; `done` once they are synced, or with false where the disk is full. */
  write(changes: readonly [key: string, value: unknown][], done: (kept: boolean) => void): void;
  /** The same at once, for what nobody has to wait for. False where the disk is full. */
  writeNow(changes: readonly [key: string, value: unknown][]): boolean;
  /** Appends a record to the log; `done` with its id once it is synced, or undefined where the disk is full. */
  append(body: Uint8Array, done: (id: string | undefined) => void): void;
  /** Removes a record of the log, durably. */
  remove(id: string): void;
  /** Power is gone: what is not synced is lost, and of the log a part of it may stand there, torn. */
  crash(): void;
  /** What a start finds in the log, oldest first; a torn tail is cut off. */
  recover(): { id: string; body: Uint8Array }[];
  setFull(full: boolean): void;
  /** Once, when something, or mail, is next on its way to the disk. */
  onNext(what: 'write' | 'append', listener: () => void): void;
  isFull(): boolean;
}

const checksum = (bytes: Uint8Array): number => crc32(bytes);

/** A sync takes 2 to 40 ms; records appended meanwhile are synced by the next one. */
export function disk(options: { box: number; agenda: Agenda; chance: Chance }): Disk {
  const { box, agenda, chance } = options;
  const rows = new Map<string, unknown>();
  let full = false;
  let life = 0;
  let syncs = 0;
  let nextId = 1;
  /** Of the log: bytes that survive a crash, and those that were written since. */
  let synced: { id: string; bytes: Uint8Array }[] = [];
  let unsynced: { id: string; bytes: Uint8Array }[] = [];
  let torn: Uint8Array = new Uint8Array();

  const listeners: { write?: (() => void) | undefined; append?: (() => void) | undefined } = {};

  const begins = (what: 'write' | 'append'): void => {
    const listener = listeners[what];
    listeners[what] = undefined;
    listener?.();
  };
  const afterSync = (action: () => void): void => {
    begins('write');
    const during = life;
    syncs += 1;
    agenda.after(2 + 38 * chance(lot.syncDelay, box, syncs), () => {
      if (life === during) action();
    });
  };
  const apply = (changes: readonly [key: string, value: unknown][]): void => {
    for (const [key, value] of changes) {
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
    }
  };

  return {
    rows,
    write: (changes, done) => {
      afterSync(() => {
        if (!full) apply(changes);
        done(!full);
      });
    },
    writeNow: (changes) => {
      if (!full) apply(changes);
      return !full;
    },
    append: (body, done) => {
      if (full) {
        afterSync(() => done(undefined));
        return;
      }
      const entry = { id: String(nextId++).padStart(8, '0'), bytes: encodeRecord('data', body, checksum) };
      unsynced.push(entry);
      begins('append');
      afterSync(() => {
        unsynced = unsynced.filter((one) => one !== entry);
        synced.push(entry);
        done(entry.id);
      });
    },
    remove: (id) => {
      synced = synced.filter((one) => one.id !== id);
    },
    crash: () => {
      life += 1;
      // Of what was under way any beginning may have reached the disk, the last of it in part.
      const whole = Buffer.concat(unsynced.map(({ bytes }) => bytes));
      torn = whole.subarray(0, Math.floor(whole.length * chance(lot.tornTail, box, life)));
      unsynced = [];
    },
    recover: () => {
      const file = Buffer.concat([fileHeader, ...synced.map(({ bytes }) => bytes), torn]);
      const { records } = scanSegment(file, checksum);
      const found = records.map(({ body }, i) => ({
        id: synced[i]?.id ?? String(nextId++).padStart(8, '0'),
        body: Uint8Array.from(body),
      }));
      synced = found.map(({ id, body }) => ({ id, bytes: encodeRecord('data', body, checksum) }));
      torn = new Uint8Array();
      return found;
    },
    onNext: (what, listener) => {
      listeners[what] = listener;
    },
    setFull: (next) => {
      full = next;
    },
    isFull: () => full,
  };
}
