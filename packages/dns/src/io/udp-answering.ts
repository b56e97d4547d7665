import { createSocket, type Socket, type SocketOptions } from 'node:dgram';
import type { HostPort } from '@copain/core';
import type { Asker } from '../answer.ts';

/** Opens a UDP socket. `reusePort`: further threads open it too, and the kernel spreads the clients over them. */
export async function openUdp({ host, port }: HostPort, reusePort: boolean): Promise<Socket> {
  const isIpv6 = host.includes(':');
  // Every address sent to is one that a query came from: nothing to look up, which saves a turn of the loop each.
  const lookup: SocketOptions['lookup'] = (address, _options, found) => found(null, address, isIpv6 ? 6 : 4);
  const udp = createSocket({ type: isIpv6 ? 'udp6' : 'udp4', ipv6Only: isIpv6, reusePort, lookup });
  try {
    await new Promise<void>((resolve, reject) => {
      udp.once('error', reject);
      udp.bind({ address: host, port }, () => {
        udp.off('error', reject);
        resolve();
      });
    });
    return udp;
  } catch (error) {
    udp.close();
    throw error;
  }
}

/**
 * Answers every datagram of a socket. One asker serves all of them, and nobody is called back for what was sent: this
 * is the hot path. `answer` must not throw.
 */
export function answerDatagrams(
  udp: Socket,
  answer: (query: Uint8Array, asker: Asker, port: number) => Uint8Array | undefined,
): void {
  const asker: Asker = { transport: 'udp', address: '', nowMs: 0 };
  udp.on('message', (query, { address, port }) => {
    // Port 0 cannot be answered; it is only ever forged.
    if (port === 0) return;
    asker.address = address;
    asker.nowMs = Date.now();
    const answered = answer(query, asker, port);
    if (answered) udp.send(answered, port, address);
  });
}
