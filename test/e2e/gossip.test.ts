import { randomBytes } from 'node:crypto';
import { addFact, emptyFactLog, type Fact, type FactLog, judgeFact } from '@copain/mesh';
import {
  type Host,
  openEnvelope,
  type ProtocolHandler,
  type SigningKey,
  type SyncStreams,
  signingKeyFromSeed,
  startSyncStreams,
} from '@copain/mesh/io';
import { everyProtocol, startTestHost } from '@copain/mesh/testing';
import { encodeVoteRecord } from '@copain/trust';
import { afterEach, expect, it } from 'vitest';

const members = 30;

/** One of thirty real hosts in this process: real libp2p, real records, counted bytes. */
interface Member {
  key: SigningKey;
  host: Host;
  sync: SyncStreams;
  log: FactLog;
  receivedBytes: number;
  pushesSent: number;
}

const running: Member[] = [];
afterEach(async () => {
  for (const one of running) one.sync.stop();
  await Promise.all(running.splice(0).map(async (one) => await one.host[Symbol.asyncDispose]()));
});

async function member(key: SigningKey, circle: ReadonlySet<string>): Promise<Member> {
  const one: Partial<Member> & { log: FactLog; receivedBytes: number; pushesSent: number; key: SigningKey } =
    {
      key,
      log: emptyFactLog(),
      receivedBytes: 0,
      pushesSent: 0,
    };
  const nothing = (): void => {};
  const idle: ProtocolHandler = { maxFrameBytes: 1000, handle: async () => {} };
  const host = await startTestHost({
    privateKey: key.protobuf,
    admit: (peer) => (circle.has(peer) ? 'friend' : 'nobody'),
    handlers: {
      ...everyProtocol(() => idle),
      sync: { maxFrameBytes: 65_536, handle: async (stream, from) => await one.sync?.accept(stream, from) },
    },
    events: {
      connected: (peer, { id }) => one.sync?.connected(peer, id),
      sent: (_peer, _protocol, sizeBytes) => {
        if (sizeBytes > 200) one.pushesSent += 1;
      },
      received: (_peer, _protocol, sizeBytes) => {
        one.receivedBytes += sizeBytes;
      },
    },
  });
  host.friendsAt([...circle].map((peer) => ({ peer, hosts: ['127.0.0.1'] })));
  const sync = startSyncStreams({
    self: key.peer,
    host: () => host,
    clock: { nowMs: () => Date.now() },
    random: { bytes: (length) => new Uint8Array(randomBytes(length)), fraction: () => 0.5 },
    log: () => one.log,
    signedBy: () => [],
    seenBoot: async () => new Uint8Array(),
    friends: () => [...circle].filter((peer) => peer !== key.peer),
    heard: () => [],
    hello: () => ({
      name: 'box',
      version: '1',
      bootId: new Uint8Array(16),
      previousBootId: new Uint8Array(),
    }),
    received: async (from, { kind, envelope, reached }) => {
      const opened = await openEnvelope(kind, envelope);
      if (opened === undefined) return;
      const fact: Fact = {
        kind,
        key: `vote/${opened.signer}`,
        epoch: 0,
        sequence: 1,
        hash: opened.envelopeHash.slice(0, 8),
        envelope,
      };
      if (judgeFact(one.log, fact) !== 'new') return;
      one.log = addFact(one.log, fact);
      sync.spread(fact, reached, from);
    },
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
  one.sync = sync;
  const made = Object.assign(one, { host, sync });
  running.push(made);
  return made;
}

it('with thirty members over real connections one record reaches all in well under a second, for less than 1 kB each', async () => {
  const seeds = Array.from({ length: members }, (_, i) => new Uint8Array(32).fill(i + 1));
  const keys = await Promise.all(seeds.map((seed) => signingKeyFromSeed(seed)));
  const circle = new Set(keys.map((key) => key.peer));
  const boxes: Member[] = [];
  for (const key of keys) boxes.push(await member(key, circle));
  for (const [i, box] of boxes.entries()) {
    const dials = boxes.slice(i + 1).map(async (other) => {
      const at = other.host.addresses.map((address) => `${address.host}:${address.port}`);
      await box.host.dial(other.key.peer, at, { signal: AbortSignal.timeout(30_000) });
    });
    await Promise.all(dials);
  }
  await expect
    .poll(() => boxes.every((box) => box.sync.peers().length === members - 1), {
      timeout: 60_000,
      interval: 200,
    })
    .toBe(true);
  const [speaker, ...receivers] = boxes as [Member, ...Member[]];
  for (const box of boxes) {
    box.receivedBytes = 0;
    box.pushesSent = 0;
  }
  const about = keys[1]?.peer ?? '';
  const payload = encodeVoteRecord({ sequence: 1, about, heardAtMs: 0, silent: false });
  const envelope = await speaker.key.seal('vote', payload);
  const opened = await openEnvelope('vote', envelope);
  const hash = opened?.envelopeHash.slice(0, 8) ?? new Uint8Array();
  const fact: Fact = { kind: 'vote', key: `vote/${speaker.key.peer}`, epoch: 0, sequence: 1, hash, envelope };
  speaker.log = addFact(speaker.log, fact);
  const saidAtMs = performance.now();
  speaker.sync.spread(fact, new Uint8Array(), undefined);
  await expect
    .poll(() => receivers.every((box) => box.log.facts.size === 1), { timeout: 5000, interval: 5 })
    .toBe(true);
  expect(performance.now() - saidAtMs).toBeLessThan(1000);
  for (const box of receivers) expect(box.receivedBytes).toBeLessThan(1000);
  // Whoever hears it knows whom it reached already, so nobody says it again.
  expect(receivers.reduce((sum, box) => sum + box.pushesSent, 0)).toBe(0);
}, 120_000);
