import { MessageWriter, type Question } from './message.ts';
import type { DomainName } from './name.ts';
import { RecordType } from './record-types.ts';
import type { RRset } from './zone.ts';

/** An RRset to send under a name, which for wildcards is not the name it stands at. */
interface ReplyRRset {
  owner: DomainName;
  rrset: RRset;
  /** Send the signatures too. */
  signed: boolean;
}

/**
 * The content of an answer before it is written. What does not fit is cut in this order: `extra` (silently), then the
 * whole answer becomes a truncated one (TC). `glue` belongs to a referral and must not be left out silently (RFC 9471).
 */
export interface Reply {
  rcode: number;
  authoritative: boolean;
  answer: ReplyRRset[];
  authority: ReplyRRset[];
  glue: ReplyRRset[];
  extra: ReplyRRset[];
  /** INFO-CODE of RFC 8914, for clients that know EDNS. */
  extendedError?: number;
}

/** An empty reply to fill in. */
export function emptyReply(rcode: number): Reply {
  return { rcode, authoritative: false, answer: [], authority: [], glue: [], extra: [] };
}

/** How a reply is written: id 0, the flags given, the question in its own spelling, no OPT record. */
export interface ReplyForm {
  flags: number;
  question: Question;
  limitBytes: number;
}

const truncatedFlag = 0x0200;

/**
 * Writes a reply into at most `limitBytes`. RRsets are whole or absent (RFC 2181 §9); a reply that does not fit without
 * its extras is written as the question alone with TC set, which asks the client to come by TCP.
 */
export function writeReply(reply: Reply, form: ReplyForm): Uint8Array {
  const writer = new MessageWriter({ limitBytes: form.limitBytes });
  writer.question(form.question);
  const recordClass = form.question.class;
  const start = writer.mark();
  const counts: [number, number, number, number] = [1, 0, 0, 0];
  let fits = true;
  for (const [index, section] of [reply.answer, reply.authority, reply.glue].entries()) {
    for (const entry of section) {
      const count: number | undefined = fits ? writeRRset(writer, recordClass, entry) : undefined;
      fits &&= count !== undefined;
      counts[index + 1] = (counts[index + 1] ?? 0) + (count ?? 0);
    }
  }
  let flags = form.flags | (reply.rcode & 15);
  if (!fits) {
    writer.backTo(start);
    counts.fill(0, 1);
    flags |= truncatedFlag;
  } else {
    for (const entry of reply.extra) {
      const mark = writer.mark();
      const count = writeRRset(writer, recordClass, entry);
      if (count === undefined) writer.backTo(mark);
      counts[3] += count ?? 0;
    }
  }
  return writer.finish(0, flags, counts);
}

/** How many records it took, or undefined where they do not fit. */
function writeRRset(writer: MessageWriter, recordClass: number, entry: ReplyRRset): number | undefined {
  const { owner, rrset, signed } = entry;
  const write = (type: number, ttl: number, rdata: Uint8Array) =>
    writer.record({ owner, type, class: recordClass, ttl, rdata });
  if (!rrset.rdatas.every((rdata) => write(rrset.type, rrset.ttl, rdata))) return undefined;
  if (!signed) return rrset.rdatas.length;
  if (!rrset.signatures.every((rdata) => write(RecordType.RRSIG, rrset.signatureTtl, rdata)))
    return undefined;
  return rrset.rdatas.length + rrset.signatures.length;
}
