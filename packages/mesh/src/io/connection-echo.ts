import type { Connection } from '@libp2p/interface';

/** What of libp2p 3.3's connection this file knows: its yamux muxer, which every peer answers pings with. */
interface Muxed {
  muxer?: { ping?: (options: { signal: AbortSignal }) => Promise<number> };
}

/** The muxer has one ping under way at a time and hands its answer to all who ask; here each waits for one of his own. */
const turns = new WeakMap<Connection, Promise<unknown>>();

/**
 * How long a yamux ping takes, in ms. It travels in the order of the connection's bytes, so its answer says that all
 * that was written before has arrived. Costs 30 bytes each way, headers apart. Rejects where the connection is gone.
 */
export async function echoMs(connection: Connection, signal: AbortSignal): Promise<number> {
  const { muxer } = connection as unknown as Muxed;
  const ping = muxer?.ping?.bind(muxer);
  if (ping === undefined) throw new Error('this connection cannot be pinged');
  const mine = (turns.get(connection) ?? Promise.resolve()).then(async () => {
    signal.throwIfAborted();
    const startMs = performance.now();
    await ping({ signal });
    return performance.now() - startMs;
  });
  turns.set(
    connection,
    mine.catch(() => undefined),
  );
  return await mine;
}
