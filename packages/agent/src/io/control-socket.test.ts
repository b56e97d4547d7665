import { link, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CommandError, ExitCode } from '@copain/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { controlLimits } from '../serving-limits.ts';
import { type ControlHandler, type ControlSocketEvents, startControlSocket } from './control-socket.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'copain-control-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

const record = () => {
  const seen: string[] = [];
  const events: ControlSocketEvents = {
    handlerFailed: ({ command }) => seen.push(`failed ${command}`),
    connectionRefused: ({ why }) => seen.push(why),
  };
  return { seen, events };
};
const start = (handlers: Record<string, ControlHandler>, events = record().events) =>
  startControlSocket({ path: join(dir, 'peer.sock'), handlers, events });

/** Sends the text and collects the answers until the last expected one, or until the agent closes. */
async function ask(text: string, answers = 1): Promise<unknown[]> {
  const socket = connect(join(dir, 'peer.sock'));
  socket.on('error', () => socket.destroy());
  socket.write(text);
  const received: unknown[] = [];
  for await (const line of createInterface({ input: socket })) {
    received.push(JSON.parse(line));
    if (received.length === answers) break;
  }
  socket.destroy();
  return received;
}
const request = (id: number, command: string, args = {}): string =>
  `${JSON.stringify({ id, command, args })}\n`;

it('answers requests with progress, items and one result, in order, several on one connection', async () => {
  await using _ = await start({
    echo: async (args) => args,
    work: async (_args, { progress, item }) => {
      progress('half');
      item({ n: 1 });
      return undefined;
    },
  });
  expect(await ask(request(1, 'echo', { a: 'é' }))).toEqual([{ id: 1, result: { a: 'é' } }]);
  expect(await ask(request(2, 'work') + request(3, 'echo'), 4)).toEqual([
    { id: 2, progress: 'half' },
    { id: 2, item: { n: 1 } },
    { id: 2, result: {} },
    { id: 3, result: {} },
  ]);
});

it('says no with the exit status of the error, and hides our own bugs from the command but not from the log', async () => {
  const { seen, events } = record();
  const handlers: Record<string, ControlHandler> = {
    no: async () => {
      throw new CommandError(ExitCode.badInput, 'that is no code', { hint: 'peer invite bob' });
    },
    bug: async () => {
      throw new Error('secret detail');
    },
  };
  await using _ = await start(handlers, events);
  expect(await ask(request(1, 'no'))).toEqual([
    { id: 1, error: { exit: 65, message: 'that is no code', hint: 'peer invite bob' } },
  ]);
  expect(JSON.stringify(await ask(request(2, 'bug')))).toMatch(/"exit":70(?!.*secret)/);
  expect(await ask(request(3, 'constructor'))).toMatchObject([{ id: 3, error: { exit: 64 } }]);
  expect(seen).toEqual(['failed bug']);
});

it('only its owner can open the socket, and it vanishes with the agent', async () => {
  const path = join(dir, 'peer.sock');
  const socket = await start({});
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await socket[Symbol.asyncDispose]();
  await socket[Symbol.asyncDispose]();
  await expect(stat(path)).rejects.toThrow('ENOENT');
});

it('a second agent is refused, a socket that nobody answers is replaced, any other file is left alone', async () => {
  const path = join(dir, 'peer.sock');
  const first = await start({});
  await expect(start({})).rejects.toMatchObject({ exit: ExitCode.cannotWrite, hint: 'peer stop' });
  await first[Symbol.asyncDispose]();

  const stale = createServer();
  await new Promise<void>((resolve) => stale.listen(join(dir, 'other.sock'), resolve));
  await link(join(dir, 'other.sock'), path);
  await new Promise((resolve) => stale.close(resolve));
  await using _ = await start({ hello: async () => ({}) });
  expect(await ask(request(1, 'hello'))).toHaveLength(1);

  await writeFile(join(dir, 'file'), 'mine');
  await expect(
    startControlSocket({ path: join(dir, 'file'), handlers: {}, events: record().events }),
  ).rejects.toMatchObject({ exit: ExitCode.cannotWrite });
});

it('a path that the system would cut off is refused', async () => {
  const path = join(dir, 'x'.repeat(controlLimits.pathBytes));
  await expect(startControlSocket({ path, handlers: {}, events: record().events })).rejects.toMatchObject({
    exit: ExitCode.configuration,
  });
});

it('what is no request, and a line without end, close the connection with a word', async () => {
  const { seen, events } = record();
  await using _ = await start({}, events);
  for (const bad of ['hello\n', '[]\n', '{"id":1}\n', '{"id":1,"command":"x","args":[]}\n'])
    expect(await ask(bad, 2)).toMatchObject([{ id: 0, error: { exit: 64 } }]);
  expect(await ask('x'.repeat(controlLimits.lineBytes + 1), 2)).toMatchObject([
    { id: 0, error: { exit: 64 } },
  ]);
  expect(seen).toEqual(['not-json', 'not-json', 'not-json', 'not-json', 'line-too-long']);
});

it('one connection has a bound on its requests, and the socket one on its connections', async () => {
  const release = Promise.withResolvers<void>();
  const { seen, events } = record();
  await using _ = await start({ wait: () => release.promise }, events);
  const many = Array.from({ length: controlLimits.requestsInFlight + 1 }, (_, n) =>
    request(n + 1, 'wait'),
  ).join('');
  expect(await ask(many)).toMatchObject([{ id: controlLimits.requestsInFlight + 1, error: { exit: 64 } }]);
  const held = Array.from({ length: controlLimits.connections }, () => connect(join(dir, 'peer.sock')));
  await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  expect(await ask('', 1)).toMatchObject([{ id: 0, error: { exit: 69 } }]);
  expect(seen).toEqual(['too-many']);
  release.resolve();
  for (const socket of held) socket.destroy();
});

it('a handler hears that its command went away, and that the agent stops; the last answer still arrives', async () => {
  let began = Promise.withResolvers<void>();
  let aborted = Promise.withResolvers<void>();
  const follow: ControlHandler = async (_args, { signal }) => {
    began.resolve();
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    aborted.resolve();
    return { ended: true };
  };
  const socket = await start({ follow });
  const client = connect(join(dir, 'peer.sock'));
  client.write(request(1, 'follow'));
  await began.promise;
  client.destroy();
  await aborted.promise;

  began = Promise.withResolvers();
  aborted = Promise.withResolvers();
  const answer = ask(request(2, 'follow'));
  await began.promise;
  await socket[Symbol.asyncDispose]();
  expect(await answer).toEqual([{ id: 2, result: { ended: true } }]);
});

it('a reader that does not read is cut off', async () => {
  const { seen, events } = record();
  const gone = Promise.withResolvers<void>();
  const flood: ControlHandler = async (_args, { item, signal }) => {
    const text = 'x'.repeat(100_000);
    while (!signal.aborted) {
      item(text);
      await new Promise((resolve) => setImmediate(resolve));
    }
    gone.resolve();
  };
  await using _ = await start({ flood }, events);
  const client = connect(join(dir, 'peer.sock'));
  client.pause();
  client.on('error', () => client.destroy());
  client.write(request(1, 'flood'));
  await gone.promise;
  expect(seen).toEqual(['reads-too-slowly']);
  client.destroy();
});
