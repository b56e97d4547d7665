import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { manualClock } from '@copain/core/testing';
import { afterEach, expect, it } from 'vitest';
import { type Knocking, knockingAt } from './knocking.ts';

const stopping = new AbortController();
const toClose: (() => void)[] = [];
afterEach(() => {
  for (const close of toClose.splice(0)) close();
});

/** Knocks at these addresses of one friend; `heard` is what they led to. */
function knocker(
  addresses: readonly string[],
  resolve?: (name: string) => Promise<readonly string[]>,
): { knocking: Knocking; heard: boolean[] } {
  const heard: boolean[] = [];
  const knocking = knockingAt({
    clock: manualClock(1_000_000),
    allowPrivate: () => true,
    stopping: stopping.signal,
    answered: (_peer, reopened) => heard.push(reopened),
    ...(resolve && { resolve }),
  });
  knocking.at([{ peer: 'bob', addresses }]);
  toClose.push(() => knocking.at([]));
  return { knocking, heard };
}

async function listening(port = 0): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((socket) => socket.on('error', () => undefined)).listen(port, '127.0.0.1');
  await once(server, 'listening');
  toClose.push(() => server.close());
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

it('an answer after several knocks without one says that the way is open again, the next one says nothing new', async () => {
  const { port, close } = await listening();
  await close();
  const answers: Promise<readonly string[]>[] = [];
  const { knocking, heard } = knocker([`bob.example:${port}`], (): Promise<readonly string[]> => {
    const answer = Promise.resolve(['127.0.0.1']);
    answers.push(answer);
    return answer;
  });
  // Knocked at again once the knock before has come to its end: the port refuses at once.
  for (let count = 1; count <= 5; count++) {
    await expect
      .poll(
        () => {
          knocking.now();
          return answers.length;
        },
        { interval: 5 },
      )
      .toBeGreaterThanOrEqual(count);
  }
  expect(heard).toEqual([]);
  await listening(port);
  knocking.now();
  await expect.poll(() => heard.length).toBeGreaterThan(0);
  expect(heard[0]).toBe(true);
  const before = heard.length;
  knocking.now();
  await expect.poll(() => heard.length).toBeGreaterThan(before);
  expect(heard.at(-1)).toBe(false);
});

it('a resolver that hangs has one question of each friend, however often he is knocked at', async () => {
  const { port } = await listening();
  const asked: ((hosts: readonly string[]) => void)[] = [];
  const { knocking, heard } = knocker(
    [`bob.example:${port}`],
    () => new Promise((resolve) => asked.push(resolve)),
  );
  for (let i = 0; i < 20; i++) knocking.now();
  expect(asked).toHaveLength(1);
  asked[0]?.(['127.0.0.1']);
  await expect.poll(() => heard).toEqual([false]);
  knocking.now();
  expect(asked).toHaveLength(2);
});
