import type { Clock } from '@copain/core';
import type { Tally } from '@copain/mail';
import { encodeReceiptRecord } from '@copain/trust';
import { receiptKey } from '../known-records.ts';
import type { RecordStore } from './record-store.ts';
import type { Standing } from './standing.ts';

/** A receipt goes to the whole circle: a burst of held mail makes one, not hundreds. */
const receiptEveryMs = 10_000;

/** Signs what this box ever accepted for its friends. */
export interface Receipts {
  /** Every second. */
  tick(): void;
}

/** A receipt for each owner whose count grew since the last one, at most every ten seconds. */
export function startReceipts(options: {
  self: string;
  clock: Clock;
  records: RecordStore;
  tallies(): ReadonlyMap<string, Tally>;
  standing: Pick<Standing, 'maySign'>;
  failed: (error: unknown) => void;
}): Receipts {
  const { self, clock, records } = options;
  let nextAtMs = 0;
  let working = false;

  const work = async (): Promise<void> => {
    for (const [owner, { messages, bytes, chain }] of options.tallies()) {
      const { records: known, roster } = records.knowledge();
      const last = known.get(receiptKey(self, owner));
      const signed = last?.kind === 'receipt' ? last.signed.record : undefined;
      // Numbers never go back: a box that was put back from an old copy is silent until it has counted further.
      if (messages <= (signed?.messages ?? 0)) continue;
      // Mail may wait for somebody who has left the circle, or whose circle this box has left.
      if (!roster.members.has(owner) || !roster.ownerOf.has(self)) continue;
      const sequence = (signed?.sequence ?? 0) + 1;
      await records.publish('receipt', encodeReceiptRecord({ sequence, owner, messages, bytes, chain }));
    }
  };

  return {
    tick: () => {
      if (working || clock.nowMs() < nextAtMs || !options.standing.maySign()) return;
      nextAtMs = clock.nowMs() + receiptEveryMs;
      working = true;
      work()
        .catch(options.failed)
        .finally(() => {
          working = false;
        });
    },
  };
}
