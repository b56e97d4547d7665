import type { Clock } from '@copain/core';
import type { Tally } from '@copain/mail';
import { encodeReceiptRecord } from '@copain/trust';
import { receiptKey, recordsOf } from '../known-records.ts';
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
  /** Has the count go on from what was signed, where it does not; true where it had to. */
  countFrom(owner: string, signed: Omit<Tally, 'last'>): Promise<boolean>;
  /** The count for this owner was another one, and goes on from this number. */
  wentOn(owner: string, messages: number): void;
  standing: Pick<Standing, 'maySign'>;
  failed: (error: unknown) => void;
}): Receipts {
  const { self, clock, records } = options;
  let nextAtMs = 0;
  let working = false;

  /**
   * Numbers never go back, and none is signed twice: where the count was lost with its index, or is that of an old copy of
   * this box, it goes on from the newest one that was signed.
   */
  const goOn = async (): Promise<void> => {
    for (const { signed } of recordsOf(records.knowledge(), 'receipt')) {
      const { owner, messages, bytes, chain } = signed.record;
      if (signed.signer !== self) continue;
      if (await options.countFrom(owner, { messages, bytes, chain })) options.wentOn(owner, messages);
    }
  };

  const work = async (): Promise<void> => {
    await goOn();
    for (const [owner, { messages, bytes, chain }] of options.tallies()) {
      const { records: known, roster } = records.knowledge();
      const last = known.get(receiptKey(self, owner));
      const signed = last?.kind === 'receipt' ? last.signed.record : undefined;
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
