import { randomBytes } from 'node:crypto';
import type { protocols } from '@copain/mesh';
import { everyProtocol, startTestHost } from '@copain/mesh/testing';
import { encodeCanonical } from '@copain/trust';
import type { Address } from './box.ts';

type Protocol = keyof typeof protocols;

/**
 * Somebody with a key that no circle knows dials a box and asks for one protocol. True when the box answers him or
 * goes on listening, false when it hangs up on the connection or on the stream.
 */
export async function strangerIsServed(
  box: { peer: string; address: Address },
  protocol: Protocol,
): Promise<boolean> {
  const unused = { maxFrameBytes: 4096, handle: async () => {} };
  const signal = AbortSignal.timeout(10_000);
  await using host = await startTestHost({ listen: [], handlers: everyProtocol(() => unused) });
  try {
    const { host: to, port } = box.address;
    await host.dial(box.peer, [`${to}:${port}`], { signal });
    const stream = await host.open(box.peer, protocol, { signal });
    // A question that only the join protocol answers; whoever else takes it waits for more until our patience ends.
    await stream.send(encodeCanonical({ t: 'ask', invite: new Uint8Array(randomBytes(8)) }));
    const answered = stream.receive().then((frame) => frame !== undefined);
    return await Promise.race([answered, patienceEnds(signal)]);
  } catch {
    return false;
  }
}

/** True when the signal is aborted: whoever has not hung up by then is listening. */
async function patienceEnds(signal: AbortSignal): Promise<boolean> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  return true;
}
