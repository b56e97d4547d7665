import type { NameOverlay } from '@copain/dns';
import { type Certified, type ServiceStanding, serviceStanding } from '@copain/liveness';
import {
  type CanonicalValue,
  decodeCanonical,
  encodeCanonical,
  readFields,
  type ServiceEntry,
} from '@copain/trust';
import { type Knowledge, recordsOf, serviceKey } from './known-records.ts';

/** A service that is known here, and what friends certified of it last. */
export interface KnownService {
  key: string;
  /** The owner's box that signed it. */
  about: string;
  ownerId: string;
  entry: ServiceEntry;
  certified: (Certified & { voters: string[] }) | undefined;
}

/** What this box remembers of a service, so that what was agreed stays whatever records it loses. */
export interface ServiceMemory {
  number: number;
  /** When this box began to answer so. */
  sinceMs: number;
  certified: Certified | undefined;
  /** When takeovers of the last day began. */
  swapsAtMs: number[];
}

/** A service of the circle, and who is answered for it here. */
export interface ServiceNow extends KnownService {
  standing: ServiceStanding;
  sinceMs: number;
  swapsAtMs: readonly number[];
}

/** One zone's part in takeovers. */
export interface ZoneOverlay {
  /** By how much the served serial is above the version's. */
  steps: number;
  names: NameOverlay[];
}

/** All services of the circle that stand, by the records of their owners. */
export function knownServices(knowledge: Knowledge): KnownService[] {
  return recordsOf(knowledge, 'services').flatMap(({ signed: { signer: about, record } }) => {
    const ownerId = knowledge.roster.ownerOf.get(about);
    if (ownerId === undefined) return [];
    return record.services.map((entry): KnownService => {
      const key = serviceKey(about, entry.name);
      const found = knowledge.records.get(`takeover/${key}`);
      const signed = found?.kind === 'takeover' ? found.signed : undefined;
      const certified = signed && {
        number: signed.record.number,
        atMs: Math.max(...signed.votes.map((vote) => vote.record.atMs)),
        voters: signed.votes.map((vote) => vote.signer),
      };
      return { key, about, ownerId, entry, certified };
    });
  });
}

/** Which transition of a service is in force, by what is known and what this box remembers. */
function standingOf(
  { entry, certified }: KnownService,
  memory: ServiceMemory | undefined,
  nowMs: number,
): ServiceStanding {
  const newest =
    (certified?.number ?? 0) >= (memory?.certified?.number ?? 0)
      ? (certified ?? memory?.certified)
      : memory?.certified;
  return serviceStanding(entry, newest, { maxMs: entry.maxMs, reached: memory?.number ?? 0 }, nowMs);
}

/** What is to be remembered, now that this transition is in force; the same where nothing changed. */
function nextMemory(
  { certified }: KnownService,
  before: ServiceMemory | undefined,
  { number, by }: ServiceStanding,
  nowMs: number,
): ServiceMemory {
  const isNewer = (certified?.number ?? 0) > (before?.certified?.number ?? 0);
  if (before?.number === number && !isNewer) return before;
  const swapsAtMs = before?.swapsAtMs ?? [];
  const isSwap = by === 'friends' && number % 2 === 1 && number > (before?.number ?? 0);
  return {
    number,
    sinceMs: before?.number === number ? before.sinceMs : nowMs,
    certified: isNewer && certified ? { number: certified.number, atMs: certified.atMs } : before?.certified,
    swapsAtMs: isSwap ? [...swapsAtMs, nowMs].slice(-swapsRemembered) : swapsAtMs,
  };
}

/** Ended services of one box, and zones of one owner that have none any more, of which a number is still remembered. */
export const endedServicesMax = 64;

/**
 * What is remembered of services that no record names any more, and may be forgotten: a friend who signs ever new names must
 * not fill everybody's disk. Of each box or owner (what stands before the `/`) the last `endedServicesMax` of `keys` stay.
 */
export function forgettable(keys: Iterable<string>, named: { has(key: string): boolean }): string[] {
  const ended = [...keys].filter((key) => !named.has(key));
  const byWhom = Map.groupBy(ended, (key) => key.slice(0, key.indexOf('/')));
  return [...byWhom.values()].flatMap((some) => some.slice(0, -endedServicesMax));
}

/** All services as they stand now, each with what is to be remembered of it, by what this box remembered so far. */
export function servicesNow(
  knowledge: Knowledge,
  memories: ReadonlyMap<string, ServiceMemory>,
  nowMs: number,
): (ServiceNow & { memory: ServiceMemory })[] {
  return knownServices(knowledge).map((service) => {
    const before = memories.get(service.key);
    const standing = standingOf(service, before, nowMs);
    const memory = nextMemory(service, before, standing, nowMs);
    return { ...service, standing, memory, sinceMs: memory.sinceMs, swapsAtMs: memory.swapsAtMs };
  });
}

/** More than are ever counted. */
const swapsRemembered = 8;

export const zoneOverlayKey = (ownerId: string, zone: string): string => `${ownerId}/${zone}`;

/**
 * What each zone answers on account of its services: the sum of all transitions, of services that are no more too, and the
 * names that a standby has now. The sum is the same on every box that knows the same, and only rises.
 */
export function zoneOverlays(
  knowledge: Knowledge,
  services: readonly (KnownService & { standing: ServiceStanding })[],
): Map<string, ZoneOverlay> {
  const overlays = new Map<string, ZoneOverlay>();
  const at = (ownerId: string, zone: string): ZoneOverlay => {
    const key = zoneOverlayKey(ownerId, zone);
    const overlay = overlays.get(key) ?? { steps: 0, names: [] };
    overlays.set(key, overlay);
    return overlay;
  };
  for (const { signed } of recordsOf(knowledge, 'services')) {
    const ownerId = knowledge.roster.ownerOf.get(signed.signer) ?? '';
    for (const { zone, number } of signed.record.ended) at(ownerId, zone).steps += number;
  }
  for (const { ownerId, entry, standing } of services) {
    const overlay = at(ownerId, entry.zone);
    overlay.steps += standing.number;
    const { record, ttlS, sets } = entry;
    if (standing.onStandby) overlay.names.push({ record, ttlS, sets });
  }
  return overlays;
}

export function encodeServiceMemory({ number, sinceMs, certified, swapsAtMs }: ServiceMemory): Uint8Array {
  const value: CanonicalValue = {
    number,
    since: Math.round(sinceMs),
    certified: certified && { number: certified.number, at: Math.round(certified.atMs) },
    swaps: swapsAtMs.map(Math.round),
  };
  return encodeCanonical(value);
}

/** Undefined where the bytes are none: what is known by records counts then. */
export function decodeServiceMemory(bytes: Uint8Array): ServiceMemory | undefined {
  const most = Number.MAX_SAFE_INTEGER;
  const fields = readFields(decodeCanonical(bytes, 1024));
  const inner = fields.has('certified') ? readFields(fields.value('certified')) : undefined;
  const memory: ServiceMemory = {
    number: fields.integer('number', 0, most),
    sinceMs: fields.integer('since', 0, most),
    certified: inner && { number: inner.integer('number', 0, most), atMs: inner.integer('at', 0, most) },
    swapsAtMs: fields.list('swaps', swapsRemembered).flatMap((one) => (typeof one === 'number' ? [one] : [])),
  };
  return fields.ok && inner?.ok !== false ? memory : undefined;
}
