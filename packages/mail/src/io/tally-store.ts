import { createHash } from 'node:crypto';
import type { Table, TableChange } from '@copain/core';
import { acceptedKey, encodeAcceptedRow } from '../accepted-list.ts';
import type { RecordHeader } from '../spool-record.ts';
import { countMessage, decodeTally, emptyTally, encodeTally, type Tally } from '../tally.ts';

const prefix = 'tally/';

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());

/** One message that is in the spool, for the count. */
export interface Counted {
  id: string;
  header: RecordHeader;
}

/**
 * What was ever accepted for each owner, kept in the table beside the spool; and under each number of it which message that
 * was, so that its owner can hold the count against what reached him.
 */
export class TallyStore {
  readonly tallies: Map<string, Tally> = new Map();
  readonly #table: Table;
  readonly #unsaved = new Set<string>();
  #unsavedRows: TableChange[] = [];
  #saving: Promise<void> | undefined;

  private constructor(table: Table) {
    this.#table = table;
  }

  /** Reads the counts; a row that cannot be read begins anew from the spool. */
  static async open(table: Table): Promise<TallyStore> {
    const store = new TallyStore(table);
    for await (const [key, value] of table.entries(prefix)) {
      const tally = decodeTally(value);
      if (tally !== undefined) store.tallies.set(key.slice(prefix.length), tally);
    }
    return store;
  }

  /**
   * Counts messages in the order of their entries; those that were counted before change nothing, so that the spool may
   * be shown again after a crash. Resolves once the counts are on disk. Many at once share a write.
   */
  async count(messages: readonly Counted[]): Promise<void> {
    for (const { id, header } of messages.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
      const before = this.tallies.get(header.ownerId) ?? emptyTally();
      const after = countMessage(before, { id, header }, sha256);
      if (after === before) continue;
      this.tallies.set(header.ownerId, after);
      this.#unsaved.add(header.ownerId);
      this.#unsavedRows.push({
        key: acceptedKey(header.ownerId, after.messages),
        value: encodeAcceptedRow({ before: before.chain, tags: header.tags }),
      });
    }
    await this.saved();
  }

  /**
   * Goes on from what was signed, with the messages that lie here as the next numbers: of the numbers before, `old` are the
   * keys of the rows that are to go. Resolves once that is on disk.
   */
  async restart(
    ownerId: string,
    signed: Omit<Tally, 'last'>,
    { old, messages }: { old: readonly string[]; messages: readonly Counted[] },
  ): Promise<void> {
    this.tallies.set(ownerId, { ...signed, last: '' });
    this.#unsaved.add(ownerId);
    this.#unsavedRows.push(...old.map((key) => ({ key, value: undefined })));
    await this.count(messages);
  }

  /** Resolves once all that was counted is on disk; rejects where the disk refuses it. */
  async saved(): Promise<void> {
    // What was changed while a write was under way goes with the next one.
    while (this.#saving !== undefined) await this.#saving;
    if (this.#unsaved.size === 0) return;
    this.#saving = this.#save().finally(() => {
      this.#saving = undefined;
    });
    await this.#saving;
  }

  async #save(): Promise<void> {
    const owners = [...this.#unsaved];
    const rows = this.#unsavedRows;
    this.#unsaved.clear();
    this.#unsavedRows = [];
    try {
      await this.#table.write([
        ...owners.map((ownerId) => ({
          key: prefix + ownerId,
          value: encodeTally(this.tallies.get(ownerId) ?? emptyTally()),
        })),
        ...rows,
      ]);
    } catch (error) {
      this.#unsavedRows = [...rows, ...this.#unsavedRows];
      for (const ownerId of owners) this.#unsaved.add(ownerId);
      throw error;
    }
  }
}
