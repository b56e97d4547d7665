import { randomBytes } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import { type ProtocolName, protocols } from '../gate.ts';
import { signingKeyFromSeed } from './envelope.ts';
import { type Host, type ProtocolHandler, startHost } from './host.ts';
import { startLine } from './line.ts';

const running = new Set<Host>();
afterEach(async () => {
  for (const one of running) await one[Symbol.asyncDispose]();
  running.clear();
});

const unused: ProtocolHandler = { maxFrameBytes: 1000, handle: async (stream) => await stream.end() };

async function host(closed: string[]): Promise<Host> {
  const key = await signingKeyFromSeed(randomBytes(32));
  const nothing = (): void => {};
  const one = await startHost({
    privateKey: key.protobuf,
    listen: [{ host: '127.0.0.1', port: 0 }],
    line: startLine({ nowMs: () => Date.now() }),
    allowPrivate: () => true,
    admit: () => 'friend',
    handlers: Object.fromEntries(Object.keys(protocols).map((name) => [name, unused])) as Record<
      ProtocolName,
      ProtocolHandler
    >,
    events: {
      connected: nothing,
      disconnected: (_peer, id) => closed.push(id),
      heard: nothing,
      sent: nothing,
      received: nothing,
      observed: nothing,
      incompatible: nothing,
      refused: nothing,
      streamFailed: nothing,
    },
  });
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
