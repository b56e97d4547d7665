/**
 * Turns what the rooms know into one snapshot of this box and its friends, and that snapshot into JSON, terminal
 * text, an HTML page and Prometheus metrics.
 *
 *     const status = buildStatus(facts, nowMs);
 *     response.end(renderPage(status, { nonce, refreshMs: 10_000 }));
 *     stdout.write(statusText(status, { nowMs, shapes: 'unicode' }));
 *
 * Promises: the verdict is the first thing said; a state is always a word, never only a colour; text that came from
 * others is escaped for where it is shown. Does not collect the facts and does not serve them: the agent does both.
 */

export type {
  FriendFacts,
  HistoryFacts,
  MailFacts,
  MailProbeFacts,
  ServiceFacts,
  StatusFacts,
  ZoneFacts,
} from './facts.ts';
export type { TroubleKind } from './finding.ts';
export { mailReceiptsText, type ReceiptStatus } from './mail-receipts.ts';
export { type MetricCounters, metricsText } from './metrics.ts';
export { renderPage } from './page.ts';
export { primaryLines } from './primary-text.ts';
export { servicesTable } from './service-text.ts';
export { type StandbyService, standbyTable } from './standby-text.ts';
export { buildStatus } from './status.ts';
export type {
  AddressInfo,
  AddressTold,
  AwayStatus,
  EventStatus,
  FriendState,
  FriendStatus,
  FriendsDocument,
  HistoryStatus,
  InviteDocument,
  InviteInfo,
  InviteListDocument,
  LineStatus,
  MailListDocument,
  MailProbeStatus,
  MailStatus,
  MessageInfo,
  ServiceState,
  ServiceStatus,
  StatusDocument,
  TakeoverStatus,
  Todo,
  Verdict,
  VerdictLevel,
  ZoneFriendStatus,
  ZoneListDocument,
  ZoneProblem,
  ZoneStatus,
} from './status-document.ts';
export {
  friendsTable,
  friendText,
  invitesTable,
  mailTable,
  messagesTable,
  problemLine,
  senderWords,
  statusPlain,
  statusText,
  type TextOptions,
  zonesTable,
} from './text.ts';
export type { Paint, Tone } from './text-table.ts';
export { findTroubles, type Trouble, type Troubles } from './troubles.ts';
