import type { EncodedAnswer } from './answer-cache.ts';
import { Flag, type Question } from './message.ts';
import { AnswerKind } from './rate-limit.ts';
import { Rcode } from './record-types.ts';
import { type Reply, writeReply } from './reply.ts';

/** A reply in wire form, in at most `limitBytes`, as the cache keeps it. `flags` go beside QR and the rcode. */
export function encoded(
  reply: Reply,
  { flags, question, limitBytes }: { flags: number; question: Question; limitBytes: number },
): EncodedAnswer {
  const { rcode, extendedError = -1 } = reply;
  const failed = rcode === Rcode.refused || rcode === Rcode.servFail;
  const kind = failed ? AnswerKind.failure : reply.answer.length > 0 ? AnswerKind.data : AnswerKind.noData;
  const bytes = writeReply(reply, { flags: flags | Flag.response, question, limitBytes });
  return { bytes, questionEnd: 12 + question.name.length + 4, kind, rcode, extendedError };
}

/** A header, and the question as it was asked where it could be read. Only `#write` fills in what is the query's own. */
export function failure(rcode: number, questionEnd: number, extendedError = -1): EncodedAnswer {
  const bytes = new Uint8Array(questionEnd);
  bytes[2] = Flag.response >> 8;
  bytes[3] = rcode & 15;
  bytes[5] = questionEnd > 12 ? 1 : 0;
  return { bytes, questionEnd, kind: AnswerKind.failure, rcode, extendedError };
}
