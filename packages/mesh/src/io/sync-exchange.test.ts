import type { FrameStream } from '@copain/core';
import { frameStreamPair, manualClock, seededRandom } from '@copain/core/testing';
import { peerIdFromKey } from '@copain/trust';
import { expect, it } from 'vitest';
import { addFact, emptyFactLog, type Fact, type FactLog } from '../fact-log.ts';
import type { Host } from './host.ts';
import { type SyncStreams, startSyncStreams } from './sync-streams.ts';

const [lower = '', higher = ''] = [1, 2].map((byte) => peerIdFromKey(new Uint8Array(32).fill(byte))).sort();

function fact(number: number): Fact {
  const hash = new Uint8Array(8);
  new DataView(hash.buffer).setUint32(4, number);
  return { kind: 'vote', key: `vote/${number}`, epoch: 0, sequence: 1, hash, envelope: hash };
}

/** One box with what it knows; `open` is where its streams to the other one come from. */
function box(self: string, friend: string, known: FactLog, open: () => FrameStream) {
  const received: Uint8Array[] = [];
  const failures: unknown[] = [];
  const host = {
    open: async () => open(),
    connections: () => [{ id: 'one', openedAtMs: 1 }],
    closeConnection: () => {},
  } as unknown as Host;
  const streams: SyncStreams = startSyncStreams({
    self,
    host: () => host,
    clock: manualClock(1000),
    random: seededRandom(1),
    log: () => known,
    signedBy: () => [],
    seenBoot: async () => new Uint8Array(),
    friends: () => [friend],
    heard: () => [],
    hello: () => ({
      name: 'box',
      version: '1',
      bootId: new Uint8Array(16),
      previousBootId: new Uint8Array(),
    }),
    received: async (_from, { envelope }) => {
      received.push(envelope);
    },
    events: {
      hello: () => {},
      heardBits: () => {},
      up: () => {},
      failed: (_peer, error) => failures.push(error),
      roundTrip: () => {},
      lastSeen: () => {},
      ownTold: () => {},
      told: () => {},
    },
  });
  return { streams, received, failures };
}

it('a friend who lacks thousands of records is told all of them on one stream', async () => {
  const [here, there] = frameStreamPair();
  const facts = Array.from({ length: 5000 }, (_, i) => fact(i + 1));
  const knowing = box(higher, lower, facts.reduce(addFact, emptyFactLog()), () => there);
  const lacking = box(lower, higher, emptyFactLog(), () => here);
  const accepted = knowing.streams.accept(there, { peer: lower, connectionId: 'one', version: 2 });
  accepted.catch(() => undefined);
  lacking.streams.connected(higher, 'one');
  await expect.poll(() => lacking.received.length, { timeout: 10_000 }).toBe(facts.length);
  expect(lacking.failures).toEqual([]);
  lacking.streams.stop();
  knowing.streams.stop();
});
