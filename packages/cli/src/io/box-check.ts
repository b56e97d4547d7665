import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type HostPort, isLoopback } from '@copain/core';

/** Why an address cannot be listened on, by the system's word, e.g. `EADDRINUSE`. */
export interface Obstacle {
  address: HostPort;
  code: string;
}

async function tryTcp({ host, port }: HostPort): Promise<string | undefined> {
  const server = createServer();
  try {
    return await new Promise<string | undefined>((resolve) => {
      server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      server.listen({ host, port, exclusive: true }, () => resolve(undefined));
    });
  } finally {
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }
}

async function tryUdp({ host, port }: HostPort): Promise<string | undefined> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', ipv6Only: host.includes(':') });
  try {
    return await new Promise<string | undefined>((resolve) => {
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.bind({ address: host, port, exclusive: true }, () => resolve(undefined));
    });
  } finally {
    socket.close();
  }
}

/** A wildcard as the addresses that it stands for. DNS gets one socket for each, so a stub resolver does not matter. */
function localAddresses({ host, port }: HostPort): HostPort[] {
  if (host !== '0.0.0.0' && host !== '::') return [{ host, port }];
  const family = host === '::' ? 'IPv6' : 'IPv4';
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ address, scopeid, ...rest }) => rest.family === family && !isLoopback(address) && !scopeid)
    .map(({ address }) => ({ host: address, port }));
}

/** What keeps this machine from listening on one of the addresses; undefined where nothing does. */
export async function obstacleOf(
  addresses: readonly HostPort[],
  transport: 'tcp' | 'udp-and-tcp',
): Promise<Obstacle | undefined> {
  const probed = transport === 'tcp' ? addresses : addresses.flatMap(localAddresses);
  for (const address of probed) {
    const code = (transport === 'tcp' ? undefined : await tryUdp(address)) ?? (await tryTcp(address));
    if (code !== undefined) return { address, code };
  }
  return undefined;
}
