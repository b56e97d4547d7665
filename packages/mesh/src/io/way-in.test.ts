import { noise } from '@chainsafe/libp2p-noise';
import type { Connection } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { afterEach, expect, it } from 'vitest';
import { type Admission, type ProtocolName, protocols } from '../gate.ts';
import { isFrameTooLarge } from './frame-stream.ts';
import type { Host } from './host.ts';
import type { ProtocolHandler } from './serve-protocols.ts';
import { everyProtocol, startTestHost } from './testing.ts';

/*
 * The first steps of the way in, from who somebody is to the length of what he says: what one refuses, the next never
 * sees. The steps before are in gate.test.ts, those after, of records, in the agent's way-in.test.ts.
 */

const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

const nothing = (): void => {};

interface Watched {
  host: Host;
  /** Steps at which somebody was turned away. */
  refused: string[];
  /** Protocols whose handler was called, and frames that reached one. */
  handled: string[];
  frames: number;
  tooLarge: number;
}

/** A box to whom everybody is the same. */
async function watched(admit: Admission): Promise<Watched> {
  const seen: Watched = { refused: [], handled: [], frames: 0, tooLarge: 0 } as unknown as Watched;
  const handler = (name: string): ProtocolHandler => ({
    maxFrameBytes: 1000,
    handle: async (stream) => {
      seen.handled.push(name);
      while ((await stream.receive()) !== undefined) seen.frames += 1;
    },
  });
  seen.host = await startTestHost({
    admit: () => admit,
    handlers: everyProtocol(handler),
    events: {
      refused: (_who, _why, step) => seen.refused.push(step),
      streamFailed: (_peer, _protocol, error) => {
        if (isFrameTooLarge(error)) seen.tooLarge += 1;
      },
    },
  });
  toStop.push(async () => await seen.host[Symbol.asyncDispose]());
  return seen;
}

/** A connection of somebody who does with libp2p as he likes. */
async function visitor({ host }: Watched): Promise<Connection> {
  const node = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  });
  toStop.push(async () => await node.stop());
  return await node.dial(multiaddr(`/ip4/127.0.0.1/tcp/${host.addresses[0]?.port}/p2p/${host.peer}`));
}

/** Opens a protocol and announces a frame of 2 GiB on it. */
async function sayHuge(connection: Connection, name: ProtocolName): Promise<void> {
  const stream = await connection.newStream(protocols[name][0]);
  stream.send(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x08, 1, 2, 3));
}

it('whom the gate refuses reaches no protocol', async () => {
  const box = await watched('nobody');
  const tried = (async () => await sayHuge(await visitor(box), 'join'))();
  await expect(tried).rejects.toThrow();
  await expect.poll(() => box.refused).toEqual(['gate']);
  expect([box.handled, box.frames, box.tooLarge]).toEqual([[], 0, 0]);
});

it('what a guest may not open is refused before the length of a frame is read', async () => {
  const box = await watched('guest');
  const connection = await visitor(box);
  for (const name of ['sync', 'zone', 'drain'] as const) await sayHuge(connection, name).catch(nothing);
  await expect.poll(() => box.refused).toEqual(['protocol', 'protocol', 'protocol']);
  expect([box.handled, box.frames, box.tooLarge]).toEqual([[], 0, 0]);
});

it('a frame that is too long is refused before anybody reads what is in it', async () => {
  const box = await watched('friend');
  await sayHuge(await visitor(box), 'sync');
  await expect.poll(() => box.tooLarge).toBe(1);
  expect([box.refused, box.handled, box.frames]).toEqual([[], ['sync'], 0]);
});
