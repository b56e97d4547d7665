import type { ServiceNow } from '../known-services.ts';
import { networkOf } from '../network-of.ts';
import type { Box } from './box.ts';
import { type OwnServices, ownServices } from './own-services.ts';
import { startTakeoverWatch, type TakeoverWatch } from './takeover-watch.ts';
import { openTakeovers, type Takeovers } from './takeovers.ts';
import type { Watch } from './watch.ts';
import type { Zones } from './zones.ts';

/** Services that a friend may stand in for: what is agreed, what our owner says of his, and the watch over those of friends. */
export interface TakeoverRoom {
  takeovers: Takeovers;
  own: OwnServices;
  /** The owner id of the friend who is called so here. */
  ownerNamed: (name: string) => string | undefined;
  /** Begins to try friends' services and to vote, once zones are answered. */
  startWatching(rooms: { watch: Watch; zones: Zones }): TakeoverWatch;
}

/** Opens what is agreed, from disk, before any zone is answered. */
export async function openTakeoverRoom(
  { identity, paths, table, clock, records, standing, names, events, publicAddress, config, failed }: Box,
  zones: () => Zones,
): Promise<TakeoverRoom> {
  const self = identity.box.peer;
  const takeovers = await openTakeovers({
    table,
    clock,
    records,
    changed: () => zones().overlayChanged(),
    moved: (service) => events.add(...movedEvent(service, names)),
    failed: failed('keeping a takeover'),
  });
  const ownerNamed = (name: string): string | undefined =>
    [...records.knowledge().roster.members.values()].find(
      (one) => one.name === name && one.ownerId !== identity.ownerId,
    )?.ownerId;
  const own = ownServices({
    configFile: paths.configFile,
    identity,
    records,
    standing,
    inForce: () =>
      new Map(
        takeovers
          .services()
          .filter(({ about }) => about === self)
          .map(({ entry, standing: { number } }) => [entry.name, number]),
      ),
    ownerNamed,
    noted: (text) => events.add('config.service', text),
    failed: failed('signing what a service is'),
  });
  return {
    takeovers,
    own,
    ownerNamed,
    startWatching: ({ watch, zones: running }) =>
      startTakeoverWatch({
        identity,
        clock,
        records,
        takeovers,
        watch,
        own,
        content: running.content,
        network: () => {
          const { ipv4, ipv6 } = publicAddress.current();
          const address = ipv4 ?? ipv6;
          return config().mesh.network ?? (address === undefined ? '' : networkOf(address));
        },
        allowPrivate: () => config().mesh.allowPrivate,
        maySign: () => standing.maySign(),
        failed: failed('watching a service'),
      }),
  };
}

function movedEvent(
  { entry, ownerId, standing, certified }: ServiceNow,
  names: Box['names'],
): [kind: string, text: string] {
  const what = `${entry.name} (${entry.record}) of ${names.ofOwner(ownerId)}`;
  if (!standing.onStandby) return ['takeover.ended', `${what} is answered from home again.`];
  const voters = (certified?.voters ?? []).map(names.ofPeer);
  const why = {
    friends: voters.length === 0 ? '' : `, agreed by ${voters.join(' and ')}`,
    drill: ', as a rehearsal',
    owner: ', as its owner said',
  }[standing.by];
  return ['takeover.begun', `${names.ofOwner(entry.standby)} stands in for ${what}${why}.`];
}
