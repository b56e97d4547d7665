import { lookup } from 'node:dns/promises';
import { addAbortListener } from 'node:events';
import { isIP } from 'node:net';
import { formatHostPort, type HostPort } from '@copain/core';
import { primaryAddressesMax } from '../limits.ts';
import type { ResourceRecord, ZoneProblem } from '../master-file.ts';
import type { DomainName } from '../name.ts';
import { receivedZone } from '../received-zone.ts';
import type { TsigKey } from '../tsig-record.ts';
import type { Zone } from '../zone.ts';
import { soaOf } from '../zone-changes.ts';
import { serialOf } from '../zone-journal.ts';
import { replayChanges } from '../zone-replay.ts';
import { isNewerSerial } from '../zone-serial.ts';
import { findSoa, type PrimaryClientLimits, type PrimaryToAsk, transferFrom } from './primary-client.ts';

/** How a zone came. `bytes` counts every attempt, `why` says why it was not a shorter one. */
export interface PullFact {
  how: 'axfr' | 'ixfr';
  bytes: number;
  tookMs: number;
  fromSerial: number | undefined;
  serial: number;
  why: string | undefined;
}

/**
 * What a primary was found to have. `current`: nothing but what is here. `zone`: another version. `mistaken`: one that is
 * no zone, which is not taken; `isKnown`: the one that was transferred before, which is not done again. `failed`: it could not be had; `why` is for people.
 */
export type PulledZone =
  | { kind: 'current'; soa: ResourceRecord }
  | { kind: 'zone'; zone: Zone; content: Uint8Array; fact: PullFact }
  | ({ kind: 'mistaken'; isKnown: boolean } & MistakenVersion)
  | { kind: 'failed'; why: string };

/** A version of the primary's that is no zone, by the serial that it says it has. */
export interface MistakenVersion {
  serial: number;
  problems: ZoneProblem[];
}

export interface PullOptions {
  /** An address or a name, which is looked up anew each time; each of its addresses is asked until one has the zone. */
  primary: HostPort;
  origin: DomainName;
  key: TsigKey | undefined;
  /** What was received last, with the primary's own serial; changes are asked for on top of it. */
  have: Zone | undefined;
  /** The version that was not taken last. */
  mistaken?: MistakenVersion | undefined;
  signal: AbortSignal;
  /** The name leads to these addresses now. */
  resolved?: (addresses: readonly string[]) => void;
  /** The addresses of a name: those that this machine knows, unless a test has its own. */
  resolve?: (host: string) => Promise<string[]>;
  limits?: Partial<PrimaryClientLimits>;
}

/**
 * Asks a primary for its SOA and, where that is another than what is here, for what changed (RFC 1995), or where that
 * does not help, for the whole zone (RFC 5936). What comes is taken as a whole or not at all. Never rejects.
 */
export async function pullZone(options: PullOptions): Promise<PulledZone> {
  const { primary, origin, key, signal, limits = {} } = options;
  const hosts = await addressesOf(options);
  if (hosts.length === 0) return { kind: 'failed', why: `the name ${primary.host} has no address now` };
  options.resolved?.(hosts);
  const whys: string[] = [];
  for (const host of hosts.slice(0, primaryAddressesMax)) {
    const asked = { address: { host, port: primary.port }, origin, key, signal, limits };
    const found = await findSoa(asked);
    if (found.kind === 'soa') return await pullFrom(asked, found.soa, options);
    whys.push(hosts.length === 1 ? found.why : `${host}: ${found.why}`);
  }
  return { kind: 'failed', why: whys.join('; ') };
}

/** None where the name has none, or `signal` ends the waiting: a resolver that is not there takes many seconds. */
async function addressesOf({ primary, signal, resolve = resolveName }: PullOptions): Promise<string[]> {
  const { host } = primary;
  if (isIP(host.split('%')[0] ?? '') !== 0) return [host];
  const { promise: stopped, resolve: stop } = Promise.withResolvers<string[]>();
  using _ = addAbortListener(signal, () => stop([]));
  return await Promise.race([resolve(host).catch(() => []), stopped]);
}

async function resolveName(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

async function pullFrom(
  asked: PrimaryToAsk,
  soa: ResourceRecord,
  { have, mistaken }: PullOptions,
): Promise<PulledZone> {
  const serial = serialOf(soa);
  if (mistaken?.serial === serial) return { ...mistaken, kind: 'mistaken', isKnown: true };
  if (have?.serial === serial) return { kind: 'current', soa };
  const startMs = performance.now();
  let spentBytes = 0;
  let whyWhole: string | undefined;
  // Of a primary whose serial went back there are no changes to be had.
  if (have && isNewerSerial(serial, have.serial) === true) {
    const { progress, bytes } = await transferFrom(asked, { type: 'IXFR', since: soaOf(have) });
    spentBytes += bytes;
    const fact = (): PullFact => ({
      how: progress.kind === 'changes' ? 'ixfr' : 'axfr',
      bytes: spentBytes,
      tookMs: performance.now() - startMs,
      fromSerial: have.serial,
      serial,
      why: undefined,
    });
    if (progress.kind === 'current') return { kind: 'current', soa: soaOf(have) };
    if (progress.kind === 'whole') return taken(asked, progress.records, fact());
    if (progress.kind === 'changes') {
      const replayed = replayChanges(have, progress.steps);
      if (replayed.kind === 'zone') return taken(asked, replayed.zone, fact());
      whyWhole = `the changes do not fit: ${replayed.why}`;
    } else whyWhole = progress.why;
  }
  const { progress, bytes } = await transferFrom(asked, { type: 'AXFR' });
  spentBytes += bytes;
  if (progress.kind === 'whole') {
    const tookMs = performance.now() - startMs;
    const fromSerial = have?.serial;
    return taken(asked, progress.records, {
      how: 'axfr',
      bytes: spentBytes,
      tookMs,
      fromSerial,
      serial,
      why: whyWhole,
    });
  }
  return { kind: 'failed', why: 'why' in progress ? progress.why : 'it answered AXFR with something else' };
}

/** What came, once it is held to what files are held to. */
function taken(
  { address, origin }: PrimaryToAsk,
  sent: readonly ResourceRecord[] | Zone,
  fact: PullFact,
): PulledZone {
  const received = receivedZone({ source: formatHostPort(address), origin, sent });
  if (received.kind === 'mistaken') return { ...received, isKnown: false, serial: fact.serial };
  const { zone, content } = received;
  return { kind: 'zone', zone, content, fact: { ...fact, serial: zone.serial } };
}
