import type { Clock, HostPort } from '@copain/core';
import { nextMappingMs } from '@copain/mesh';
import { mapPort, natPmpRouter } from '@copain/mesh/io';

/** Has the home router pass the mesh's port on, where it offers that (NAT-PMP). */
export interface PortMapper {
  /** Every second: asks or renews when it is time. `wanted`: is a mapping of any use now? */
  tick(wanted: boolean, port: number | undefined): void;
  /** The port outside that leads to this one. */
  outside(port: number): number;
}

export function startPortMapper(options: {
  clock: Clock;
  stopping: AbortSignal;
  /** The router passes the port on now, or no longer. */
  changed(mapping: { internalPort: number; externalPort: number } | undefined): void;
  router?: () => Promise<HostPort | undefined>;
}): PortMapper {
  const { clock } = options;
  const router = options.router ?? natPmpRouter;
  const outside = new Map<number, number>();
  let nextAtMs = 0;
  let isAsking = false;

  const ask = async (port: number): Promise<void> => {
    const at = await router();
    const mapping = at === undefined ? undefined : await mapPort(at, port, options.stopping);
    nextAtMs = clock.nowMs() + nextMappingMs(mapping);
    if (outside.get(port) === mapping?.externalPort) return;
    if (mapping === undefined) outside.delete(port);
    else outside.set(port, mapping.externalPort);
    options.changed(mapping);
  };

  return {
    tick: (wanted, port) => {
      // What was granted is renewed also when friends get through: they do so because of it.
      if (port === undefined || isAsking || clock.nowMs() < nextAtMs || !(wanted || outside.has(port)))
        return;
      isAsking = true;
      ask(port)
        .catch(() => undefined)
        .finally(() => {
          isAsking = false;
        });
    },
    outside: (port) => outside.get(port) ?? port,
  };
}
