import { type Clock, CommandError, ExitCode } from '@copain/core';
import { addressesIn, nameServersOf } from '@copain/dns';
import { querySoa } from '@copain/dns/io';
import type { StatusDocument } from '@copain/status';
import type { ServiceNow } from '../known-services.ts';
import type { OwnServices } from './own-services.ts';
import type { TakeoverWatch } from './takeover-watch.ts';
import type { Takeovers } from './takeovers.ts';
import type { Zones } from './zones.ts';

/** What a rehearsal of one service showed. */
export interface DrillReport {
  service: string;
  name: string;
  standby: string;
  /** By who answers the zone: how long until he said that he answers it so, and home again; null: he did not. */
  friends: { name: string; thereAfterMs: number | null; homeAfterMs: number | null }[];
  /** What the zone's name servers answered meanwhile. `other`: another serial; `silent`: not reached from here. */
  servers: { server: string; answered: 'standby' | 'other' | 'silent' }[];
  /** Tries of the service at the standby's address. */
  tries: { up: number; down: number; why: string | null };
  held: boolean;
}

interface DrillParts {
  self: string;
  clock: Clock;
  takeovers: Takeovers;
  own: OwnServices;
  watch: Pick<TakeoverWatch, 'tryStandby'>;
  zones: Pick<Zones, 'content'>;
  ownerNamed: (name: string) => string | undefined;
  nameOf: (ownerId: string) => string;
  status: () => StatusDocument;
  /** Resolves after a change of anything the status shows, or after so many ms. */
  changed: (withinMs: number, signal: AbortSignal) => Promise<void>;
}

/** Whoever has not said by then that he answers it is reported so. */
const sayWithinMs = 30_000;
const tryEveryMs = 15_000;
const askTimeoutMs = 2000;

/**
 * Has friends answer the standby of our services for so long, with real answers, and tells what held. However it ends, the
 * services are home then: by our word at once, or without us when the time is over. Throws CommandError (65) where there is
 * nothing to rehearse.
 */
export async function runDrill(
  parts: DrillParts,
  { friend, forMs }: { friend: string | undefined; forMs: number },
  { progress, signal }: { progress: (text: string) => void; signal: AbortSignal },
): Promise<DrillReport[]> {
  const { clock, takeovers, own } = parts;
  const services = rehearsable(parts, friend);
  const names = services.map(({ entry }) => entry.name);
  const startedAtMs = clock.nowMs();
  const untilMs = Math.round(startedAtMs + forMs);
  const all = <T>(value: T): Map<string, T> => new Map(names.map((name) => [name, value]));
  const reports = new Map(services.map((service) => [service.key, emptyReport(parts, service)]));
  const zoneOf = ({ entry }: ServiceNow) => parts.status().zones.find(({ origin }) => origin === entry.zone);

  /** Waits for everybody's word, or for its time. */
  const awaitWord = async (field: 'thereAfterMs' | 'homeAfterMs', stop: AbortSignal): Promise<void> => {
    const fromMs = clock.nowMs();
    for (;;) {
      for (const service of services) {
        const zone = zoneOf(service);
        for (const one of reports.get(service.key)?.friends ?? []) {
          const serial = zone?.friends.find(({ name }) => name === one.name)?.serial;
          if (one[field] === null && zone?.serial !== null && serial === zone?.serial)
            one[field] = Math.round(clock.nowMs() - fromMs);
        }
      }
      const open = [...reports.values()].some((report) => report.friends.some((one) => one[field] === null));
      if (!open || stop.aborted || clock.nowMs() - fromMs >= sayWithinMs) return;
      await parts.changed(250, stop);
    }
  };

  const home = async (): Promise<void> => {
    await own.change({ drills: all(undefined) });
    await takeovers.settled();
  };
  try {
    await own.change({ drills: all({ untilMs }) });
    await takeovers.settled();
    progress(`${names.join(', ')}: friends are told to answer the standby`);
    await awaitWord('thereAfterMs', signal);
    for (const service of services) await askServers(parts, service, reports.get(service.key));
    progress('the standby is tried until the time is over; Ctrl-C ends it now');
    while (clock.nowMs() < untilMs && !signal.aborted) {
      for (const service of services) await tryOnce(parts, service, reports.get(service.key));
      const nextMs = clock.nowMs() + tryEveryMs;
      while (clock.nowMs() < Math.min(nextMs, untilMs) && !signal.aborted)
        await parts.changed(Math.min(1000, untilMs - clock.nowMs()), signal);
    }
  } finally {
    await home();
  }
  progress('friends are told to answer home again');
  await awaitWord('homeAfterMs', new AbortController().signal);
  return [...reports.values()].map((report) => ({ ...report, held: hasHeld(report) }));
}

