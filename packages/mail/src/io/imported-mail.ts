import type { MailDomain } from '../mail-domain.ts';
import { encodeSpoolRecord } from '../spool-record.ts';
import { openSealed, sealedHeader, sha256, tagsOf } from './seal.ts';

/**
 * The record of a message that comes as a file (what `peer mail export --format age` writes at a friend's), as it would have
 * come from him; or why it is none for this box. The tags are those of the message, so that a copy which came another way
 * is known.
 */
export async function importedRecord(
  sealed: Uint8Array,
  { domains, identities }: { domains: readonly MailDomain[]; identities: readonly string[] },
): Promise<{ kind: 'record'; record: Uint8Array; domain: string } | { kind: 'refused'; why: string }> {
  const opened = await openSealed(sealed, identities);
  if (opened.kind === 'unreadable') return { kind: 'refused', why: opened.why };
  const { envelope, message } = opened;
  const name = envelope.recipients[0]?.slice((envelope.recipients[0] ?? '').lastIndexOf('@') + 1);
  const domain = domains.find((one) => one.role === 'own' && one.domain === name);
  if (domain === undefined)
    return { kind: 'refused', why: `it is for ${name ?? 'nobody'}, whose mail this box does not own` };
  const tags = tagsOf(domain.ownerId, envelope, sha256(message));
  const of = { ...domain, envelope, messageBytes: message.length, tags };
  const header = sealedHeader(of, sha256(sealed));
  return { kind: 'record', record: encodeSpoolRecord(header, sealed), domain: domain.domain };
}
