import { hostname } from 'node:os';
import { formatHostPort } from '@copain/core';
import { tryMta } from '@copain/mail/io';
import { knownServices } from '../known-services.ts';
import { serviceText } from '../service-text.ts';
import type { Box } from './box.ts';
import type { MeshRoom } from './mesh-room.ts';
import { type InsideService, type ServicePace, type Services, startServices } from './services.ts';
import type { Watch } from './watch.ts';
import type { Zones } from './zones.ts';

/** Looks at the services of the circle, and tells of what was agreed about them. */
export function startCircleServices(
  box: Box,
  { watch, zones, mesh, pace }: { watch: Watch; zones: Zones; mesh: MeshRoom; pace: ServicePace | undefined },
): Services {
  const { config, events, identity, names } = box;
  return startServices(box, {
    pace,
    watch,
    zones,
    networkOf: (peer) => mesh.networkOf(peer),
    inside: () => {
      const { mail, smtp } = config();
      const servers = new Map(mail.map((one) => [`${formatHostPort(one.deliver)} ${one.client}`, one]));
      if (servers.size === 0) return [];
      const run: InsideService['run'] = async () => {
        for (const { deliver, client } of servers.values()) {
          const why = await tryMta({ address: deliver, form: client, hostname: smtp.hostname ?? hostname() });
          if (why !== undefined) return why;
        }
        return undefined;
      };
      return [{ service: 'smtp', run }];
    },
    // Its owner sees his own services by what friends say of them.
    signed: () =>
      knownServices(box.knowledge())
        .filter(({ ownerId }) => ownerId !== identity.ownerId)
        .map(({ ownerId, entry }) => ({ ownerId, name: entry.name, check: entry.check })),
    changed: (fact, before) => {
      const { state, confirmed } = fact.verdict;
      const wasDown = before?.verdict.state === 'down' && before.verdict.confirmed;
      const text = (): string => serviceText(fact, identity.ownerId, names);
      if (state === 'down' && confirmed && !wasDown) events.add('service.down', text());
      // One's own server that is dead is told as soon as this box itself sees it.
      const isDead = fact.fault === 'service' && fact.ownerId === identity.ownerId;
      if (isDead && before?.fault !== 'service' && !(state === 'down' && confirmed))
        events.add('service.down', text());
      if (state === 'up' && wasDown) events.add('service.up', text());
      box.changes.note();
    },
  });
}
