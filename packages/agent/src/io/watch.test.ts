import { manualClock } from '@copain/core/testing';
import { decodeVoteRecord, peerIdFromKey, type VoteRecord } from '@copain/trust';
import { expect, it, vi } from 'vitest';
import type { RecordStore } from './record-store.ts';
import { startWatch } from './watch.ts';

const [alice, bob, carol] = [1, 2, 3].map((n) => peerIdFromKey(new Uint8Array(32).fill(n))) as [
  string,
  string,
  string,
];

/** Alice's watch over bob and carol, with a disk that is full when the test says so. */
function watching() {
  const clock = manualClock(1_000_000);
  const said: VoteRecord[] = [];
  const failed = vi.fn();
  let isFull = false;
  const records = {
    knowledge: () => {
      const record = said.at(-1);
      const known = record && { kind: 'vote', signed: { record } };
      return { records: new Map(known ? [[`vote/${alice}/${bob}`, known]] : []) };
    },
    publish: async (_kind: string, payload: Uint8Array) => {
      if (isFull) throw new Error('ENOSPC');
      const vote = decodeVoteRecord(payload);
      if (vote !== undefined) said.push(vote);
    },
  } as unknown as RecordStore;
  const watch = startWatch({
    self: alice,
    clock,
    records,
    lineCheck: () => undefined,
    stopping: new AbortController().signal,
    dialSecond: () => {},
    changed: () => {},
    lineChanged: () => {},
    signable: async () => {},
    failed,
  });
  const friends = [bob, carol].map((peer) => ({ peer, network: peer }));
  watch.take({ kind: 'roster', self: alice, selfNetwork: 'a', friends });
  for (const { peer } of friends) watch.take({ kind: 'connected', peer });
  return {
    said,
    failed,
    watch,
    full: (full: boolean) => {
      isFull = full;
    },
    /** Seconds in which only carol is heard. */
    pass: async (seconds: number) => {
      for (let second = 0; second < seconds; second++) {
        clock.advance(1000);
        watch.take({ kind: 'heard', peer: carol });
        watch.take({ kind: 'tick' });
        for (let turn = 0; turn < 8; turn++) await Promise.resolve();
      }
    },
  };
}

it('a vote that the disk does not take is said once it does, and taken back when he is heard', async () => {
  const box = watching();
  box.full(true);
  await box.pass(60);
  expect(box.said).toEqual([]);
  // Every ten seconds, not every second.
  expect(box.failed.mock.calls.length).toBeLessThan(5);
  box.full(false);
  await box.pass(11);
  expect(box.said).toMatchObject([{ about: bob, silent: true, sequence: 1 }]);
  box.full(true);
  box.watch.take({ kind: 'heard', peer: bob });
  await box.pass(5);
  expect(box.said).toHaveLength(1);
  box.full(false);
  await box.pass(11);
  expect(box.said.slice(1)).toMatchObject([{ about: bob, silent: false, sequence: 2 }]);
});

it('what was never said is not taken back', async () => {
  const box = watching();
  box.full(true);
  await box.pass(60);
  box.watch.take({ kind: 'heard', peer: bob });
  box.full(false);
  await box.pass(15);
  expect(box.said).toEqual([]);
});
