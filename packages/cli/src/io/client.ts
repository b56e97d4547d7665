import { connect } from 'node:net';
import type { ControlResponse } from '@copain/agent/io';
import { CommandError, ExitCode } from '@copain/core';
import { cliLimits } from '../limits.ts';

/** How to ask, and what to do with what comes before the result. */
export interface AskOptions {
  socketPath: string;
  command: string;
  args?: Record<string, unknown> | undefined;
  onProgress?: ((text: string) => void) | undefined;
  onItem?: ((value: unknown) => void) | undefined;
  /** Ends the question; it then resolves with an empty result. */
  signal?: AbortSignal | undefined;
  /** How long the agent may be silent; undefined: `cliLimits.silenceMs`, 0: for ever. */
  silenceMs?: number | undefined;
}

const noAgent = (socketPath: string, cause: unknown): CommandError =>
  new CommandError(
    ExitCode.unreachable,
    `no agent is running for this box (nobody answers at ${socketPath})`,
    {
      hint: 'peer up',
      cause,
    },
  );

function connectionError(socketPath: string, error: NodeJS.ErrnoException): CommandError {
  if (error.code === 'EACCES' || error.code === 'EPERM')
    return new CommandError(ExitCode.permission, `you may not talk to the agent at ${socketPath}`, {
      hint: 'use sudo, or be the user whose agent it is',
      cause: error,
    });
  return noAgent(socketPath, error);
}

/**
 * Asks the agent one question over its socket and resolves with the result. Throws CommandError: 69 where no agent
 * answers or it goes away, 77 where the socket may not be opened, else with the exit status that the agent gave.
 */
export async function ask(options: AskOptions): Promise<unknown> {
  const {
    socketPath,
    command,
    args = {},
    onProgress,
    onItem,
    signal,
    silenceMs = cliLimits.silenceMs,
  } = options;
  if (signal?.aborted) return {};
  const socket = connect(socketPath);
  const outcome = Promise.withResolvers<unknown>();
  const id = 1;
  let pending = '';
  const take = (line: string): void => {
    const response = JSON.parse(line) as ControlResponse;
    if ('progress' in response) onProgress?.(response.progress);
    else if ('item' in response) onItem?.(response.item);
    else if ('result' in response) outcome.resolve(response.result);
    else {
      const { exit, message, hint } = response.error;
      outcome.reject(new CommandError(exit, message, { hint }));
    }
  };
  socket.setEncoding('utf8');
  socket.setTimeout(silenceMs, () => {
    const text = `the agent has not answered for ${silenceMs / 1000} s`;
    outcome.reject(new CommandError(ExitCode.unreachable, text));
  });
  socket.on('error', (error) => outcome.reject(connectionError(socketPath, error)));
  socket.on('close', () =>
    outcome.reject(
      new CommandError(ExitCode.unreachable, 'the agent went away before it answered', { hint: 'peer up' }),
    ),
  );
  socket.on('data', (chunk: string) => {
    const lines = (pending + chunk).split('\n');
    pending = lines.pop() ?? '';
    try {
      for (const line of lines) take(line);
      if (pending.length > cliLimits.answerBytes) throw new Error('the answer has no end');
    } catch (cause) {
      outcome.reject(
        new CommandError(ExitCode.bug, 'the agent answered something that is no answer', { cause }),
      );
    }
  });
  signal?.addEventListener('abort', () => outcome.resolve({}), { once: true });
  socket.write(`${JSON.stringify({ id, command, args })}\n`);
  try {
    return await outcome.promise;
  } finally {
    socket.destroy();
  }
}

/** Does an agent answer there? */
export async function isRunning(socketPath: string): Promise<boolean> {
  const socket = connect(socketPath);
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}
