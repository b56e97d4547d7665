import { noise } from '@chainsafe/libp2p-noise';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { afterEach, expect, it } from 'vitest';
import { protocolLimits, protocols } from '../gate.ts';
import { maxConnectionsPerPeer, maxPieceBytes, relayHoldBytes } from '../limits.ts';
import { byteSource } from './byte-source.ts';
import { paceOf } from './connection-pace.ts';
import { frameStream, isFrameTooLarge } from './frame-stream.ts';
import type { Host, HostEvents } from './host.ts';
import { startLine } from './line.ts';
import type { ProtocolHandler } from './serve-protocols.ts';
import { echo, everyProtocol, startTestHost } from './testing.ts';

const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

const nothing = (): void => {};

const shortEcho: ProtocolHandler = { ...echo, maxFrameBytes: 4096 };

/** A box to whom everybody is a friend. */
async function box(
  events: Partial<HostEvents> = {},
  handler = shortEcho,
  more: { frameDeadlineMs?: number } = {},
): Promise<Host> {
  const host = await startTestHost({ events, handlers: everyProtocol(() => handler), ...more });
  toStop.push(async () => await host[Symbol.asyncDispose]());
  return host;
}

/** A friend who does with libp2p as he likes. */
async function hostileNode(listen: readonly string[] = []): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: [...listen] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxOutboundStreams: 2000, maxInboundStreams: 2000 })],
    connectionMonitor: { enabled: false },
  });
  toStop.push(async () => {
    await node.stop();
  });
  return node;
}

const dialled = async (node: Libp2p, host: Host): Promise<Connection> =>
  await node.dial(multiaddr(`/ip4/127.0.0.1/tcp/${host.addresses[0]?.port}/p2p/${host.peer}`), {
    force: true,
  });

/** The round trip of a friend who behaves. */
async function roundTripMs(host: Host, friend: Host): Promise<number> {
  const signal = AbortSignal.timeout(10_000);
  const startedAtMs = performance.now();
  const stream = await friend.open(host.peer, 'zone', { signal });
  await stream.send(Uint8Array.of(7));
  expect(await stream.receive()).toEqual(Uint8Array.of(7));
  await stream.end();
  return performance.now() - startedAtMs;
}

async function friendOf(host: Host): Promise<Host> {
  const friend = await box();
  await friend.dial(host.peer, [`127.0.0.1:${host.addresses[0]?.port}`], {
    signal: AbortSignal.timeout(10_000),
  });
  return friend;
}

it('a friend who opens a thousand streams has his few, and others are served meanwhile', async () => {
  let serving = 0;
  let most = 0;
  const waits: ProtocolHandler = {
    maxFrameBytes: 4096,
    handle: async (stream, from) => {
      if (from.peer !== hostile.peerId.toString()) return await echo.handle(stream, from);
      serving += 1;
      most = Math.max(most, serving);
      try {
        await stream.receive();
      } finally {
        serving -= 1;
      }
    },
  };
  const hostile = await hostileNode();
  const host = await box({}, waits);
  const friend = await friendOf(host);
  const connection = await dialled(hostile, host);
  const open = async (): Promise<void> => {
    const signal = AbortSignal.timeout(5000);
    const stream = await connection.newStream(protocols.zone[0], { signal, maxOutboundStreams: 2000 });
    stream.send(Uint8Array.of(1));
  };
  for (let i = 0; i < 30; i++) await open().catch(nothing);
  const settled = Promise.all(Array.from({ length: 1000 }, async () => await open().catch(nothing)));
  expect(await roundTripMs(host, friend)).toBeLessThan(5000);
  await settled;
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(protocolLimits('zone').streams);
  expect(await roundTripMs(host, friend)).toBeLessThan(1000);
}, 30_000);

