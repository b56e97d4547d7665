import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { maxRelayedPerFriend, relayHoldBytes } from '../limits.ts';
import type { TrafficClass } from '../line-scheduler.ts';
import type { Host, HostEvents } from './host.ts';
import { type Line, startLine } from './line.ts';
import { startTestHost } from './testing.ts';

const started: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of started.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const at = (one: Host): string[] => one.addresses.map(({ host, port }) => `${host}:${port}`);

async function host(options: Parameters<typeof startTestHost>[0] = {}): Promise<Host> {
  const one = await startTestHost(options);
  started.push(one);
  return one;
}

/** What went through the relay, by friend, direction and class. */
function counter() {
  const bytes = new Map<string, number>();
  const count =
    (direction: 'sent' | 'received') =>
    (peer: string, trafficClass: TrafficClass, sizeBytes: number): void => {
      const key = `${direction} ${peer} ${trafficClass}`;
      bytes.set(key, (bytes.get(key) ?? 0) + sizeBytes);
    };
  return {
    events: { sent: count('sent'), received: count('received') },
    of: (direction: 'sent' | 'received', { peer }: Host): number =>
      bytes.get(`${direction} ${peer} relayed`) ?? 0,
  };
}

/** hidden, whom the relay takes calls for, and friend, both connected to it. */
async function relayed(
  options: Parameters<typeof startTestHost>[0] &
    Partial<Record<'hidden' | 'friend', Partial<HostEvents>>> = {},
) {
  const [hidden, friend] = [
    await host({ events: options.hidden ?? {} }),
    await host({ events: options.friend ?? {} }),
  ];
  const relay = await host({ relaysFor: () => true, ...options });
  await hidden.dial(relay.peer, at(relay), { signal: soon() });
  await friend.dial(relay.peer, at(relay), { signal: soon() });
  const connectionId = hidden.connections(relay.peer)[0]?.id ?? '';
  await hidden.reserve(relay.peer, { signal: soon(), connectionId });
  return { hidden, friend, relay };
}

