import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { type Clock, CommandError, ExitCode, formatHostPort, fromUtf8, type Random } from '@copain/core';
import type { Logger } from 'pino';
import { parseConfig } from '../config.ts';
import { besideConfig, type HomePaths } from '../config-paths.ts';
import { formatProblems } from '../config-problems.ts';
import type { Config } from '../config-schema.ts';
import { afterFault, type Fault, type FaultHistory, whereOf } from '../fault.ts';
import { type Agent, startAgent } from './agent.ts';
import { catchFaults, type FaultCatcher } from './catch-faults.ts';
import { type ControlCommand, controlCommands, controlHandlers } from './control.ts';
import { type ControlHandler, startControlSocket } from './control-socket.ts';
import { loadIdentity } from './identity.ts';
import { makeLog } from './log.ts';
import type { ServicePace } from './services.ts';
import { startStatusHttp } from './status-http.ts';

const systemClock: Clock = { nowMs: () => Date.now() };
const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
};

/** A clean stop takes at most this long; after it the process ends with what is on disk, which is always enough. */
const stopWithinMs = 9000;

async function readConfig(paths: HomePaths): Promise<Config> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(paths.configFile);
  } catch (error) {
    throw new CommandError(ExitCode.configuration, `there is no ${paths.configFile} that can be read`, {
      hint: 'peer init --name NAME',
      cause: error,
    });
  }
  const parsed = parseConfig(fromUtf8(bytes) ?? '', { fileName: paths.configFile });
  if (parsed.kind === 'ok') return parsed.config;
  throw new CommandError(ExitCode.configuration, formatProblems(parsed.problems), {
    hint: 'peer config check',
  });
}

/**
 * Runs the agent in the foreground until SIGTERM, SIGINT or `peer stop`; SIGHUP reloads. Resolves with the exit
 * status. Called by `peer up` only. A fault ends what runs and starts it again from the disk, with backoff. Throws
 * CommandError where it cannot start, and what hindered the start where it cannot start again after a fault.
 */
export async function runAgent(options: RunOptions): Promise<number> {
  const log = await makeLog({
    level: options.env.PEER_LOG ?? 'info',
    isTerminal: process.stdout.isTTY,
  });
  using faults = catchFaults(log);
  let history: FaultHistory | undefined;
  for (;;) {
    const ending = await runOnce({ ...options, log, faults, history }).catch((error: unknown): Ending => {
      // The first start is for the person to mend; later ones may find what a fault left half closed.
      if (history === undefined) throw error;
      log.error({ err: error }, 'the agent could not start again');
      return { kind: 'fault', error, whileStarting: true };
    });
    if (ending.kind === 'stopped') return ExitCode.done;
    if (ending.kind === 'again') continue;
    const next = afterFault(history, faultOf(ending));
    if (next.againAfterMs === undefined) throw ending.error;
    history = next.history;
    log.warn({ where: history.last.where, againAfterMs: next.againAfterMs }, 'starting again after a fault');
    if (await isStoppedWithin(next.againAfterMs)) return ExitCode.done;
  }
}

/** Waits, and says whether a signal to stop came meanwhile. */
async function isStoppedWithin(waitMs: number): Promise<boolean> {
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  try {
    await pause(waitMs, undefined, { signal: stopping.signal });
  } catch {
    // Only the signal ends the wait before its time.
  } finally {
    process.off('SIGTERM', stop);
    process.off('SIGINT', stop);
  }
  return stopping.signal.aborted;
}

/** Why one life of the agent ended. */
type Ending =
  | { kind: 'stopped' }
  | { kind: 'again' }
  | { kind: 'fault'; error: unknown; whileStarting: boolean };

function faultOf({ error, whileStarting }: { error: unknown; whileStarting: boolean }): Fault {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return { atMs: systemClock.nowMs(), where: whereOf(stack), whileStarting };
}

interface RunOptions {
  paths: HomePaths;
  env: Readonly<Record<string, string | undefined>>;
  version: string;
  /** Default: as users have it. */
  servicePace?: ServicePace;
}

interface LifeOptions extends RunOptions {
  log: Logger;
  faults: FaultCatcher;
  /** The faults that ended the lives before. */
  history: FaultHistory | undefined;
}

