import { equalBytes, type RecordSource, type Segments, type Table, toHex } from '@copain/core';
import { decodeStored } from '@copain/trust';
import {
  acceptedSweepEvery,
  heldMessagesMax,
  recordStartMaxBytes,
  recordStartUsualBytes,
} from '../limits.ts';
import type { MailDomain } from '../mail-domain.ts';
import { type HeldInput, type HeldMessage, stepHeld } from '../spool.ts';
import { decodeSpoolRecord, type RecordHeader } from '../spool-record.ts';
import { emptyTally, type Tally } from '../tally.ts';
import { AcceptedList, type AcceptedPage } from './accepted-list.ts';
import { asError } from './deadline.ts';
import type { MailEvents } from './events.ts';
import { type Counted, TallyStore } from './tally-store.ts';

export type HoldOutcome =
  | { kind: 'stored'; message: HeldMessage }
  /** The very same message for the very same recipients is held already. */
  | { kind: 'duplicate' }
  | { kind: 'full' }
  | { kind: 'failed'; cause: unknown };

/** Texts that messages share; begun anew when it is full, so that it cannot grow without end. */
const sharedTextsMax = 1000;

/** What a friend keeps for owners who are away. The segments are the truth; this is the index of them in memory. */
export class HeldStore {
  readonly messages: Map<string, HeldMessage> = new Map();
  readonly #tallies: TallyStore;
  readonly #accepted: AcceptedList;
  readonly #segments: Segments;
  readonly #events: MailEvents;
  readonly #byTag = new Map<string, string>();
  readonly #bytes = new Map<string, number>();
  /** Owners and domains by themselves: a hundred thousand messages share the texts of a few. */
  readonly #shared = new Map<string, string>();
  #forgetting: Promise<void> = Promise.resolve();
  readonly #whenGone = new Map<string, (() => void)[]>();

  private constructor(segments: Segments, tallies: TallyStore, table: Table, events: MailEvents) {
    this.#segments = segments;
    this.#accepted = new AcceptedList(table, (tags) => this.holdsAll(tags));
    this.#tallies = tallies;
    this.#events = events;
  }

  /** Reads the clear part of every record. One that cannot be read stays where it is, and is told. */
  static async open(
    { segments, table }: { segments: Segments; table: Table },
    events: MailEvents,
  ): Promise<HeldStore> {
    const store = new HeldStore(segments, await TallyStore.open(table), table, events);
    const found: Counted[] = [];
    for await (const { id, sizeBytes, start } of segments.starts(recordStartUsualBytes)) {
      const decoded = start && (decodeSpoolRecord(start, decodeStored) ?? (await decodedStart(segments, id)));
      if (decoded) {
        const { header } = decoded;
        store.#index(id, header, sizeBytes);
        const { last } = store.tallies.get(header.ownerId) ?? emptyTally();
        // Of its own bytes, not of the view that it was decoded from.
        if (id > last) found.push({ id, header: structuredClone(header) });
      } else {
        const error = new Error(start ? 'not a spool record' : 'cannot be read');
        events.trouble({ where: `held message ${id}`, error });
      }
    }
    // A message may have been stored and not counted when the last run was cut off.
    await store.#count(found);
    return store;
  }

  /** What was ever accepted for each owner, by his id. */
  get tallies(): ReadonlyMap<string, Tally> {
    return this.#tallies.tallies;
  }

  /**
   * Does the count for this owner go on from what was signed for him? Not where the count was lost with its index, or is one
   * of an old copy of this box. Rejects on disk trouble.
   */
  async goesOnFrom(ownerId: string, signed: Pick<Tally, 'messages' | 'chain'>): Promise<boolean> {
    const { messages, chain } = this.tallies.get(ownerId) ?? emptyTally();
    if (messages <= signed.messages) return messages === signed.messages && equalBytes(chain, signed.chain);
    const before = await this.#accepted.chainBefore(ownerId, signed.messages + 1);
    return before === undefined || equalBytes(before, signed.chain);
  }

  /**
   * Makes it go on from there: what lies here gets the next numbers, whatever it had before, and which messages the numbers
   * before were is not known any more. Rejects on disk trouble; it is then tried again.
   */
  async countFrom(ownerId: string, signed: Omit<Tally, 'last'>): Promise<void> {
    const headers = new Map<string, RecordHeader>();
    const here = (): string[] =>
      [...this.messages.values()].flatMap((one) => (one.ownerId === ownerId ? [one.id] : []));
    const old = await this.#accepted.keys(ownerId);
    const unread = (): string[] => here().filter((id) => !headers.has(id));
    // Until every one that is here was read: more may come meanwhile.
    for (let [id] = unread(); id !== undefined; [id] = unread()) {
      const decoded = await decodedStart(this.#segments, id);
      if (decoded) headers.set(id, structuredClone(decoded.header));
      else if (this.messages.has(id)) throw new Error(`held message ${id} cannot be read`);
    }
    const messages = here().flatMap((id) => {
      const header = headers.get(id);
      return header === undefined ? [] : [{ id, header }];
    });
    await this.#tallies.restart(ownerId, signed, { old, messages });
  }

  /** What was counted under the numbers after `after`, up to `upTo`; as much as one answer takes. */
  acceptedPage(ownerId: string, after: number, upTo: number): Promise<AcceptedPage> {
    return this.#accepted.page(ownerId, after, Math.min(upTo, this.tallies.get(ownerId)?.messages ?? 0));
  }

  /** Nobody waits for it: with very many messages held it takes seconds. One after the other. */
  #forgetOldSoon(ownerId: string, messages: number): void {
    this.#forgetting = this.#forgetting.then(() => this.#forgetOld(ownerId, messages));
  }

