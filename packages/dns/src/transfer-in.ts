import { transferInBytesMax, zoneRecordsMax } from './limits.ts';
import type { ResourceRecord } from './master-file.ts';
import { decodeMessage, type MessageRecord } from './message.ts';
import { isAtOrBelow, nameToText } from './name.ts';
import { type AskedPrimary, isApexSoa, isReplyTo, verifierOf, whyNotTrusted } from './primary-question.ts';
import { classIn, isMetaType, RecordType } from './record-types.ts';
import type { TsigVerifier } from './tsig.ts';
import type { TsigCrypto } from './tsig-record.ts';
import type { ZoneChange } from './zone-changes.ts';
import { serialOf } from './zone-journal.ts';
import { isNewerSerial } from './zone-serial.ts';

/**
 * What a transfer has come to. `current`: what we have is its newest. `whole`: every record, the SOA first and once.
 * `changes`: what leads from the version we have to the newest, in order. `refused`: to be thrown away as a whole.
 */
export type TransferProgress =
  | { kind: 'more' }
  | { kind: 'current' }
  | { kind: 'whole'; records: ResourceRecord[] }
  | { kind: 'changes'; steps: ZoneChange[] }
  | { kind: 'refused'; why: string };

/** Limits of one transfer; see limits.ts. Tests have smaller ones. */
export interface TransferInLimits {
  bytes: number;
  records: number;
}

/** Where in an answer we are: before its second record, in a whole zone, or in one half of a step (RFC 1995 §4). */
type Place = 'start' | 'second' | 'whole' | 'removing' | 'adding' | 'end';

/**
 * Puts together the answer to IXFR or AXFR (RFC 5936 §2.2) from its messages, whichever form it has: a single SOA, everything, or
 * steps. Looks at each record as it comes, so that what is no transfer of this zone ends early.
 */
export class TransferIn {
  readonly #asked: AskedPrimary;
  readonly #limits: TransferInLimits;
  readonly #verifier: TsigVerifier | undefined;
  #place: Place = 'start';
  #first: MessageRecord | undefined;
  #bytes = 0;
  #count = 0;
  readonly #records: ResourceRecord[] = [];
  readonly #steps: ZoneChange[] = [];
  #step: ZoneChange | undefined;

  constructor(
    asked: AskedPrimary,
    crypto: TsigCrypto,
    limits: TransferInLimits = { bytes: transferInBytesMax, records: zoneRecordsMax },
  ) {
    this.#asked = asked;
    this.#limits = limits;
    this.#verifier = verifierOf(asked, crypto);
  }

  /** The next message of the answer. After anything but `more` none may follow. */
  take(bytes: Uint8Array, nowS: number): TransferProgress {
    this.#bytes += bytes.length;
    if (this.#bytes > this.#limits.bytes)
      return refused(`the transfer is larger than ${this.#limits.bytes} octets`);
    const message = decodeMessage(bytes);
    if (!message) return refused('a message of the transfer is malformed');
    if (!isReplyTo(message, this.#asked)) return refused('a message does not belong to the transfer');
    const why = whyNotTrusted(bytes, message, this.#verifier, nowS);
    if (why !== undefined) return refused(why);
    for (const record of message.answers) {
      const wrong = this.#takeRecord(record);
      if (wrong !== undefined) return refused(wrong);
    }
    return this.#reached(message.answers.length);
  }

  #reached(answers: number): TransferProgress {
    const first = this.#first;
    if (first === undefined) return refused('the transfer is empty');
    const { question } = this.#asked;
    if (this.#place === 'second' && answers === 1 && question.type === 'IXFR') {
      // RFC 1995 §2: one SOA that is not newer than ours, and nothing more.
      if (isNewerSerial(serialOf(first), serialOf(question.since)) !== true)
        return this.#covered({ kind: 'current' });
    }
    if (this.#place !== 'end') return { kind: 'more' };
    return this.#covered(
      this.#steps.length > 0
        ? { kind: 'changes', steps: this.#steps }
        : { kind: 'whole', records: this.#records },
    );
  }

  /** The last message must be signed (RFC 8945 §5.3.1), so that nothing stands at the end that nobody vouched for. */
  #covered(progress: TransferProgress): TransferProgress {
    if (this.#verifier === undefined || this.#verifier.isCovered) return progress;
    return refused('the end of the transfer is not signed');
  }

  /** Why the transfer is none, or undefined. */
  #takeRecord(record: MessageRecord): string | undefined {
    const { origin } = this.#asked;
    if (this.#place === 'end') return 'records follow behind the end of the transfer';
    if (record.class !== classIn || isMetaType(record.type))
      return 'the transfer has a record of another class than IN, or of a type that no zone has';
    if (!isAtOrBelow(record.owner, origin))
      return `${nameToText(record.owner)} lies outside the zone ${nameToText(origin)}`;
    if (++this.#count > this.#limits.records)
      return `the transfer has more than ${this.#limits.records} records`;
    if (record.type !== RecordType.SOA) return this.#takeData(record);
    if (!isApexSoa(record, origin)) return 'an SOA record stands below the top of the zone';
    return this.#takeSoa(record);
  }

  #takeData(record: MessageRecord): string | undefined {
    switch (this.#place) {
      case 'second':
        this.#place = 'whole';
        this.#records.push(record);
        return undefined;
      case 'whole':
        this.#records.push(record);
        return undefined;
      case 'removing':
        this.#step?.removed.push(record);
        return undefined;
      case 'adding':
        this.#step?.added.push(record);
        return undefined;
      case 'start':
      case 'end':
        return 'the transfer does not begin with the SOA record';
    }
  }

  #takeSoa(soa: MessageRecord): string | undefined {
    const first = this.#first ?? soa;
    const serial = serialOf(soa);
    const isNewest = serial === serialOf(first);
    switch (this.#place) {
      case 'start':
        this.#first = soa;
        this.#records.push(soa);
        this.#place = 'second';
        return undefined;
      case 'second': {
        const { question } = this.#asked;
        if (question.type === 'IXFR' && serial === serialOf(question.since) && !isNewest)
          return this.#beginStep(soa);
        if (!isNewest) return 'what it calls changes does not begin with the version that is here';
        this.#place = 'end';
        return undefined;
      }
      case 'whole':
        if (!isNewest) return 'the zone has more than one SOA record, or changed while it was transferred';
        this.#place = 'end';
        return undefined;
      case 'removing':
        if (this.#step) this.#step.toSoa = soa;
        this.#place = 'adding';
        return undefined;
      case 'adding':
      case 'end':
        return this.#endStep(soa, isNewest);
    }
  }

  #beginStep(fromSoa: MessageRecord): undefined {
    this.#step = { fromSoa, toSoa: fromSoa, removed: [], added: [] };
    this.#steps.push(this.#step);
    this.#place = 'removing';
  }

  #endStep(soa: MessageRecord, isNewest: boolean): string | undefined {
    const reached = this.#step && serialOf(this.#step.toSoa);
    if (reached !== serialOf(soa)) return 'a step of the changes does not go on from the one before';
    if (!isNewest) return this.#beginStep(soa);
    this.#place = 'end';
    return undefined;
  }
}

function refused(why: string): TransferProgress {
  return { kind: 'refused', why };
}
