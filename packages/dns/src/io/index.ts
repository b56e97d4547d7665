/**
 * The acting side of DNS: sockets, files, hashes.
 *
 *     await using server = await startDnsServer({
 *       listen: [{ host: '127.0.0.1', port: 5300 }],
 *       answer: (query, asker) => answerer.answer(query, asker),
 *     });
 *
 * Promises: an idle or malicious client never keeps others out; a query that breaks the answer function is dropped and
 * reported. Decides nothing about zones.
 */
export { type AnswerPool, type AnswerPoolOptions, startAnswerPool } from './answer-pool.ts';
export { sha1, sha256 } from './hash.ts';
export {
  type DnsServer,
  type DnsServerEvents,
  type DnsServerOptions,
  startDnsServer,
} from './listener.ts';
export { addressFor, type NotifySender, startNotifySender } from './notify-sender.ts';
export { type MistakenVersion, type PulledZone, type PullFact, pullZone } from './pull-zone.ts';
export { querySoa, querySoaOverTcp, type SoaAnswer } from './query-client.ts';
export { sendUpdate } from './send-update.ts';
export { tsigCrypto } from './tsig-crypto.ts';
export { watchZoneFile, type ZoneFileWatch, type ZoneFileWatchOptions } from './watch-zone-file.ts';
export { readZoneFile, type ZoneFile } from './zone-file.ts';
export { dsDigest, signatureProblems, signatureVerifier } from './zone-signatures.ts';
