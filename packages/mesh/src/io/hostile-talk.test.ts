import { randomBytes } from 'node:crypto';
import type { FrameStream } from '@copain/core';
import { encodeVoteRecord } from '@copain/trust';
import { afterEach, expect, it } from 'vitest';
import { addFact, emptyFactLog, type Fact } from '../fact-log.ts';
import { syncLimits } from '../limits.ts';
import { decodeSyncFrame, encodeSyncFrame, type SyncFrame } from '../sync-frames.ts';
import { openEnvelope, type SigningKey, signingKeyFromSeed } from './envelope.ts';
import type { Host } from './host.ts';
import type { ProtocolHandler } from './serve-protocols.ts';
import { type SyncStreams, startSyncStreams } from './sync-streams.ts';
import { everyProtocol, startTestHost } from './testing.ts';

const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

const nothing = (): void => {};

async function host(
  key: SigningKey,
  sync: ProtocolHandler['handle'],
  connected: (peer: string, id: string) => void,
) {
  const idle: ProtocolHandler = { maxFrameBytes: 65_536, handle: async () => {} };
  const one = await startTestHost({
    privateKey: key.protobuf,
    handlers: { ...everyProtocol(() => idle), sync: { ...idle, handle: sync } },
    events: { connected: (peer, { id }) => connected(peer, id) },
  });
  toStop.push(async () => await one[Symbol.asyncDispose]());
  return one;
}

/** A box that knows a few records, and a friend of it who may say on its sync stream whatever he likes. */
async function victimAndTalker(): Promise<{ stream: FrameStream; facts: number; host: Host }> {
  const pair = await Promise.all([1, 2].map((n) => signingKeyFromSeed(new Uint8Array(32).fill(n))));
  // The lower PeerId opens the stream.
  const [talker, victim] = pair.sort((a, b) => (a.peer < b.peer ? -1 : 1)) as [SigningKey, SigningKey];
  let log = emptyFactLog();
  for (let n = 1; n <= 3; n++) {
    const payload = encodeVoteRecord({ sequence: n, about: talker.peer, heardAtMs: 0, silent: false });
    const envelope = await victim.seal('vote', payload);
    const opened = await openEnvelope('vote', envelope);
    const hash = opened?.envelopeHash.slice(0, 8) ?? new Uint8Array();
    const fact: Fact = { kind: 'vote', key: `vote/${n}`, epoch: 0, sequence: n, hash, envelope };
    log = addFact(log, fact);
  }
  let sync: SyncStreams | undefined;
  const theirs = await host(
    victim,
    async (stream, from) => await sync?.accept(stream, from),
    (peer, id) => sync?.connected(peer, id),
  );
  sync = startSyncStreams({
    self: victim.peer,
    host: () => theirs,
    clock: { nowMs: () => Date.now() },
    random: { bytes: (length) => new Uint8Array(randomBytes(length)), fraction: () => 0.5 },
    log: () => log,
    signedBy: () => [],
    seenBoot: async () => new Uint8Array(),
    friends: () => [talker.peer],
    heard: () => [],
    hello: () => ({
      name: 'box',
      version: '1',
      bootId: new Uint8Array(16),
      previousBootId: new Uint8Array(),
    }),
    received: async () => {},
    events: {
      hello: nothing,
      heardBits: nothing,
      up: nothing,
      failed: nothing,
      roundTrip: nothing,
      lastSeen: nothing,
      ownTold: nothing,
      told: nothing,
    },
  });
  const own = await host(talker, async () => {}, nothing);
  const signal = AbortSignal.timeout(10_000);
  await own.dial(victim.peer, [`127.0.0.1:${theirs.addresses[0]?.port}`], { signal });
  return { stream: await own.open(victim.peer, 'sync', { signal }), facts: log.facts.size, host: own };
}

it('over a real stream a friend who asks and beats a thousand times is answered a few, and not hung up on', async () => {
  const { stream, facts } = await victimAndTalker();
  const counts = new Map<SyncFrame['t'], number>();
  const reading = (async () => {
    for (let bytes = await stream.receive(); bytes !== undefined; bytes = await stream.receive()) {
      const t = decodeSyncFrame(bytes)?.t ?? 'ignored';
      counts.set(t, (counts.get(t) ?? 0) + 1);
    }
  })().catch(nothing);
  const say = async (frame: SyncFrame): Promise<void> => await stream.send(encodeSyncFrame(frame));
  const startedAtMs = performance.now();
  for (let counter = 1; counter <= 1000; counter++) {
    await say({ t: 'have', hashes: new Uint8Array() });
    await say({
      t: 'beat',
      counter,
      rttMicros: 0,
      digest: new Uint8Array(randomBytes(8)),
      heard: new Uint8Array(),
    });
  }
  // Still there: a beat that comes when it may is answered.
  await expect
    .poll(
      async () => {
        const before = counts.get('ack') ?? 0;
        await say({
          t: 'beat',
          counter: 2000,
          rttMicros: 0,
          digest: new Uint8Array(8),
          heard: new Uint8Array(),
        });
        await new Promise((resolve) => setTimeout(resolve, 300));
        return (counts.get('ack') ?? 0) > before;
      },
      { timeout: 10_000 },
    )
    .toBe(true);
  const seconds = (performance.now() - startedAtMs) / 1000;
  const exchanges = syncLimits.exchanges.burst + seconds * syncLimits.exchanges.perSecond + 1;
  expect(counts.get('push') ?? 0).toBeGreaterThan(0);
  expect(counts.get('push') ?? 0).toBeLessThanOrEqual(facts * exchanges);
  expect(counts.get('ack') ?? 0).toBeLessThanOrEqual(
    syncLimits.talk.burst + seconds * syncLimits.talk.perSecond + 1,
  );
  stream.abort(new Error('done'));
  await reading;
});
