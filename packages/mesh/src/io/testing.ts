import { randomBytes } from 'node:crypto';
import { type ProtocolName, protocols } from '../gate.ts';
import { signingKeyFromSeed } from './envelope.ts';
import { type Host, type HostEvents, type HostOptions, startHost } from './host.ts';
import { startLine } from './line.ts';
import type { ProtocolHandler } from './serve-protocols.ts';

/** Whatever happens, nobody is told. */
const quiet: HostEvents = {
  connected: () => {},
  disconnected: () => {},
  heard: () => {},
  sent: () => {},
  received: () => {},
  observed: () => {},
  incompatible: () => {},
  refused: () => {},
  streamFailed: () => {},
};

/** Sends every frame back, and ends when the other side does. */
export const echo: ProtocolHandler = {
  maxFrameBytes: 65_536,
  handle: async (stream) => {
    for (let frame = await stream.receive(); frame !== undefined; frame = await stream.receive())
      await stream.send(frame);
    await stream.end();
  },
};

/** The same for every protocol, whatever protocols there are. */
export function everyProtocol(
  handler: (name: ProtocolName) => ProtocolHandler,
): Record<ProtocolName, ProtocolHandler> {
  const names = Object.keys(protocols) as ProtocolName[];
  return Object.fromEntries(names.map((name) => [name, handler(name)])) as Record<
    ProtocolName,
    ProtocolHandler
  >;
}

/**
 * A real host on a free port of loopback, with a key of its own, to whom everybody is a friend and who echoes on every
 * protocol, unless the options say otherwise. Whoever starts it disposes of it.
 */
export async function startTestHost(
  options: Partial<Omit<HostOptions, 'events'>> & { events?: Partial<HostEvents> } = {},
): Promise<Host> {
  return await startHost({
    privateKey: (await signingKeyFromSeed(randomBytes(32))).protobuf,
    listen: [{ host: '127.0.0.1', port: 0 }],
    line: startLine({ nowMs: () => Date.now() }),
    allowPrivate: () => true,
    admit: () => 'friend',
    handlers: everyProtocol(() => echo),
    ...options,
    events: { ...quiet, ...options.events },
  });
}
