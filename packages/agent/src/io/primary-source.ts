import {
  type Clock,
  equalBytes,
  formatHostPort,
  type HostPort,
  isLoopback,
  type Random,
  type Table,
} from '@copain/core';
import {
  type DomainName,
  encodeZone,
  expiresAtMs,
  type RefreshInput,
  type RefreshState,
  type SoaTimers,
  soaOf,
  soaTimers,
  startRefresh,
  stepRefresh,
  type TsigKey,
  withSerial,
  type Zone,
} from '@copain/dns';
import { type MistakenVersion, type PulledZone, type PullFact, pullZone, sha256 } from '@copain/dns/io';
import { decodeCanonical, encodeCanonical, readFields } from '@copain/trust';
import type { Logger } from 'pino';
import type { SourceContent } from '../source-content.ts';
import type { EventLog } from './event-log.ts';
import { plainAddress } from './plain-address.ts';
import { readTsigFile } from './tsig-file.ts';
import type { ZoneSource } from './zone-source.ts';

/** How it stands with the primary that a zone comes from. */
export interface PrimaryFact {
  address: HostPort;
  /** The primary's own serial of what was received last; the served one may be higher. */
  serial: number | undefined;
  checkedAtMs: number | undefined;
  nextAtMs: number;
  /** When its SOA says that what was received counts no longer, if the primary stays silent. */
  expiresAtMs: number | undefined;
  isExpired: boolean;
  failing: { sinceMs: number; why: string } | undefined;
  lastTransfer: (PullFact & { atMs: number }) | undefined;
}

/** A zone that comes from a hidden primary. */
export interface PrimarySource extends ZoneSource {
  fact(): PrimaryFact;
  /** For NOTIFYs: the key as it was read last. */
  key(): TsigKey | undefined;
  isPrimary(address: string): boolean;
  /** The primary said that there is something new. */
  notified(): void;
}

export interface PrimarySourceOptions {
  origin: DomainName;
  originText: string;
  primary: HostPort;
  /** Absolute path. */
  tsigFile: string | undefined;
  table: Table;
  clock: Clock;
  random: Random;
  /** Runs the work once there is room: so many zones are asked for at once. */
  whenFree: (work: () => Promise<void>) => Promise<void>;
  /** Something else is to be read now. */
  onChange: () => void;
  /** What is told of the primary changed. */
  onFact: () => void;
  /** A transfer came to its end. */
  onTransfer: (how: PullFact['how'] | 'failed' | 'mistaken', bytes: number) => void;
  events: EventLog;
  log: Logger;
}

const rowPrefix = 'zone-primary/';
const rowBytesMax = 256;
/** That a primary was heard is written down this often, so that EXPIRE is counted from there after a restart. */
const noteEveryMs = 60_000;
/** Timers end at the latest after this, whatever the clock does meanwhile. */
const timerMaxMs = 60_000;

/** Asks a primary for a zone when its SOA, a NOTIFY or a person says so, and gives out what came whole. */
export function primarySource(options: PrimarySourceOptions): PrimarySource {
  return new RunningSource(options);
}

class RunningSource implements PrimarySource {
  readonly name: string;
  readonly file: undefined;
  readonly #options: PrimarySourceOptions;
  readonly #stopping = new AbortController();
  #refresh: RefreshState = startRefresh();
  /** What the primary sent last, with its own serial, and the hash of it. */
  #received: { zone: Zone; contentHash: Uint8Array } | undefined;
  /** What was not taken last: transferred once, and told until the primary has another version. */
  #mistaken: MistakenVersion | undefined;
  #content: SourceContent | undefined;
  #key: TsigKey | undefined;
  #addresses: readonly string[];
  #why = '';
  #lastTransfer: PrimaryFact['lastTransfer'];
  #timer: NodeJS.Timeout | undefined;
  /** Ends when every question so far is answered, those too that wait for room. */
  #asking: Promise<void> = Promise.resolve();
  /** The question under way. */
  #pulling: Promise<void> = Promise.resolve();
  #noted: { atMs: number; serial: number } | undefined;

  constructor(options: PrimarySourceOptions) {
    this.#options = options;
    this.name = formatHostPort(options.primary);
    this.#addresses = [plainAddress(options.primary.host)];
  }

