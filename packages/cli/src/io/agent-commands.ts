import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError, ExitCode, visible } from '@copain/core';
import type { FriendStatus } from '@copain/status';
import { cliLimits } from '../limits.ts';
import { listenReasons, readListenFailure } from '../listen-failure.ts';
import { isRunning } from './client.ts';
import { sayRestart } from './config-file.ts';
import type { Session } from './session.ts';

/** A port that is taken or forbidden is the person's to mend, wherever in the agent it was found; else undefined. */
function listenError(cause: Error): CommandError | undefined {
  const failure = cause instanceof CommandError ? undefined : readListenFailure(cause.message);
  if (failure === undefined) return undefined;
  const { address, code } = failure;
  const port = address.replace(/^.*:/, '');
  const hints: Record<string, string> = {
    EADDRINUSE: `find it with: ss -lntp 'sport = :${port}'; then stop it, or choose another listen in peer.toml`,
    EACCES: 'run as root, or give the service AmbientCapabilities=CAP_NET_BIND_SERVICE',
    EADDRNOTAVAIL: 'list its addresses with: ip address; then correct listen in peer.toml',
  };
  const exit = code === 'EACCES' ? ExitCode.permission : ExitCode.configuration;
  const text = `cannot listen on ${address}: ${listenReasons[code] ?? code}`;
  return new CommandError(exit, text, { hint: hints[code], cause });
}

/** `peer up`: the agent, in the foreground, until SIGTERM or SIGINT. The only command that loads it. */
export async function up(session: Session): Promise<number> {
  const { runAgent } = await import('@copain/agent/io');
  const { env, version } = session.world;
  try {
    return await runAgent({ paths: session.paths, env, version });
  } catch (error) {
    throw (error instanceof Error ? listenError(error) : undefined) ?? error;
  }
}

/** `peer reload`: 78 with every mistake where `peer.toml` is not good; the agent then goes on as it was. */
export async function reload(session: Session): Promise<void> {
  const { restartNeededFor = [] } = (await session.ask('reload')) as { restartNeededFor?: string[] };
  sayRestart(session, restartNeededFor);
  session.answer('reload', { restartNeededFor }, 'reloaded\n');
}

/** `peer stop`: resolves when the agent is gone. */
export async function stop(session: Session): Promise<void> {
  if (!(await isRunning(session.paths.socketPath)))
    throw new CommandError(ExitCode.unreachable, 'no agent is running for this box');
  await session.ask('stop');
  const endsAtMs = performance.now() + cliLimits.stopMs;
  while (await isRunning(session.paths.socketPath)) {
    if (performance.now() > endsAtMs)
      throw new CommandError(
        ExitCode.unreachable,
        `the agent is still there after ${cliLimits.stopMs / 1000} s`,
      );
    await sleep(50);
  }
  session.answer('stop', {}, 'stopped\n');
}

/** `peer version [--friends]`. */
export async function version(session: Session, options: { friends?: boolean | undefined }): Promise<void> {
  const { version: own } = session.world;
  const running = await isRunning(session.paths.socketPath);
  const agent = running
    ? ((await session.ask('version')) as { version: string; name: string; id: string })
    : undefined;
  const friends =
    options.friends === true
      ? ((await session.ask('friends')) as { friends: FriendStatus[] }).friends
      : undefined;
  if (agent !== undefined && agent.version !== own)
    session.say(`peer: this command is ${own}, the running agent ${visible(agent.version)}: restart it`);
  const versions = friends?.map(({ name, version: spoken, incompatible }) => ({
    name,
    version: spoken,
    incompatible,
  }));
  const lines = [
    `peer ${own}`,
    ...(agent === undefined ? [] : [`agent ${visible(agent.version)} (${visible(agent.name)})`]),
    ...(versions ?? []).flatMap((friend) => [
      `${visible(friend.name)} ${visible(friend.version ?? 'not known')}`,
      // An agent that runs since before the last update says nothing of this.
      ...((friend.incompatible ?? null) === null ? [] : [`  ${visible(friend.incompatible ?? '', 400)}`]),
    ]),
  ];
  session.answer(
    'version',
    { version: own, agent: agent ?? null, ...(versions === undefined ? {} : { friends: versions }) },
    `${lines.join('\n')}\n`,
  );
}

/** `peer key words NAME`: what both friends read to each other, once. */
export async function keyWords(session: Session, name: string): Promise<void> {
  const { words } = (await session.ask('key.words', { name })) as { words: string[] };
  session.say(`Read these to ${visible(name)}; his \`peer key words\` must show the same:`);
  session.answer('key.words', { name, words }, `${words.map((word) => visible(word)).join(' ')}\n`);
}
