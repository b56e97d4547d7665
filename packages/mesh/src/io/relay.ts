import type { FrameStream } from '@copain/core';
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import type { Connection, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { maxRelayedPerFriend, maxRelayReservations } from '../limits.ts';

/** Circuit relay v2 (libp2p specs, relay/circuit-v2.md): the protocol on which reservations are made. */
const hopProtocol = '/libp2p/circuit/relay/0.2.0/hop';

/** HopMessage { type = RESERVE } and the status OK of its answer. */
const reserveMessage = Uint8Array.of(0x08, 0x00);
const statusOk = 100;
const [limitField, statusField] = [4, 5];

/**
 * The transport for relayed connections. This box makes and renews its reservations itself (`reserveAt`): the library's
 * own store gives a relay up for good after some failures, and trusts the relay's clock. So the store has nothing to
 * say about who may come in through a relay; the gate decides.
 */
export function relayTransport(): ReturnType<typeof circuitRelayTransport> {
  const make = circuitRelayTransport();
  return (components) => {
    const transport = make(components) as ReturnType<typeof make> & {
      reservationStore: { hasReservation(): boolean };
    };
    transport.reservationStore.hasReservation = () => true;
    return transport;
  };
}

/** Relays without limits of volume or time; for whom is for the gate to say. */
export function relayServer(): ReturnType<typeof circuitRelayServer> {
  return circuitRelayServer({
    maxInboundHopStreams: maxRelayedPerFriend,
    reservations: { applyDefaultLimit: false, maxReservations: maxRelayReservations },
  });
}

/** Asks the relay at the other end to let others reach us through it; rejects where it does not, or only with limits. */
export async function reserveAt(
  connection: Connection,
  frames: (stream: Stream) => FrameStream,
  signal: AbortSignal,
): Promise<void> {
  const stream = frames(await connection.newStream(hopProtocol, { signal }));
  const giveUp = (): void => stream.abort(new Error('no answer in time'));
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    await stream.send(reserveMessage);
    const answer = readVarints(await stream.receive());
    if (answer.get(statusField) !== statusOk)
      throw new Error(`the relay answers with status ${answer.get(statusField) ?? 'none'}`);
    if (answer.has(limitField)) throw new Error('the relay limits what it passes on');
    await stream.end();
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error('stream failed'));
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/**
 * The top-level fields of a protobuf message: the number where a field is one, 0 where it is something longer. Empty
 * where the bytes are no such message.
 */
export function readVarints(bytes: Uint8Array | undefined): Map<number, number> {
  const fields = new Map<number, number>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = bytes?.[at++];
      if (byte === undefined) return Number.NaN;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  while (bytes !== undefined && at < bytes.length) {
    const key = varint();
    const isNumber = key % 8 === 0;
    const value = varint();
    if (Number.isNaN(value) || !(isNumber || key % 8 === 2)) return new Map();
    fields.set(Math.floor(key / 8), isNumber ? value : 0);
    if (!isNumber) at += value;
    if (at > bytes.length) return new Map();
  }
  return fields;
}

/** The relay of a relayed connection's address (`…/p2p/RELAY/p2p-circuit/…`), or undefined where it is direct. */
export function relayOf(address: Multiaddr): string | undefined {
  const parts = address.getComponents();
  const circuit = parts.findIndex((part) => part.name === 'p2p-circuit');
  return circuit < 0
    ? undefined
    : (parts.slice(0, circuit).findLast((part) => part.name === 'p2p')?.value ?? '');
}