  async open(published: Zone | undefined): Promise<void> {
    const stored = await this.#stored();
    if (stored) this.#refresh = startRefresh(stored);
    const base = stored && published && sameAsReceived(published, stored);
    if (base) {
      this.#received = { zone: base, contentHash: stored.contentHash };
      this.#content = { zone: base, problems: [] };
    }
    await this.#readKey();
    this.#step({ kind: 'tick' });
  }

  async read(): Promise<SourceContent | undefined> {
    return this.#content;
  }

  async renew(): Promise<void> {
    // What is under way may have begun before what the person means.
    await this.#asking;
    this.#mistaken = undefined;
    this.#step({ kind: 'wanted', atOnce: true });
    await this.#asking;
  }

  isCurrent(): boolean {
    return !this.#refresh.isExpired;
  }

  key(): TsigKey | undefined {
    return this.#key;
  }

  isPrimary(address: string): boolean {
    return isLoopback(address) || this.#addresses.includes(address);
  }

  notified(): void {
    this.#step({ kind: 'wanted' });
  }

  fact(): PrimaryFact {
    const { checkedAtMs, nextAtMs, failingSinceMs, isExpired } = this.#refresh;
    return {
      address: this.#options.primary,
      serial: this.#received?.zone.serial,
      checkedAtMs,
      nextAtMs,
      expiresAtMs: expiresAtMs(this.#refresh),
      isExpired,
      failing: failingSinceMs === undefined ? undefined : { sinceMs: failingSinceMs, why: this.#why },
      lastTransfer: this.#lastTransfer,
    };
  }

  #step(input: RefreshInput): void {
    if (this.#stopping.signal.aborted) return;
    const { clock, random, events, originText } = this.#options;
    const [next, effects] = stepRefresh(this.#refresh, input, random.fraction(), clock.nowMs());
    this.#refresh = next;
    for (const { kind } of effects) {
      switch (kind) {
        case 'ask':
          this.#asking = this.#asking.then(() =>
            this.#options.whenFree(async () => {
              if (this.#stopping.signal.aborted) return;
              this.#pulling = this.#ask();
              await this.#pulling;
            }),
          );
          break;
        case 'failing':
          events.add(
            'zone.primary-lost',
            `${originText}: the primary ${this.name} could not be asked: ${this.#why}`,
          );
          break;
        case 'back':
          events.add('zone.primary-back', `${originText}: the primary ${this.name} answers again.`);
          break;
        case 'expired':
          events.add(
            'zone.primary-expired',
            `${originText}: the primary ${this.name} was not heard for as long as its SOA allows (EXPIRE); friends are no longer told that the zone is current.`,
          );
          break;
      }
    }
    clearTimeout(this.#timer);
    const waitMs = Math.max(0, next.nextAtMs - clock.nowMs());
    if (!next.isAsking)
      this.#timer = setTimeout(() => this.#step({ kind: 'tick' }), Math.min(timerMaxMs, waitMs)).unref();
    this.#options.onFact();
  }

  /** Reads the key anew each time, so that a changed one needs no restart. */
  async #readKey(): Promise<string | undefined> {
    const { tsigFile } = this.#options;
    if (tsigFile === undefined) return undefined;
    const read = await readTsigFile(tsigFile);
    if ('why' in read) return read.why;
    this.#key = read;
    return undefined;
  }

  async #ask(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      const why = await this.#readKey();
      const { primary, origin } = this.#options;
      const resolved = (hosts: readonly string[]): void => {
        this.#addresses = hosts.map(plainAddress);
      };
      const pulled: PulledZone =
        why === undefined
          ? await pullZone({
              primary,
              origin,
              key: this.#key,
              have: this.#received?.zone,
              mistaken: this.#mistaken,
              signal,
              resolved,
            })
          : { kind: 'failed', why };
      if (!signal.aborted) await this.#take(pulled);
    } catch (error) {
      this.#options.log.error(
        { origin: this.#options.originText, err: error },
        'a primary could not be asked',
      );
      this.#failed('a fault of this program; see the log');
    }
  }

  async #take(pulled: PulledZone): Promise<void> {
    const { log, originText, onTransfer, clock } = this.#options;
    switch (pulled.kind) {
      case 'current':
        this.#mistaken = undefined;
        if (this.#content?.zone === undefined && this.#received)
          this.#give({ zone: this.#received.zone, problems: [] });
        return await this.#checked(soaTimers(pulled.soa));
      case 'zone': {
        const { zone, content, fact } = pulled;
        this.#mistaken = undefined;
        this.#received = { zone, contentHash: sha256(content) };
        this.#lastTransfer = { ...fact, atMs: clock.nowMs() };
        log.info({ zone: originText, primary: this.name, ...fact }, 'a zone was received');
        onTransfer(fact.how, fact.bytes);
        this.#give({ zone, problems: [], content });
        return await this.#checked(soaTimers(soaOf(zone)));
      }
      case 'mistaken':
        this.#mistaken = { serial: pulled.serial, problems: pulled.problems };
        if (pulled.isKnown) return this.#failed('what it has is not taken: it has mistakes');
        onTransfer('mistaken', 0);
        this.#give({ zone: undefined, problems: pulled.problems });
        return this.#failed('what it sent is not taken: it has mistakes');
      case 'failed':
        onTransfer('failed', 0);
        return this.#failed(pulled.why);
    }
  }

  #give(content: SourceContent): void {
    this.#content = content;
    this.#options.onChange();
  }

  #failed(why: string): void {
    if (why !== this.#why || this.#refresh.failures === 0)
      this.#options.log.warn(
        { zone: this.#options.originText, primary: this.name, why },
        'a primary could not be asked',
      );
    this.#why = why;
    this.#step({ kind: 'failed' });
  }

  async #checked(timers: SoaTimers): Promise<void> {
    this.#step({ kind: 'checked', timers });
    const nowMs = this.#options.clock.nowMs();
    const noted = this.#noted;
    const isSame = noted !== undefined && noted.serial === this.#received?.zone.serial;
    if (!isSame || Math.abs(nowMs - noted.atMs) >= noteEveryMs) await this.#note(timers, nowMs);
  }

  /** Never rejects: that a full disk takes no note is no fault of the primary, and after a restart it is asked at once. */
  async #note({ refreshS, retryS, expireS }: SoaTimers, nowMs: number): Promise<void> {
    if (this.#received === undefined) return;
    const { table, originText, log } = this.#options;
    const { zone, contentHash: content } = this.#received;
    const at = Math.round(nowMs);
    const value = encodeCanonical({ serial: zone.serial, content, at, refreshS, retryS, expireS });
    try {
      await table.write([{ key: rowPrefix + originText, value }]);
      this.#noted = { atMs: nowMs, serial: zone.serial };
    } catch (error) {
      log.warn({ zone: originText, err: error }, 'what a primary sent could not be noted');
    }
  }

  async #stored(): Promise<StoredPrimary | undefined> {
    const stored = await this.#options.table.get(rowPrefix + this.#options.originText);
    if (stored === undefined) return undefined;
    const fields = readFields(decodeCanonical(stored, rowBytesMax));
    const seconds = (name: string): number => fields.integer(name, 0, 0xffffffff);
    const row = {
      serial: seconds('serial'),
      contentHash: fields.bytes('content', 32, 32),
      checkedAtMs: fields.integer('at', 0, Number.MAX_SAFE_INTEGER),
      timers: { refreshS: seconds('refreshS'), retryS: seconds('retryS'), expireS: seconds('expireS') },
    };
    return fields.ok ? row : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    // What waits for room ends as soon as it has some.
    await this.#pulling;
  }
}

/** What the last run received, as the hash of its content; the content is what was published, under this serial. */
interface StoredPrimary {
  serial: number;
  contentHash: Uint8Array;
  checkedAtMs: number;
  timers: SoaTimers;
}

/** The published zone as it was received; undefined where it is another one by now. */
function sameAsReceived(published: Zone, { serial, contentHash }: StoredPrimary): Zone | undefined {
  if (published.signed && published.serial !== serial) return undefined;
  const zone = published.serial === serial ? published : withSerial(published, serial);
  return equalBytes(sha256(encodeZone(zone)), contentHash) ? zone : undefined;
}
