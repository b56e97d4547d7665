import { resolve } from 'node:path';
import { CommandError, ExitCode, visibleJson } from '@copain/core';
import { checkConfigFile, readConfig } from './config-file.ts';
import type { Session } from './session.ts';

/** `peer config check [FILE]`: 0 where the file is good, 78 with every mistake where it is not. */
export async function checkConfig(session: Session, file: string | undefined): Promise<void> {
  const path = file === undefined ? session.paths.configFile : resolve(session.world.cwd, file);
  const parsed = await checkConfigFile(path, { isNamed: file !== undefined });
  if (parsed.kind === 'ok') {
    const { name } = parsed.config;
    session.answer('config.check', { file: path, good: true, name, problems: [] }, `${path} is good\n`);
    return;
  }
  const { problems } = parsed;
  session.answer('config.check', { file: path, good: false, name: null, problems }, '');
  const { formatProblems } = await import('@copain/agent');
  throw new CommandError(ExitCode.configuration, formatProblems(problems));
}

/** `peer config show`: every value with its defaults filled in, as JSON. */
export async function showConfig(session: Session): Promise<void> {
  const { configFile } = session.paths;
  const config = await readConfig(configFile);
  session.answer(
    'config.show',
    { file: configFile, config },
    `${visibleJson(JSON.stringify(config, null, 2))}\n`,
  );
}
