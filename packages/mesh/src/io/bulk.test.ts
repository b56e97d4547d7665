import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { noise } from '@chainsafe/libp2p-noise';
import { identify } from '@libp2p/identify';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import { afterEach, expect, it } from 'vitest';
import { decodeBulkFrame, encodeBulkFrame } from '../bulk-frames.ts';
import { type Bulk, type BulkService, startBulk } from './bulk.ts';
import type { Host } from './host.ts';
import type { ProtocolHandler } from './serve-protocols.ts';
import { everyProtocol, startTestHost } from './testing.ts';

const running: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0).toReversed()) await stop();
});

interface Side {
  host: Host;
  bulk: Bulk;
  /** What the host told of connections, in order. */
  told: string[];
}

const clock = { nowMs: () => Date.now() };
const none: ProtocolHandler = { maxFrameBytes: 1000, handle: async (stream) => await stream.end() };

async function side(
  services: Record<string, BulkService> = {},
  options: { addresses?: () => string[]; idleMs?: number } = {},
): Promise<Side> {
  const told: string[] = [];
  const _nothing = (): void => {};
  const bulk = startBulk({
    host: () => host,
    clock,
    random: { bytes: (n) => new Uint8Array(randomBytes(n)), fraction: () => 0.5 },
    services,
    addressesOf: () => options.addresses?.() ?? [],
    idleMs: options.idleMs ?? 60_000,
  });
  const host: Host = await startTestHost({
    handlers: { ...everyProtocol(() => none), bulk: bulk.handler },
    events: {
      connected: (_peer, { outbound }) => told.push(outbound ? 'connected out' : 'connected in'),
      disconnected: (_peer, _id, last) => told.push(last ? 'disconnected' : 'one connection less'),
    },
  });
  running.push(
    async () => await host[Symbol.asyncDispose](),
    async () => bulk.stop(),
  );
  return { host, bulk, told };
}

const addressesOf = ({ host }: Side): string[] => host.addresses.map((at) => `${at.host}:${at.port}`);
const soon = (): AbortSignal => AbortSignal.timeout(10_000);

/** Keeps a hash and a count of what it was given. */
function collecting(limits = { maxBytes: 10_000_000, maxMs: 10_000 }) {
  const hash = createHash('sha256');
  const got = { bytes: 0, digest: () => hash.digest('hex') };
  const service: BulkService = {
    accept: () => limits,
    take: async (_from, chunks) => {
      for await (const chunk of chunks) {
        got.bytes += chunk.length;
        hash.update(chunk);
      }
    },
  };
  return { got, service };
}

/** Two friends, connected by the first one. */
async function pair(services: Record<string, BulkService>, idleMs?: number): Promise<[Side, Side]> {
  const receiver = await side(services, idleMs === undefined ? {} : { idleMs });
  const sender = await side(
    {},
    { addresses: () => addressesOf(receiver), ...(idleMs === undefined ? {} : { idleMs }) },
  );
  await sender.host.dial(receiver.host.peer, addressesOf(receiver), { signal: soon() });
  return [sender, receiver];
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

it('every byte arrives, on a second connection that is nobody else’s business', async () => {
  const { got, service } = collecting();
  const [sender, receiver] = await pair({ test: service });
  const content = new Uint8Array(randomBytes(3_000_000));
  const to = receiver.host.peer;
  const offer = { purpose: 'test', sizeBytes: content.length };
  const sent = await sender.bulk.send(to, offer, () => once(content), soon());
  expect(sent).toMatchObject({ bytes: content.length, ownConnection: true });
  expect(got.bytes).toBe(content.length);
  expect(got.digest()).toBe(createHash('sha256').update(content).digest('hex'));

  expect(sender.host.bulkConnection(to)).toBeDefined();
  expect(receiver.host.bulkConnection(sender.host.peer)).toBe(receiver.host.bulkConnection(sender.host.peer));
  expect(sender.host.connections(to)).toHaveLength(1);
  expect(receiver.host.connections(sender.host.peer)).toHaveLength(1);
  expect(sender.told).toEqual(['connected out']);
  // The receiver cannot know before the first stream on it what the connection is for.
  expect(receiver.told).toEqual(['connected in', 'connected in', 'one connection less']);
});

it('the second connection is used again, closed when idle, and nobody is told that a friend left', async () => {
  const { service } = collecting();
  const [sender, receiver] = await pair({ test: service }, 300);
  const to = receiver.host.peer;
  const offer = { purpose: 'test', sizeBytes: 0 };
  await sender.bulk.send(to, offer, () => once(new Uint8Array(1000)), soon());
  const first = sender.host.bulkConnection(to);
  await sender.bulk.send(to, offer, () => once(new Uint8Array(1000)), soon());
  expect(sender.host.bulkConnection(to)).toBe(first);
  for (let i = 0; i < 100 && sender.host.bulkConnection(to) !== undefined; i++) await pause(20);
  expect(sender.host.bulkConnection(to)).toBeUndefined();
  expect(sender.told).toEqual(['connected out']);
  expect(sender.host.connections(to)).toHaveLength(1);
});

it('where the friend cannot be dialled, the connection that is there carries it', async () => {
  const { got, service } = collecting();
  const receiver = await side();
  const sender = await side({ test: service });
  await sender.host.dial(receiver.host.peer, addressesOf(receiver), { signal: soon() });
  for (let i = 0; i < 100 && receiver.told.length === 0; i++) await pause(20);
  const content = new Uint8Array(100_000);
  const offer = { purpose: 'test', sizeBytes: 0 };
  const sent = await receiver.bulk.send(sender.host.peer, offer, () => once(content), soon());
  expect(sent.ownConnection).toBe(false);
  expect(got.bytes).toBe(100_000);
});

it('a refusal says why, and so does a friend whose version has no bulk', async () => {
  const refusing: BulkService = { accept: () => ({ refuse: 'not today' }), take: async () => {} };
  const [sender, receiver] = await pair({ test: refusing });
  const offered = (peer: string, purpose: string) =>
    sender.bulk.send(peer, { purpose, sizeBytes: 0 }, () => once(new Uint8Array(10)), soon());
  await expect(offered(receiver.host.peer, 'test')).rejects.toThrow('not today');
  await expect(offered(receiver.host.peer, 'other')).rejects.toThrow('takes no such thing');
  expect(sender.host.bulkConnection(receiver.host.peer)).toBeUndefined();

  const old = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  });
  running.push(async () => await old.stop());
  const port = old
    .getMultiaddrs()[0]
    ?.getComponents()
    .find(({ name }) => name === 'tcp')?.value;
  await sender.host.dial(old.peerId.toString(), [`127.0.0.1:${port}`], { signal: soon() });
  await expect(offered(old.peerId.toString(), 'test')).rejects.toMatchObject({
    exit: 69,
    message: "the friend's box runs a version without bulk transfers",
  });
});

