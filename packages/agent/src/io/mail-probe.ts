import { type Clock, type FrameStream, parseHostPort, type Random } from '@copain/core';
import {
  type MailDoor,
  noProbes,
  type ProbeEffect,
  type ProbeInput,
  type ProbeOutcome,
  type ProbeRow,
  type Probes,
  probeAddressesMax,
  type SeenTls,
  stepProbes,
} from '@copain/mail';
import { askDoor, type Mail, probeSmtp } from '@copain/mail/io';
import { type MxHost, type ProbeAddress, probeAddresses } from '../probe-addresses.ts';
import type { MailLookups } from './mail-lookups.ts';

/** What was seen of a backup when it was asked last. */
export interface SeenBackup {
  door: MailDoor;
  /** The name by which it was asked, undefined where no MX record leads there. */
  serverName: string | undefined;
  tls: SeenTls | undefined;
}

/** Asks friends who take our mail whether they do, as a stranger would, and sends canaries through them. */
export interface MailProbe {
  /** Every second. */
  tick(): void;
  /** Has everybody asked now; resolves once they were, or time is up. */
  askNow(): Promise<void>;
  rows(): readonly ProbeRow[];
  seen(domain: string, peer: string): SeenBackup | undefined;
}

/** Backups come and go seldom: the list is made anew so often. */
const targetsEveryMs = 5000;

/** How long somebody at the command line waits for all backups. */
const askNowMs = 75_000;
const doorWithinMs = 10_000;

