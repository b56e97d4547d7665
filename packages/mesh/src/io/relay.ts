import type { FrameStream } from '@copain/core';
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import type { Connection, PeerId, Stream, StreamHandler } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { decodeHopAnswer, relayStatus, reserveRequest } from '../relay-messages.ts';
import { letWindowGrow, renewWindowLazily } from './lazy-window.ts';

/** Circuit relay v2 (libp2p specs, relay/circuit-v2.md): what a box asks of its relay, and the relay of the box called. */
export const hopProtocol = '/libp2p/circuit/relay/0.2.0/hop';
export const stopProtocol = '/libp2p/circuit/relay/0.2.0/stop';

type Components = Parameters<ReturnType<typeof circuitRelayTransport>>[0];

/**
 * The transport for relayed connections. This box makes and renews its reservations itself (`reserveAt`): the library's
 * own store gives a relay up for good after some failures, and trusts the relay's clock. So the store has nothing to
 * say about who may come in through a relay; the gate decides. A relay is called on the first connection that `direct`
 * names: the library would take the oldest, which after an outage may be a dead one.
 */
export function relayTransport(
  direct: (relay: PeerId) => readonly Connection[],
): ReturnType<typeof circuitRelayTransport> {
  const make = circuitRelayTransport();
  return (components) => {
    const transport = make(withOwnWays(components, direct)) as ReturnType<typeof make> & {
      reservationStore: { hasReservation(): boolean };
    };
    transport.reservationStore.hasReservation = () => true;
    return transport;
  };
}

/** The node's components as the transport sees them: which connections there are, and windows renewed lazily. */
function withOwnWays(components: Components, direct: (relay: PeerId) => readonly Connection[]): Components {
  const lazy = (stream: Stream): Stream => {
    renewWindowLazily(stream);
    letWindowGrow(stream);
    return stream;
  };
  const seen: Partial<Components> = {
    connectionManager: withMethods(components.connectionManager, {
      getConnections: (peer?: PeerId) =>
        (peer === undefined ? [] : direct(peer)).map((connection) =>
          withMethods(connection, {
            newStream: async (protocols, options) => lazy(await connection.newStream(protocols, options)),
          }),
        ),
    }),
    registrar: withMethods(components.registrar, {
      handle: async (protocol: string, handler: StreamHandler, options) =>
        await components.registrar.handle(
          protocol,
          (stream, connection) => handler(lazy(stream), connection),
          options,
        ),
    }),
  };
  return withMethods(components, seen);
}

/** An object with some members of its own; the others are those of `whole`, called on it. */
function withMethods<Whole extends object>(whole: Whole, own: Partial<Whole>): Whole {
  return new Proxy(whole, {
    get: (target, name) => {
      if (Object.hasOwn(own, name)) return own[name as keyof Whole];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
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
    await stream.send(reserveRequest);
    const answer = decodeHopAnswer(await stream.receive());
    if (answer?.status !== relayStatus.ok)
      throw new Error(`the relay answers with status ${answer?.status ?? 'none'}`);
    if (answer.isLimited) throw new Error('the relay limits what it passes on');
    await stream.end();
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error('stream failed'));
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** The relay of a relayed connection's address (`…/p2p/RELAY/p2p-circuit/…`), or undefined where it is direct. */
export function relayOf(address: Multiaddr): string | undefined {
  const parts = address.getComponents();
  const circuit = parts.findIndex((part) => part.name === 'p2p-circuit');
  return circuit < 0
    ? undefined
    : (parts.slice(0, circuit).findLast((part) => part.name === 'p2p')?.value ?? '');
}
