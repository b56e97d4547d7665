import { transferInBytesMax, zoneRecordsMax } from './limits.ts';
import type { ResourceRecord } from './master-file.ts';
import { decodeMessage, encodeMessage, Flag, type Message, type MessageRecord } from './message.ts';
import { type DomainName, isAtOrBelow, nameToText, sameName } from './name.ts';
import { classIn, isMetaType, Rcode, RecordType, rcodeToText } from './record-types.ts';
import { signTsigQuery, type TsigAnswerVerdict, type TsigContext, TsigVerifier } from './tsig.ts';
import { type TsigCrypto, type TsigKey, tsigErrorToText } from './tsig-record.ts';
import type { ZoneChange } from './zone-changes.ts';
import { serialOf } from './zone-journal.ts';
import { isNewerSerial } from './zone-serial.ts';

/** What may be asked of a primary: which version is its newest, what changed since ours, everything. */
export type PrimaryQuestion = { type: 'SOA' } | { type: 'IXFR'; since: ResourceRecord } | { type: 'AXFR' };

/** A question to a primary as it is sent, and what its answer must fit. */
export interface AskedPrimary {
  message: Uint8Array;
  id: number;
  origin: DomainName;
  question: PrimaryQuestion;
  key: TsigKey | undefined;
  mac: Uint8Array | undefined;
}

/** The question to a primary (RFC 1995 §3, RFC 5936 §2.1), signed where there is a key. `id` must be random. */
export function askPrimary(
  options: { id: number; origin: DomainName; question: PrimaryQuestion; key: TsigKey | undefined },
  context: TsigContext,
): AskedPrimary {
  const { id, origin, question, key } = options;
  const message = encodeMessage({
    id,
    flags: 0,
    questions: [{ name: origin, type: RecordType[question.type], class: classIn }],
    answers: [],
    authority: question.type === 'IXFR' ? [{ ...question.since, class: classIn }] : [],
    additional: [],
  });
  if (!message) throw new RangeError('a question and one record fit in every message');
  const signed = key ? signTsigQuery(message, key, context) : { message, mac: undefined };
  return { ...signed, id, origin, question, key };
}

/** What a primary said to a SOA question. `unrelated`: not the answer to it, waiting goes on. */
export type SoaReply =
  | { kind: 'unrelated' }
  | { kind: 'truncated' }
  | { kind: 'soa'; soa: ResourceRecord }
  | { kind: 'refused'; why: string };

/** Reads the answer to a SOA question (RFC 1034 §4.3.5). */
export function readSoaReply(reply: Uint8Array, asked: AskedPrimary, context: TsigContext): SoaReply {
  const message = decodeMessage(reply);
  if (!message || !isReplyTo(message, asked)) return { kind: 'unrelated' };
  const why = whyNotTrusted(reply, message, verifierOf(asked, context.crypto), context.nowS);
  if (why !== undefined) return { kind: 'refused', why };
  if ((message.flags & Flag.truncated) !== 0) return { kind: 'truncated' };
  const soa = message.answers.find((record) => isApexSoa(record, asked.origin));
  if (!soa) return { kind: 'refused', why: 'it does not have this zone' };
  if ((message.flags & Flag.authoritative) === 0)
    return { kind: 'refused', why: 'it answers without authority: it is no primary of this zone' };
  return { kind: 'soa', soa };
}

function verifierOf({ key, mac }: AskedPrimary, crypto: TsigCrypto): TsigVerifier | undefined {
  return key && mac ? new TsigVerifier({ key, crypto, queryMac: mac }) : undefined;
}

/** Has it our id, and where it has a question, ours? */
function isReplyTo(message: Message, { id, origin, question }: AskedPrimary): boolean {
  if (message.id !== id || (message.flags & Flag.response) === 0 || ((message.flags >> 11) & 15) !== 0)
    return false;
  const [asked] = message.questions;
  return asked === undefined || (sameName(asked.name, origin) && asked.type === RecordType[question.type]);
}

function isApexSoa(record: MessageRecord, origin: DomainName): boolean {
  return (
    record.type === RecordType.SOA &&
    record.class === classIn &&
    record.rdata.length >= 22 &&
    sameName(record.owner, origin)
  );
}

/** Why an answer counts for nothing, by its rcode or its signature; undefined where it counts, so far. */
function whyNotTrusted(
  bytes: Uint8Array,
  { flags }: Message,
  verifier: TsigVerifier | undefined,
  nowS: number,
): string | undefined {
  const rcode = flags & 15;
  const verdict = verifier?.verify(bytes, nowS) ?? { kind: 'unsigned' };
  const refusal =
    rcode === Rcode.noError ? undefined : `it answered ${rcodeToText(rcode)}${hints.get(rcode) ?? ''}`;
  if (verdict.kind === 'verified' || verdict.kind === 'unsigned') return refusal;
  // A server that refuses may well not sign that.
  if (verdict.kind === 'failed' && verdict.why === 'not-signed' && refusal !== undefined) return refusal;
  return tsigText(verdict);
}

const hints = new Map<number, string>([
  [Rcode.refused, ': does it allow this zone, this address and this key?'],
  [Rcode.notAuth, ': it is no primary of this zone, or does not know the key'],
  [Rcode.servFail, ': it has the zone and cannot serve it now'],
]);

const failedTexts: Record<Extract<TsigAnswerVerdict, { kind: 'failed' }>['why'], string> = {
  'not-signed': 'its answer is not signed: does it have the key of tsig-file?',
  malformed: 'the signature of its answer is malformed',
  'other-key': 'its answer is signed with another key than that of tsig-file',
  'bad-mac': 'its answer does not have the signature of this key: is the secret the same on both sides?',
  'bad-time': 'its answer is signed at another time: are both clocks right?',
};

function tsigText(verdict: Extract<TsigAnswerVerdict, { kind: 'refused' | 'failed' }>): string {
  if (verdict.kind === 'failed') return failedTexts[verdict.why];
  const name = tsigErrorToText(verdict.error);
  const why: Record<string, string> = {
    BADKEY: 'it does not know the key of tsig-file: name and algorithm must be the same there',
    BADSIG: 'it knows the key of tsig-file with another secret',
    BADTIME: 'its clock and the one of this box are more than five minutes apart',
  };
  return `${why[name] ?? 'it does not take the signature'} (${name})`;
}

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