it('over several connections he has no more streams, and of connections the newest few', async () => {
  const refused: string[] = [];
  const host = await box(
    { refused: (_, why, step) => refused.push(`${step}: ${why}`) },
    {
      maxFrameBytes: 4096,
      handle: async (stream) => {
        await stream.receive();
      },
    },
  );
  const hostile = await hostileNode();
  const connections: Connection[] = [];
  for (let i = 0; i < maxConnectionsPerPeer + 3; i++) connections.push(await dialled(hostile, host));
  await expect
    .poll(() => host.connections(hostile.peerId.toString()).length, { timeout: 5000 })
    .toBe(maxConnectionsPerPeer);
  const open = connections.filter((one) => one.status === 'open').slice(-3);
  for (let i = 0; i < protocolLimits('drain').streams + 2; i++)
    await open[i % open.length]?.newStream(protocols.drain[0]).catch(nothing);
  await expect.poll(() => refused).toContain('quota: too many drain streams');
});

it('a frame that is announced as huge ends the stream before anything is allocated for it', async () => {
  const failures: unknown[] = [];
  const host = await box({ streamFailed: (_peer, _protocol, error) => failures.push(error) });
  const hostile = await hostileNode();
  const connection = await dialled(hostile, host);
  const rssBefore = process.memoryUsage.rss();
  const stream = await connection.newStream(protocols.zone[0]);
  // A length of 2 GiB as a varint, and then a little of it.
  stream.send(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x08, 1, 2, 3));
  await expect.poll(() => failures.some(isFrameTooLarge), { timeout: 5000 }).toBe(true);
  expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(100_000_000);
  await expect.poll(() => stream.status).not.toBe('open');
});

/** A stream that a hostile node opened, and its end at our side. */
async function streamOf(): Promise<{ hostile: Stream; stream: Stream; connection: Connection }> {
  const victim = await hostileNode(['/ip4/127.0.0.1/tcp/0']);
  const accepted = Promise.withResolvers<[Stream, Connection]>();
  await victim.handle('/test/1', (stream, connection) => accepted.resolve([stream, connection]));
  const attacker = await hostileNode();
  const [address] = victim.getMultiaddrs();
  if (address === undefined) throw new Error('the victim listens');
  const hostile = await attacker.dialProtocol(address, '/test/1');
  const [stream, connection] = await accepted.promise;
  return { hostile, stream, connection };
}

/** The stream of a hostile node as the frames that our side would see, with a short deadline. */
async function slowly(
  deadlineMs: number,
): Promise<{ hostile: Stream; ours: ReturnType<typeof frameStream>; keptBytes: () => number }> {
  const { hostile, stream, connection } = await streamOf();
  const line = startLine({ nowMs: () => Date.now() });
  const ours = frameStream(stream, {
    maxFrameBytes: 1_000_000,
    maxSentBytes: 1_000_000,
    meter: { sent: nothing, received: nothing },
    line,
    pace: paceOf(connection, line),
    trafficClass: 'dns',
    deadlineMs,
  });
  return { hostile, ours, keptBytes: () => stream.writeBufferLength };
}

/** Lets the other side send `bytes` more on this stream, whatever is read of it. */
function widen(stream: Stream, bytes: number): void {
  const yamux = stream as unknown as {
    streamId: number;
    recvWindowCapacity: number;
    sendFrame(header: { type: number; flag: number; streamID: number; length: number }): void;
  };
  yamux.recvWindowCapacity += bytes;
  yamux.sendFrame({ type: 1, flag: 0, streamID: yamux.streamId, length: bytes });
}

it('a frame that comes byte by byte is given up, however steadily the bytes come', async () => {
  const { hostile, ours } = await slowly(500);
  hostile.send(Uint8Array.of(100));
  const trickle = setInterval(() => {
    if (hostile.status === 'open') hostile.send(Uint8Array.of(1));
  }, 50);
  await expect(ours.receive()).rejects.toThrow();
  clearInterval(trickle);
});

it('a stream on which nothing has begun may stay silent for longer than a frame may take', async () => {
  const { hostile, ours } = await slowly(100);
  const received = ours.receive();
  await new Promise((resolve) => setTimeout(resolve, 300));
  hostile.send(Uint8Array.of(1, 42));
  expect(await received).toEqual(Uint8Array.of(42));
});

it('whoever reads nothing loses the stream, and what waited for him is let go', async () => {
  const { hostile, ours } = await slowly(300);
  hostile.pause();
  const sending = (async () => {
    for (let i = 0; i < 200; i++) await ours.send(new Uint8Array(500_000));
  })();
  await expect(sending).rejects.toThrow();
});

