/**
 * Taking a friend's mail: passed on at once while the owner's mail server can be reached, held (sealed to the owner) while
 * it cannot, handed over when the owner is back. This face has the words; `startMail` in `@copain/mail/io` acts.
 *
 *     import type { MailDomain, MessageInfo } from '@copain/mail';
 *     const domain: MailDomain = {
 *       domain: 'alice.example', ownerId, ownerName: 'alice', role: 'backup',
 *       sealTo: ['age1…'], maxBytes: 20e9,
 *     };
 *
 * Promises: a message is accepted (250) only when it is on disk here or the owner's own server accepted it; it leaves a
 * friend only when the owner has it on disk; it reaches the owner's server once, byte-identical but for one Received
 * header. Never bounces, never expires mail of a member, never relays for anybody else. Does not judge spam, nor parse
 * messages.
 */

export { canaryAddress, canaryTokenBytes } from './canary.ts';
export type { OwnerNote } from './copy-frames.ts';
export {
  diskFloorBytes,
  listMax,
  probeAddressesMax,
  probeFailuresMax,
  probeTargetsMax,
  recordMaxBytes,
} from './limits.ts';
export type { ClientForm, MailDomain, MailFact, MailFacts, MessageInfo } from './mail-domain.ts';
export { matchesId, messageId } from './message-id.ts';
export {
  doesTake,
  noProbes,
  type ProbeEffect,
  type ProbeInput,
  type ProbeOutcome,
  type ProbeRow,
  type Probes,
  type SeenTls,
  stepProbes,
} from './probe.ts';
export type { HeldEntry, MailDoor } from './question-frames.ts';
export type { ReceiptFact, ReceiptGap } from './receipt-check.ts';
export type { RecipientWish } from './recipient-policy.ts';
export { type Reply, replyText } from './smtp-reply.ts';
export { decodeSpoolRecord } from './spool-record.ts';
export type { Tally } from './tally.ts';
export { mailDate } from './trace.ts';
