import { type CanonicalValue, decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import { addressMaxLength, recipientsMax } from './limits.ts';
import type { QueuedMessage, QueuedRecipient, RecipientState } from './spool.ts';

const rowMaxBytes = 64 * 1024;
const states: readonly RecipientState[] = ['waiting', 'delivered', 'quarantined'];

/** Keys in the owner's table: one row per queued message, one per tag ever seen (those never expire). */
export const queuePrefix = 'mail/queue/';
export const tagPrefix = 'mail/tag/';

/** What is known of a tag: safely stored here, given to the MTA, or refused by it. */
export type TagState = 'queued' | 'delivered' | 'quarantined';

/** The row of a queued message. Its next try is not in it: after a restart everything is tried at once. */
export function encodeQueueRow(message: QueuedMessage): Uint8Array {
  return encodeCanonical({
    v: 1,
    domain: message.domain,
    from: message.from,
    size: message.sizeBytes,
    at: message.receivedAtMs,
    reply: message.reply.slice(0, 300),
    to: message.recipients.map(({ address, tag, state }) => ({ address, tag, state })),
  });
}

/** The queued message of a row, or undefined where it is none. */
export function decodeQueueRow(id: string, row: Uint8Array): QueuedMessage | undefined {
  const fields = readFields(decodeCanonical(row, rowMaxBytes));
  fields.integer('v', 1, 1);
  const recipients = fields.list('to', recipientsMax).map(readRecipient);
  const good = recipients.filter((recipient) => recipient !== undefined);
  const message: QueuedMessage = {
    id,
    domain: fields.text('domain', 253),
    from: fields.text('from', addressMaxLength),
    sizeBytes: fields.integer('size', 0, Number.MAX_SAFE_INTEGER),
    receivedAtMs: fields.integer('at', 0, Number.MAX_SAFE_INTEGER),
    reply: fields.text('reply', 300),
    recipients: good,
    failures: 0,
    notBeforeMs: 0,
  };
  return fields.ok && good.length === recipients.length ? message : undefined;
}

function readRecipient(value: CanonicalValue): QueuedRecipient | undefined {
  const fields = readFields(value);
  const state = states.find((one) => one === fields.text('state', 16));
  const recipient = { address: fields.text('address', addressMaxLength), tag: fields.text('tag', 64) };
  return fields.ok && state ? { ...recipient, state } : undefined;
}

export function encodeTagRow(state: TagState, atMs: number): Uint8Array {
  return encodeCanonical({ s: state, at: atMs });
}