it('more than was agreed is refused in the middle, and the service hears of no end', async () => {
  let ended = false;
  const { service } = collecting({ maxBytes: 50_000, maxMs: 10_000 });
  const watched: BulkService = {
    accept: (from, sizeBytes) => service.accept(from, sizeBytes),
    take: async (from, chunks) => {
      await service.take(from, chunks);
      ended = true;
    },
  };
  const [sender, receiver] = await pair({ test: watched });
  const offer = { purpose: 'test', sizeBytes: 0 };
  const content = new Uint8Array(200_000);
  await expect(sender.bulk.send(receiver.host.peer, offer, () => once(content), soon())).rejects.toThrow();
  expect(ended).toBe(false);
});

it('a ticket works once, for him to whom it was given, and a transfer that breaks off is no end', async () => {
  let failure: unknown;
  const { service } = collecting();
  const watched: BulkService = {
    accept: (from, sizeBytes) => service.accept(from, sizeBytes),
    take: async (from, chunks) => {
      await service.take(from, chunks).catch((error: unknown) => {
        failure = error;
        throw error;
      });
    },
  };
  const [sender, receiver] = await pair({ test: watched });
  const thief = await side();
  await thief.host.dial(receiver.host.peer, addressesOf(receiver), { signal: soon() });
  const open = (who: Side) => who.host.open(receiver.host.peer, 'bulk', { signal: soon() });

  const offering = await open(sender);
  await offering.send(encodeBulkFrame({ t: 'offer', purpose: 'test', sizeBytes: 0 }));
  const accepted = decodeBulkFrame((await offering.receive()) ?? new Uint8Array());
  if (accepted?.t !== 'accept') throw new Error('the offer was not accepted');
  const resume = encodeBulkFrame({ t: 'resume', ticket: accepted.ticket });

  const stolen = await open(thief);
  await stolen.send(resume);
  await expect(stolen.receive()).rejects.toThrow();

  const mine = await open(sender);
  await mine.send(resume);
  await mine.send(encodeBulkFrame({ t: 'data', bytes: new Uint8Array(1000) }));
  const ack = decodeBulkFrame((await mine.receive()) ?? new Uint8Array());
  expect(ack).toEqual({ t: 'ack', totalBytes: 1000 });
  const again = await sender.host
    .open(receiver.host.peer, 'bulk', {
      signal: soon(),
      connectionId: sender.host.connections(receiver.host.peer)[0]?.id ?? '',
    })
    .then(async (stream) => {
      await stream.send(resume);
      return await stream.receive();
    })
    .catch((error: unknown) => error);
  expect(again).toBeInstanceOf(Error);
  await mine.end();
  for (let i = 0; i < 100 && failure === undefined; i++) await pause(20);
  expect(failure).toMatchObject({ message: 'the transfer ended in the middle' });
});
