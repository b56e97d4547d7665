import type { Clock } from '@copain/core';
import { heldRelays, type RelayState, relayAnswerMs, relaysTowards, stepRelay } from '@copain/mesh';
import type { Host } from '@copain/mesh/io';
import { offered } from '@copain/trust';
import type { PeerNames } from './peer-names.ts';
import type { RecordStore } from './record-store.ts';

/** Relays, in both directions: whom this box passes on, through whom it listens, and through whom it dials. */
export interface Relaying {
  /** Does this box offer that friend's box to relay for it? */
  offersTo: (peer: string) => boolean;
  /** Friends' boxes through which this friend's box may be dialled now. */
  towards: (peer: string) => string[];
  /** Friends' boxes through which this one can be reached now. */
  listening(): string[];
  /** Of `peers`, those to whom only relayed connections lead. */
  onlyRelayed(peers: readonly string[]): Set<string>;
  /** Every second, and when a friend has a new connection: reserves and renews. */
  tick(reachable: boolean | undefined): void;
}

export function startRelaying(options: {
  ownerId: string;
  host: () => Host;
  clock: Clock;
  records: RecordStore;
  names: PeerNames;
  friends(): readonly string[];
  stopping: AbortSignal;
  /** Others can, or can no longer, reach this box through that friend. */
  changed(relay: string, listening: boolean): void;
  refused(relay: string, error: unknown): void;
  /** That friend takes calls for us from now on, or goes on doing so. */
  reserved(relay: string): void;
}): Relaying {
  const { ownerId, host, clock, names } = options;
  let state: RelayState = new Map();

  const offers = (from: string | undefined, to: string | undefined): boolean => {
    const { roster, agreements } = options.records.knowledge();
    return from !== undefined && to !== undefined && offered(roster, agreements, from, to).includes('relay');
  };
  const directConnection = (peer: string): string | undefined =>
    host()
      .connections(peer)
      .find((one) => one.via === undefined)?.id;
  const direct = (): string[] => options.friends().filter((peer) => directConnection(peer) !== undefined);

  const become = (next: RelayState): void => {
    const before = new Set(heldRelays(state));
    const now = new Set(heldRelays(next));
    state = next;
    for (const relay of before) if (!now.has(relay)) options.changed(relay, false);
    for (const relay of now) if (!before.has(relay)) options.changed(relay, true);
  };

  const reserve = (peer: string, connectionId: string): void => {
    const signal = AbortSignal.any([options.stopping, AbortSignal.timeout(relayAnswerMs)]);
    host()
      .reserve(peer, { signal, connectionId })
      .then(
        () => 'reserved' as const,
        (error: unknown) => {
          if (!options.stopping.aborted) options.refused(peer, error);
          return 'refused' as const;
        },
      )
      .then((kind) => {
        become(stepRelay(state, { kind, peer, connectionId }, clock.nowMs())[0]);
        if (kind === 'reserved') options.reserved(peer);
      })
      .catch((error: unknown) => options.refused(peer, error));
  };

  return {
    offersTo: (peer) => offers(ownerId, names.ownerOf(peer)),
    towards: (peer) =>
      relaysTowards(peer, direct(), (relay, to) => offers(names.ownerOf(relay), names.ownerOf(to))),
    listening: () => heldRelays(state),
    onlyRelayed: (peers) =>
      new Set(
        peers.filter((peer) => host().connections(peer).length > 0 && directConnection(peer) === undefined),
      ),
    tick: (reachable) => {
      const candidates = options
        .friends()
        .filter((peer) => offers(names.ownerOf(peer), ownerId))
        .flatMap((peer) => {
          const connectionId = directConnection(peer);
          return connectionId === undefined ? [] : [{ peer, connectionId }];
        });
      const [next, effects] = stepRelay(state, { kind: 'tick', reachable, candidates }, clock.nowMs());
      become(next);
      for (const effect of effects) reserve(effect.peer, effect.connectionId);
    },
  };
}
