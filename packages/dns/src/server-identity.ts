import { concatBytes, toUtf8 } from '@copain/core';
import { identityBytesMax } from './limits.ts';
import type { Question } from './message.ts';
import { keyToName, nameKey, nameOf } from './name.ts';
import { Rcode, RecordType } from './record-types.ts';
import { emptyReply, type Reply } from './reply.ts';

/**
 * What a server says of itself, each of at most 128 octets: the NSID option (RFC 5001), and what CHAOS TXT queries for
 * `version.bind` and for `hostname.bind` or `id.server` (RFC 4892) are told. undefined: nothing, REFUSED.
 */
export interface ServerIdentity {
  nsid?: string | undefined;
  version?: string | undefined;
  hostname?: string | undefined;
}

const versionKeys = new Set(['version.bind.', 'version.server.'].map((name) => nameKey(nameOf(name))));
const hostnameKeys = new Set(['hostname.bind.', 'id.server.'].map((name) => nameKey(nameOf(name))));

/** The text as it goes into a message. */
export function identityOctets(text: string): Uint8Array {
  return toUtf8(text).subarray(0, identityBytesMax);
}

/** The answer to a question of class CHAOS, or undefined where there is none to be given. */
export function chaosReply(question: Question, { version, hostname }: ServerIdentity): Reply | undefined {
  const key = nameKey(question.name);
  const text = versionKeys.has(key) ? version : hostnameKeys.has(key) ? hostname : undefined;
  if (text === undefined || question.type !== RecordType.TXT) return undefined;
  const octets = identityOctets(text);
  const rdatas = [concatBytes(Uint8Array.of(octets.length), octets)];
  const rrset = { type: RecordType.TXT, ttl: 0, rdatas, signatures: [], signatureTtl: 0 };
  return { ...emptyReply(Rcode.noError), answer: [{ owner: keyToName(key), rrset, signed: false }] };
}
