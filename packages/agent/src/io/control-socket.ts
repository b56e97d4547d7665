import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { CommandError, ExitCode, visible } from '@copain/core';
import { controlLimits } from '../serving-limits.ts';

/** One line that a command sends. */
export interface ControlRequest {
  id: number;
  command: string;
  args: Record<string, unknown>;
}

/** One line that the agent answers: any number of `progress` and `item`, then one `result` or one `error`. */
export type ControlResponse =
  | { id: number; progress: string }
  | { id: number; item: unknown }
  | { id: number; result: unknown }
  | { id: number; error: { exit: number; message: string; hint?: string | undefined } };

/** What a handler may do while it works. `signal` is aborted when the command went away or the agent stops. */
export interface ControlContext {
  progress: (text: string) => void;
  item: (value: unknown) => void;
  signal: AbortSignal;
}

/** Answers one command. Throws CommandError to say no with an exit status; anything else thrown is our bug. */
export type ControlHandler = (args: Record<string, unknown>, context: ControlContext) => Promise<unknown>;

/** What the agent may want to log. */
export interface ControlSocketEvents {
  /** A handler threw something that is no CommandError. With an empty command: accepting a connection failed. */
  handlerFailed(fields: { command: string; error: unknown }): void;
  /** A connection was closed for what it did, or because there were too many. */
  connectionRefused(fields: { why: 'too-many' | 'line-too-long' | 'not-json' | 'reads-too-slowly' }): void;
}

/** A listening control socket. */
export type ControlSocket = AsyncDisposable;

/** Is somebody listening there? Decides between a stale socket and a second agent. */
async function isAnswered(path: string): Promise<boolean> {
  const probe = connect(path);
  try {
    return await new Promise<boolean>((resolve, reject) => {
      probe.once('connect', () => resolve(true));
      probe.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
        else reject(error);
      });
    });
  } finally {
    probe.destroy();
  }
}

async function makeRoom(path: string): Promise<void> {
  if (Buffer.byteLength(path) > controlLimits.pathBytes) {
    throw new CommandError(
      ExitCode.configuration,
      `the socket's path is longer than ${controlLimits.pathBytes} bytes: ${visible(path)}`,
      { hint: 'use a --home with a shorter name' },
    );
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!found) return;
  if (!found.isSocket())
    throw new CommandError(
      ExitCode.cannotWrite,
      `${visible(path)} is there and is no socket; it is left alone`,
    );
  if (await isAnswered(path))
    throw new CommandError(
      ExitCode.cannotWrite,
      `an agent is running already: it answers at ${visible(path)}`,
      {
        hint: 'peer stop',
      },
    );
  await unlink(path);
}

function errorLine(id: number, error: unknown): ControlResponse {
  if (error instanceof CommandError)
    return { id, error: { exit: error.exit, message: error.message, hint: error.hint } };
  return {
    id,
    error: { exit: ExitCode.bug, message: 'the agent failed; its log says more', hint: 'peer events' },
  };
}

function readRequest(line: string): ControlRequest | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return undefined;
    const { id, command, args = {} } = value as Record<string, unknown>;
    if (typeof id !== 'number' || typeof command !== 'string') return undefined;
    if (typeof args !== 'object' || args === null || Array.isArray(args)) return undefined;
    return { id, command, args: args as Record<string, unknown> };
  } catch {
    return undefined;
  }
}

