import type { ResourceRecord } from './master-file.ts';
import { decodeMessage, encodeMessage, Flag, type Message, type MessageRecord } from './message.ts';
import { type DomainName, sameName } from './name.ts';
import { classIn, Rcode, RecordType, rcodeToText } from './record-types.ts';
import { signTsigQuery, type TsigAnswerVerdict, type TsigContext, TsigVerifier } from './tsig.ts';
import { type TsigCrypto, type TsigKey, tsigErrorToText } from './tsig-record.ts';

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

/** What checks the answer where the question was signed. */
export function verifierOf({ key, mac }: AskedPrimary, crypto: TsigCrypto): TsigVerifier | undefined {
  return key && mac ? new TsigVerifier({ key, crypto, queryMac: mac }) : undefined;
}

/** Has it our id, and where it has a question, ours? */
export function isReplyTo(message: Message, { id, origin, question }: AskedPrimary): boolean {
  if (message.id !== id || (message.flags & Flag.response) === 0 || ((message.flags >> 11) & 15) !== 0)
    return false;
  const [asked] = message.questions;
  return asked === undefined || (sameName(asked.name, origin) && asked.type === RecordType[question.type]);
}

/** Is this the SOA of the zone itself, and has it all its numbers (RFC 1035 §3.3.13)? */
export function isApexSoa(record: MessageRecord, origin: DomainName): boolean {
  return (
    record.type === RecordType.SOA &&
    record.class === classIn &&
    record.rdata.length >= 22 &&
    sameName(record.owner, origin)
  );
}

/** Why an answer counts for nothing, by its rcode or its signature; undefined where it counts, so far. */
export function whyNotTrusted(
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
  [Rcode.notZone, ': there the names are in another zone'],
  [Rcode.notImp, ': it does not do what it was asked for here'],
]);

const failedTexts: Record<Extract<TsigAnswerVerdict, { kind: 'failed' }>['why'], string> = {
  'not-signed': 'its answer is not signed: does it have the key of tsig-file?',
  malformed: 'the signature of its answer is malformed',
  'other-key': 'its answer is signed with another key than that of tsig-file',
  'bad-mac': 'its answer does not have the signature of this key: is the secret the same on both sides?',
  'bad-time': 'its answer is signed at another time: are both clocks right?',
};

const refusedTexts: Record<string, string> = {
  BADKEY: 'it does not know the key of tsig-file: name and algorithm must be the same there',
  BADSIG: 'it knows the key of tsig-file with another secret',
  BADTIME: 'its clock and the one of this box are more than five minutes apart',
};

function tsigText(verdict: Extract<TsigAnswerVerdict, { kind: 'refused' | 'failed' }>): string {
  if (verdict.kind === 'failed') return failedTexts[verdict.why];
  const name = tsigErrorToText(verdict.error);
  return `${refusedTexts[name] ?? 'it does not take the signature'} (${name})`;
}
