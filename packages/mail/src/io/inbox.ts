import { type Clock, fromHex, type Segments, type Table, type TableChange, toHex } from '@copain/core';
import { decodeCanonical, readFields } from '@copain/trust';
import { admitRecipient } from '../admission.ts';
import type { MailDomain } from '../mail-domain.ts';
import {
  decodeQueueRow,
  encodeQueueRow,
  encodeTagRow,
  queuePrefix,
  type TagState,
  tagPrefix,
} from '../queue-row.ts';
import { type QueuedEffect, type QueuedMessage, type QueuedRecipient, stepQueued } from '../spool.ts';
import type { CanaryArrival } from './canary-arrival.ts';
import { asError } from './deadline.ts';
import type { MailEvents } from './events.ts';
import { type OpenedRecord, openSpoolRecord } from './seal.ts';

export type TakeOutcome =
  | { kind: 'stored'; id: string; domain: string }
  | { kind: 'duplicate' }
  /** Not now; whoever has it keeps it. */
  | { kind: 'later'; why: string };

export interface InboxOptions {
  segments: Segments;
  table: Table;
  domains: () => readonly MailDomain[];
  identities: () => readonly string[];
  /** Canaries of our own boxes are taken here, and go no further. */
  canaries: Pick<CanaryArrival, 'judge'>;
  clock: Clock;
  events: MailEvents;
}

/**
 * What has arrived at its owner and waits for the MTA: records (still sealed) in segments, rows and tags in the table. A
 * record without a row was never acknowledged to anybody, or its table was lost: it is looked at again at the next start.
 */
export class Inbox {
  readonly queue: Map<string, QueuedMessage> = new Map();
  readonly #options: InboxOptions;
  /** Tags that somebody is storing or handing to the MTA at this moment, and whose outcome is therefore open. */
  readonly #underWay = new Set<string>();

  private constructor(options: InboxOptions) {
    this.#options = options;
  }

  static async open(options: InboxOptions): Promise<Inbox> {
    const inbox = new Inbox(options);
    await inbox.#recover();
    return inbox;
  }

  /**
   * What is known of a tag, undefined where it was never seen. A row that is damaged was written when the message came in,
   * and that is what counts: else a friend would offer his copy for ever.
   */
  async tagState(tag: string): Promise<TagState | undefined> {
    let row: Uint8Array | undefined;
    try {
      row = await this.#options.table.get(tagPrefix + tag);
    } catch (error) {
      if (!isDamaged(error)) throw error;
      this.#options.events.trouble({ where: `the row of tag ${tag}`, error: asError(error) });
      return 'queued';
    }
    if (!row) return undefined;
    const state = readFields(decodeCanonical(row, 256)).text('s', 16);
    return state === 'delivered' || state === 'quarantined' ? state : 'queued';
  }

  /** Is it certain that all of these are here or at the MTA already? */
  async knowsAll(tags: readonly Uint8Array[]): Promise<boolean> {
    for (const tag of tags) if ((await this.tagState(toHex(tag))) === undefined) return false;
    return true;
  }

