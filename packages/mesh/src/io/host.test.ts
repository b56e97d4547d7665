import { encodeCanonical } from '@copain/trust';
import { afterEach, expect, it } from 'vitest';
import type { Admission } from '../gate.ts';
import { openEnvelope, signingKeyFromProtobuf, signingKeyFromSeed, verifySignature } from './envelope.ts';
import type { Host, HostEvents } from './host.ts';
import { type Line, startLine } from './line.ts';
import type { ProtocolHandler } from './serve-protocols.ts';
import { echo, everyProtocol, startTestHost } from './testing.ts';

const started: Host[] = [];
afterEach(async () => {
  for (const host of started.splice(0)) await host[Symbol.asyncDispose]();
});

async function host(options: {
  admit?: (peer: string) => Admission;
  handler?: ProtocolHandler;
  allowPrivate?: boolean;
  events?: Partial<HostEvents>;
  relaysFor?: (peer: string) => boolean;
}): Promise<Host> {
  const { handler = echo, allowPrivate = true, events = {} } = options;
  const one = await startTestHost({
    allowPrivate: () => allowPrivate,
    relaysFor: options.relaysFor ?? (() => false),
    admit: options.admit ?? (() => 'friend'),
    handlers: everyProtocol(() => handler),
    events,
  });
  started.push(one);
  return one;
}

const at = (one: Host): string[] => one.addresses.map((address) => `${address.host}:${address.port}`);
const soon = (): AbortSignal => AbortSignal.timeout(10_000);

it('frames go both ways whole, with back-pressure, and an end is an end', async () => {
  const [here, there] = [await host({}), await host({})];
  await here.dial(there.peer, at(there), { signal: soon() });
  const stream = await here.open(there.peer, 'zone', { signal: soon() });
  const frames = Array.from({ length: 200 }, (_, i) => new Uint8Array(1 + ((i * 997) % 60_000)).fill(i));
  const sending = (async () => {
    for (const frame of frames) await stream.send(frame);
    await stream.end();
  })();
  for (const frame of frames) {
    const back = await stream.receive();
    expect(back?.length).toBe(frame.length);
    expect(back?.[0]).toBe(frame[0]);
  }
  expect(await stream.receive()).toBeUndefined();
  await sending;
});

it('a friend who has much to say in the moment in which he is connected keeps his connection', async () => {
  const asked = await host({});
  // Who is quicker, the streams or our side of the connection, is chance: five friends are enough of it.
  for (let friend = 0; friend < 5; friend++) {
    const answers: Promise<number | undefined>[] = [];
    const say = async (i: number): Promise<number | undefined> => {
      const stream = await asking.open(asked.peer, 'live', { signal: soon() });
      await stream.send(Uint8Array.of(i));
      return (await stream.receive())?.[0];
    };
    const asking = await host({
      events: { connected: () => answers.push(...Array.from({ length: 30 }, (_, i) => say(i))) },
    });
    await asking.dial(asked.peer, at(asked), { signal: soon() });
    expect(await Promise.all(answers)).toEqual(Array.from({ length: 30 }, (_, i) => i));
  }
});

it('a write that waits for its turn ends with its stream', async () => {
  let asked = (): void => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const line: Line = {
    ...startLine({ nowMs: () => Date.now() }),
    take: async (_class, _size, signal) => {
      asked();
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      });
    },
  };
  const there = await host({});
  const here = await startTestHost({ line });
  started.push(here);
  await here.dial(there.peer, at(there), { signal: soon() });
  const stream = await here.open(there.peer, 'zone', { signal: soon() });
  const sending = stream.send(new Uint8Array(1000));
  sending.catch(() => undefined);
  await isAsked;
  await expect.poll(() => there.connections(here.peer).length).toBe(1);
  for (const { id } of there.connections(here.peer)) there.closeConnection(here.peer, id);
  await expect(sending).rejects.toThrow();
});

