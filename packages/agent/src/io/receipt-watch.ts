import type { Clock, FrameStream } from '@copain/core';
import type { ReceiptFact } from '@copain/mail';
import type { Mail } from '@copain/mail/io';
import { recordsOf } from '../known-records.ts';
import type { RecordStore } from './record-store.ts';

/** A friend's box that signed for mail of this owner, and how that stands against what arrived. */
export interface ReceiptState {
  peer: string;
  accepted: number;
  fact: ReceiptFact | undefined;
  failed: string | undefined;
  /** Is he out of the circle, so that nothing comes from him any more? */
  former: boolean;
}

/** Asks friends which messages they signed for, and keeps what never came. */
export interface ReceiptWatch {
  /** Every second. */
  tick(): void;
  /** A receipt became known: it is remembered, should its friend go before the next tick. */
  came(): void;
  /** Asks everybody who is heard now; resolves when all have answered, or given up. */
  askNow(): Promise<void>;
  states(): ReceiptState[];
}

/** Between two looks at the same box: receipts come every ten seconds at most, and what is held takes its time. */
const lookEveryMs = 15_000;
const lookAgainMs = 60_000;

/** One look may take this long. */
const lookWithinMs = 60_000;

export function startReceiptWatch(options: {
  ownerId: string;
  clock: Clock;
  records: RecordStore;
  mail: Pick<Mail, 'receipts'>;
  /** Does this box take its owner's mail? */
  isMailBox: () => boolean;
  heard: () => readonly string[];
  open(peer: string, signal: AbortSignal): Promise<FrameStream>;
  failed(peer: string, error: unknown): void;
  changed(): void;
}): ReceiptWatch {
  const { ownerId, clock, records, mail } = options;
  const nextAtMs = new Map<string, number>();
  const failed = new Map<string, string>();
  const looking = new Map<string, Promise<void>>();

  const signed = () => {
    const { roster } = records.knowledge();
    return recordsOf(records.knowledge(), 'receipt')
      .map(({ signed: one }) => one)
      .filter(({ record, signer }) => {
        const by = roster.ownerOf.get(signer);
        return record.owner === ownerId && by !== undefined && by !== ownerId;
      });
  };

  const look = (peer: string, count: { messages: number; chain: Uint8Array }): Promise<void> => {
    const running = looking.get(peer);
    if (running !== undefined) return running;
    const signal = AbortSignal.timeout(lookWithinMs);
    const open = async (): Promise<FrameStream> => {
      const stream = await options.open(peer, signal);
      signal.addEventListener('abort', () => stream.abort(new Error('took too long')), { once: true });
      return stream;
    };
    const work = mail.receipts
      .look(peer, count, open)
      .then(
        () => failed.delete(peer),
        (error: unknown) => {
          failed.set(peer, error instanceof Error ? error.message : String(error));
          options.failed(peer, error);
        },
      )
      .then(() => {
        const isQuick = !failed.has(peer) && !mail.receipts.isDue(peer, count);
        nextAtMs.set(peer, clock.nowMs() + (isQuick ? lookEveryMs : lookAgainMs));
        looking.delete(peer);
        options.changed();
      });
    looking.set(peer, work);
    return work;
  };

  const due = (nowMs: number | undefined): Promise<void>[] => {
    if (!options.isMailBox()) return [];
    const heard = new Set(options.heard());
    return signed().flatMap(({ signer, record }) => {
      const isTime = nowMs === undefined || nowMs >= (nextAtMs.get(signer) ?? 0);
      return isTime && heard.has(signer) && mail.receipts.isDue(signer, record) ? [look(signer, record)] : [];
    });
  };

  const isFormer = (peer: string): boolean => !records.knowledge().roster.ownerOf.has(peer);
  /** What was signed for when it was looked at last: a friend who goes takes his receipts along. */
  const before = new Map<string, number>();
  let lookingHere = false;

  const remember = (): void => {
    for (const { signer, record } of signed()) before.set(signer, record.messages);
  };
  remember();

  const noteFormer = async (): Promise<void> => {
    const gone = [...before].filter(([peer]) => isFormer(peer));
    for (const [peer, messages] of gone) {
      await mail.receipts.left(peer, messages);
      before.delete(peer);
    }
    remember();
    for (const peer of mail.receipts.unsettled().filter(isFormer)) {
      if (clock.nowMs() < (nextAtMs.get(peer) ?? 0)) continue;
      nextAtMs.set(peer, clock.nowMs() + lookEveryMs);
      await mail.receipts.lookHere(peer);
    }
    if (gone.length > 0) options.changed();
  };

  const tick = (): void => {
    void due(clock.nowMs());
    if (lookingHere || !options.isMailBox()) return;
    lookingHere = true;
    noteFormer()
      .catch((error: unknown) => options.failed('', error))
      .finally(() => {
        lookingHere = false;
      });
  };

  return {
    tick,
    came: remember,
    askNow: async () => void (await Promise.all(due(undefined))),
    states: () => [
      ...signed().map(({ signer, record }) => ({
        peer: signer,
        accepted: record.messages,
        fact: mail.receipts.fact(signer, record.messages, isFormer),
        failed: failed.get(signer),
        former: false,
      })),
      ...mail.receipts
        .unsettled()
        .filter(isFormer)
        .map((peer) => {
          const fact = mail.receipts.fact(peer, 0, isFormer);
          return { peer, accepted: fact?.accepted ?? 0, fact, failed: undefined, former: true };
        }),
    ],
  };
}
