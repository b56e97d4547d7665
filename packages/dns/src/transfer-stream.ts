import { concatBytes } from '@copain/core';
import { emptyOptBytes, writeOpt } from './edns.ts';
import { messageBytesMax, transferMessageBytes, udpEdnsBytesMax } from './limits.ts';
import type { ResourceRecord } from './master-file.ts';
import { Flag, MessageWriter, type Question } from './message.ts';
import { classIn } from './record-types.ts';
import type { TsigSigner } from './tsig.ts';

/** Messages that answer one query over TCP, made one after the other as the client reads them. */
export interface MessageSource {
  /** The next message; undefined where that was the last. Throws where what is left cannot be sent. */
  next(nowMs: number): Uint8Array | undefined;
  /** Called once, when the last message was handed over or the connection is gone. */
  close(outcome: 'done' | 'broken'): void;
}

/** What a transfer answers. */
export interface TransferQuery {
  id: number;
  question: Question;
  /** Did the query have an OPT record? Then the first answer has one (RFC 6891 §7). */
  hasEdns: boolean;
  /** Signs each message; `signatureBytes` is the room that takes. */
  signer: TsigSigner | undefined;
  signatureBytes: number;
}

/**
 * Packs records of one version of a zone (RFC 5936 §6) into messages of some 16 KiB (RFC 5936 §2.2): AA set, the question in the first only. `next` throws a
 * RangeError where one record fits in no message.
 */
export class TransferMessages {
  readonly #query: TransferQuery;
  readonly #records: Iterator<ResourceRecord>;
  #waiting: ResourceRecord | undefined;
  #isFirst = true;

  constructor(query: TransferQuery, records: Iterable<ResourceRecord>) {
    this.#query = query;
    this.#records = records[Symbol.iterator]();
    this.#waiting = this.#take();
  }

  #take(): ResourceRecord | undefined {
    const next = this.#records.next();
    return next.done ? undefined : next.value;
  }

  next(nowMs: number): Uint8Array | undefined {
    if (!this.#waiting) return undefined;
    const { id, question, hasEdns, signer, signatureBytes } = this.#query;
    const withOpt = this.#isFirst && hasEdns;
    const limitBytes = messageBytesMax - signatureBytes - (withOpt ? emptyOptBytes : 0);
    const writer = new MessageWriter({ limitBytes, keepCase: true });
    if (this.#isFirst) writer.question(question);
    const answers = this.#fill(writer);
    const counts = [this.#isFirst ? 1 : 0, answers, 0, 0] as const;
    this.#isFirst = false;
    const message = writer.finish(id, Flag.response | Flag.authoritative, counts);
    const whole = withOpt ? withEmptyOpt(message) : message;
    return signer ? signer.sign(whole, Math.floor(nowMs / 1000)) : whole;
  }

  /** Writes records up to about the wanted size; at least one. */
  #fill(writer: MessageWriter): number {
    let answers = 0;
    while (this.#waiting) {
      const mark = writer.mark();
      if (answers > 0 && mark.length >= transferMessageBytes) break;
      if (!writer.record({ ...this.#waiting, class: classIn })) {
        if (answers === 0) throw new RangeError('a record is too long for any message');
        writer.backTo(mark);
        break;
      }
      answers++;
      this.#waiting = this.#take();
    }
    return answers;
  }
}

/** All of the records in one unsigned message of at most `limitBytes`; undefined where they do not fit. */
export function inOneMessage(
  { id, question, hasEdns }: Pick<TransferQuery, 'id' | 'question' | 'hasEdns'>,
  records: Iterable<ResourceRecord>,
  limitBytes: number,
): Uint8Array | undefined {
  const writer = new MessageWriter({
    limitBytes: limitBytes - (hasEdns ? emptyOptBytes : 0),
    keepCase: true,
  });
  writer.question(question);
  let answers = 0;
  for (const record of records) {
    if (!writer.record({ ...record, class: classIn })) return undefined;
    answers++;
  }
  const message = writer.finish(id, Flag.response | Flag.authoritative, [1, answers, 0, 0]);
  return hasEdns ? withEmptyOpt(message) : message;
}

/** The message with an OPT record that asks for nothing. */
export function withEmptyOpt(message: Uint8Array): Uint8Array {
  const whole = concatBytes(message, new Uint8Array(emptyOptBytes));
  const opt = { payloadBytes: udpEdnsBytesMax, rcode: 0, dnssecOk: false, optionsLength: 0 };
  writeOpt(whole, message.length, opt);
  const view = new DataView(whole.buffer);
  view.setUint16(10, view.getUint16(10) + 1);
  return whole;
}