it('a reader that stands still holds the sender back', async () => {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let counted = 0;
  let ended = (): void => {};
  const finished = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const slow: ProtocolHandler = {
    maxFrameBytes: 65_536,
    handle: async (stream) => {
      await released;
      for (let frame = await stream.receive(); frame !== undefined; frame = await stream.receive())
        counted += 1;
      await stream.end();
      ended();
    },
  };
  const [here, there] = [await host({}), await host({ handler: slow })];
  await here.dial(there.peer, at(there), { signal: soon() });
  const stream = await here.open(there.peer, 'zone', { signal: soon() });
  const frame = new Uint8Array(65_536);
  let sent = 0;
  const total = 400;
  const sending = (async () => {
    for (; sent < total; sent++) await stream.send(frame);
    await stream.end();
  })();
  // The sender stops making progress while the reader stands still: wait until two looks see the same count.
  let before = -1;
  await expect
    .poll(
      () => {
        const still = sent === before && sent > 0;
        before = sent;
        return still;
      },
      { interval: 200, timeout: 10_000 },
    )
    .toBe(true);
  expect(sent).toBeLessThan(total / 2);
  release();
  await sending;
  await finished;
  expect(counted).toBe(total);
});

it('a frame over the limit breaks the stream on the receiving side', async () => {
  const [here, there] = [await host({}), await host({ handler: { ...echo, maxFrameBytes: 1000 } })];
  await here.dial(there.peer, at(there), { signal: soon() });
  const stream = await here.open(there.peer, 'zone', { signal: soon() });
  await stream.send(new Uint8Array(2000));
  await expect(stream.receive()).rejects.toThrow();
});

it('a stranger is not let in, and a guest gets the join protocol and nothing else', async () => {
  const refused: string[] = [];
  const closed = await host({ admit: () => 'nobody', events: { refused: (_, why) => refused.push(why) } });
  const open = await host({ admit: () => 'guest' });
  const stranger = await host({});
  await stranger.dial(closed.peer, at(closed), { signal: soon() }).then(
    () => expect.poll(() => stranger.connections(closed.peer).length).toBe(0),
    () => undefined,
  );
  await expect.poll(() => refused).toEqual(['not a friend']);
  await stranger.dial(open.peer, at(open), { signal: soon() });
  const join = await stranger.open(open.peer, 'join', { signal: soon() });
  await join.send(Uint8Array.of(1));
  expect(await join.receive()).toEqual(Uint8Array.of(1));
  for (const protocol of ['sync', 'zone', 'live', 'drain', 'bulk'] as const) {
    const attempt = (async () => {
      const stream = await stranger.open(open.peer, protocol, { signal: soon() });
      await stream.send(Uint8Array.of(1));
      return await stream.receive();
    })();
    await expect(attempt).rejects.toThrow();
  }
});

it('an answer may be larger than a question, where the protocol says so', async () => {
  const large = new Uint8Array(5000).fill(7);
  const handler: ProtocolHandler = {
    maxFrameBytes: 1000,
    maxAnswerBytes: 8000,
    handle: async (stream) => {
      await stream.receive();
      await stream.send(large);
      await stream.end();
    },
  };
  const [here, there] = [await host({ handler }), await host({ handler })];
  await here.dial(there.peer, at(there), { signal: soon() });
  const stream = await here.open(there.peer, 'join', { signal: soon() });
  await expect(stream.send(large)).rejects.toThrow(RangeError);
  await stream.send(Uint8Array.of(1));
  expect(await stream.receive()).toEqual(large);
});

it('whoever is over the number of guests by the time the connection stands is shown out again', async () => {
  const answers: Admission[] = ['guest', 'nobody'];
  const refused: string[] = [];
  const open = await host({
    admit: () => answers.shift() ?? 'nobody',
    events: { refused: (_, why) => refused.push(why) },
  });
  const stranger = await host({});
  await stranger.dial(open.peer, at(open), { signal: soon() }).catch(() => undefined);
  await expect.poll(() => refused).toEqual(['too many guests']);
  await expect.poll(() => stranger.connections(open.peer).length).toBe(0);
});

it('whoever stops being a friend is hung up on at once, also while guests are let in', async () => {
  let admission: Admission = 'friend';
  const closed: boolean[] = [];
  const here = await host({ admit: () => admission });
  const there = await host({ events: { disconnected: (_, __, last) => closed.push(last) } });
  await there.dial(here.peer, at(here), { signal: soon() });
  const stream = await there.open(here.peer, 'sync', { signal: soon() });
  await stream.send(Uint8Array.of(1));
  expect(await stream.receive()).toEqual(Uint8Array.of(1));
  for (const next of ['guest', 'former'] as const) {
    await expect.poll(() => here.connections(there.peer).length).toBe(1);
    admission = next;
    here.enforce();
    await expect.poll(() => there.connections(here.peer).length).toBe(0);
    admission = 'friend';
    await there.dial(here.peer, at(here), { signal: soon() });
  }
  expect(closed.slice(0, 2)).toEqual([true, true]);
});

