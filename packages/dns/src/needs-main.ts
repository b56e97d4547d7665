import { decodeQuery } from './message.ts';
import { QueryView } from './query-view.ts';
import { RecordType } from './record-types.ts';

const view = new QueryView();

/**
 * Must this query be answered by the thread that has everything, and not by one that has only the zones? Other opcodes
 * (NOTIFY), transfers, and whatever is signed (RFC 8945).
 */
export function needsMain(query: Uint8Array): boolean {
  if (view.read(query)) return false;
  const incoming = decodeQuery(query);
  if (incoming.kind === 'other-opcode') return true;
  if (incoming.kind !== 'query') return false;
  const { type } = incoming.question;
  return incoming.signed || type === RecordType.AXFR || type === RecordType.IXFR;
}
