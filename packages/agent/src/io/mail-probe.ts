import { type Clock, type FrameStream, type HostPort, parseHostPort, type Random, toHex } from '@copain/core';
import {
  canaryAddress,
  canaryTokenBytes,
  type MailDoor,
  noProbes,
  type ProbeEffect,
  type ProbeInput,
  type ProbeOutcome,
  type ProbeRow,
  type Probes,
  probeAddressesMax,
  stepProbes,
} from '@copain/mail';
import { askDoor, type Mail, probeSmtp } from '@copain/mail/io';
import { type MxHost, type ProbeAddress, probeAddresses } from '../probe-addresses.ts';
import type { MailLookups } from './mail-lookups.ts';
import { type SeenBackup, seenBackups } from './seen-backups.ts';

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
  mail: Pick<Mail, 'canaries' | 'refusedAtMs' | 'declineRaw' | 'rawPassedAtMs'>;
  lookups: MailLookups;
  /** For EHLO. */
  hostname: () => string;
  allowPrivate: () => boolean;
  /** Friends' boxes that are heard now and take mail of a domain of ours. */
  backups: () => readonly { peer: string; domain: string }[];
  /** Do other boxes of ours take mail too? */
  hasOtherBoxes: () => boolean;
  /** `host:port` of the mesh where a friend's box can be dialled. */
  addressesOf: (peer: string) => readonly string[];
  open(peer: string, signal: AbortSignal): Promise<FrameStream>;
  /** Aborted when the box stops. */
  stopping: AbortSignal;
  /** Told with each change that people may see. */
  changed(): void;
}): MailProbe {
  const { clock, random, mail, lookups, stopping } = options;
  const seen = seenBackups();
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

  /**
   * Where another box of ours may have heard the question it is told apart by an address that our boxes have friends hold:
   * does the backup take mail for that one?
   */
  const holdsBeside = async (
    domain: string,
    address: HostPort,
    serverName: string | undefined,
  ): Promise<boolean> => {
    if (!options.hasOtherBoxes()) return false;
    const to = canaryAddress(toHex(random.bytes(canaryTokenBytes)), domain);
    const said = await probeSmtp({ address, serverName, hostname: options.hostname(), to }, stopping);
    return said.outcome.kind === 'accepted';
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
    seen.note(effect, { door, serverName: all[0]?.serverName, tls: undefined });
    for (const { address, serverName, raw } of all.slice(0, probeAddressesMax)) {
      const to = `postmaster@${domain}`;
      const askedAtMs = clock.nowMs();
      const said = await probeSmtp({ address, serverName, hostname: options.hostname(), to }, stopping);
      // Whether it was our own server that refused is known here, and nobody else's word is needed for it.
      const heardAtMs = Math.max(mail.refusedAtMs(to) ?? 0, raw ? mail.rawPassedAtMs() : 0);
      const isOurs =
        said.outcome.kind === 'refused' &&
        (heardAtMs >= askedAtMs || (await holdsBeside(domain, address, serverName)));
      outcome = isOurs ? { ...said.outcome, kind: 'passed' } : said.outcome;
      if (outcome.kind === 'silent') continue;
      seen.note(effect, { door, serverName, tls: said.tls });
      break;
    }
    return { kind: 'probed', outcome, fraction: random.fraction() };
  };

  const sendCanary = async ({ domain, peer }: ProbeEffect): Promise<ProbeInput> => {
    const fraction = random.fraction();
    const { door, all } = await addressesFor(domain, peer);
    const way = all.find(({ raw }) => !raw) ?? all[0];
    if (way === undefined) return { kind: 'notSent', text: 'he has no address that can be tried', fraction };
    // At an address that is ours alone our mail server would have it, so no connection is taken over meanwhile; and it is
    // sent to nobody but him, since another box of ours may have taken this one.
    using _ = way.raw ? mail.declineRaw() : undefined;
    const greeter = way.raw ? door.hostname : undefined;
    const { token, address: to, message } = await mail.canaries.create(domain, peer);
    const atMs = clock.nowMs();
    const { address, serverName } = way;
    const hostname = options.hostname();
    const { outcome } = await probeSmtp({ address, serverName, hostname, to, greeter, message }, stopping);
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
    take({ kind: 'tick', fraction: random.fraction(), canaries: true });
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
    seen: (domain, peer) => seen.of(domain, peer),
  };
}
