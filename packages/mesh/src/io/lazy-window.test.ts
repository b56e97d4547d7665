import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { FrameStream } from '@copain/core';
import { afterEach, expect, it } from 'vitest';
import type { Host } from './host.ts';
import { startTestHost } from './testing.ts';

const running = new Set<AsyncDisposable>();
afterEach(async () => {
  for (const one of running) await one[Symbol.asyncDispose]();
  running.clear();
});

async function host(): Promise<Host> {
  const one = await startTestHost();
  running.add(one);
  return one;
}

/** A TCP relay in front of `port` that counts what passes in both directions. */
async function counted(port: number): Promise<{ port: number; bytes: () => number; chunks: () => number }> {
  let bytes = 0;
  let chunks = 0;
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk) => {
        bytes += chunk.length;
        chunks += 1;
        to.write(chunk);
      });
      from.on('close', () => to.destroy());
      from.on('error', () => to.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  running.add({
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  });
  return { port: (server.address() as AddressInfo).port, bytes: () => bytes, chunks: () => chunks };
}

async function streamThroughRelay(): Promise<{
  stream: FrameStream;
  bytes: () => number;
  chunks: () => number;
}> {
  const [one, other] = [await host(), await host()];
  const relay = await counted(other.addresses[0]?.port ?? 0);
  const signal = AbortSignal.timeout(10_000);
  await one.dial(other.peer, [`127.0.0.1:${relay.port}`], { signal });
  return { stream: await one.open(other.peer, 'sync', { signal }), bytes: relay.bytes, chunks: relay.chunks };
}

it('a small message costs its frame and nothing more: no window update for each', async () => {
  const { stream, bytes } = await streamThroughRelay();
  const say = async (): Promise<void> => {
    await stream.send(new Uint8Array(60));
    await stream.receive();
  };
  // The first ones still share the line with identify and the protocol's negotiation.
  for (let i = 0; i < 5; i++) await say();
  const before = bytes();
  for (let i = 0; i < 20; i++) await say();
  const perMessage = (bytes() - before) / 40;
  // 60 bytes, their length, yamux's header (12) and Noise's length and tag (18).
  expect(perMessage).toBeLessThan(60 + 1 + 12 + 18 + 5);
});

it('and goes out in one piece, its length with it', async () => {
  const { stream, chunks } = await streamThroughRelay();
  const say = async (): Promise<void> => {
    await stream.send(new Uint8Array(60));
    await stream.receive();
  };
  for (let i = 0; i < 5; i++) await say();
  const before = chunks();
  for (let i = 0; i < 20; i++) await say();
  expect(chunks() - before).toBe(40);
});

it('many times the window passes, so it is renewed in time', async () => {
  const { stream } = await streamThroughRelay();
  const frame = new Uint8Array(60_000).fill(7);
  for (let i = 0; i < 60; i++) {
    await stream.send(frame);
    expect((await stream.receive())?.length).toBe(frame.length);
  }
});