it('a former friend is in for a short word that we have for him, and opens no stream himself', async () => {
  const met: string[] = [];
  const here = await host({ admit: () => 'former', events: { connected: (_, { id }) => met.push(id) } });
  const there = await host({});
  await there.dial(here.peer, at(here), { signal: soon() });
  await expect.poll(() => met.length).toBe(1);
  for (const protocol of ['sync', 'join', 'removed'] as const) {
    const attempt = (async () => {
      const stream = await there.open(here.peer, protocol, { signal: soon() });
      await stream.send(Uint8Array.of(1));
      return await stream.receive();
    })();
    await expect(attempt).rejects.toThrow();
  }
  const told = await here.open(there.peer, 'removed', { signal: soon(), connectionId: met[0] ?? '' });
  await told.send(Uint8Array.of(7));
  expect(await told.receive()).toEqual(Uint8Array.of(7));
});

it.for([
  '127.0.0.1',
  '127.1',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[64:ff9b::7f00:1]',
  'localhost',
  '192.168.1.77',
  '[::ffff:192.168.1.77]',
  '10.0.0.1',
  '169.254.169.254',
  '[fe80::1]',
  '[fe80::1%lo]',
  '[fc00::1]',
])('a claimed address in our own network or on our loopback is not dialled: %s', async (claimed) => {
  const met: string[] = [];
  const there = await host({ events: { connected: (peer) => met.push(peer) } });
  const careful = await host({ allowPrivate: false });
  const port = there.addresses[0]?.port;
  const dial = careful.dial(there.peer, [`${claimed}:${port}`], { signal: soon() });
  // Nothing was tried: with anything to try, the failure would be that of a connection.
  await expect(dial).rejects.toThrow('no address to dial');
  expect(met).toEqual([]);
});

it('a friend who stops is noticed at once, and as gone only when the last connection is', async () => {
  const closings: boolean[] = [];
  const [here, there] = [
    await host({ events: { disconnected: (_, __, last) => closings.push(last) } }),
    await host({}),
  ];
  await here.dial(there.peer, at(there), { signal: soon() });
  await here.dial(there.peer, at(there), { signal: soon(), fresh: true });
  expect(here.connections(there.peer).length).toBe(2);
  await there[Symbol.asyncDispose]();
  await expect.poll(() => closings).toEqual([false, true]);
});

it('a box that nobody can dial is reached through a friend who relays for it, with all protocols, and back the same way', async () => {
  const vias: (string | undefined)[] = [];
  const hidden = await host({ events: { connected: (_, { via }) => vias.push(via) } });
  const relay = await host({ relaysFor: (peer) => peer === hidden.peer });
  const friend = await host({});
  await hidden.dial(relay.peer, at(relay), { signal: soon() });
  await friend.dial(relay.peer, at(relay), { signal: soon() });
  const [way] = hidden.connections(relay.peer);
  await hidden.reserve(relay.peer, { signal: soon(), connectionId: way?.id ?? '' });
  await friend.dial(hidden.peer, [], { signal: soon(), via: () => [relay.peer] });
  expect(friend.connections(hidden.peer)).toMatchObject([{ via: relay.peer }]);
  await expect.poll(() => vias).toEqual([undefined, relay.peer]);
  const sent = Array.from({ length: 40 }, (_, i) => new Uint8Array(50_000).fill(i));
  for (const [from, to] of [
    [friend, hidden],
    [hidden, friend],
  ] as const) {
    const stream = await from.open(to.peer, 'drain', { signal: soon() });
    const sending = (async () => {
      for (const frame of sent) await stream.send(frame);
      await stream.end();
    })();
    for (const frame of sent) expect(await stream.receive()).toEqual(frame);
    expect(await stream.receive()).toBeUndefined();
    await sending;
  }
  // A direct connection is the better one from the moment it stands, whatever its age.
  await friend.dial(hidden.peer, at(hidden), { signal: soon(), fresh: true });
  expect(friend.connections(hidden.peer).map(({ via }) => via)).toEqual([undefined, relay.peer]);
});

