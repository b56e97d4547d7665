import { type Clock, isPrivate } from '@copain/core';
import { type MappingWay, mappingDoubtMs, nextMappingMs, unmapMs } from '@copain/mesh';
import { defaultRouter, type MappedPort, mapPort } from '@copain/mesh/io';

/** A port that the router passes on, as people are told. */
export interface OpenPort {
  internalPort: number;
  externalPort: number;
  way: MappingWay;
  /** The router's own address outside, where it told. */
  externalHost: string | undefined;
  /** That address is private too: the provider shares one among several customers, and the mapping leads nowhere. */
  leadsNowhere: boolean;
}

/** Has the home router pass the mesh's port on, where it offers that (NAT-PMP or UPnP), and takes it back at the end. */
export interface PortMapper extends AsyncDisposable {
  /** Every second: asks or renews when it is time. `wanted`: is a mapping of any use now? */
  tick(wanted: boolean, port: number | undefined): void;
  /** The port outside that leads to this one. */
  outside(port: number): number;
  open(): OpenPort[];
}

export function startPortMapper(options: {
  clock: Clock;
  stopping: AbortSignal;
  /** The router passes the port on now, or no longer. */
  changed(port: OpenPort | undefined): void;
  router?: () => Promise<string | undefined>;
  map?: typeof mapPort;
}): PortMapper {
  const { clock } = options;
  const router = options.router ?? defaultRouter;
  const map = options.map ?? mapPort;
  const mapped = new Map<number, MappedPort>();
  /** Until when each is granted. */
  const endsAtMs = new Map<number, number>();
  let askedAtMs: number | undefined;
  let nextAtMs = 0;
  let asking: Promise<void> | undefined;

  const ask = async (port: number, isLost: boolean): Promise<void> => {
    askedAtMs = clock.nowMs();
    const before = mapped.get(port);
    const at = await router();
    const wished = { internal: port, wished: before?.externalPort ?? port };
    // A router that does not answer, or says nonsense, has granted nothing.
    const now = at === undefined ? undefined : await map(at, wished, options.stopping).catch(() => undefined);
    if (now === undefined && before !== undefined && !isLost && clock.nowMs() < (endsAtMs.get(port) ?? 0)) {
      // It may be busy or starting anew, and what it granted still holds.
      nextAtMs = clock.nowMs() + mappingDoubtMs;
      return;
    }
    nextAtMs = clock.nowMs() + nextMappingMs(now);
    if (now === undefined) mapped.delete(port);
    else {
      mapped.set(port, now);
      endsAtMs.set(port, now.lifeS === 0 ? Number.POSITIVE_INFINITY : clock.nowMs() + now.lifeS * 1000);
    }
    if (before?.externalPort === now?.externalPort && before?.externalHost === now?.externalHost) return;
    options.changed(now === undefined ? undefined : shown(now));
  };

  /** A router that lost what it granted is asked before half of the time is over. */
  const isDoubted = (wanted: boolean): boolean =>
    wanted && mapped.size > 0 && clock.nowMs() - (askedAtMs ?? 0) >= mappingDoubtMs;

  return {
    tick: (wanted, port) => {
      if (port === undefined || asking !== undefined || options.stopping.aborted) return;
      // What was granted is renewed also when friends get through: they do so because of it.
      const isDue = clock.nowMs() >= nextAtMs && (wanted || mapped.has(port));
      if (!isDue && !isDoubted(wanted)) return;
      asking = ask(port, wanted).finally(() => {
        asking = undefined;
      });
    },
    outside: (port) => {
      const one = mapped.get(port);
      return one === undefined || leadsNowhere(one) ? port : one.externalPort;
    },
    open: () => [...mapped.values()].map(shown),
    [Symbol.asyncDispose]: async () => {
      await asking;
      const limit = AbortSignal.timeout(unmapMs);
      await Promise.allSettled([...mapped.values()].map((one) => one.unmap(limit)));
      mapped.clear();
    },
  };
}

const leadsNowhere = ({ externalHost }: MappedPort): boolean =>
  externalHost !== undefined && isPrivate(externalHost);

function shown(port: MappedPort): OpenPort {
  const { internalPort, externalPort, way, externalHost } = port;
  return { internalPort, externalPort, way, externalHost, leadsNowhere: leadsNowhere(port) };
}
