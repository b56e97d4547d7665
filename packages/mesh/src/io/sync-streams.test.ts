import { randomBytes } from 'node:crypto';
import { encodeVoteRecord } from '@copain/trust';
import { afterEach, expect, it } from 'vitest';
import { addFact, emptyFactLog, type Fact, type FactLog, judgeFact } from '../fact-log.ts';
import { openEnvelope, type SigningKey, signingKeyFromSeed } from './envelope.ts';
import { type Host, startHost } from './host.ts';
import { startLine } from './line.ts';
import { type SyncStreams, startSyncStreams } from './sync-streams.ts';

interface Box {
  key: SigningKey;
  host: Host;
  sync: SyncStreams;
  log(): FactLog;
  say(sequence: number): Promise<void>;
  rtt: Map<string, number>;
  stop(): Promise<void>;
}

const running = new Set<Box>();
afterEach(async () => {
  for (const box of running) await box.stop();
});

/** A box whose friends are whoever is in `circle`, and whose facts are votes that it believes unseen. */
async function box(
  key: SigningKey,
  circle: Set<string>,
  options: { known?: FactLog; port?: number } = {},
): Promise<Box> {
  let log = options.known ?? emptyFactLog();
  const rtt = new Map<string, number>();
  const friends = (): string[] => [...circle].filter((peer) => peer !== key.peer);
  const learn = async (kind: Fact['kind'], envelope: Uint8Array): Promise<Fact | undefined> => {
    const opened = await openEnvelope(kind, envelope);
    if (opened === undefined) return undefined;
    const text = new TextDecoder('latin1').decode(opened.payload);
    const sequence = Number(/sequence(.)/s.exec(text)?.[1]?.charCodeAt(0) ?? 0);
    const hash = opened.envelopeHash.slice(0, 8);
    const fact: Fact = { kind, key: `vote/${opened.signer}`, epoch: 0, sequence, hash, envelope };
    if (judgeFact(log, fact) !== 'new') return undefined;
    log = addFact(log, fact);
    return fact;
  };
  const refuse = async (): Promise<void> => {
    throw new Error('not in this test');
  };
  let sync: SyncStreams | undefined;
  const other = { maxFrameBytes: 1000, handle: refuse };
  const host = await startHost({
    privateKey: key.protobuf,
    listen: [{ host: '127.0.0.1', port: options.port ?? 0 }],
    line: startLine({ nowMs: () => Date.now() }),
    allowPrivate: () => true,
    admit: (peer) => (circle.has(peer) ? 'friend' : 'nobody'),
    handlers: {
      sync: { maxFrameBytes: 65_536, handle: async (stream, from) => await sync?.accept(stream, from) },
      join: other,
      zone: other,
      live: other,
      drain: other,
      bulk: other,
    },
    events: {
      connected: (peer, { id }) => sync?.connected(peer, id),
      disconnected: () => {},
      heard: () => {},
      sent: () => {},
      received: () => {},
      observed: () => {},
      refused: () => {},
      streamFailed: () => {},
    },
  });
  sync = startSyncStreams({
    self: key.peer,
    host: () => host,
    clock: { nowMs: () => Date.now() },
    random: { bytes: (length) => new Uint8Array(randomBytes(length)), fraction: () => 0.5 },
    log: () => log,
    signedBy: () => [],
    seenBoot: async () => new Uint8Array(),
    friends,
    heard: () => [],
    hello: () => ({
      name: 'box',
      version: '1',
      bootId: new Uint8Array(16),
      previousBootId: new Uint8Array(),
    }),
    received: async (from, { kind, envelope, reached }) => {
      const fact = await learn(kind, envelope);
      if (fact !== undefined) sync?.spread(fact, reached, from);
    },
    events: {
      hello: () => {},
      heardBits: () => {},
      up: () => {},
      failed: () => {},
      roundTrip: (peer, rttMs) => rtt.set(peer, rttMs),
      lastSeen: () => {},
      ownTold: () => {},
    },
  });
  const streams = sync;
  let stopped: Promise<void> | undefined;
  const made: Box = {
    key,
    host,
    sync: streams,
    log: () => log,
    rtt,
    say: async (sequence) => {
      const about = [...circle].find((peer) => peer !== key.peer) ?? key.peer;
      const payload = encodeVoteRecord({ sequence, about, heardAtMs: 0, silent: false });
      const fact = await learn('vote', await key.seal('vote', payload));
      if (fact !== undefined) streams.spread(fact, new Uint8Array(), undefined);
    },
    stop: async () => {
      running.delete(made);
      streams.stop();
      stopped ??= Promise.resolve(host[Symbol.asyncDispose]());
      await stopped;
    },
  };
  running.add(made);
  return made;
}

