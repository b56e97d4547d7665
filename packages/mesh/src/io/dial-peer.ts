import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { nextAddressAfterMs, relayedAfterMs, relayedDialMs } from '../limits.ts';
import { openFirst, resolveAddresses, type Way } from './dial-ways.ts';
import type { MeshNode } from './mesh-node.ts';
import { toMultiaddr } from './multiaddrs.ts';
import { relayOf } from './relay.ts';

/**
 * Dials every way to a peer, one beside the other: at his addresses, then through the relays of `via`, which is asked
 * again while addresses hang. A direct connection ends the search; beside a relayed one it goes on until `signal` aborts.
 */
export async function dialPeer(
  dial: MeshNode['dial'],
  peer: string,
  options: {
    addresses: readonly string[];
    allowPrivate: boolean;
    via: (() => readonly string[]) | undefined;
    signal: AbortSignal;
  },
): Promise<Connection> {
  const { via, signal } = options;
  const targets = await resolveAddresses(options.addresses, options.allowPrivate);
  const ways = targets.map(
    (target, i): Way<Connection> => ({
      afterMs: i * nextAddressAfterMs,
      open: (until) => dial(toMultiaddr(target, peer), until),
    }),
  );
  if (via !== undefined) {
    const through = (relay: string, i: number): Way<Connection> => ({
      afterMs: i * nextAddressAfterMs,
      open: (until) => dial(multiaddr(`/p2p/${relay}/p2p-circuit/p2p/${peer}`), until),
    });
    ways.push({
      afterMs: relayedAfterMs,
      againMs: nextAddressAfterMs,
      open: async (until) => {
        const relays = via();
        if (relays.length === 0) throw new Error('no friend relays for him now');
        const within = AbortSignal.any([until, AbortSignal.timeout(relayedDialMs)]);
        return await openFirst(relays.map(through), () => true, within);
      },
    });
  }
  return await openFirst(ways, (connection) => relayOf(connection.remoteAddr) === undefined, signal);
}
