import type { Command } from 'commander';
import { type Run, withExamples } from './command-kit.ts';

const configCommands = () => import('../config-commands.ts');

/** `peer config …` */
export function addConfigCommands(program: Command, run: Run): void {
  const config = withExamples(
    program.command('config').description('check and show peer.toml'),
    'peer config check',
    'peer config show --json',
  );
  withExamples(
    config
      .command('check')
      .argument('[file]')
      .description('every mistake with its line and column (exit 78)'),
    'peer config check',
    'peer config check /etc/peer/peer.toml.new',
  ).action(
    run(configCommands, ({ checkConfig }, session, file: string | undefined) => checkConfig(session, file)),
  );
  withExamples(
    config.command('show').description('every value, defaults filled in'),
    'peer config show --json',
  ).action(run(configCommands, ({ showConfig }, session) => showConfig(session)));
}
