import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { FrameStream, HostPort } from '@copain/core';
import { frameStreamPair, manualClock } from '@copain/core/testing';
import { decodeDialbackFrame, encodeDialbackFrame } from '@copain/mesh';
import type { Host } from '@copain/mesh/io';
import { afterEach, expect, it } from 'vitest';
import { type Dialback, startDialback } from './dialback.ts';

const servers: Server[] = [];
const stopping = new AbortController();
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** Linux leads here to this machine; by its form it is no loopback address, from which nobody is dialled back. */
const here = '0.0.0.0';

/** A listener that says `words` to whoever says anything; `met`: how many came. */
async function listener(words: string): Promise<{ port: number; met: () => number }> {
  let met = 0;
  const server = createServer((socket) => {
    met += 1;
    socket.on('error', () => undefined);
    socket.on('data', () => socket.write(words));
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, met: () => met };
}
const meshWords = '\u0013/multistream/1.0.0\n';

interface Side {
  dialback: Dialback;
  changes: (boolean | undefined)[];
  noHelp: string[];
}

function side(options: {
  meshPort?: number;
  remote?: HostPort | undefined;
  relayed?: boolean;
  announced?: string[];
  open?: () => FrameStream;
}): Side {
  const { meshPort = 4853, remote = { host: here, port: 1 }, announced = [] } = options;
  const changes: Side['changes'] = [];
  const noHelp: string[] = [];
  const host = {
    addresses: [{ host: here, port: meshPort }],
    connections: () => [
      options.relayed === true
        ? { id: '1', openedAtMs: 0, remote: undefined, via: 'carol' }
        : { id: '1', openedAtMs: 0, remote, via: undefined },
    ],
    open: async () => ({ ...(options.open?.() ?? expect.fail('nothing is opened')), version: 1 }),
  } as unknown as Host;
  const dialback = startDialback({
    host: () => host,
    clock: manualClock(1_000_000),
    allowPrivate: () => true,
    friends: () => ['friend'],
    announcedBy: () => announced,
    outside: (port) => port,
    stopping: stopping.signal,
    changed: (reachable) => changes.push(reachable),
    noHelp: (peer) => noHelp.push(peer),
  });
  return { dialback, changes, noHelp };
}

/** What a friend's box answers to these bytes. */
async function answerOf(friend: Side, asked: Uint8Array) {
  const [ours, theirs] = frameStreamPair();
  const serving = friend.dialback.serve(theirs, { peer: 'asker', connectionId: '1' });
  await ours.send(asked);
  const bytes = await ours.receive();
  await serving;
  return bytes === undefined ? undefined : decodeDialbackFrame(bytes);
}

it.for([
  ['the words of libp2p', meshWords, true],
  ['other words', '220 mail.example ESMTP what is this\r\n', false],
] as const)('whoever asks learns whether his port answers: with %s', async ([, words, reachable]) => {
  const { port, met } = await listener(words);
  const friend = side({ announced: [`${here}:${port}`] });
  const asker = side({
    meshPort: port,
    open: () => {
      const [ours, theirs] = frameStreamPair();
      friend.dialback.serve(theirs, { peer: 'asker', connectionId: '1' }).catch(() => undefined);
      return ours;
    },
  });
  expect(asker.dialback.reachable()).toBeUndefined();
  await asker.dialback.askNow(10_000);
  expect(asker.dialback.reachable()).toBe(reachable);
  expect(asker.dialback.port(port)).toEqual({ answer: reachable, by: ['friend'] });
  expect(asker.changes).toEqual([reachable]);
  expect(met()).toBe(1);
  // Nothing is asked again before it is time.
  asker.dialback.tick();
  expect(met()).toBe(1);
  asker.dialback.addressChanged();
  expect(asker.dialback.reachable()).toBeUndefined();
});

it('a port that nobody listens on is closed; one that the asker did not announce is refused, and never dialled', async () => {
  const closed = await listener(meshWords);
  const other = await listener(meshWords);
  const server = servers[0];
  server?.close();
  await new Promise((resolve) => server?.once('close', resolve));
  const friend = side({ announced: [`${here}:${closed.port}`] });
  const asked = encodeDialbackFrame({ t: 'ask', ports: [closed.port, other.port] });
  expect(await answerOf(friend, asked)).toEqual({
    t: 'result',
    host: here,
    ports: [
      { port: closed.port, answer: 'no' },
      { port: other.port, answer: 'refused' },
    ],
  });
  expect(other.met()).toBe(0);
});

it('whoever asks over a relay, or from loopback, is dialled nowhere; what is no question ends the stream', async () => {
  const { port, met } = await listener(meshWords);
  const asked = encodeDialbackFrame({ t: 'ask', ports: [port] });
  const announced = [`${here}:${port}`, `127.0.0.1:${port}`];
  for (const friend of [
    side({ announced, relayed: true }),
    side({ announced, remote: { host: '127.0.0.1', port: 9 } }),
  ])
    expect(await answerOf(friend, asked)).toMatchObject({ t: 'later' });
  const [ours, theirs] = frameStreamPair();
  const serving = expect(
    side({ announced }).dialback.serve(theirs, { peer: 'asker', connectionId: '1' }),
  ).rejects.toThrow('begins with a question');
  await ours.send(encodeDialbackFrame({ t: 'later', why: 'no' }));
  await serving;
  expect(met()).toBe(0);
});

it('a friend who answers nothing of use is asked once more, and is no help then', async () => {
  let asked = 0;
  const asker = side({
    open: () => {
      asked += 1;
      const [ours, theirs] = frameStreamPair();
      const answer = async (): Promise<void> => {
        await theirs.receive();
        await theirs.send(encodeDialbackFrame({ t: 'later', why: 'you asked too often' }));
        await theirs.end();
      };
      answer().catch(() => undefined);
      return ours;
    },
  });
  await asker.dialback.askNow(10_000);
  expect([asked, asker.noHelp, asker.dialback.reachable()]).toEqual([2, ['friend'], undefined]);
});
