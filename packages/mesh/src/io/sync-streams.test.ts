import { randomBytes } from 'node:crypto';
import { encodeVoteRecord } from '@copain/trust';
import { afterEach, expect, it } from 'vitest';
import { addFact, emptyFactLog, type Fact, type FactLog, judgeFact } from '../fact-log.ts';
import type { VersionGap } from '../gate.ts';
import { openEnvelope, type SigningKey, signingKeyFromSeed } from './envelope.ts';
import type { Host } from './host.ts';
import { type SyncStreams, startSyncStreams } from './sync-streams.ts';
import { everyProtocol, startTestHost } from './testing.ts';

interface Box {
  key: SigningKey;
  host: Host;
  sync: SyncStreams;
  log(): FactLog;
  say(sequence: number): Promise<void>;
  rtt: Map<string, number>;
  gaps: VersionGap[];
  /** Boot ids that friends said they saw of this box. */
  seen: number;
  failures: unknown[];
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
  options: { known?: FactLog; port?: number; sync?: readonly string[] } = {},
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
  const host = await startTestHost({
    privateKey: key.protobuf,
    listen: [{ host: '127.0.0.1', port: options.port ?? 0 }],
    ...(options.sync === undefined ? {} : { versions: { sync: options.sync } }),
    admit: (peer) => (circle.has(peer) ? 'friend' : 'nobody'),
    handlers: {
      ...everyProtocol(() => other),
      sync: { maxFrameBytes: 65_536, handle: async (stream, from) => await sync?.accept(stream, from) },
    },
    events: {
      connected: (peer, { id }) => sync?.connected(peer, id),
      incompatible: (_peer, gap) => made.gaps.push(gap),
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
      failed: (_peer, error) => made.failures.push(error),
      roundTrip: (peer, rttMs) => rtt.set(peer, rttMs),
      lastSeen: () => {
        made.seen += 1;
      },
      ownTold: () => {},
      told: () => {},
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
    gaps: [],
    seen: 0,
    failures: [],
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

const version1 = ['/copain/sync/1'];

it.each([
  ['the older one beats', 0],
  ['the newer one beats', 1],
])(
  'a box of the version before and one of today tell each other everything: %s',
  async (_who, older) => {
    const sorted = (await keys(2)).toSorted((x, y) => (x.peer < y.peer ? -1 : 1));
    const circle = new Set(sorted.map((key) => key.peer));
    const boxes: Box[] = [];
    for (const [i, key] of sorted.entries())
      boxes.push(await box(key, circle, i === older ? { sync: version1 } : {}));
    const [one, two] = boxes;
    if (one === undefined || two === undefined) throw new Error('two boxes');
    await one.say(1);
    await dial(one, two);
    await expect.poll(() => sameDigest(one, two), { timeout: 10_000 }).toBe(true);
    await two.say(2);
    await one.say(3);
    await expect.poll(() => sameDigest(one, two), { timeout: 10_000 }).toBe(true);
    expect(one.log().facts.size).toBe(2);
    await expect
      .poll(
        () => {
          one.sync.tick(() => undefined);
          return one.rtt.size;
        },
        { timeout: 10_000 },
      )
      .toBe(1);
    // What only version 2 knows is not sent on a stream of version 1.
    expect([one.seen, two.seen]).toEqual([0, 0]);
    expect([...one.gaps, ...two.gaps, ...one.failures, ...two.failures]).toEqual([]);
  },
  60_000,
);

it('two boxes of today say what came with version 2', async () => {
  const [a, b] = await keys(2);
  if (a === undefined || b === undefined) throw new Error('two keys');
  const circle = new Set([a.peer, b.peer]);
  const [one, two] = [await box(a, circle), await box(b, circle)];
  await dial(one, two);
  await expect.poll(() => [one.seen, two.seen], { timeout: 10_000 }).toEqual([1, 1]);
});

it('boxes that share no version both come to know it, with both versions, and keep the connection quiet', async () => {
  const [a, b] = await keys(2);
  if (a === undefined || b === undefined) throw new Error('two keys');
  const circle = new Set([a.peer, b.peer]);
  const [one, two] = [await box(a, circle), await box(b, circle, { sync: ['/copain/sync/4'] })];
  await dial(one, two);
  await expect.poll(() => [one.gaps.length, two.gaps.length], { timeout: 10_000 }).toEqual([1, 1]);
  expect(one.gaps).toEqual([{ protocol: 'sync', ours: [3, 2, 1], theirs: [4] }]);
  expect(two.gaps).toEqual([{ protocol: 'sync', ours: [4], theirs: [3, 2, 1] }]);
  expect([one.sync.peers(), two.sync.peers()]).toEqual([[], []]);
  expect(one.host.connections(b.peer)).toHaveLength(1);
});
