import type { Connection } from '@libp2p/interface';

/** What of libp2p 3.3's connection this file knows: its yamux muxer, which every peer answers pings with. */
interface Muxed {
  muxer?: { ping?: () => Promise<number> };
}

/** The muxer has one ping under way at a time and hands its answer to all who ask; here each waits for one of his own. */
const turns = new WeakMap<Connection, Promise<unknown>>();

/**
 * How long a yamux ping takes, in ms. It travels in the order of the connection's bytes, so its answer says that all
 * that was written before has arrived. Costs 30 bytes each way, headers apart. Rejects once the connection is gone, and
 * with the reason of `signal` where the caller gives up; the ping itself is never given up, since yamux takes the answer
 * to a ping that it no longer waits for as a breach of the protocol and closes the connection with all that runs on it.
 */
export async function echoMs(connection: Connection, signal: AbortSignal): Promise<number> {
  const { muxer } = connection as unknown as Muxed;
  const ping = muxer?.ping?.bind(muxer);
  if (ping === undefined) throw new Error('this connection cannot be pinged');
  if (connection.status !== 'open') throw new Error('not connected');
  const mine = (turns.get(connection) ?? Promise.resolve()).then(async () => {
    signal.throwIfAborted();
    const startMs = performance.now();
    await ping();
    return performance.now() - startMs;
  });
  turns.set(
    connection,
    mine.catch(() => undefined),
  );
  const gaveUp = Promise.withResolvers<never>();
  const giveUp = (): void => gaveUp.reject(signal.reason as Error);
  signal.addEventListener('abort', giveUp, { once: true });
  if (signal.aborted) giveUp();
  // yamux leaves a ping unanswered for ever when its connection closes.
  const closed = (): void => gaveUp.reject(new Error('connection closed'));
  connection.addEventListener('close', closed);
  try {
    return await Promise.race([mine, gaveUp.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
    connection.removeEventListener('close', closed);
  }
}