/** One life of the agent: until it is to stop, or to start again with what is on the disk by then. */
async function runOnce(options: LifeOptions): Promise<Ending> {
  const { paths, version, log, history } = options;
  const config = await readConfig(paths);
  const identity = await loadIdentity(paths.stateDir);
  const { promise: ended, resolve: end } = Promise.withResolvers<Ending>();
  options.faults.listen((error) => end({ kind: 'fault', error, whileStarting: false }));
  const stop = (): void => end({ kind: 'stopped' });
  // Listeners come before anything that takes time, so that a stop during the start is a clean stop too.
  const onSignal = (): void => stop();
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);

  let agent: Agent | undefined;
  const reload = async (rename?: { name: string; to: string }): Promise<string[]> => {
    if (agent === undefined) return [];
    const notes = await agent.reconfigure(await readConfig(paths), rename);
    log.info({ restartNeededFor: notes }, 'configuration reloaded');
    return notes;
  };
  const onHangup = (): void => {
    reload().catch((error: unknown) =>
      log.error({ err: error }, 'reload failed; the old configuration stays'),
    );
  };
  process.on('SIGHUP', onHangup);

  const parts = new AsyncDisposableStack();
  try {
    const started = Promise.withResolvers<Agent>();
    started.promise.catch(() => undefined);
    const lifecycle = {
      reload,
      stop,
      restart: () => end({ kind: 'again' }),
      nowMs: () => systemClock.nowMs(),
    };
    /** A command that comes while the agent starts waits until it is up. */
    const handler =
      (command: ControlCommand): ControlHandler =>
      async (args, context) =>
        await controlHandlers(await started.promise, lifecycle)[command](args, context);
    // The control socket comes first: it is also the lock that keeps a second agent out of this home.
    parts.use(
      await startControlSocket({
        path: paths.socketPath,
        mode: 0o600,
        handlers: Object.fromEntries(controlCommands.map((command) => [command, handler(command)])),
        events: {
          handlerFailed: ({ command, error }) => log.error({ command, err: error }, 'a command failed'),
          connectionRefused: ({ why }) => log.warn({ why }, 'a control connection was refused'),
        },
      }),
    );
    try {
      agent = parts.use(
        await startAgent({
          config,
          paths,
          identity,
          version,
          log,
          clock: systemClock,
          random: systemRandom,
          faults: history,
          servicePace: options.servicePace,
        }),
      );
    } catch (error) {
      started.reject(new CommandError(ExitCode.unreachable, 'the agent could not start', { cause: error }));
      throw error;
    }
    const running = agent;
    started.resolve(running);
    const token =
      config.http.tokenFile === undefined ? undefined : await readToken(paths, config.http.tokenFile);
    const http = parts.use(
      await startStatusHttp({
        listen: config.http.listen,
        status: () => running.status(),
        metrics: () => running.metrics(),
        ready: () => running.ready(),
        ...(token === undefined ? {} : { token }),
        events: { requestFailed: ({ path, error }) => log.error({ path, err: error }, 'status page') },
      }),
    );
    log.info(
      {
        name: config.name,
        id: identity.box.peer,
        dns: running.zones.addresses().map(formatHostPort),
        smtp: running.mail.addresses.map(formatHostPort),
        smtpRaw: running.mail.rawAddresses.map(formatHostPort),
        http: http.addresses.map(formatHostPort),
        version,
      },
      `${config.name} is up`,
    );
    await ended;
    log.info('stopping');
  } finally {
    await disposeInTime(parts, log);
    process.off('SIGTERM', onSignal);
    process.off('SIGINT', onSignal);
    process.off('SIGHUP', onHangup);
  }
  log.info('stopped');
  return await ended;
}

/** Everything accepted is on disk already, so a part that does not stop in time loses nothing but its good-bye. */
async function disposeInTime(parts: AsyncDisposableStack, log: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      log.warn('some part did not stop in time; ending all the same');
      resolve();
    }, stopWithinMs);
  });
  await Promise.race([parts.disposeAsync(), late]);
  clearTimeout(timer);
}

async function readToken(paths: HomePaths, file: string): Promise<string> {
  const path = besideConfig(paths.configFile, file);
  let token: string;
  try {
    token = (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw new CommandError(ExitCode.configuration, `[http] token-file: ${path} cannot be read`, {
      cause: error,
    });
  }
  // An empty token would let everybody in who gives none.
  if (token === '') throw new CommandError(ExitCode.configuration, `[http] token-file: ${path} is empty`);
  return token;
}