  /**
   * Claims tags for a live conversation: `fresh` when none of them was ever seen and nobody else is at it, then the caller
   * must call `settle`. `known` when all were seen. `mixed` when it is neither; then the message goes the slow way, where
   * each recipient is looked at by itself.
   */
  async claim(tags: readonly Uint8Array[]): Promise<'fresh' | 'known' | 'mixed'> {
    const names = tags.map(toHex);
    if (names.some((name) => this.#underWay.has(name))) return 'mixed';
    for (const name of names) this.#underWay.add(name);
    let states: (TagState | undefined)[] = [];
    try {
      states = await Promise.all(names.map((name) => this.tagState(name)));
    } catch (error) {
      for (const name of names) this.#underWay.delete(name);
      throw error;
    }
    if (states.every((state) => state === undefined)) return 'fresh';
    for (const name of names) this.#underWay.delete(name);
    return states.every((state) => state !== undefined) ? 'known' : 'mixed';
  }

  /** Ends a claim; `delivered` first writes, synced, that the MTA has it. Never rejects: the MTA's answer stands. */
  async settle(tags: readonly Uint8Array[], delivered: boolean): Promise<void> {
    const names = tags.map(toHex);
    try {
      if (delivered) {
        const nowMs = this.#options.clock.nowMs();
        await this.#options.table.write(
          names.map((name) => ({ key: tagPrefix + name, value: encodeTagRow('delivered', nowMs) })),
        );
      }
    } catch (error) {
      this.#options.events.trouble({ where: 'recording a delivered message', error: asError(error) });
    } finally {
      for (const name of names) this.#underWay.delete(name);
    }
  }

  /**
   * Takes a record into the queue. `stored` only when record, row and tags are synced. Recipients that were seen before
   * are not queued again; a record of which all were is a `duplicate`, and so is a canary once it is noted.
   */
  async take(record: Uint8Array): Promise<TakeOutcome> {
    return await this.#take(record, undefined);
  }

  async #take(record: Uint8Array, storedId: string | undefined): Promise<TakeOutcome> {
    const { identities, segments, table, clock, events } = this.#options;
    const opened = await openSpoolRecord(record, identities());
    if (opened.kind === 'unreadable') return { kind: 'later', why: opened.why };
    const notOurs = this.#notOurs(opened);
    if (notOurs) return { kind: 'later', why: notOurs };
    const names = opened.header.tags.map(toHex);
    if (names.some((name) => this.#underWay.has(name))) return { kind: 'later', why: 'under way' };
    for (const name of names) this.#underWay.add(name);
    try {
      const known = await Promise.all(names.map((name) => this.tagState(name)));
      // A record that is found here with its tags queued, but in no row of the queue, is the one that they stand for.
      const states =
        storedId === undefined
          ? known
          : known.map((state, i) => (state === 'queued' && !this.#queues(names[i]) ? undefined : state));
      if (states.every((state) => state !== undefined)) return { kind: 'duplicate' };
      const kind = await this.#kindOf(opened);
      if (kind === 'later') return { kind: 'later', why: 'is it a canary? another box of mine would know' };
      if (kind === 'canary') {
        const came = names.map((name) => ({
          key: tagPrefix + name,
          value: encodeTagRow('delivered', clock.nowMs()),
        }));
        await table.write(came);
        return { kind: 'duplicate' };
      }
      const id = storedId ?? (await appendTo(segments, record));
      if (id === undefined) return { kind: 'later', why: 'no room on disk' };
      const message = queuedMessage(id, opened, (i) => (states[i] === undefined ? 'waiting' : 'delivered'));
      const fresh = message.recipients.filter(({ state }) => state === 'waiting');
      try {
        await table.write([
          { key: queuePrefix + id, value: encodeQueueRow(message) },
          ...tagChanges(fresh, 'queued', clock.nowMs()),
        ]);
      } catch (error) {
        // Nobody was told that it is here; the record alone would only be found again at the next start.
        if (storedId === undefined) await segments.remove(id).catch(() => {});
        throw error;
      }
      this.queue.set(id, message);
      events.queued({ id, domain: message.domain, from: message.from, sizeBytes: message.sizeBytes });
      events.changed();
      return { kind: 'stored', id, domain: message.domain };
    } catch (error) {
      events.trouble({ where: 'taking a message in', error: asError(error) });
      return { kind: 'later', why: 'disk trouble' };
    } finally {
      for (const name of names) this.#underWay.delete(name);
    }
  }

  async #kindOf({
    envelope,
    message,
  }: OpenedRecord & { kind: 'opened' }): Promise<'canary' | 'mail' | 'later'> {
    const [only, ...more] = envelope.recipients;
    if (only === undefined || more.length > 0) return 'mail';
    return await this.#options.canaries.judge(only, message, envelope.receivedAtMs);
  }

  /** Does a message of the queue wait for the recipient of this tag? */
  #queues(tag: string | undefined): boolean {
    return [...this.queue.values()].some((message) =>
      message.recipients.some((recipient) => recipient.tag === tag && recipient.state === 'waiting'),
    );
  }

  /** Why a record is none of ours, or undefined. */
  #notOurs({ header, envelope }: OpenedRecord & { kind: 'opened' }): string | undefined {
    const own = this.#options.domains().filter(({ role }) => role === 'own');
    if (!own.some(({ domain, ownerId }) => domain === header.domain && ownerId === header.ownerId))
      return 'not my domain';
    const good = envelope.recipients.every((recipient) => {
      const decision = admitRecipient(recipient, own, { ownerId: undefined, recipients: [], smtpUtf8: true });
      return decision.kind === 'accepted' && decision.address === recipient;
    });
    return good ? undefined : 'a recipient is not mine';
  }

  /** The record of a queued message as it lies here, sealed. Rejects where it cannot be read now. */
  async record(id: string): Promise<Uint8Array | undefined> {
    return this.queue.has(id) ? await this.#options.segments.read(id) : undefined;
  }

  /** A part of that record. Rejects where it cannot be read now. */
  async readPart(id: string, offset: number, lengthBytes: number): Promise<Uint8Array | undefined> {
    return this.queue.has(id) ? await this.#options.segments.readPart(id, offset, lengthBytes) : undefined;
  }

