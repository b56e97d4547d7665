import type { Clock, Table } from '@copain/core';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { noteFields, type OwnerNote, readNote } from '../copy-frames.ts';
import { ownerNotesMax } from '../limits.ts';

const prefix = 'note/';
const rowMaxBytes = 1024;

interface KeptNote extends OwnerNote {
  ownerId: string;
}

const keyOf = ({ ownerId, domain, what, to }: Pick<KeptNote, 'ownerId' | 'domain' | 'what' | 'to'>): string =>
  `${prefix}${ownerId}/${domain}/${what}/${to}`;

/** What owners are to be told of their mail here when they are back: on disk until they heard of it. */
export class OwnerNotes {
  readonly #table: Table;
  readonly #clock: Clock;
  readonly #notes: Map<string, KeptNote>;
  readonly #unsaved = new Set<string>();
  #saving: Promise<void> | undefined;

  private constructor(table: Table, clock: Clock, notes: Map<string, KeptNote>) {
    this.#table = table;
    this.#clock = clock;
    this.#notes = notes;
  }

  /** Reads what was not told before. A row that cannot be read is left out. */
  static async open({ table, clock }: { table: Table; clock: Clock }): Promise<OwnerNotes> {
    const notes = new Map<string, KeptNote>();
    for await (const [key, value] of table.entries(prefix)) {
      const fields = readFields(decodeCanonical(value, rowMaxBytes));
      const note = { ...readNote(fields), ownerId: fields.text('owner', 128) };
      if (fields.ok) notes.set(key, note);
    }
    return new OwnerNotes(table, clock, notes);
  }

  /** Adds one message to what its owner will be told. On disk when it resolves; many at once share a write. Rejects where the disk refuses. */
  async add(
    message: { ownerId: string; domain: string; sizeBytes: number },
    about: Pick<OwnerNote, 'what' | 'to'>,
  ): Promise<void> {
    const { ownerId, domain, sizeBytes } = message;
    const key = keyOf({ ownerId, domain, ...about });
    const before = this.#notes.get(key);
    if (before === undefined && this.#notes.size >= ownerNotesMax)
      throw new Error('too many notes for owners');
    const nowMs = Math.max(0, Math.round(this.#clock.nowMs()));
    this.#notes.set(key, {
      ...about,
      ownerId,
      domain,
      messages: (before?.messages ?? 0) + 1,
      bytes: (before?.bytes ?? 0) + sizeBytes,
      sinceMs: before?.sinceMs ?? nowMs,
      untilMs: nowMs,
    });
    await this.#save(key);
  }

  /** What this owner has not heard of yet. */
  of(ownerId: string): OwnerNote[] {
    return [...this.#notes.values()].filter((note) => note.ownerId === ownerId);
  }

  /** Owners who have not heard of something. */
  owners(): Set<string> {
    return new Set([...this.#notes.values()].map(({ ownerId }) => ownerId));
  }

  /** The owner has heard of this much; what was added meanwhile is told the next time. */
  async told(ownerId: string, told: OwnerNote): Promise<void> {
    const key = keyOf({ ownerId, ...told });
    const now = this.#notes.get(key);
    if (now === undefined) return;
    const messages = now.messages - told.messages;
    if (messages <= 0) this.#notes.delete(key);
    else this.#notes.set(key, { ...now, messages, bytes: now.bytes - told.bytes, sinceMs: told.untilMs });
    await this.#save(key);
  }

  async #save(key: string): Promise<void> {
    this.#unsaved.add(key);
    // What was changed while a write was under way goes with the next one.
    while (this.#saving !== undefined) await this.#saving.catch(() => {});
    if (!this.#unsaved.has(key)) return;
    const keys = [...this.#unsaved];
    this.#unsaved.clear();
    this.#saving = this.#table
      .write(keys.map((one) => ({ key: one, value: rowOf(this.#notes.get(one)) })))
      .catch((error: unknown) => {
        for (const one of keys) this.#unsaved.add(one);
        throw error;
      })
      .finally(() => {
        this.#saving = undefined;
      });
    await this.#saving;
  }
}

function rowOf(note: KeptNote | undefined): Uint8Array | undefined {
  return note && encodeCanonical({ ...noteFields(note), owner: note.ownerId });
}