function rehearsable({ self, takeovers, ownerNamed }: DrillParts, friend: string | undefined): ServiceNow[] {
  const standby = friend === undefined ? undefined : ownerNamed(friend);
  if (friend !== undefined && standby === undefined)
    throw new CommandError(ExitCode.badInput, `there is no friend called ${friend}`, {
      hint: 'peer friends',
    });
  const mine = takeovers
    .services()
    .filter(({ about, entry }) => about === self && (standby === undefined || entry.standby === standby));
  const free = mine.filter(({ entry, standing }) => entry.pin === 'obey' && !standing.onStandby);
  if (free.length > 0) return free;
  const whose = friend === undefined ? '' : ` of ${friend}'s`;
  throw new CommandError(
    ExitCode.badInput,
    mine.length === 0
      ? `no service of yours has a standby${whose}`
      : 'all of these services are pinned, or answered from their standby already',
    { hint: mine.length === 0 ? 'peer service add' : 'peer service list' },
  );
}

function emptyReport({ status, nameOf }: DrillParts, { entry }: ServiceNow): DrillReport {
  const friends = status().zones.find(({ origin }) => origin === entry.zone)?.friends ?? [];
  return {
    service: entry.name,
    name: entry.record,
    standby: nameOf(entry.standby),
    friends: friends
      .map(({ name }) => ({ name, thereAfterMs: null, homeAfterMs: null }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    servers: [],
    tries: { up: 0, down: 0, why: null },
    held: false,
  };
}

/** The name servers that the world asks, as far as the zone itself says where they are. */
async function askServers(
  { zones, status, takeovers }: DrillParts,
  { key, ownerId, entry }: ServiceNow,
  report: DrillReport | undefined,
): Promise<void> {
  const content = zones.content(ownerId, entry.zone);
  const expected = status().zones.find(({ origin }) => origin === entry.zone)?.serial;
  const isThere = takeovers.services().some((one) => one.key === key && one.standing.onStandby);
  if (content === undefined || report === undefined || !isThere) return;
  const servers = nameServersOf(content).flatMap((name) =>
    addressesIn(content, name).map((host) => ({ name, host })),
  );
  report.servers = await Promise.all(
    servers.map(async ({ name, host }) => {
      const server = `${name} (${host})`;
      const found = await querySoa({
        server: { host, port: 53 },
        origin: entry.zone,
        timeoutMs: askTimeoutMs,
      });
      if (found.kind === 'failed') return { server, answered: 'silent' as const };
      return { server, answered: found.serial === expected ? ('standby' as const) : ('other' as const) };
    }),
  );
}

async function tryOnce(
  { watch }: DrillParts,
  service: ServiceNow,
  report: DrillReport | undefined,
): Promise<void> {
  const result = await watch.tryStandby(service.key);
  if (report === undefined || result === undefined) return;
  if (result.kind === 'up') report.tries.up += 1;
  else {
    report.tries.down += 1;
    report.tries.why = result.why;
  }
}

/** Everybody who answers the zone went there and came back, no server said otherwise, and the standby answered each time. */
function hasHeld({ friends, servers, tries }: DrillReport): boolean {
  return (
    friends.length > 0 &&
    friends.every(({ thereAfterMs, homeAfterMs }) => thereAfterMs !== null && homeAfterMs !== null) &&
    servers.every(({ answered }) => answered !== 'other') &&
    tries.up > 0 &&
    tries.down === 0
  );
}
