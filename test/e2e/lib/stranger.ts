import { randomBytes } from 'node:crypto';
import type { protocols } from '@copain/mesh';
import { signingKeyFromSeed, startHost, startLine } from '@copain/mesh/io';
import type { Address } from './box.ts';

type Protocol = keyof typeof protocols;

/**
 * Somebody with a key that no circle knows dials a box and asks for one protocol. True when the box takes the stream and
 * waits for what he has to say, false when it hangs up on the connection or on the stream.
 */
export async function strangerIsServed(
  box: { peer: string; address: Address },
  protocol: Protocol,
): Promise<boolean> {
  const unused = { maxFrameBytes: 4096, handle: async () => {} };
  const nothing = (): void => {};
  const signal = AbortSignal.timeout(10_000);
  await using host = await startHost({
    privateKey: (await signingKeyFromSeed(randomBytes(32))).protobuf,
    listen: [],
    allowPrivate: () => true,
    line: startLine({ nowMs: () => Date.now() }),
    admit: () => 'friend',
    handlers: { sync: unused, join: unused, zone: unused, live: unused, drain: unused },
    events: {
      connected: nothing,
      disconnected: nothing,
      heard: nothing,
      sent: nothing,
      received: nothing,
      observed: nothing,
      refused: nothing,
      streamFailed: nothing,
    },
  });
  try {
    const { host: to, port } = box.address;
    await host.dial(box.peer, [`${to}:${port}`], { signal });
    const stream = await host.open(box.peer, protocol, { signal });
    const refused = stream.receive().then(
      (frame) => frame === undefined,
      () => true,
    );
    return !(await Promise.race([refused, aWhile()]));
  } catch {
    return false;
  }
}

/** False after two seconds: long enough for a refusal on loopback, short of the deadline of a guest. */
function aWhile(): Promise<boolean> {
  return new Promise((resolve) => setTimeout(() => resolve(false), 2000));
}
