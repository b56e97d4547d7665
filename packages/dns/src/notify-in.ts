import { decodeMessage, encodeMessage, Flag } from './message.ts';
import { type DomainName, type NameKey, nameKey } from './name.ts';
import { classIn, Opcode, Rcode, RecordType } from './record-types.ts';
import { withEmptyOpt } from './transfer-stream.ts';
import { signTsigRefusal, type TsigContext, TsigSigner, verifyTsigQuery } from './tsig.ts';
import type { TsigKey } from './tsig-record.ts';

/** A zone that comes from a primary, as NOTIFYs find it. */
export interface NotifiedZone {
  /** Whoever signs with it is believed, wherever he asks from. */
  key: TsigKey | undefined;
  /** Is this an address of the primary, or of this machine? Then it is believed without a key too. */
  isPrimary(address: string): boolean;
}

/** What a NOTIFY is answered with, and what came of it. `ignored`: no NOTIFY, or an answer to one; it has none. */
export type NotifyVerdict =
  | { kind: 'ignored' }
  | { kind: 'accepted'; answer: Uint8Array; origin: NameKey }
  | { kind: 'refused'; answer: Uint8Array; why: 'malformed' | 'not-ours' | 'stranger' | 'bad-signature' };

/** Is this a query of opcode NOTIFY? Looks at one octet and no more: it is asked of every query. */
export function isNotify(query: Uint8Array): boolean {
  return query.length >= 12 && ((query[2] ?? 0) & 0xf8) === Opcode.notify << 3;
}

/**
 * Answers a NOTIFY (RFC 1996 §3). The serial in it is not looked at: it says only that the primary is worth asking,
 * and whoever forges one causes one question to the primary. No answer is longer than what was sent.
 */
export function answerNotify(
  query: Uint8Array,
  asker: { address: string },
  find: (origin: NameKey) => NotifiedZone | undefined,
  context: TsigContext,
): NotifyVerdict {
  if (!isNotify(query)) return { kind: 'ignored' };
  const message = decodeMessage(query);
  const [question, second] = message?.questions ?? [];
  const id = ((query[0] ?? 0) << 8) | (query[1] ?? 0);
  const hasEdns = message?.additional.some(({ type }) => type === RecordType.OPT) === true;
  const reply = (rcode: number): Uint8Array => answerTo({ id, name: question?.name, hasEdns }, rcode);
  if (!question || second || question.class !== classIn)
    return {
      kind: 'refused',
      answer: answerTo({ id, name: undefined, hasEdns }, Rcode.formErr),
      why: 'malformed',
    };
  // RFC 1996 §3.1 leaves room for changes of other types; nobody ever gave them a meaning.
  if (question.type !== RecordType.SOA)
    return {
      kind: 'refused',
      answer: answerTo({ id, name: undefined, hasEdns }, Rcode.notImp),
      why: 'malformed',
    };
  const origin = nameKey(question.name);
  const zone = find(origin);
  const keys = new Map(zone?.key ? [[nameKey(zone.key.name), zone.key] as const] : []);
  const verdict = verifyTsigQuery(query, { ...context, keys });
  switch (verdict.kind) {
    case 'malformed':
      return { kind: 'refused', answer: reply(Rcode.formErr), why: 'malformed' };
    case 'refused':
      return {
        kind: 'refused',
        answer: signTsigRefusal(reply(Rcode.notAuth), verdict, context),
        why: 'bad-signature',
      };
    case 'verified': {
      const signer = new TsigSigner({ key: verdict.key, crypto: context.crypto, queryMac: verdict.tsig.mac });
      return { kind: 'accepted', answer: signer.sign(reply(Rcode.noError), context.nowS), origin };
    }
    case 'unsigned':
      if (!zone) return { kind: 'refused', answer: reply(Rcode.notAuth), why: 'not-ours' };
      if (!zone.isPrimary(asker.address))
        return { kind: 'refused', answer: reply(Rcode.refused), why: 'stranger' };
      return { kind: 'accepted', answer: reply(Rcode.noError), origin };
  }
}

/** RFC 1996 §3.7: the same id, opcode and question. */
function answerTo(
  { id, name, hasEdns }: { id: number; name: DomainName | undefined; hasEdns: boolean },
  rcode: number,
): Uint8Array {
  const message = encodeMessage({
    id,
    flags: Flag.response | (Opcode.notify << 11) | (rcode === Rcode.noError ? Flag.authoritative : 0) | rcode,
    questions: name ? [{ name, type: RecordType.SOA, class: classIn }] : [],
    answers: [],
    authority: [],
    additional: [],
  });
  if (!message) throw new RangeError('a question fits in every message');
  return hasEdns ? withEmptyOpt(message) : message;
}