const at = (one: Box): string[] => one.host.addresses.map((address) => `${address.host}:${address.port}`);
const dial = async (from: Box, to: Box): Promise<void> =>
  await from.host.dial(to.key.peer, at(to), { signal: AbortSignal.timeout(10_000) });

async function keys(count: number): Promise<SigningKey[]> {
  return await Promise.all(
    Array.from({ length: count }, (_, i) => signingKeyFromSeed(new Uint8Array(32).fill(i + 40))),
  );
}

const sameDigest = (...boxes: Box[]): boolean =>
  new Set(boxes.map((one) => one.log().digest.join())).size === 1 &&
  boxes.every((one) => one.log().facts.size > 0);

it('two boxes that dial each other at once end with one connection, and go on talking over it', async () => {
  const [a, b] = await keys(2);
  if (a === undefined || b === undefined) throw new Error('two keys');
  const circle = new Set([a.peer, b.peer]);
  const [one, two] = [await box(a, circle), await box(b, circle)];
  await Promise.all([dial(one, two), dial(two, one)]);
  await expect
    .poll(() => [one.sync.peers().length, two.sync.peers().length], { timeout: 10_000 })
    .toEqual([1, 1]);
  await expect
    .poll(() => [one.host.connections(b.peer).length, two.host.connections(a.peer).length], {
      timeout: 10_000,
    })
    .toEqual([1, 1]);
  await one.say(1);
  await two.say(1);
  await expect.poll(() => sameDigest(one, two) && one.log().facts.size === 2).toBe(true);
});

it('a friend behind a third one learns hop by hop, and whoever was away learns everything on return', async () => {
  const [a, b, c] = await keys(3);
  if (a === undefined || b === undefined || c === undefined) throw new Error('three keys');
  const circle = new Set([a.peer, b.peer, c.peer]);
  const [one, two] = [await box(a, circle), await box(b, circle)];
  const three = await box(c, circle);
  await dial(one, two);
  await dial(two, three);
  await expect.poll(() => two.sync.peers().length, { timeout: 10_000 }).toBe(2);
  await one.say(1);
  await expect.poll(() => sameDigest(one, two, three)).toBe(true);

  const known = three.log();
  await three.stop();
  await one.say(2);
  await two.say(1);
  await expect.poll(() => sameDigest(one, two) && two.log().facts.size === 2).toBe(true);
  const back = await box(c, circle, { known });
  await dial(back, two);
  await expect.poll(() => sameDigest(one, two, back), { timeout: 10_000 }).toBe(true);
  expect(back.log().facts.get(`vote/${a.peer}`)?.sequence).toBe(2);
});

it('the side that beats knows the round trip soon after they met', async () => {
  const [a, b] = await keys(2);
  if (a === undefined || b === undefined) throw new Error('two keys');
  const circle = new Set([a.peer, b.peer]);
  const [one, two] = [await box(a, circle), await box(b, circle)];
  await dial(one, two);
  await expect.poll(() => one.sync.peers().length + two.sync.peers().length, { timeout: 10_000 }).toBe(2);
  await expect
    .poll(
      () => {
        one.sync.tick(() => Date.now());
        two.sync.tick(() => Date.now());
        return [one.rtt.has(b.peer), two.rtt.has(a.peer)];
      },
      { timeout: 15_000, interval: 250 },
    )
    .toContain(true);
});
