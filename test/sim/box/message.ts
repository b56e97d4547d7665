import { fromUtf8, toHex, toUtf8 } from '@copain/core';
import { decodeSpoolRecord } from '@copain/mail';
import { dedupeTag, messageKey } from '../../../packages/mail/src/message-key.ts';
import { encodeSpoolRecord } from '../../../packages/mail/src/spool-record.ts';
import { sha256 } from '../world/envelopes.ts';

/** A mail of somebody outside to one recipient of one owner. */
export interface Message {
  /** Unique in the run. */
  name: string;
  /** Number of the owner's box. */
  owner: number;
  domain: string;
  sizeBytes: number;
}

const recipientOf = (message: Message): string => `someone@${message.domain}`;

/** What stands for it on disks and in offers, hexadecimal: the same wherever it arrives. */
export function tagOf(message: Message, ownerId: string): string {
  const dataHash = sha256(toUtf8(message.name));
  const key = messageKey({ from: 'sender@example.net', recipient: recipientOf(message), dataHash }, sha256);
  return toHex(dedupeTag({ ownerId, key }, sha256));
}

/** The record as it lies on a disk; in place of the sealed part there is the message's own description. */
export function recordOf(message: Message, ownerId: string, receivedAtMs: number): Uint8Array {
  const sealed = toUtf8(JSON.stringify(message));
  const dataHash = sha256(toUtf8(message.name));
  const key = messageKey({ from: 'sender@example.net', recipient: recipientOf(message), dataHash }, sha256);
  return encodeSpoolRecord(
    {
      ownerId,
      domain: message.domain,
      messageBytes: message.sizeBytes,
      receivedAtMs,
      tags: [dedupeTag({ ownerId, key }, sha256)],
      keyIds: ['simulated'],
      hash: sha256(sealed),
    },
    sealed,
  );
}

/** What a record on a disk is, or undefined where it is none. */
export function readRecord(
  record: Uint8Array,
): { message: Message; ownerId: string; receivedAtMs: number; tags: string[] } | undefined {
  const decoded = decodeSpoolRecord(record);
  const text = decoded && fromUtf8(decoded.sealed);
  if (decoded === undefined || text === undefined) return undefined;
  const { ownerId, receivedAtMs, tags } = decoded.header;
  return { message: JSON.parse(text) as Message, ownerId, receivedAtMs, tags: tags.map(toHex) };
}
