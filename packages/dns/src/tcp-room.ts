import { loopbackNetwork } from './rate-limit.ts';

/** Where a TCP connection comes from. `network` as `networkOf` gives it. */
interface TcpSource {
  source: string;
  network: number;
}

/** How many connections there may be, the newcomer among them. */
interface TcpRoom {
  connections: number;
  connectionsPerSource: number;
  connectionsPerNetwork: number;
}

/**
 * Who is closed so that a newcomer can be let in (RFC 7766 §6.2.2, RFC 9210 §4), undefined where there is room: the longest idle one
 * of his own address if that has its share, else of his network, else of all. So whoever holds connections without a
 * word never keeps anybody out, and whoever has many of them loses his own. `connections`: the longest idle one first.
 */
export function whoMakesRoom<Connection extends TcpSource>(
  connections: Iterable<Connection>,
  newcomer: TcpSource,
  room: TcpRoom,
): Connection | undefined {
  const all = [...connections];
  const sameSource = all.filter(({ source }) => source === newcomer.source);
  if (sameSource.length >= room.connectionsPerSource) return sameSource[0];
  const sameNetwork = all.filter(({ network }) => network === newcomer.network);
  const isLocal = newcomer.network === loopbackNetwork;
  if (!isLocal && sameNetwork.length >= room.connectionsPerNetwork) return sameNetwork[0];
  return all.length >= room.connections ? all[0] : undefined;
}
