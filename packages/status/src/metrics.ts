import type { FriendState, MailProbeStatus, StatusDocument, VerdictLevel } from './status-document.ts';
import { instant } from './wording.ts';

/** What is counted rather than observed; every count begins at 0 when the agent starts. */
export interface MetricCounters {
  dnsQueries: readonly { rcode: string; transport: string; count: number }[];
  /** Answers that were cut short, or left out, because a network asks too much. */
  dnsLimited: readonly { action: 'truncated' | 'dropped'; count: number }[];
  /** What servers of `[dns] transfer` asked for, by what became of it. */
  dnsTransfers: readonly { kind: string; count: number }[];
  /** What came of the questions to hidden primaries. */
  zonesReceived: readonly { kind: string; count: number; bytes: number }[];
  mailAccepted: readonly { domain: string; count: number }[];
  mailDelivered: readonly { domain: string; count: number }[];
  /** Connections in raw mode, by what became of them. */
  mailRaw: readonly { friend: string; outcome: string; count: number }[];
  refused: readonly { step: string; count: number }[];
  lineBytes: readonly { direction: 'sent' | 'received'; class: string; bytes: number }[];
  /** What this box found of the services that it tries. */
  probes?: readonly {
    owner: string;
    service: string;
    target: string;
    state: 'up' | 'down' | 'unknown';
    tookMs: number | undefined;
  }[];
  residentMemoryBytes: number;
}

interface Sample {
  labels: Readonly<Record<string, string>>;
  value: number | undefined;
}

const escapeLabel = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

function family(name: string, type: 'gauge' | 'counter', help: string, samples: readonly Sample[]): string {
  /** One line per set of labels: a second one would make Prometheus refuse the whole answer. */
  const lines = new Map<string, string>();
  for (const { labels, value } of samples) {
    if (value === undefined) continue;
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    const series = `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`}`;
    lines.set(series, `${series} ${value}\n`);
  }
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${[...lines.values()].join('')}`;
}

const levels: Record<VerdictLevel, number> = { ok: 0, attention: 1, danger: 2 };
const isUp = (state: FriendState): boolean => state === 'up' || state === 'slow';
const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000);

/**
 * `GET /metrics`: the Prometheus text format 0.0.4, base units, every name with its HELP and TYPE. What is not known
 * has no sample.
 */
