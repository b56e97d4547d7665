import type { Clock, FrameStream } from '@copain/core';
import { factsInOrder, farewellEveryMs, guestDeadlineMs, maxFarewellRecords } from '@copain/mesh';
import type { Host } from '@copain/mesh/io';
import { farewellRecords } from '../farewell-records.ts';
import { decodeJoinFrame, encodeJoinFrame } from '../join-frames.ts';
import type { RecordStore } from './record-store.ts';

/** Tells a box that was removed, or revoked, while it was off; and hears it told. Nothing of it is believed unsigned. */
export interface Farewell {
  /** Is this the box of a former friend, or a revoked one, and was it not told lately? */
  isDue: (peer: string) => boolean;
  /** It came: it is told over this connection, which then ends. Does nothing for others. */
  came(peer: string, connectionId: string): void;
  /** A friend tells this box the same: each record is taken as from anybody. */
  hear: (stream: FrameStream) => Promise<void>;
}

/** The records that may take a box out of its circle. */
const kinds: ReadonlySet<string> = new Set(['member', 'owner', 'removal']);

export function farewells(options: {
  records: Pick<RecordStore, 'knowledge' | 'log' | 'offer'>;
  clock: Clock;
  host(): Pick<Host, 'open' | 'closeConnection'>;
  told(peer: string): void;
  failed(peer: string, error: unknown): void;
}): Farewell {
  const { records, clock } = options;
  /** When each was told last; former friends are few, since members are. */
  const toldAt = new Map<string, number>();
  const telling = new Set<string>();

  const isFormer = (peer: string): boolean => farewellRecords(records.knowledge(), peer).size > 0;
  const isDue = (peer: string): boolean => {
    if (telling.has(peer)) return true;
    const last = toldAt.get(peer);
    return (last === undefined || clock.nowMs() - last >= farewellEveryMs) && isFormer(peer);
  };

  const tell = async (peer: string, connectionId: string): Promise<void> => {
    const signal = AbortSignal.timeout(guestDeadlineMs);
    const stream = await options.host().open(peer, 'removed', { signal, connectionId });
    const giveUp = (): void => stream.abort(new Error('no end in time'));
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const keys = farewellRecords(records.knowledge(), peer);
      const facts = [...records.log().facts.values()].filter(({ key }) => keys.has(key));
      for (const { kind, envelope } of factsInOrder(facts))
        await stream.send(encodeJoinFrame({ t: 'record', kind, envelope }));
      await stream.end();
      // The other side ends when it has read all; closing the connection before would cut off what is under way.
      await stream.receive();
    } finally {
      signal.removeEventListener('abort', giveUp);
      stream.abort(new Error('told'));
    }
  };

  return {
    isDue,
    came: (peer, connectionId) => {
      if (telling.has(peer) || !isDue(peer)) return;
      telling.add(peer);
      toldAt.set(peer, clock.nowMs());
      tell(peer, connectionId)
        .then(
          () => options.told(peer),
          (error: unknown) => options.failed(peer, error),
        )
        .finally(() => {
          telling.delete(peer);
          options.host().closeConnection(peer, connectionId);
        });
    },
    hear: async (stream) => {
      for (let count = 0; count < maxFarewellRecords; count++) {
        const bytes = await stream.receive();
        if (bytes === undefined) break;
        const frame = decodeJoinFrame(bytes);
        if (frame?.t !== 'record' || !kinds.has(frame.kind)) throw new Error('not what takes a box out');
        await records.offer(frame.kind, frame.envelope);
      }
      await stream.end();
    },
  };
}
