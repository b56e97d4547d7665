/**
 * The mail room at work: SMTP listener, live pass-through, held mail, hand-over, delivery to one's own mail server.
 *
 *     await using mail = await startMail({
 *       listen: [{ host: '203.0.113.5', port: 25 }], hostname: 'mx.bob.example', domains: () => domains,
 *       openLive, openDrain, segments, inbox, table, identities: () => [secret], clock, random, events,
 *     });
 *     mail.ownerReachable(aliceId);
 *
 * Promises: see `@copain/mail`; every started thing stops with the Mail, within a few seconds. Does not dial anybody but
 * the owner's own MTA: streams to friends come from the agent.
 */

export type { OwnBoxes } from './canary-arrival.ts';
export type { CertificateFiles, TlsFiles } from './certificates.ts';
export type { MailEvents } from './events.ts';
export { type Mail, type MailOptions, startMail } from './mail.ts';
export { askCanary, askDoor, askFlush, askList, askRecord } from './mail-questions.ts';
export { type OpenedRecord, openSpoolRecord } from './seal.ts';
export { type OpenedHead, openRecordHead } from './sealed-head.ts';
export { sendNote } from './send-note.ts';
export { probeSmtp } from './smtp-probe.ts';
export { tryMta } from './try-mta.ts';
