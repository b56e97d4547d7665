import { refusedForMs } from './limits.ts';
import { isAlwaysKnown } from './recipient-form.ts';
import type { Reply } from './smtp-reply.ts';

/** How an owner wants a domain of his treated while he is away, as it stands in his configuration. */
export interface RecipientWish {
  recipients: { kind: 'any' } | { kind: 'learn' } | { kind: 'file'; path: string };
  /** What becomes of recipients that are not known. */
  unknown: 'accept' | 'defer';
  /** On how many friends' disks a message lies before it is accepted. */
  copies: number;
}

/** What somebody who decides knows: forms at the owner, digests at a friend. */
export interface RecipientView {
  any: boolean;
  unknown: 'accept' | 'defer';
  isKnown(name: string): boolean;
  /** When the owner's server last refused it (ms since 1970); undefined where it did not. */
  refusedAtMs(name: string): number | undefined;
}

/**
 * May this recipient be promised while its owner cannot be asked? `form` is the lookup form, `name` what the view knows it
 * by. Never a refusal for good: who cannot be told from a mistyped address today may be a new mailbox.
 */
export function judgeRecipient(
  view: RecipientView,
  { form, name, nowMs }: { form: string; name: string; nowMs: number },
): 'accept' | 'defer' {
  if (isAlwaysKnown(form) || view.isKnown(name)) return 'accept';
  const refusedAtMs = view.refusedAtMs(name);
  if (refusedAtMs !== undefined && nowMs - refusedAtMs < refusedForMs) return 'defer';
  return view.any ? 'accept' : view.unknown;
}

/**
 * What the answer of an owner's server to RCPT says about the recipient: 2xx that there is one, a 5xx whose enhanced code
 * speaks of the mailbox (RFC 3463 §3.2, §3.3) that there is none. All else is about the client, or about today.
 */
export function learntFrom({ code, lines }: Reply): 'known' | 'refused' | undefined {
  if (code >= 200 && code < 300) return 'known';
  const enhanced = /^5\.(?:1\.1|1\.6|1\.10|2\.1)(?: |$)/;
  return code >= 500 && lines.some((line) => enhanced.test(line)) ? 'refused' : undefined;
}
