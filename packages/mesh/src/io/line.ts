import type { Clock } from '@copain/core';
import {
  type LineEffect,
  type LineInput,
  openLine,
  pieceBytes,
  rateOf,
  stepLine,
  type TrafficClass,
} from '../line-scheduler.ts';

/** The one place where all bytes that copain sends wait for their turn. */
export interface Line {
  /** Bytes per second; undefined: no limit. */
  limit(bytesPerSecond: number | undefined, bulkBytesPerSecond: number | undefined): void;
  /** Resolves when a piece of this size may be written; rejects when `signal` is aborted or the queue is too long. */
  take(trafficClass: TrafficClass, sizeBytes: number, signal: AbortSignal): Promise<void>;
  /** What went out without asking: counted, so that the limit holds for all together. */
  spent(costBytes: number): void;
  /** How large a piece of this class may be now. */
  pieceBytes(trafficClass: TrafficClass): number;
}

export function startLine(clock: Clock): Line {
  let state = openLine(clock.nowMs());
  let timer: NodeJS.Timeout | undefined;
  let ids = 0;
  const waiting = new Map<number, { permit: () => void; refuse: (why: Error) => void }>();

  const act = (effects: readonly LineEffect[]): void => {
    clearTimeout(timer);
    for (const effect of effects) {
      switch (effect.kind) {
        case 'permit':
          waiting.get(effect.id)?.permit();
          break;
        case 'full':
          waiting.get(effect.id)?.refuse(new Error('too much waits for the line'));
          break;
        case 'wake':
          timer = setTimeout(() => step({ kind: 'tick' }), effect.afterMs);
          timer.unref();
          break;
      }
    }
  };
  const step = (input: LineInput): void => {
    const [next, effects] = stepLine(state, input, clock.nowMs());
    state = next;
    act(effects);
  };

  return {
    limit: (bytesPerSecond, bulkBytesPerSecond) =>
      step({ kind: 'limits', bytesPerSecond, bulkBytesPerSecond }),
    take: async (trafficClass, sizeBytes, signal) => {
      if (state.bytesPerSecond === undefined && state.bulkBytesPerSecond === undefined) return;
      signal.throwIfAborted();
      ids += 1;
      const id = ids;
      const turn = Promise.withResolvers<void>();
      const giveUp = (): void => {
        step({ kind: 'forget', id });
        turn.reject(signal.reason as Error);
      };
      waiting.set(id, { permit: turn.resolve, refuse: turn.reject });
      signal.addEventListener('abort', giveUp, { once: true });
      step({ kind: 'want', id, class: trafficClass, sizeBytes });
      try {
        await turn.promise;
      } finally {
        waiting.delete(id);
        signal.removeEventListener('abort', giveUp);
      }
    },
    spent: (costBytes) => {
      if (state.bytesPerSecond !== undefined) step({ kind: 'spent', costBytes });
    },
    pieceBytes: (trafficClass) => pieceBytes(rateOf(state, trafficClass)),
  };
}