  /** How long each record is that lies here, in bytes, by the id of its message. */
  async recordBytes(): Promise<ReadonlyMap<string, number>> {
    const all = new Map<string, number>();
    for await (const { id, sizeBytes } of this.#options.segments.entries()) all.set(id, sizeBytes);
    return all;
  }

  /**
   * What the owner decides about what his MTA refused: `release` to try again, `discard` to let it go. False where the
   * message has nothing that was refused (any more). Rejects where the disk refused; then nothing has changed.
   */
  async decide(id: string, what: 'release' | 'discard'): Promise<boolean> {
    const message = this.queue.get(id);
    if (!message) return false;
    const [next, effects] = stepQueued(message, { kind: what }, this.#options.clock.nowMs());
    if (effects.length === 0) return false;
    for (const effect of effects) if (effect.kind !== 'report') await this.apply(effect);
    if (next) this.queue.set(id, next);
    else this.queue.delete(id);
    this.#options.events.changed();
    return true;
  }

  /**
   * Lets go of a message whose record cannot be read any more, what is left of it being kept elsewhere: with the tags of who
   * still waits for it, so that a copy that comes another way is taken and not called a duplicate. Rejects on disk trouble.
   */
  async setAside(id: string): Promise<void> {
    const { table, segments, events } = this.#options;
    const waiting = this.queue.get(id)?.recipients.filter(({ state }) => state === 'waiting') ?? [];
    await table.write([
      { key: queuePrefix + id, value: undefined },
      ...waiting.map(({ tag }) => ({ key: tagPrefix + tag, value: undefined })),
    ]);
    this.queue.delete(id);
    await segments.remove(id);
    events.changed();
  }

  /** The opened record of a queued message. Rejects where it cannot be read now. */
  async open(id: string): Promise<OpenedRecord | undefined> {
    const record = await this.#options.segments.read(id);
    return record && (await openSpoolRecord(record, this.#options.identities()));
  }

  /** Carries out one durable effect of `stepQueued`. Rejects where the disk refused; the caller tries again. */
  async apply(effect: QueuedEffect & { kind: 'save' | 'forget' | 'remove' }): Promise<void> {
    const { table, segments, clock } = this.#options;
    switch (effect.kind) {
      case 'save':
        await table.write([
          { key: queuePrefix + effect.message.id, value: encodeQueueRow(effect.message) },
          ...tagChanges(effect.finished, 'as they are', clock.nowMs()),
        ]);
        break;
      case 'forget':
        await table.write([
          { key: queuePrefix + effect.id, value: undefined },
          ...tagChanges(effect.finished, 'as they are', clock.nowMs()),
        ]);
        break;
      case 'remove':
        await segments.remove(effect.id);
        break;
    }
  }

  /**
   * Rows whose record is there make up the queue; records without a row (it never came to be, or was damaged) are taken
   * in again.
   */
  async #recover(): Promise<void> {
    const { table, segments, events } = this.#options;
    const records = new Set<string>();
    for await (const { id } of segments.entries()) records.add(id);
    const lost: TableChange[] = [];
    for await (const [key, row] of table.entries(queuePrefix)) {
      const id = key.slice(queuePrefix.length);
      const message = decodeQueueRow(id, row);
      if (message && records.has(id)) this.queue.set(id, message);
      else {
        // Its tags go too, so that another friend's copy of the same message is taken and not called a duplicate.
        lost.push({ key, value: undefined });
        for (const { tag, state } of message?.recipients ?? [])
          if (state === 'waiting' && fromHex(tag)) lost.push({ key: tagPrefix + tag, value: undefined });
        events.trouble({ where: `queued message ${id}`, error: new Error('its record is gone') });
      }
    }
    if (lost.length > 0) await table.write(lost);
    for (const id of records) if (!this.queue.has(id)) await this.#adopt(id);
  }

  async #adopt(id: string): Promise<void> {
    const { segments, events } = this.#options;
    try {
      const record = await segments.read(id);
      const outcome = record && (await this.#take(record, id));
      if (outcome?.kind === 'duplicate') await segments.remove(id);
      if (outcome?.kind === 'later') throw new Error(outcome.why);
    } catch (error) {
      events.trouble({ where: `stored message ${id}`, error: asError(error) });
    }
  }
}

async function appendTo(segments: Segments, record: Uint8Array): Promise<string | undefined> {
  const outcome = await segments.append(record);
  return outcome.kind === 'stored' ? outcome.entry.id : undefined;
}

function queuedMessage(
  id: string,
  { header, envelope, message }: OpenedRecord & { kind: 'opened' },
  stateOf: (i: number) => QueuedRecipient['state'],
): QueuedMessage {
  return {
    id,
    domain: header.domain,
    from: envelope.from,
    recipients: envelope.recipients.map((address, i) => ({
      address,
      tag: toHex(header.tags[i] ?? new Uint8Array()),
      state: stateOf(i),
    })),
    sizeBytes: message.length,
    receivedAtMs: envelope.receivedAtMs,
    failures: 0,
    notBeforeMs: 0,
    reply: '',
  };
}

function tagChanges(
  recipients: readonly QueuedRecipient[],
  state: 'queued' | 'as they are',
  nowMs: number,
): TableChange[] {
  return recipients.map((recipient) => ({
    key: tagPrefix + recipient.tag,
    value: encodeTagRow(
      state === 'queued' || recipient.state === 'waiting' ? 'queued' : recipient.state,
      nowMs,
    ),
  }));
}

/** Did a stored row fail its checksum? Every other fault of a table may pass. */
function isDamaged(error: unknown): boolean {
  return error instanceof Error && (error as { detail?: { code?: string } }).detail?.code === 'DAMAGED';
}