it('whoever takes a few bytes at a time makes us keep no more than one piece for him', async () => {
  const { hostile, ours, keptBytes } = await slowly(10_000);
  hostile.pause();
  const sending = (async () => {
    for (let i = 0; i < 200; i++) await ours.send(new Uint8Array(500_000));
  })();
  sending.catch(nothing);
  await expect.poll(keptBytes, { timeout: 5000 }).toBeGreaterThan(0);
  for (let i = 0; i < 100; i++) {
    const before = hostile.readBufferLength;
    widen(hostile, 20);
    await expect.poll(() => hostile.readBufferLength, { interval: 1 }).toBeGreaterThan(before);
  }
  expect(keptBytes()).toBeGreaterThan(0);
  expect(keptBytes()).toBeLessThanOrEqual(maxPieceBytes);
  ours.abort(new Error('enough'));
  await expect(sending).rejects.toThrow('enough');
});

it('what is to be relayed is taken in small pieces, and all that waits beside is counted', async () => {
  const { hostile, stream } = await streamOf();
  const source = byteSource(stream, {
    received: nothing,
    holdBytes: relayHoldBytes,
    pieceBytes: maxPieceBytes,
  });
  const sentBytes = 200_000;
  hostile.send(new Uint8Array(sentBytes));
  await expect.poll(() => source.heldBytes()).toBe(sentBytes);
  for (let takenBytes = 0; takenBytes < sentBytes; ) {
    const piece = await source.some();
    expect(piece?.length).toBeLessThanOrEqual(maxPieceBytes);
    takenBytes += piece?.length ?? 0;
    expect(source.heldBytes()).toBe(sentBytes - takenBytes);
  }
  await hostile.close();
  expect(await source.some()).toBeUndefined();
});

it('on a real host: a friend who sends one byte after the other loses his stream, and others are served meanwhile', async () => {
  const failures: unknown[] = [];
  const host = await box({ streamFailed: (_peer, _protocol, error) => failures.push(error) }, shortEcho, {
    frameDeadlineMs: 500,
  });
  const [hostile, friend] = [await hostileNode(), await friendOf(host)];
  const connection = await dialled(hostile, host);
  const stream = await connection.newStream(protocols.zone[0]);
  stream.send(Uint8Array.of(100));
  const trickle = setInterval(() => {
    if (stream.status === 'open') stream.send(Uint8Array.of(1));
  }, 50);
  toStop.push(async () => clearInterval(trickle));
  expect(await roundTripMs(host, friend)).toBeLessThan(5000);
  expect(failures).toEqual([]);
  await expect.poll(() => failures.length, { timeout: 5000 }).toBe(1);
  await expect.poll(() => stream.status, { timeout: 5000 }).not.toBe('open');
  expect(await roundTripMs(host, friend)).toBeLessThan(5000);
});

it('on a real host: a friend who stalls as reader loses his stream, and others are served meanwhile', async () => {
  const failures: unknown[] = [];
  let sent = 0;
  const floods: ProtocolHandler = {
    maxFrameBytes: 65_536,
    handle: async (stream, from) => {
      if (from.peer !== hostile.peerId.toString()) return await echo.handle(stream, from);
      for (; sent < 1000; sent++) await stream.send(new Uint8Array(65_000));
    },
  };
  const hostile = await hostileNode();
  const host = await box({ streamFailed: (_peer, _protocol, error) => failures.push(error) }, floods, {
    frameDeadlineMs: 500,
  });
  const friend = await friendOf(host);
  const connection = await dialled(hostile, host);
  const stream = await connection.newStream(protocols.zone[0]);
  stream.pause();
  await expect.poll(() => sent).toBeGreaterThan(0);
  expect(await roundTripMs(host, friend)).toBeLessThan(5000);
  await expect.poll(() => failures.map(String), { timeout: 10_000 }).toHaveLength(1);
  expect(sent).toBeLessThan(1000);
  expect(await roundTripMs(host, friend)).toBeLessThan(5000);
});