/** A line in front of a host that can be cut without anybody being told. */
async function cuttable(port: number): Promise<{ address: string; cut(): void }> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk) => {
        if (!isCut) to.write(chunk);
      });
      from.on('close', () => to.destroy());
      from.on('error', () => to.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  started.push({
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  const { port: own } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${own}`,
    cut: () => {
      isCut = true;
    },
  };
}

it('what a relay passes on is counted with both friends, and asks the line for its turn', async () => {
  const counted = counter();
  const asked = new Map<TrafficClass, number>();
  const open = startLine({ nowMs: () => Date.now() });
  const line: Line = {
    ...open,
    take: async (trafficClass, sizeBytes) => {
      asked.set(trafficClass, (asked.get(trafficClass) ?? 0) + sizeBytes);
    },
  };
  const { hidden, friend, relay } = await relayed({ line, events: counted.events });
  await friend.dial(hidden.peer, [], { signal: soon(), via: () => [relay.peer] });
  const stream = await friend.open(hidden.peer, 'zone', { signal: soon() });
  for (let i = 0; i < 20; i++) {
    await stream.send(new Uint8Array(50_000).fill(i));
    expect((await stream.receive())?.length).toBe(50_000);
  }
  const passed = 20 * 50_000;
  for (const one of [hidden, friend]) {
    for (const direction of ['sent', 'received'] as const) {
      expect(counted.of(direction, one)).toBeGreaterThan(passed);
      expect(counted.of(direction, one)).toBeLessThan(1.05 * passed);
    }
  }
  expect(asked.get('relayed')).toBeGreaterThan(2 * passed - 20_000);
  await stream.end();
});

/** A line on which nothing that is relayed has its turn. */
const fullLine = (): Line => ({
  ...startLine({ nowMs: () => Date.now() }),
  take: async (trafficClass, _size, signal) => {
    if (trafficClass !== 'relayed') return;
    await new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  },
});

it.for(['whoever called', 'whoever was called'] as const)(
  'a relay whose line is full holds back %s, and keeps no more than its limit',
  async (who) => {
    const counted = counter();
    let sentBytes = 0;
    const sent = (_peer: string, _class: TrafficClass, sizeBytes: number): void => {
      sentBytes += sizeBytes;
    };
    const { hidden, friend, relay } = await relayed({
      line: fullLine(),
      events: counted.events,
      friend: { sent },
      hidden: { sent },
    });
    // Where the time is known that a ping takes, yamux widens the window of a stream that is quick.
    await relay.roundTripMs(hidden.peer, soon());
    await relay.roundTripMs(friend.peer, soon());
    await friend.dial(hidden.peer, [], { signal: soon(), via: () => [relay.peer] });
    const [sender, other] = who === 'whoever called' ? [friend, hidden] : [hidden, friend];
    await expect.poll(() => sender.connections(other.peer)).toHaveLength(1);
    sentBytes = 0;
    // Bulk is not paced by pings: nothing but the relay holds it back.
    const streams = await Promise.all(
      [1, 2, 3, 4].map(() => sender.open(other.peer, 'bulk', { signal: soon() })),
    );
    const sending = streams.map(async (stream) => {
      for (let i = 0; i < 100; i++) await stream.send(new Uint8Array(60_000));
    });
    const ended = Promise.allSettled(sending);
    await expect.poll(() => sentBytes).toBeGreaterThan(300_000);
    const isQuiet = async (): Promise<boolean> => {
      const before = sentBytes;
      for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
      return sentBytes === before;
    };
    await expect.poll(isQuiet).toBe(true);
    // A window of 256 KiB, what the relay keeps beside it, and what waits at the sender.
    expect(sentBytes).toBeLessThan(262_144 + relayHoldBytes + 131_072);
    expect(counted.of('received', sender)).toBeLessThan(relayHoldBytes + 65_536);
    for (const stream of streams) stream.abort(new Error('enough'));
    expect((await ended).map(({ status }) => status)).toEqual(streams.map(() => 'rejected'));
  },
);

it('where more waits than a relay has memory for, the fullest connection ends, and no other', async () => {
  const { hidden, friend, relay } = await relayed({ line: fullLine(), relayHeldBytes: 200_000 });
  const other = await host();
  await other.dial(relay.peer, at(relay), { signal: soon() });
  const send = async (from: Host, sizeBytes: number): Promise<void> => {
    await from.dial(hidden.peer, [], { signal: soon(), via: () => [relay.peer] });
    const stream = await from.open(hidden.peer, 'bulk', { signal: soon() });
    for (let left = sizeBytes; left > 0; left -= 30_000) await stream.send(new Uint8Array(30_000));
  };
  await send(other, 30_000);
  // Less than a window: what waits is sent at once, and most of it comes while the stream is held back.
  await send(friend, 240_000);
  await expect.poll(() => friend.connections(hidden.peer), { timeout: 5000 }).toEqual([]);
  expect(other.connections(hidden.peer)).toHaveLength(1);
});

it('a friend has his share of the calls that wait, on however many connections he asks', async () => {
  const { hidden, friend, relay } = await relayed();
  for (const { id } of hidden.connections(relay.peer)) hidden.closeConnection(relay.peer, id);
  await expect.poll(() => relay.connections(hidden.peer)).toEqual([]);
  const enough = new AbortController();
  let refused = 0;
  const calls: Promise<void>[] = [];
  for (const count of [maxRelayedPerFriend / 2, maxRelayedPerFriend / 2 + 5]) {
    await friend.dial(relay.peer, at(relay), { signal: soon(), fresh: true });
    for (let i = 0; i < count; i++)
      calls.push(
        friend
          .dial(hidden.peer, [], { signal: enough.signal, fresh: true, via: () => [relay.peer] })
          .catch(() => {
            refused += enough.signal.aborted ? 0 : 1;
          }),
      );
  }
  await expect.poll(() => refused, { timeout: 5000 }).toBe(5);
  enough.abort(new Error('enough'));
  await Promise.all(calls);
});

it('what a box offered when a call came counts no more once it took the offer back', async () => {
  let offers = true;
  const counted = counter();
  const { hidden, friend, relay } = await relayed({ relaysFor: () => offers, events: counted.events });
  for (const { id } of hidden.connections(relay.peer)) hidden.closeConnection(relay.peer, id);
  await expect.poll(() => relay.connections(hidden.peer)).toEqual([]);
  const calling = friend.dial(hidden.peer, [], { signal: soon(), via: () => [relay.peer] });
  const refused = expect(calling).rejects.toThrow();
  await expect.poll(() => counted.of('received', friend)).toBeGreaterThan(0);
  offers = false;
  relay.enforce();
  await hidden.dial(relay.peer, at(relay), { signal: soon() });
  await refused;
});

it('whoever calls is put through as soon as the box he calls comes back, also where its old line hangs', async () => {
  const [hidden, friend] = [await host(), await host()];
  const relay = await host({ relaysFor: () => true });
  const line = await cuttable(relay.addresses[0]?.port ?? 0);
  await hidden.dial(relay.peer, [line.address], { signal: soon() });
  await friend.dial(relay.peer, at(relay), { signal: soon() });
  const connectionId = hidden.connections(relay.peer)[0]?.id ?? '';
  await hidden.reserve(relay.peer, { signal: soon(), connectionId });
  line.cut();
  const calling = friend.dial(hidden.peer, [], { signal: soon(), via: () => [relay.peer] });
  calling.catch(() => undefined);
  await hidden.dial(relay.peer, at(relay), { signal: soon(), fresh: true });
  await calling;
  expect(friend.connections(hidden.peer)).toMatchObject([{ via: relay.peer }]);
});

it('a box that is away is called when it is back', async () => {
  const { hidden, friend, relay } = await relayed();
  for (const { id } of hidden.connections(relay.peer)) hidden.closeConnection(relay.peer, id);
  await expect.poll(() => relay.connections(hidden.peer)).toEqual([]);
  const calling = friend.dial(hidden.peer, [], { signal: soon(), via: () => [relay.peer] });
  calling.catch(() => undefined);
  await hidden.dial(relay.peer, at(relay), { signal: soon() });
  await calling;
});

it('a relay is called on the newest connection with it: an old one may be dead', async () => {
  const [hidden, friend] = [await host(), await host()];
  const relay = await host({ relaysFor: () => true });
  const line = await cuttable(relay.addresses[0]?.port ?? 0);
  await hidden.dial(relay.peer, at(relay), { signal: soon() });
  const connectionId = hidden.connections(relay.peer)[0]?.id ?? '';
  await hidden.reserve(relay.peer, { signal: soon(), connectionId });
  await friend.dial(relay.peer, [line.address], { signal: soon() });
  line.cut();
  await friend.dial(relay.peer, at(relay), { signal: soon(), fresh: true });
  await friend.dial(hidden.peer, [], { signal: soon(), via: () => [relay.peer] });
});

it('whom a box does not relay for any more loses the relayed connections that stand', async () => {
  const allowed = new Set<string>();
  const { hidden, friend, relay } = await relayed({
    relaysFor: (peer) => allowed.size === 0 || allowed.has(peer),
  });
  await friend.dial(hidden.peer, [], { signal: soon(), via: () => [relay.peer] });
  relay.enforce();
  expect(friend.connections(hidden.peer)).toHaveLength(1);
  allowed.add('nobody');
  relay.enforce();
  await expect.poll(() => friend.connections(hidden.peer)).toEqual([]);
});
