import { resolve } from 'node:path';
import { readConfig } from './config-file.ts';
import type { Session } from './session.ts';

/** `peer config check [FILE]`: 0 where the file is good, 78 with every mistake where it is not. */
export async function checkConfig(session: Session, file: string | undefined): Promise<void> {
  const path = file === undefined ? session.paths.configFile : resolve(session.world.cwd, file);
  const { name } = await readConfig(path);
  session.answer('config.check', { file: path, good: true, name }, `${path} is good\n`);
}

/** `peer config show`: every value with its defaults filled in, as JSON. */
export async function showConfig(session: Session): Promise<void> {
  const { configFile } = session.paths;
  const config = await readConfig(configFile);
  session.answer('config.show', { file: configFile, config }, `${JSON.stringify(config, null, 2)}\n`);
}