export function metricsText(options: {
  status: StatusDocument;
  counters: MetricCounters;
  nowMs: number;
}): string {
  const { status, counters, nowMs } = options;
  const gauge = (name: string, help: string, samples: readonly Sample[]): string =>
    family(name, 'gauge', help, samples);
  const counter = (name: string, help: string, samples: readonly Sample[]): string =>
    family(name, 'counter', help, samples);
  const friends = (value: (friend: StatusDocument['friends'][number]) => number | undefined): Sample[] =>
    status.friends.map((friend) => ({ labels: { friend: friend.name }, value: value(friend) }));
  const zones = (value: (zone: StatusDocument['zones'][number]) => number | undefined): Sample[] =>
    status.zones.map((zone) => ({ labels: { origin: zone.origin }, value: value(zone) }));
  const mail = (value: (domain: StatusDocument['mail'][number]) => number): Sample[] =>
    status.mail.map((domain) => ({ labels: { domain: domain.domain }, value: value(domain) }));
  const probes = (counters.probes ?? []).map(({ owner, service, target, ...found }) => ({
    ...found,
    labels: { owner, service, target },
  }));
  const mailProbes = (value: (probe: MailProbeStatus) => number | undefined): Sample[] =>
    status.mail.flatMap(({ domain, probes: all }) =>
      all.map((probe) => ({ labels: { domain, friend: probe.friend }, value: value(probe) })),
    );
  return [
    gauge('copain_info', 'Always 1; says who and which version.', [
      { labels: { name: status.name, version: status.version }, value: 1 },
    ]),
    gauge('copain_verdict_level', '0 ok, 1 attention, 2 danger.', [
      { labels: {}, value: levels[status.verdict.level] },
    ]),
    gauge('copain_start_timestamp_seconds', 'When the agent started.', [
      { labels: {}, value: seconds(instant(status.startedAt)) },
    ]),
    gauge(
      'copain_friend_up',
      '1 while the friend is up or slow.',
      friends(({ state }) => (isUp(state) ? 1 : 0)),
    ),
    gauge(
      'copain_friend_last_heard_timestamp_seconds',
      'When the friend was last heard.',
      friends(({ lastHeardAt }) => seconds(instant(lastHeardAt))),
    ),
    gauge(
      'copain_friend_rtt_seconds',
      'Round trip to the friend.',
      friends(({ rttMs }) => seconds(rttMs ?? undefined)),
    ),
    gauge(
      'copain_zone_serial',
      'The SOA serial that this box serves.',
      zones(({ serial }) => serial ?? undefined),
    ),
    gauge(
      'copain_zone_expire_seconds',
      'How long answers go on if the owner stays silent.',
      zones(({ expiresAt }) => {
        const atMs = instant(expiresAt);
        return atMs === undefined ? undefined : (atMs - nowMs) / 1000;
      }),
    ),
    gauge(
      'copain_zone_problems',
      'Mistakes in the master file that keep its newest content from being published.',
      zones(({ problems }) => problems.filter(({ severity }) => severity === 'error').length),
    ),
    gauge(
      'copain_zone_primary_up',
      '1 while the hidden primary of a zone of our own answers.',
      zones(({ primary }) => (primary === null ? undefined : primary.failing === null ? 1 : 0)),
    ),
    gauge(
      'copain_zone_primary_checked_timestamp_seconds',
      'When the hidden primary last said what its newest version is.',
      zones(({ primary }) => seconds(instant(primary?.checkedAt ?? null))),
    ),
    counter(
      'copain_dns_received_total',
      'Zone transfers from hidden primaries, by what became of them.',
      counters.zonesReceived.map(({ kind, count }) => ({ labels: { kind }, value: count })),
    ),
    counter(
      'copain_dns_received_bytes_total',
      'Bytes of zone transfers from hidden primaries.',
      counters.zonesReceived.map(({ kind, bytes }) => ({ labels: { kind }, value: bytes })),
    ),
    counter(
      'copain_dns_queries_total',
      'Queries answered.',
      counters.dnsQueries.map(({ count, rcode, transport }) => ({
        labels: { rcode, transport },
        value: count,
      })),
    ),
    counter(
      'copain_dns_limited_total',
      'Answers cut short, or left out, by rate limiting.',
      counters.dnsLimited.map(({ action, count }) => ({ labels: { action }, value: count })),
    ),
    counter(
      'copain_dns_transfers_total',
      'Zone transfers to servers of [dns] transfer, by what became of them.',
      counters.dnsTransfers.map(({ kind, count }) => ({ labels: { kind }, value: count })),
    ),
    gauge(
      'copain_mail_held_messages',
      "Messages on this box's disk.",
      mail(({ messages }) => messages),
    ),
    gauge(
      'copain_mail_held_bytes',
      "Bytes of messages on this box's disk.",
      mail(({ bytes }) => bytes),
    ),
    gauge(
      'copain_mail_probe_up',
      '1 where a backup took mail for the domain when it was asked last as a stranger would, 0 where it did not.',
      mailProbes(({ ok }) => (ok === null ? undefined : Number(ok))),
    ),
    gauge(
      'copain_mail_probe_success_timestamp_seconds',
      'When the backup last took it.',
      mailProbes(({ okAt }) => seconds(instant(okAt))),
    ),
    gauge(
      'copain_mail_probe_canary_up',
      '1 where the last canary that came back through the backup, or was given up, came back whole.',
      mailProbes(({ canary }) =>
        canary === null || canary.state === 'sent' ? undefined : Number(canary.state === 'arrived'),
      ),
    ),
    gauge(
      'copain_mail_probe_canary_seconds',
      'How long the last canary took from the backup to here.',
      mailProbes(({ canary }) => seconds(canary?.tookMs ?? undefined)),
    ),
    counter(
      'copain_mail_accepted_total',
      'Messages accepted on this box.',
      counters.mailAccepted.map(({ domain, count }) => ({ labels: { domain }, value: count })),
    ),
    counter(
      'copain_mail_delivered_total',
      'Messages delivered to their owner or his mail server.',
      counters.mailDelivered.map(({ domain, count }) => ({ labels: { domain }, value: count })),
    ),
    counter(
      'copain_mail_raw_connections_total',
      'Connections at raw addresses, by the friend at the other end: passed, broken in the middle, declined (then the box has the conversation itself).',
      counters.mailRaw.map(({ friend, outcome, count }) => ({ labels: { friend, outcome }, value: count })),
    ),
    gauge(
      'copain_service_up',
      '1 while a friend reaches the service, 0 where two friends agree that it does not answer.',
      status.services.map(({ owner, service, target, state, confirmed }) => ({
        labels: { owner, service, target },
        value: state === 'up' || state === 'partial' ? 1 : state === 'down' && confirmed ? 0 : undefined,
      })),
    ),
    gauge(
      'copain_probe_success',
      '1 while this box reaches the service, 0 while it does not.',
      probes.map(({ state, labels }) => ({
        labels,
        value: state === 'unknown' ? undefined : state === 'up' ? 1 : 0,
      })),
    ),
    gauge(
      'copain_probe_duration_seconds',
      'How long the service took to answer this box.',
      probes.map(({ tookMs, labels }) => ({ labels, value: seconds(tookMs) })),
    ),
    gauge(
      'copain_takeover_active',
      '1 while a friend stands in for the service.',
      status.takeovers.map(({ owner, service }) => ({ labels: { owner, service }, value: 1 })),
    ),
    counter(
      'copain_line_bytes_total',
      'Bytes exchanged with friends.',
      counters.lineBytes.map(({ direction, bytes, ...rest }) => ({
        labels: { direction, class: rest.class },
        value: bytes,
      })),
    ),
    counter(
      'copain_friend_line_bytes_total',
      'Bytes exchanged with each friend.',
      status.friends.flatMap(({ name, line = [] }) =>
        line.flatMap(({ sentBytes, receivedBytes, ...rest }) => [
          { labels: { friend: name, direction: 'sent', class: rest.class }, value: sentBytes },
          { labels: { friend: name, direction: 'received', class: rest.class }, value: receivedBytes },
        ]),
      ),
    ),
    counter(
      'copain_refused_total',
      'What was turned away, by the step at which it was.',
      counters.refused.map(({ step, count }) => ({ labels: { step }, value: count })),
    ),
    gauge('process_resident_memory_bytes', 'Resident memory of the agent.', [
      { labels: {}, value: counters.residentMemoryBytes },
    ]),
  ].join('');
}
