import { concatBytes, fromUtf8, toUtf8 } from '@copain/core';
import { type CanonicalValue, type FieldReader, readFields } from '@copain/trust';
import { isSender } from './admission.ts';
import { type ClientInfo, readClient } from './client-info.ts';
import {
  isNotify,
  isOrcpt,
  type MessageDsn,
  noRecipientDsn,
  type RecipientDsn,
  readMessageDsn,
} from './dsn.ts';
import { addressMaxLength, envelopeMaxBytes, instantMaxMs, orcptMaxLength, recipientsMax } from './limits.ts';

/** What belongs to a message beside its bytes. */
export interface Envelope {
  from: string;
  recipients: readonly string[];
  client: ClientInfo;
  receivedAtMs: number;
  /** The friend who took it, by the name in his greeting. */
  by: string;
  body: '' | '7BIT' | '8BITMIME';
  smtpUtf8: boolean;
  /** What the sender wants to hear of it, and of each recipient, in their order. */
  dsn: MessageDsn;
  recipientDsn: readonly RecipientDsn[];
}

/**
 * What is sealed: the envelope as one line of JSON, then the message exactly as it was received. So whoever opens a
 * record by hand (`age -d`) reads at a glance who wrote to whom, and everything from the second line on is the message.
 */
export function encodeSealedContent(envelope: Envelope, message: readonly Uint8Array[]): Uint8Array {
  const { dsn, recipientDsn } = envelope;
  const line = JSON.stringify({
    copain: 1,
    from: envelope.from,
    to: envelope.recipients,
    at: envelope.receivedAtMs,
    by: envelope.by,
    body: envelope.body,
    utf8: envelope.smtpUtf8,
    ...(dsn.ret === '' ? {} : { ret: dsn.ret }),
    ...(dsn.envid === '' ? {} : { envid: dsn.envid }),
    ...optionalList(
      'notify',
      recipientDsn.map(({ notify }) => notify),
    ),
    ...optionalList(
      'orcpt',
      recipientDsn.map(({ orcpt }) => orcpt),
    ),
    client: envelope.client,
  });
  return concatBytes(toUtf8(`${line}\n`), ...message);
}

/**
 * Envelope and message of what was sealed, or undefined where it is none. A friend wrote this, so it is checked like
 * anything from outside; the message is a view of `content`.
 */
export function decodeSealedContent(
  content: Uint8Array,
): { envelope: Envelope; message: Uint8Array } | undefined {
  const end = content.subarray(0, envelopeMaxBytes).indexOf(10);
  if (end < 0) return undefined;
  const value = parseJson(fromUtf8(content.subarray(0, end)) ?? '');
  const fields = readFields(value);
  fields.integer('copain', 1, 1);
  const recipients = fields.texts('to', recipientsMax, addressMaxLength);
  const envelope: Envelope = {
    from: fields.text('from', addressMaxLength),
    recipients,
    receivedAtMs: fields.integer('at', 0, instantMaxMs),
    by: fields.text('by', 255),
    body: fields.text('body', 8) as Envelope['body'],
    smtpUtf8: fields.flag('utf8'),
    dsn: readMessageDsn(fields),
    recipientDsn: readRecipientsDsn(fields, recipients.length),
    client: readClient(fields),
  };
  const good =
    fields.ok &&
    isSender(envelope.from) &&
    ['', '7BIT', '8BITMIME'].includes(envelope.body) &&
    envelope.recipients.length > 0 &&
    new Set(envelope.recipients).size === envelope.recipients.length;
  return good ? { envelope, message: content.subarray(end + 1) } : undefined;
}

/** A list that says nothing is left out, so that an envelope without DSN is the same in every version. */
function optionalList(name: string, texts: readonly string[]): Record<string, readonly string[]> {
  return texts.every((text) => text === '') ? {} : { [name]: texts };
}

function readRecipientsDsn(fields: FieldReader, count: number): RecipientDsn[] {
  const list = (name: string, maxLength: number, isGood: (text: string) => boolean): string[] => {
    if (!fields.has(name)) return [];
    const texts = fields.texts(name, recipientsMax, maxLength);
    if (texts.length !== count || !texts.every(isGood)) fields.refuse();
    return texts;
  };
  const notify = list('notify', 30, isNotify);
  const orcpt = list('orcpt', orcptMaxLength, isOrcpt);
  return Array.from({ length: count }, (_, i) => ({
    notify: notify[i] ?? noRecipientDsn.notify,
    orcpt: orcpt[i] ?? noRecipientDsn.orcpt,
  }));
}

function parseJson(text: string): { readonly [key: string]: CanonicalValue } | undefined {
  try {
    // JSON has fractions and numbers beyond 2^53, which the fields of an envelope never are.
    const value: unknown = JSON.parse(text, (_name, item: unknown) =>
      typeof item === 'number' && !Number.isSafeInteger(item) ? null : item,
    );
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return value as { readonly [key: string]: CanonicalValue };
  } catch {
    return undefined;
  }
}
