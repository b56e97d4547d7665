import { expect, it } from 'vitest';
import { answerCountsBytes } from '../answer-counts.ts';
import { limitedNetworksMax } from '../limits.ts';
import { rateLimiterBytes } from '../rate-limit.ts';
import { startAnswerThread } from './answer-thread.ts';
import type { WorkerSetup } from './worker-messages.ts';

/** With too little memory for its limiter a thread ends at once. */
function setup(limiterBytes: number): WorkerSetup {
  return {
    identity: {},
    secrets: { current: new Uint8Array(16), previous: undefined },
    answersPerSecond: 200,
    limiterMemory: new SharedArrayBuffer(limiterBytes),
    countsMemory: new SharedArrayBuffer(answerCountsBytes),
  };
}

it('starts a thread that ended by itself again, and nobody waits for the one that is gone', async () => {
  const happened: string[] = [];
  const setups = [setup(8), setup(rateLimiterBytes(limitedNetworksMax))];
  const ready = Promise.withResolvers<void>();
  await using thread = startAnswerThread({
    setup: () => setups.shift() ?? setup(8),
    started: (started) => {
      happened.push('started');
      started.tell({ kind: 'zones', generation: 7, added: [], served: [], awaited: [] });
    },
    ready: (_thread, generation) => {
      happened.push(`ready ${generation}`);
      ready.resolve();
    },
    gone: () => happened.push('gone'),
    forMain: () => undefined,
    failed: () => happened.push('failed'),
  });
  await thread.open('127.0.0.1:0', { host: '127.0.0.1', port: 0 });
  expect(happened).toEqual(['started', 'failed', 'gone', 'failed']);
  expect(thread.isUp).toBe(false);
  await ready.promise;
  expect(thread.isUp).toBe(true);
  expect(happened.slice(4)).toEqual(['started', 'ready 7']);
});
