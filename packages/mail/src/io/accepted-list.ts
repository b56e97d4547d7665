import type { Table } from '@copain/core';
import {
  type AcceptedRow,
  acceptedKey,
  acceptedNumber,
  acceptedPrefix,
  decodeAcceptedRow,
} from '../accepted-list.ts';
import { acceptedKeptMax, acceptedPageMax, acceptedPageTagsMax } from '../limits.ts';
import type { AcceptedItem } from '../question-frames.ts';

/** Numbers without a gap from `from` on; `before`: the receipt's chain before the first of them. */
export interface AcceptedPage {
  from: number;
  before: Uint8Array;
  items: AcceptedItem[];
}

/** Which message stands behind each number that this box's receipts count; the rows are written with the count itself. */
export class AcceptedList {
  readonly #table: Table;
  readonly #isHeld: (tags: readonly Uint8Array[]) => boolean;

  constructor(table: Table, isHeld: (tags: readonly Uint8Array[]) => boolean) {
    this.#table = table;
    this.#isHeld = isHeld;
  }

  /** The first numbers after `after` that are known, up to `upTo`; no items where none is. Rejects on disk trouble. */
  async page(ownerId: string, after: number, upTo: number): Promise<AcceptedPage> {
    const from = await this.#firstAfter(ownerId, after, upTo);
    const page: AcceptedPage = { from: from ?? after + 1, before: new Uint8Array(32), items: [] };
    if (from === undefined) return page;
    let tagCount = 0;
    for (let number = from; number <= upTo && page.items.length < acceptedPageMax; number++) {
      const row = await this.#row(ownerId, number);
      tagCount += row?.tags.length ?? 0;
      if (row === undefined || (tagCount > acceptedPageTagsMax && page.items.length > 0)) break;
      if (number === from) page.before = row.before;
      page.items.push({ tags: row.tags, held: this.#isHeld(row.tags) });
    }
    return page;
  }

  /** The chain before this number; undefined where the number is not known. Rejects on disk trouble. */
  async chainBefore(ownerId: string, number: number): Promise<Uint8Array | undefined> {
    return (await this.#row(ownerId, number))?.before;
  }

  /** The keys of all rows of an owner. */
  async keys(ownerId: string): Promise<string[]> {
    const keys: string[] = [];
    for await (const [key] of this.#table.entries(acceptedPrefix(ownerId))) keys.push(key);
    return keys;
  }

  /** Deletes what nobody needs of an owner whose count is `counted`: old numbers whose message is not here any more. */
  async forgetOld(ownerId: string, counted: number): Promise<void> {
    const old: string[] = [];
    for await (const [key, value] of this.#table.entries(acceptedPrefix(ownerId))) {
      if (acceptedNumber(key) > counted - acceptedKeptMax) break;
      const row = decodeAcceptedRow(value);
      if (row === undefined || !this.#isHeld(row.tags)) old.push(key);
    }
    if (old.length > 0) await this.#table.write(old.map((key) => ({ key, value: undefined })));
  }

  async #row(ownerId: string, number: number): Promise<AcceptedRow | undefined> {
    const bytes = await this.#table.get(acceptedKey(ownerId, number));
    return bytes && decodeAcceptedRow(bytes);
  }

  async #firstAfter(ownerId: string, after: number, upTo: number): Promise<number | undefined> {
    if (after >= upTo) return undefined;
    if ((await this.#row(ownerId, after + 1)) !== undefined) return after + 1;
    for await (const [key, value] of this.#table.entries(acceptedPrefix(ownerId))) {
      const number = acceptedNumber(key);
      if (number > upTo) return undefined;
      if (number > after && decodeAcceptedRow(value) !== undefined) return number;
    }
    return undefined;
  }
}