/** Serves one connection until it closes. `settled` resolves when no request is under way any more. */
function serve(
  socket: Socket,
  handlers: ReadonlyMap<string, ControlHandler>,
  events: ControlSocketEvents,
): { abort(): void; settled(): Promise<unknown> } {
  const gone = new AbortController();
  const underWay = new Set<Promise<void>>();
  let pending = '';

  const refuse = (why: 'line-too-long' | 'not-json' | 'reads-too-slowly', message: string): void => {
    events.connectionRefused({ why });
    send({ id: 0, error: { exit: ExitCode.usage, message } });
    socket.destroySoon();
  };
  const send = (response: ControlResponse): void => {
    if (!socket.writable) return;
    socket.write(`${JSON.stringify(response)}\n`);
    if (socket.writableLength > controlLimits.unsentBytes) {
      events.connectionRefused({ why: 'reads-too-slowly' });
      socket.destroy();
    }
  };
  const answer = async ({ id, command, args }: ControlRequest): Promise<void> => {
    try {
      const handler = handlers.get(command);
      if (!handler) {
        const message = `the running agent does not know "${visible(command, 60)}"`;
        throw new CommandError(ExitCode.usage, message, { hint: 'peer version' });
      }
      if (underWay.size >= controlLimits.requestsInFlight)
        throw new CommandError(ExitCode.usage, 'too many requests at once on one connection');
      const context: ControlContext = {
        progress: (text) => send({ id, progress: text }),
        item: (value) => send({ id, item: value }),
        signal: gone.signal,
      };
      send({ id, result: (await handler(args, context)) ?? {} });
    } catch (error) {
      if (!(error instanceof CommandError)) events.handlerFailed({ command, error });
      send(errorLine(id, error));
    }
  };
  const take = (line: string): void => {
    const request = readRequest(line);
    if (!request) {
      refuse('not-json', 'not a request: one JSON object with id, command and args a line');
      return;
    }
    const work = answer(request).finally(() => {
      underWay.delete(work);
      if (underWay.size === 0) socket.setTimeout(controlLimits.idleMs);
    });
    underWay.add(work);
    socket.setTimeout(0);
  };

  socket.setEncoding('utf8');
  socket.setTimeout(controlLimits.idleMs, () => socket.destroySoon());
  socket.on('data', (chunk: string) => {
    const lines = (pending + chunk).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) if (socket.writable) take(line);
    if (pending.length > controlLimits.lineBytes)
      refuse('line-too-long', `a request is longer than ${controlLimits.lineBytes} bytes`);
  });
  // A client that vanished is told by 'close'; what it did not read is of no use to anybody.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => gone.abort());
  return { abort: () => gone.abort(), settled: () => Promise.allSettled(underWay) };
}

/**
 * Listens on a unix socket that only its owner can open, and answers requests, each a JSON object on a line, with
 * `handlers`. A socket file that nobody answers is removed first; where an agent answers, and where something that is
 * no socket lies, it throws CommandError (73). Disposing refuses new connections, aborts what is under way, waits a
 * second for its answers, and removes the file.
 */
export async function startControlSocket(options: {
  path: string;
  /** Permissions of the socket; 0600 unless told. */
  mode?: number | undefined;
  handlers: Readonly<Record<string, ControlHandler>>;
  events: ControlSocketEvents;
}): Promise<ControlSocket> {
  const { path, mode = 0o600, events } = options;
  const handlers = new Map(Object.entries(options.handlers));
  await makeRoom(path);
  const open = new Map<Socket, ReturnType<typeof serve>>();
  // A client may close its half as soon as it has asked.
  const server = createServer({ allowHalfOpen: false }, (socket) => {
    if (open.size >= controlLimits.connections) {
      events.connectionRefused({ why: 'too-many' });
      const error = { exit: ExitCode.unreachable, message: 'too many commands at once; try again' };
      socket.on('error', () => socket.destroy());
      socket.end(`${JSON.stringify({ id: 0, error } satisfies ControlResponse)}\n`);
      return;
    }
    open.set(socket, serve(socket, handlers, events));
    socket.on('close', () => open.delete(socket));
  });
  server.on('error', (error) => {
    if (server.listening) events.handlerFailed({ command: '', error });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The file appears within listen(); with this mask it is never open to others, not even for a moment.
    const before = process.umask(0o177);
    try {
      server.listen(path, resolve);
    } finally {
      process.umask(before);
    }
  });
  await chmod(path, mode);

  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const connection of open.values()) connection.abort();
    const timer = new AbortController();
    const limit = AbortSignal.any([timer.signal, AbortSignal.timeout(controlLimits.stopMs)]);
    await Promise.race([
      Promise.all([...open.values()].map((connection) => connection.settled())),
      new Promise<void>((resolve) => limit.addEventListener('abort', () => resolve(), { once: true })),
    ]);
    timer.abort();
    for (const socket of open.keys()) socket.destroySoon();
    await closed;
  };
  return {
    [Symbol.asyncDispose]: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}