export function startMailProbe(options: {
  clock: Clock;
  random: Random;
  mail: Pick<Mail, 'canaries' | 'refusedAtMs'>;
  lookups: MailLookups;
  /** For EHLO. */
  hostname: () => string;
  allowPrivate: () => boolean;
  /** Friends' boxes that are heard now and take mail of a domain of ours. */
  backups: () => readonly { peer: string; domain: string }[];
  /** Can what a backup holds come to this box only? */
  isOnlyMailBox: () => boolean;
  /** `host:port` of the mesh where a friend's box can be dialled. */
  addressesOf: (peer: string) => readonly string[];
  open(peer: string, signal: AbortSignal): Promise<FrameStream>;
  /** Aborted when the box stops. */
  stopping: AbortSignal;
  /** Told with each change that people may see. */
  changed(): void;
}): MailProbe {
  const { clock, random, mail, lookups, stopping } = options;
  const seen = new Map<string, SeenBackup>();
  const watchers = new Set<() => void>();
  let state: Probes = noProbes;
  let nextTargetsAtMs = 0;

  const keyOf = ({ domain, peer }: { domain: string; peer: string }): string => `${domain} ${peer}`;

  const take = (input: ProbeInput): void => {
    const before = state;
    const [after, effects] = stepProbes(state, input, clock.nowMs());
    state = after;
    if (stopping.aborted) return;
    for (const effect of effects)
      void carryOut(effect).then(take, (error: unknown) => take(failed(effect, error)));
    if (after === before) return;
    if (input.kind !== 'tick') options.changed();
    for (const watcher of watchers) watcher();
  };

  const failed = (effect: ProbeEffect, error: unknown): ProbeInput => {
    const text = error instanceof Error ? error.message : String(error);
    const fraction = random.fraction();
    return effect.kind === 'canary'
      ? { kind: 'notSent', text, fraction }
      : { kind: 'probed', outcome: { kind: 'unknown', text, address: '' }, fraction };
  };

  const addressesFor = async (
    domain: string,
    peer: string,
  ): Promise<{ door: MailDoor; all: ProbeAddress[] }> => {
    const signal = AbortSignal.timeout(doorWithinMs);
    const stream = await options.open(peer, signal);
    const door = await askDoor(stream);
    await stream.end();
    const { records = [] } = await lookups.mx(domain);
    const mx: MxHost[] = [];
    for (const one of records)
      mx.push({ ...one, addresses: (await lookups.addresses(one.exchange)).records });
    const hosts = options.addressesOf(peer).flatMap((text) => parseHostPort(text)?.host ?? []);
    return { door, all: probeAddresses({ mx, door, hosts, allowPrivate: options.allowPrivate() }) };
  };

  /** The first address that answers in SMTP decides; the others are for when it is silent. */
  const probe = async (effect: ProbeEffect): Promise<ProbeInput> => {
    const { domain, peer } = effect;
    const { door, all } = await addressesFor(domain, peer);
    let outcome: ProbeOutcome = {
      kind: 'unknown',
      text:
        door.shared.length === 0
          ? 'he takes no mail from strangers ([smtp] listen is empty)'
          : 'no MX record leads to him, and he listens at no address that can be tried',
      address: '',
    };
    seen.set(keyOf(effect), { door, serverName: all[0]?.serverName, tls: undefined });
    for (const { address, serverName } of all.slice(0, probeAddressesMax)) {
      const to = `postmaster@${domain}`;
      const askedAtMs = clock.nowMs();
      const said = await probeSmtp({ address, serverName, hostname: options.hostname(), to }, stopping);
      // Whether it was our own server that refused is known here, and nobody else's word is needed for it.
      const isOurs = said.outcome.kind === 'refused' && (mail.refusedAtMs(to) ?? 0) >= askedAtMs;
      outcome = isOurs ? { ...said.outcome, kind: 'passed' } : said.outcome;
      if (outcome.kind === 'silent') continue;
      seen.set(keyOf(effect), { door, serverName, tls: said.tls });
      break;
    }
    return { kind: 'probed', outcome, fraction: random.fraction() };
  };

  const sendCanary = async ({ domain, peer }: ProbeEffect): Promise<ProbeInput> => {
    const fraction = random.fraction();
    const { all } = await addressesFor(domain, peer);
    // Through an address of our own it would go to our mail server, and into a mailbox.
    const way = all.find(({ raw }) => !raw);
    if (way === undefined)
      return { kind: 'notSent', text: 'he has no address that is not ours alone', fraction };
    const { token, address: to, message } = await mail.canaries.create(domain, peer);
    const atMs = clock.nowMs();
    const { address, serverName } = way;
    const hostname = options.hostname();
    const { outcome } = await probeSmtp({ address, serverName, hostname, to, message }, stopping);
    return outcome.kind === 'accepted'
      ? { kind: 'sent', token, atMs, fraction }
      : { kind: 'notSent', text: outcome.text, fraction };
  };

  const carryOut = (effect: ProbeEffect): Promise<ProbeInput> =>
    effect.kind === 'probe' ? probe(effect) : sendCanary(effect);

  const targets = (): void => {
    const all = options.backups().map(({ domain, peer }) => {
      const canaryAtMs = mail.canaries.lastSentAtMs(domain, peer);
      return { domain, peer, canaryAtMs };
    });
    const names = all.map(keyOf).join('\n');
    if (names === state.rows.map(keyOf).join('\n')) return;
    take({ kind: 'targets', targets: all, fractions: all.map(() => random.fraction()) });
  };

  const tick = (): void => {
    const nowMs = clock.nowMs();
    if (nowMs >= nextTargetsAtMs) {
      nextTargetsAtMs = nowMs + targetsEveryMs;
      targets();
    }
    for (const { canary } of state.rows) {
      const came = canary?.kind === 'sent' ? mail.canaries.arrival(canary.token) : undefined;
      if (canary?.kind === 'sent' && came !== undefined)
        take({ kind: 'arrived', token: canary.token, intact: came.intact, atMs: came.atMs });
    }
    take({ kind: 'tick', fraction: random.fraction(), canaries: options.isOnlyMailBox() });
  };

  return {
    tick,
    askNow: async () => {
      targets();
      const sinceMs = clock.nowMs();
      const untilMs = performance.now() + askNowMs;
      take({ kind: 'now' });
      take({ kind: 'tick', fraction: random.fraction(), canaries: false });
      const isOpen = (): boolean =>
        state.rows.some(({ probe: last }) => last === undefined || last.atMs < sinceMs);
      while (isOpen() && performance.now() < untilMs) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.max(1, untilMs - performance.now()));
          const wake = (): void => {
            clearTimeout(timer);
            watchers.delete(wake);
            resolve();
          };
          watchers.add(wake);
        });
        take({ kind: 'tick', fraction: random.fraction(), canaries: false });
      }
    },
    rows: () => state.rows,
    seen: (domain, peer) => seen.get(keyOf({ domain, peer })),
  };
}