  async #forgetOld(ownerId: string, messages: number): Promise<void> {
    try {
      await this.#accepted.forgetOld(ownerId, messages);
    } catch (error) {
      this.#events.trouble({ where: 'the list of accepted mail', error: asError(error) });
    }
  }

  /** A count that cannot be written is told and made good with the next one: it is no reason to refuse a message. */
  async #count(messages: readonly Counted[]): Promise<void> {
    try {
      await this.#tallies.count(messages);
    } catch (error) {
      this.#events.trouble({ where: 'counting held mail', error: asError(error) });
    }
  }

  /** Resolves when nothing is being counted or forgotten any more. */
  async settled(): Promise<void> {
    await this.#count([]);
    await this.#forgetting;
  }

  /** Bytes on disk for one domain. */
  heldBytes(domain: string): number {
    return this.#bytes.get(domain) ?? 0;
  }

  hasRoom(domain: MailDomain, moreBytes: number): boolean {
    return (
      this.messages.size < heldMessagesMax && this.heldBytes(domain.domain) + moreBytes <= domain.maxBytes
    );
  }

  /** Are all of these tags held already? Then a sender that lost our 250 has come back. */
  holdsAll(tags: readonly Uint8Array[]): boolean {
    return tags.every((tag) => this.#byTag.has(toHex(tag)));
  }

  /** The messages here that have these tags; undefined where one of the tags is not here. */
  withTags(tags: readonly Uint8Array[]): HeldMessage[] | undefined {
    const ids = new Set<string | undefined>(tags.map((tag) => this.#byTag.get(toHex(tag))));
    const found = [...ids].flatMap((id) => (id === undefined ? [] : (this.messages.get(id) ?? [])));
    return found.length === ids.size ? found : undefined;
  }

  /** Resolves when the message is not here any more. */
  gone(id: string): Promise<void> {
    if (!this.messages.has(id)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenGone.set(id, [...(this.#whenGone.get(id) ?? []), resolve]);
    });
  }

  /** Stores a record; `stored` only once it is synced. */
  async add(
    record: Uint8Array | RecordSource,
    header: RecordHeader,
    domain: MailDomain,
  ): Promise<HoldOutcome> {
    const sizeBytes = record instanceof Uint8Array ? record.length : record.sizeBytes;
    if (this.holdsAll(header.tags)) return { kind: 'duplicate' };
    if (!this.hasRoom(domain, sizeBytes)) return { kind: 'full' };
    // Reserved before the write, so that many sessions at once cannot go over the quota together.
    this.#bytes.set(header.domain, this.heldBytes(header.domain) + sizeBytes);
    const outcome = await this.#segments.append(record);
    this.#bytes.set(header.domain, this.heldBytes(header.domain) - sizeBytes);
    if (outcome.kind === 'failed') return outcome;
    const message = this.#index(outcome.entry.id, header, sizeBytes);
    // Not waited for: until the count is on disk the record is, and after a crash it is counted from there.
    void this.#count([{ id: outcome.entry.id, header }]);
    const counted = this.tallies.get(header.ownerId)?.messages ?? 0;
    if (counted % acceptedSweepEvery === 0) this.#forgetOldSoon(header.ownerId, counted);
    return { kind: 'stored', message };
  }

  /** A part of the record, to be sent; the hash that the record carries is over all of it. */
  readPart(id: string, offset: number, lengthBytes: number): Promise<Uint8Array | undefined> {
    return this.#segments.readPart(id, offset, lengthBytes);
  }

  /** Applies one input to one message, its effects first. Rejects where the disk refused; the message then stays. */
  async step(id: string, input: HeldInput, nowMs: number): Promise<void> {
    const message = this.messages.get(id);
    if (!message) return;
    const [next, effects] = stepHeld(message, input, nowMs);
    // What is gone cannot be counted after a crash, so the count comes first.
    if (effects.length > 0) await this.#tallies.saved();
    for (const effect of effects) await this.#segments.remove(effect.id);
    if (next) this.messages.set(id, next);
    else this.#forget(message);
    this.#events.changed();
  }

  #index(id: string, header: RecordHeader, sizeBytes: number): HeldMessage {
    const message: HeldMessage = {
      id,
      ownerId: this.#sharedText(header.ownerId),
      domain: this.#sharedText(header.domain),
      sizeBytes,
      receivedAtMs: header.receivedAtMs,
      tags: header.tags.map(toHex),
      state: 'held',
      failures: 0,
      notBeforeMs: 0,
      copyAt: undefined,
      asking: undefined,
    };
    this.messages.set(id, message);
    for (const tag of message.tags) this.#byTag.set(tag, id);
    this.#bytes.set(message.domain, this.heldBytes(message.domain) + sizeBytes);
    return message;
  }

  #sharedText(text: string): string {
    const known = this.#shared.get(text);
    if (known !== undefined) return known;
    if (this.#shared.size >= sharedTextsMax) this.#shared.clear();
    this.#shared.set(text, text);
    return text;
  }

  #forget(message: HeldMessage): void {
    this.messages.delete(message.id);
    for (const tag of message.tags) if (this.#byTag.get(tag) === message.id) this.#byTag.delete(tag);
    this.#bytes.set(message.domain, this.heldBytes(message.domain) - message.sizeBytes);
    for (const resolve of this.#whenGone.get(message.id) ?? []) resolve();
    this.#whenGone.delete(message.id);
  }
}

/** Of a message to many recipients, whose clear part is longer than usual. */
async function decodedStart(segments: Segments, id: string): Promise<ReturnType<typeof decodeSpoolRecord>> {
  const start = await segments.readPart(id, 0, recordStartMaxBytes).catch(() => undefined);
  return start && decodeSpoolRecord(start);
}
