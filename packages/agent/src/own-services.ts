import { nameOf, parseIpv4, parseIpv6, RecordType } from '@copain/dns';
import type { ServiceEntry, ServicesRecord, StandbySet } from '@copain/trust';
import type { ServiceConfig, StandbyConfig } from './config-service.ts';

/** A number of this or a later transition that answers the owner's own address. */
const homeFrom = (number: number): number => number + (number % 2);

/** The records of these standbys, as friends will answer them. */
export function standbySets(standby: readonly StandbyConfig[]): StandbySet[] {
  const data = (kind: StandbyConfig['at']['kind']): Uint8Array[] =>
    standby.flatMap(({ at }) => (at.kind === kind ? [dataOf(at)] : []));
  const sets = [
    { type: RecordType.A, data: data('ipv4') },
    { type: RecordType.AAAA, data: data('ipv6') },
    { type: RecordType.SRV, data: data('srv') },
  ];
  return sets.flatMap((set) => (set.data.length === 0 ? [] : [{ ...set, signatures: [] }]));
}

function dataOf(at: StandbyConfig['at']): Uint8Array {
  if (at.kind !== 'srv') return (at.kind === 'ipv4' ? parseIpv4 : parseIpv6)(at.address) ?? new Uint8Array();
  const target = nameOf(at.host);
  // RFC 2782: priority and weight play no part where there is one target.
  return Uint8Array.of(0, 0, 0, 0, at.port >> 8, at.port & 255, ...target);
}

/** What becomes of a service's number when the configuration or a command of its owner changes it. */
export interface ServiceChange {
  /** The transition in force, by service; what is not named is at what the record says. */
  inForce: ReadonlyMap<string, number>;
  /** Sign at least this number. */
  orders?: ReadonlyMap<string, number>;
  /** Begin rehearsals, or with undefined end them. */
  drills?: ReadonlyMap<string, { untilMs: number } | undefined>;
}

/** A service as it is wanted: all that the owner's word says but its numbers. */
export type WantedService = Omit<ServiceEntry, 'number' | 'drill'>;

/** All of a wanted service but the number and the rehearsal. */
export function wantedService(
  config: ServiceConfig,
  { zone, standby, sets }: { zone: string; standby: string; sets: StandbySet[] },
): WantedService {
  const { name, record, check, ttlS, afterMs, maxMs, holdMs, pin } = config;
  return { name, zone, record, standby, check, ttlS, sets, afterMs, maxMs, holdMs, pin };
}

/**
 * The next word of an owner about his services. Numbers never fall: a service that is new, or that its owner lets go again,
 * begins at home, above all that was ever in force; one that is no more leaves its number behind in its zone.
 */
export function nextServices(
  before: Pick<ServicesRecord, 'services' | 'ended'>,
  wanted: readonly WantedService[],
  { inForce, orders, drills }: ServiceChange,
): Pick<ServicesRecord, 'services' | 'ended'> {
  const services = wanted.map((one): ServiceEntry => {
    const known = before.services.find(({ name }) => name === one.name);
    const now = Math.max(known?.number ?? 0, inForce.get(one.name) ?? 0);
    const isPinnedAnew = known !== undefined && known.pin !== one.pin && one.pin !== 'down';
    const isNew = known === undefined || known.zone !== one.zone;
    const order = orders?.get(one.name) ?? 0;
    const hasDrill = drills?.has(one.name) === true;
    const drill = hasDrill ? drills?.get(one.name) : known?.drill;
    // A rehearsal begins above all that was in force, which may be friends' word alone; its end is above what it did.
    const least = isPinnedAnew || isNew || hasDrill ? homeFrom(now) : (known?.number ?? 0);
    return { ...one, number: Math.max(least, order), drill };
  });
  const ended = new Map(before.ended.map(({ zone, number }) => [zone, number]));
  for (const { name, zone, number } of before.services) {
    const stays = wanted.find((one) => one.name === name);
    if (stays?.zone === zone) continue;
    const last = homeFrom(Math.max(number, inForce.get(name) ?? 0));
    ended.set(zone, (ended.get(zone) ?? 0) + last);
  }
  return { services, ended: [...ended].map(([zone, number]) => ({ zone, number })) };
}
