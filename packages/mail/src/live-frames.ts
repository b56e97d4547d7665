import { decodeCanonical, encodeCanonical, type FieldReader, readFields } from '@copain/trust';
import { isSender } from './admission.ts';
import { type ClientInfo, encodeClient, readClient } from './client-info.ts';
import { type MessageDsn, type RecipientDsn, readMessageDsn, readRecipientDsn } from './dsn.ts';
import { addressMaxLength, chunkBytes, frameMaxBytes, instantMaxMs, replyLinesMax } from './limits.ts';
import type { Reply } from './smtp-reply.ts';

/** The version both sides speak; the protocol name `/copain/live/1` carries the same number. */
export const liveVersion = 1;

/**
 * What a friend says to the owner's agent, in this order: hello, mail, one or more rcpt, then data, chunks, dot. It may
 * send on without waiting; each of mail, rcpt and dot is answered by one `reply` or by `away`.
 */
export type LiveRequest =
  | { t: 'hello'; version: number; by: string; client: ClientInfo; receivedAtMs: number }
  | {
      t: 'mail';
      from: string;
      domain: string;
      sizeBytes: number;
      body: string;
      smtpUtf8: boolean;
      dsn: MessageDsn;
    }
  | { t: 'rcpt'; to: string; dsn: RecipientDsn }
  | { t: 'data' }
  | { t: 'chunk'; bytes: Uint8Array }
  | { t: 'dot' };

/** What the owner's agent answers: the MTA's own reply, or that the message is better held. */
export type LiveAnswer = { t: 'reply'; reply: Reply } | { t: 'away'; why: string };

export function encodeLiveRequest(request: LiveRequest): Uint8Array {
  switch (request.t) {
    case 'hello':
      return encodeCanonical({
        t: 'hello',
        v: request.version,
        by: request.by,
        client: encodeClient(request.client),
        at: request.receivedAtMs,
      });
    case 'mail':
      return encodeCanonical({
        t: 'mail',
        from: request.from,
        domain: request.domain,
        size: request.sizeBytes,
        body: request.body,
        utf8: request.smtpUtf8,
        ret: request.dsn.ret || undefined,
        envid: request.dsn.envid || undefined,
      });
    case 'rcpt':
      return encodeCanonical({
        t: 'rcpt',
        to: request.to,
        notify: request.dsn.notify || undefined,
        orcpt: request.dsn.orcpt || undefined,
      });
    case 'chunk':
      return encodeCanonical({ t: 'chunk', b: request.bytes });
    case 'data':
    case 'dot':
      return encodeCanonical({ t: request.t });
  }
}

/** The request in a frame from a friend, or undefined where it is none (also: an address that could break a line). */
export function decodeLiveRequest(frame: Uint8Array): LiveRequest | undefined {
  const fields = readFields(decodeCanonical(frame, frameMaxBytes));
  const request = readRequest(fields);
  return fields.ok ? request : undefined;
}

function readRequest(fields: FieldReader): LiveRequest | undefined {
  switch (fields.text('t', 8)) {
    case 'hello': {
      const hello: LiveRequest = {
        t: 'hello',
        version: fields.integer('v', 1, 0xffff),
        by: fields.text('by', 255),
        client: readClient(fields),
        receivedAtMs: fields.integer('at', 0, instantMaxMs),
      };
      return hello;
    }
    case 'mail': {
      const mail: LiveRequest = {
        t: 'mail',
        from: fields.text('from', addressMaxLength),
        domain: fields.text('domain', 253),
        sizeBytes: fields.integer('size', 0, Number.MAX_SAFE_INTEGER),
        body: fields.text('body', 8),
        smtpUtf8: fields.flag('utf8'),
        dsn: readMessageDsn(fields),
      };
      if (!isSender(mail.from) || !['', '7BIT', '8BITMIME'].includes(mail.body)) fields.refuse();
      return mail;
    }
    case 'rcpt':
      return { t: 'rcpt', to: fields.text('to', addressMaxLength), dsn: readRecipientDsn(fields) };
    case 'chunk':
      return { t: 'chunk', bytes: fields.bytes('b', 1, chunkBytes) };
    case 'data':
      return { t: 'data' };
    case 'dot':
      return { t: 'dot' };
    default:
      fields.refuse();
      return undefined;
  }
}

export function encodeLiveAnswer(answer: LiveAnswer): Uint8Array {
  return answer.t === 'away'
    ? encodeCanonical({ t: 'away', why: answer.why.slice(0, 200) })
    : encodeCanonical({
        t: 'reply',
        code: answer.reply.code,
        lines: answer.reply.lines.slice(0, replyLinesMax).map((line) => line.slice(0, 500)),
      });
}

/** The answer in a frame from the owner's agent, or undefined where it is none. */
export function decodeLiveAnswer(frame: Uint8Array): LiveAnswer | undefined {
  const fields = readFields(decodeCanonical(frame, frameMaxBytes));
  const kind = fields.text('t', 8);
  const answer: LiveAnswer =
    kind === 'away'
      ? { t: 'away', why: fields.text('why', 200) }
      : {
          t: 'reply',
          reply: { code: fields.integer('code', 200, 599), lines: fields.texts('lines', replyLinesMax, 500) },
        };
  return fields.ok && (kind === 'away' || kind === 'reply') ? answer : undefined;
}
