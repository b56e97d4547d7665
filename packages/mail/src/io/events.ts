import type { OwnerNote } from '../copy-frames.ts';

/** What the mail room tells; the agent logs it and counts it. No event carries a word of a message. */
export interface MailEvents {
  /** The owner's MTA answered a message itself (its 250 or its refusal). */
  passed(fact: { domain: string; ownerName: string; code: number; sizeBytes: number; tookMs: number }): void;
  /** A message was sealed and stored, and then accepted by us. */
  held(fact: { id: string; domain: string; ownerName: string; sizeBytes: number; why: string }): void;
  /** We refused a client, a recipient or a message. */
  refused(fact: { client: string; domain: string | undefined; code: number; why: string }): void;
  /**
   * A connection that was passed on as it is has ended; `friend` has the other box: the owner's, or the one that listens.
   * What went through is known to the owner's MTA alone. `broken`: why it ended before both sides had closed it.
   */
  rawEnded(fact: {
    client: string;
    friend: string;
    toMtaBytes: number;
    fromMtaBytes: number;
    tookMs: number;
    broken: string | undefined;
  }): void;
  /** A connection at a raw address is not passed on: the box that listens has the conversation itself. */
  rawDeclined(fact: { client: string; friend: string; why: string }): void;
  /** A held message is at its owner now and gone from here. */
  handedOver(fact: {
    id: string;
    domain: string;
    duplicate: boolean;
    sizeBytes: number;
    waitedMs: number;
  }): void;
  /** A second friend, `toId`, has a held message on his disk as well. */
  copied(fact: { id: string; domain: string; toId: string; sizeBytes: number }): void;
  /** A copy of a message that the friend `fromId` holds, or held, is on this disk now; `give`: he drops his. */
  copyTaken(fact: { id: string; domain: string; fromId: string; sizeBytes: number; give: boolean }): void;
  /** A friend's box did not take a copy; it is tried elsewhere, and there again later. */
  copyRefused(fact: { peer: string; domain: string; why: string }): void;
  /** A message that this box keeps no mail for any more, or has no room for, is now answered for by the friend `toId`. */
  moved(fact: { id: string; domain: string; ownerId: string; toId: string; sizeBytes: number }): void;
  /** What the friend `fromId` has to say about our mail with him. */
  noted(fact: OwnerNote & { fromId: string }): void;
  /** A message arrived at its owner (from a friend, or at our own listener while our MTA was away). */
  queued(fact: { id: string; domain: string; from: string | undefined; sizeBytes: number }): void;
  /** Our MTA has it. */
  delivered(fact: { id: string; domain: string; recipients: number; waitedMs: number }): void;
  /** Our MTA wants it later, or does not answer. */
  deferred(fact: { id: string; domain: string; reply: string; nextTryAtMs: number }): void;
  /** Our MTA refused it; it waits for a decision. */
  quarantined(fact: { id: string; domain: string; recipients: number; reply: string }): void;
  /** Something that somebody may have to look at. */
  trouble(fact: { where: string; error: Error }): void;
  /** The figures of `facts()` may have changed. */
  changed(): void;
}
