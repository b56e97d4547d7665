import { afterEach, expect, it } from 'vitest';
import type { Host } from './host.ts';
import { startTestHost } from './testing.ts';

const running = new Set<Host>();
afterEach(async () => {
  for (const one of running) await one[Symbol.asyncDispose]();
  running.clear();
});

async function host(closed: string[]): Promise<Host> {
  const one = await startTestHost({ events: { disconnected: (_peer, id) => closed.push(id) } });
  running.add(one);
  return one;
}

it('whoever stops waiting for an answer does not cost the connection, and the next one gets his own', async () => {
  const closed: string[] = [];
  const [here, there] = [await host(closed), await host(closed)];
  const [address] = there.addresses;
  await here.dial(there.peer, [`${address?.host}:${address?.port}`], { signal: AbortSignal.timeout(10_000) });
  const [before] = here.connections(there.peer);
  for (let i = 0; i < 5; i++) {
    const given = new AbortController();
    const asked = here.roundTripMs(there.peer, given.signal);
    // The ping is on its way by the next turn of the event loop, and its answer cannot be here yet.
    await new Promise((resolve) => setImmediate(resolve));
    given.abort(new Error('enough'));
    await asked.catch((error: unknown) => expect(error).toMatchObject({ message: 'enough' }));
    expect(await here.roundTripMs(there.peer, AbortSignal.timeout(10_000))).toBeGreaterThan(0);
  }
  expect(here.connections(there.peer)).toEqual([before]);
  expect(closed).toEqual([]);
});

it('whoever waits for an answer waits no longer once the connection is closed', async () => {
  const [here, there] = [await host([]), await host([])];
  const [address] = there.addresses;
  await here.dial(there.peer, [`${address?.host}:${address?.port}`], { signal: AbortSignal.timeout(10_000) });
  const [connection] = here.connections(there.peer);
  const never = new AbortController().signal;
  const asked = [1, 2].map(() => here.roundTripMs(there.peer, never));
  const ended = Promise.allSettled(asked);
  // One ping is on its way by the next turn of the event loop, the other waits, and no answer can be here yet.
  await new Promise((resolve) => setImmediate(resolve));
  here.closeConnection(there.peer, connection?.id ?? '');
  expect((await ended).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await expect(here.roundTripMs(there.peer, never)).rejects.toThrow('not connected');
});
