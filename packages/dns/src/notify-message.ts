import type { ResourceRecord } from './master-file.ts';
import { decodeMessage, encodeMessage, Flag } from './message.ts';
import { sameName } from './name.ts';
import { classIn, Opcode, Rcode, RecordType } from './record-types.ts';
import { signTsigQuery, type TsigContext, TsigVerifier } from './tsig.ts';
import type { TsigKey } from './tsig-record.ts';

/** A NOTIFY (RFC 1996 §3.7) with the new SOA as its answer section; signed where there is a key. */
export function notifyMessage(
  { id, soa, key }: { id: number; soa: ResourceRecord; key: TsigKey | undefined },
  context: TsigContext,
): { message: Uint8Array; mac: Uint8Array | undefined } {
  const message = encodeMessage({
    id,
    flags: (Opcode.notify << 11) | Flag.authoritative,
    questions: [{ name: soa.owner, type: RecordType.SOA, class: classIn }],
    answers: [{ ...soa, class: classIn }],
    authority: [],
    additional: [],
  });
  if (!message) throw new RangeError('a question and one record fit in every message');
  return key ? signTsigQuery(message, key, context) : { message, mac: undefined };
}

/**
 * The rcode of an answer to a NOTIFY, or undefined for what is not the answer to this one, or not by whom it should be:
 * then waiting goes on. An unproven BADKEY or BADSIG counts as NOTAUTH: at worst somebody delays what he could drop.
 */
export function notifyAnswer(
  answer: Uint8Array,
  {
    id,
    soa,
    key,
    mac,
  }: { id: number; soa: ResourceRecord; key: TsigKey | undefined; mac: Uint8Array | undefined },
  { crypto, nowS }: TsigContext,
): number | undefined {
  const message = decodeMessage(answer);
  if (!message || message.id !== id || !(message.flags & Flag.response)) return undefined;
  if (((message.flags >> 11) & 15) !== Opcode.notify) return undefined;
  const [question] = message.questions;
  if (question && !(sameName(question.name, soa.owner) && question.type === RecordType.SOA)) return undefined;
  const rcode = message.flags & 15;
  if (!key || !mac) return rcode;
  const verdict = new TsigVerifier({ key, crypto, queryMac: mac }).verify(answer, nowS);
  if (verdict.kind === 'refused') return Rcode.notAuth;
  // A server that does not know the zone or the opcode may well not sign that: it cannot be taken for a yes.
  if (verdict.kind === 'failed' && verdict.why === 'not-signed' && rcode !== Rcode.noError) return rcode;
  return verdict.kind === 'verified' ? rcode : undefined;
}
