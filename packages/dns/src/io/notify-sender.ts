import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import type { HostPort } from '@copain/core';
import { notifiesInFlightMax } from '../limits.ts';
import type { ResourceRecord } from '../master-file.ts';
import { notifyAnswer, notifyMessage } from '../notify-message.ts';
import type { TransferPeer } from '../transfer-out.ts';
import { tsigCrypto } from './tsig-crypto.ts';

export interface NotifySenderOptions {
  peers: readonly TransferPeer[];
  /** The address that a peer knows us by: NOTIFYs must come from there, or he ignores them. undefined: any. */
  from: (peer: TransferPeer) => string | undefined;
  /** The peer answered what was sent with this token. */
  answered: (fact: { peer: number; token: string; rcode: number }) => void;
  failed: (fact: { cause: unknown }) => void;
}

/** Sends NOTIFYs over UDP and takes their answers; whether to send again is decided elsewhere. */
export interface NotifySender extends AsyncDisposable {
  /** `token` comes back with the answer. */
  send(options: { peer: number; soa: ResourceRecord; token: string }): void;
}

interface InFlight {
  id: number;
  soa: ResourceRecord;
  mac: Uint8Array | undefined;
  token: string;
}

/** Opens one socket for each peer, which takes datagrams from him alone. Resolves when all are open. */
export async function startNotifySender(options: NotifySenderOptions): Promise<NotifySender> {
  const senders = await Promise.all(options.peers.map((peer, index) => openSender(options, peer, index)));
  return {
    send: ({ peer, soa, token }) => senders[peer]?.send(soa, token),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(senders.map(({ close }) => close()));
    },
  };
}

async function openSender(
  { from, answered, failed }: NotifySenderOptions,
  peer: TransferPeer,
  index: number,
): Promise<{ send: (soa: ResourceRecord, token: string) => void; close: () => Promise<void> }> {
  const { address, key } = peer;
  const socket = createSocket(address.host.includes(':') ? 'udp6' : 'udp4');
  socket.unref();
  const inFlight = new Map<number, InFlight>();
  const context = () => ({ crypto: tsigCrypto, nowS: Math.floor(Date.now() / 1000) });
  socket.on('message', (answer, { address: source, port }) => {
    if (port !== address.port || source !== address.host || answer.length < 2) return;
    const sent = inFlight.get(answer.readUInt16BE(0));
    const rcode = sent && notifyAnswer(answer, { ...sent, key }, context());
    if (sent === undefined || rcode === undefined) return;
    inFlight.delete(sent.id);
    answered({ peer: index, token: sent.token, rcode });
  });
  await bound(socket, from(peer), failed);
  return {
    send: (soa, token) => {
      let id = randomInt(65_536);
      while (inFlight.has(id)) id = randomInt(65_536);
      const { message, mac } = notifyMessage({ id, soa, key }, context());
      inFlight.set(id, { id, soa, mac, token });
      const [oldest] = inFlight.keys();
      if (inFlight.size > notifiesInFlightMax && oldest !== undefined) inFlight.delete(oldest);
      // A peer that is off is nothing to report each time: that he does not answer is noticed.
      socket.send(message, address.port, address.host, () => undefined);
    },
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

/** Binds to the address, or to any where it cannot be had. */
async function bound(
  socket: Socket,
  host: string | undefined,
  failed: NotifySenderOptions['failed'],
): Promise<void> {
  const bind = async (wanted: string | undefined): Promise<void> =>
    await new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ port: 0, ...(wanted !== undefined && { address: wanted }) }, () => {
        socket.off('error', reject);
        resolve();
      });
    });
  try {
    await bind(host);
  } catch (cause) {
    failed({ cause });
    await bind(undefined);
  }
  socket.on('error', (cause) => failed({ cause }));
}

/** Which of our addresses a peer reaches us at: one of his family; on loopback if he is there. */
export function addressFor(
  peer: HostPort,
  addresses: readonly HostPort[],
  isLoopback: (host: string) => boolean,
): HostPort | undefined {
  const sameFamily = addresses.filter(({ host }) => host.includes(':') === peer.host.includes(':'));
  const near = sameFamily.filter(({ host }) => isLoopback(host) === isLoopback(peer.host));
  return near.find(({ host }) => host === peer.host) ?? near[0] ?? sameFamily[0];
}
