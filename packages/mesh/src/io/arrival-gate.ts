import type { HostPort } from '@copain/core';
import { arrivalSource, noArrivals, stepArrivals } from '../arrivals.ts';
import { maxHostsPerPeer } from '../limits.ts';

/** The inbound connections that have not shown yet who they are, by what the pure `stepArrivals` decides. */
export interface ArrivalGate {
  /** A TCP connection came in; `close` hangs it up. False: do not let it begin. */
  admits(remote: HostPort, close: (why: string) => void): boolean;
  /** It stands, or it is gone. */
  settled(remote: HostPort): void;
  /** A friend's box was met at this host. */
  met(peer: string, host: string): void;
  /** Who the friends are, and the hosts at which each box may come from; others are forgotten. */
  friendsAt(boxes: readonly { peer: string; hosts: readonly string[] }[]): void;
}

export function arrivalGate(options: {
  nowMs(): number;
  refused(host: string, why: string): void;
}): ArrivalGate {
  let state = noArrivals(options.nowMs());
  const closers = new Map<string, (why: string) => void>();
  const announced = new Map<string, readonly string[]>();
  const metAt = new Map<string, string[]>();
  let known = new Set<string>();
  const recount = (): void => {
    const hosts = [...announced.values(), ...metAt.values()].flat();
    known = new Set(hosts.map((host) => arrivalSource(host, true)));
  };
  const idOf = (remote: HostPort): string => `${remote.host} ${remote.port}`;

  const settled = (remote: HostPort): void => {
    const connection = idOf(remote);
    closers.delete(connection);
    [state] = stepArrivals(state, { kind: 'settled', connection }, options.nowMs());
  };

  return {
    admits: (remote, close) => {
      const connection = idOf(remote);
      const isKnown = known.has(arrivalSource(remote.host, true));
      const arrived = { kind: 'arrived', connection, host: remote.host, known: isKnown } as const;
      const [next, effects] = stepArrivals(state, arrived, options.nowMs());
      state = next;
      let admitted = false;
      for (const effect of effects) {
        switch (effect.kind) {
          case 'admit':
            admitted = true;
            closers.set(connection, close);
            break;
          case 'refuse':
            options.refused(remote.host, `too many connections (${effect.why})`);
            break;
          case 'evict': {
            const closer = closers.get(effect.connection);
            closers.delete(effect.connection);
            options.refused(effect.connection.split(' ')[0] ?? '', 'made room for a newer connection');
            closer?.('made room for a newer connection');
            break;
          }
        }
      }
      return admitted;
    },
    settled,
    met: (peer, host) => {
      const hosts = metAt.get(peer) ?? [];
      if (hosts[0] === host || !announced.has(peer)) return;
      metAt.set(peer, [host, ...hosts.filter((one) => one !== host)].slice(0, maxHostsPerPeer));
      recount();
    },
    friendsAt: (boxes) => {
      announced.clear();
      for (const { peer, hosts } of boxes) announced.set(peer, hosts);
      for (const peer of metAt.keys()) if (!announced.has(peer)) metAt.delete(peer);
      recount();
    },
  };
}