it('a box relays for nobody but whom it offers that, and between friends only', async () => {
  const hidden = await host({});
  const friend = await host({});
  const unwilling = await host({});
  const strangers = new Set<string>();
  const relay = await host({
    relaysFor: () => true,
    admit: (peer) => (strangers.has(peer) ? 'guest' : 'friend'),
  });
  for (const one of [relay, unwilling]) await hidden.dial(one.peer, at(one), { signal: soon() });
  await friend.dial(relay.peer, at(relay), { signal: soon() });
  const to = (one: Host) => ({ signal: soon(), connectionId: hidden.connections(one.peer)[0]?.id ?? '' });
  await expect(hidden.reserve(unwilling.peer, to(unwilling))).rejects.toThrow('status');
  await expect(friend.dial(hidden.peer, [], { signal: soon(), via: () => [relay.peer] })).rejects.toThrow();
  await hidden.reserve(relay.peer, to(relay));
  strangers.add(friend.peer);
  await expect(friend.dial(hidden.peer, [], { signal: soon(), via: () => [relay.peer] })).rejects.toThrow();
  strangers.clear();
  strangers.add(hidden.peer);
  await expect(hidden.reserve(relay.peer, to(relay))).rejects.toThrow('status');
  await expect(friend.dial(hidden.peer, [], { signal: soon(), via: () => [relay.peer] })).rejects.toThrow();
  strangers.clear();
  await friend.dial(hidden.peer, [], { signal: soon(), via: () => [relay.peer] });
});

it('whoever is no friend of the one behind the relay does not get through it', async () => {
  let friendPeer = '';
  const hidden = await host({ admit: (peer) => (peer === friendPeer ? 'guest' : 'friend') });
  const relay = await host({ relaysFor: () => true });
  const friend = await host({});
  friendPeer = friend.peer;
  await hidden.dial(relay.peer, at(relay), { signal: soon() });
  await friend.dial(relay.peer, at(relay), { signal: soon() });
  const connectionId = hidden.connections(relay.peer)[0]?.id ?? '';
  await hidden.reserve(relay.peer, { signal: soon(), connectionId });
  await expect(friend.dial(hidden.peer, [], { signal: soon(), via: () => [relay.peer] })).rejects.toThrow();
  expect(hidden.connections(friend.peer)).toEqual([]);
});

it('an envelope comes back with its signer; any changed byte, another kind, or another size is refused', async () => {
  const key = await signingKeyFromSeed(new Uint8Array(32).fill(9));
  const payload = encodeCanonical({ v: 1, note: 'hello' });
  const envelope = await key.seal('vote', payload);
  const opened = await openEnvelope('vote', envelope);
  expect(opened?.signer).toBe(key.peer);
  expect(opened?.payload).toEqual(payload);
  expect(await openEnvelope('holds', envelope)).toBeUndefined();
  for (let i = 0; i < envelope.length; i++) {
    const changed = envelope.slice();
    changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8));
    expect([i, await openEnvelope('vote', changed)]).toEqual([i, undefined]);
    expect(await openEnvelope('vote', envelope.subarray(0, i))).toBeUndefined();
  }
  expect(await openEnvelope('vote', await key.seal('vote', new Uint8Array(5000)))).toBeUndefined();
});

it('the same seed gives the same key, and raw signatures bind signer and bytes', async () => {
  const key = await signingKeyFromSeed(new Uint8Array(32).fill(1));
  const again = signingKeyFromProtobuf(key.protobuf);
  const other = await signingKeyFromSeed(new Uint8Array(32).fill(2));
  expect(again.peer).toBe(key.peer);
  const bytes = Uint8Array.of(1, 2, 3);
  const signature = await key.sign(bytes);
  expect(await verifySignature(key.peer, bytes, signature)).toBe(true);
  expect(await verifySignature(other.peer, bytes, signature)).toBe(false);
  expect(await verifySignature(key.peer, Uint8Array.of(1, 2, 4), signature)).toBe(false);
  expect(await verifySignature('nobody', bytes, signature)).toBe(false);
  // A small-order key with a signature of zeros, which some verifiers accept (RFC 8032 leaves room): refused here.
  expect(await verifySignature(key.peer, bytes, new Uint8Array(64))).toBe(false);
});
