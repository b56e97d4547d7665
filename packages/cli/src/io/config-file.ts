import { randomBytes } from 'node:crypto';
import { access, constants, open, readFile, rename, rm, stat } from 'node:fs/promises';
import type { Config, ConfigEdit, ParsedConfig } from '@copain/agent';
import { CommandError, ExitCode } from '@copain/core';
import type { Session } from './session.ts';

/** The error for a file that cannot be read or written, by the system's reason. */
export function fileError(path: string, doing: 'read' | 'write', cause: unknown): CommandError {
  const { code = 'unknown error' } = cause as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new CommandError(ExitCode.permission, `you may not ${doing} ${path}`, { hint: 'use sudo', cause });
  const exit = doing === 'read' ? ExitCode.cannotRead : ExitCode.cannotWrite;
  return new CommandError(exit, `cannot ${doing} ${path}: ${code}`, { cause });
}

/** Throws CommandError (74, 77) where a file that the person names cannot be read. */
export async function mustBeReadable(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK);
  } catch (cause) {
    throw fileError(path, 'read', cause);
  }
}

/**
 * The text of `peer.toml`. Throws CommandError: 78 where there is none yet, 77 or 74 where it cannot be read. A file
 * that the person named is just a file: 74 where it is not there.
 */
async function readConfigFile(configFile: string, isNamed = false): Promise<string> {
  try {
    return await readFile(configFile, 'utf8');
  } catch (cause) {
    if (isNamed || (cause as NodeJS.ErrnoException).code !== 'ENOENT')
      throw fileError(configFile, 'read', cause);
    throw new CommandError(ExitCode.configuration, `there is no box here yet: ${configFile} does not exist`, {
      hint: 'peer init --name NAME',
      cause,
    });
  }
}

/** What is in the file: the configuration, or its mistakes. Throws CommandError where it cannot be read. */
export async function checkConfigFile(
  configFile: string,
  options: { isNamed: boolean },
): Promise<ParsedConfig> {
  const text = await readConfigFile(configFile, options.isNamed);
  const { parseConfig } = await import('@copain/agent');
  return parseConfig(text, { fileName: configFile });
}

/** The checked configuration. Throws CommandError (78) with every mistake. */
export async function readConfig(configFile: string): Promise<Config> {
  const parsed = await checkConfigFile(configFile, { isNamed: false });
  if (parsed.kind === 'ok') return parsed.config;
  const { formatProblems } = await import('@copain/agent');
  throw new CommandError(ExitCode.configuration, formatProblems(parsed.problems));
}

/** Puts a new text in place of the file at one instant, with the same permissions, on disk when it resolves. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    const { mode } = await stat(path);
    const file = await open(temporary, 'wx', mode & 0o777);
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw fileError(path, 'write', cause);
  }
}

/** What became of a change: `pending` takes effect when the agent is started. */
export type Applied = 'applied' | 'pending' | 'unchanged';

/**
 * Changes `peer.toml` and has the agent take it up. Where the agent refuses the change, the file is put back. Throws
 * CommandError: 65 for a change that makes no sense, 77 where the file may not be written, 78 where it has mistakes.
 * `takeUp`: what the agent is asked instead of `reload`, for a change of the file that is half of a change of the box:
 * asked also where the file stays as it is, and nothing is changed where no agent answers (69).
 */
export async function changeConfig(
  session: Session,
  edit: (text: string) => ConfigEdit,
  takeUp?: { command: string; args: Record<string, unknown> },
): Promise<Applied> {
  const { configFile } = session.paths;
  const before = await readConfigFile(configFile);
  const edited = edit(before);
  if (edited.kind === 'unchanged') {
    if (takeUp !== undefined) await session.ask(takeUp.command, takeUp.args);
    return 'unchanged';
  }
  if (edited.kind === 'refused') {
    const { parseConfig } = await import('@copain/agent');
    const wasGood = parseConfig(before, { fileName: configFile }).kind === 'ok';
    throw new CommandError(wasGood ? ExitCode.badInput : ExitCode.configuration, edited.why);
  }
  await replaceFile(configFile, edited.text);
  try {
    const result = (await session.ask(takeUp?.command ?? 'reload', takeUp?.args)) as {
      restartNeededFor?: string[];
    };
    sayRestart(session, result.restartNeededFor);
    return 'applied';
  } catch (error) {
    const isDown = error instanceof CommandError && error.exit === ExitCode.unreachable;
    if (isDown && takeUp === undefined) return 'pending';
    await replaceFile(configFile, before);
    throw error;
  }
}

/** Says which settings the running agent cannot take up by itself. */
export function sayRestart(session: Session, restartNeededFor: readonly string[] | undefined): void {
  if (restartNeededFor === undefined || restartNeededFor.length === 0) return;
  session.say(`Takes effect after a restart of the agent: ${restartNeededFor.join(', ')}`);
}

/** One line about what became of a change, for the person. */
export function appliedText(done: string, applied: Applied): string {
  if (applied === 'pending')
    return `${done}. No agent is running: it takes effect at the next \`peer up\`.\n`;
  return `${done}.\n`;
}
