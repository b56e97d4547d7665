import { decodeMessage, encodeMessage, Flag, type MessageRecord } from './message.ts';
import { type DomainName, sameName } from './name.ts';
import { whyNotTrusted } from './primary-question.ts';
import { classAny, classIn, Opcode, RecordType } from './record-types.ts';
import { signTsigQuery, type TsigContext, TsigVerifier } from './tsig.ts';
import type { TsigKey } from './tsig-record.ts';

/** What the addresses of some names in a zone are to be. A kind that is undefined stays as it is. */
export interface AddressUpdate {
  zone: DomainName;
  names: readonly DomainName[];
  /** RDATA of 4 and of 16 octets. */
  ipv4: Uint8Array | undefined;
  ipv6: Uint8Array | undefined;
  ttlS: number;
}

/** An update as it was sent, and what its answer must fit. */
export interface AskedUpdate {
  message: Uint8Array;
  id: number;
  zone: DomainName;
  key: TsigKey | undefined;
  mac: Uint8Array | undefined;
}

/**
 * The update (RFC 2136) that takes away all addresses of each name and kind, and gives it this one: the whole of it is done,
 * or nothing (§3.4.2.7), and done twice it is the same. `id` must be random. Signed where there is a key.
 */
export function askUpdate(
  { id, update, key }: { id: number; update: AddressUpdate; key: TsigKey | undefined },
  context: TsigContext,
): AskedUpdate {
  const { zone, names, ttlS } = update;
  const sets = [
    { type: RecordType.A, rdata: update.ipv4 },
    { type: RecordType.AAAA, rdata: update.ipv6 },
  ];
  const changes = names.flatMap((owner) =>
    sets.flatMap(({ type, rdata }): MessageRecord[] =>
      rdata === undefined
        ? []
        : [
            // RFC 2136 §2.5.2: delete an RRset; §2.5.1: add to one.
            { owner, type, class: classAny, ttl: 0, rdata: new Uint8Array() },
            { owner, type, class: classIn, ttl: ttlS, rdata },
          ],
    ),
  );
  const message = encodeMessage({
    id,
    flags: Opcode.update << 11,
    questions: [{ name: zone, type: RecordType.SOA, class: classIn }],
    answers: [],
    authority: changes,
    additional: [],
  });
  if (!message) throw new RangeError('so many names do not fit into one message');
  const signed = key ? signTsigQuery(message, key, context) : { message, mac: undefined };
  return { ...signed, id, zone, key };
}

/** What a server said to an update. `unrelated`: not the answer to it, waiting goes on. */
export type UpdateReply = { kind: 'unrelated' } | { kind: 'done' } | { kind: 'refused'; why: string };

/** Reads the answer to an update (RFC 2136 §2.2, §3.8). */
export function readUpdateReply(reply: Uint8Array, asked: AskedUpdate, context: TsigContext): UpdateReply {
  const message = decodeMessage(reply);
  if (!message || message.id !== asked.id || (message.flags & Flag.response) === 0)
    return { kind: 'unrelated' };
  if (((message.flags >> 11) & 15) !== Opcode.update) return { kind: 'unrelated' };
  const [zone] = message.questions;
  if (zone && !sameName(zone.name, asked.zone)) return { kind: 'unrelated' };
  const { key, mac } = asked;
  const verifier = key && mac ? new TsigVerifier({ key, crypto: context.crypto, queryMac: mac }) : undefined;
  const why = whyNotTrusted(reply, message, verifier, context.nowS);
  return why === undefined ? { kind: 'done' } : { kind: 'refused', why };
}
