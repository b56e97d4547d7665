import type { Command } from 'commander';
import type { Session } from '../session.ts';

/**
 * Makes the action of a command: loads the module that does the work, and only then, so that a command costs no more
 * than itself; hands it the session, the command's arguments, its options and the command, in this order. A number
 * that it resolves with becomes the exit status. The types of the arguments are what the command declares of them;
 * commander passes on whatever it parsed by that declaration.
 */
export type Run = <Module, Given extends unknown[]>(
  load: () => Promise<Module>,
  act: (module: Module, session: Session, ...given: Given) => Promise<unknown>,
) => (...given: unknown[]) => Promise<void>;

/** Puts examples before everything else in the help of a command. */
export function withExamples(command: Command, ...examples: string[]): Command {
  const lines = examples.map((example) => `  ${example}\n`).join('');
  return command.addHelpText('before', `Examples:\n${lines}`);
}

/** The options of the commands that begin a box: `init` and `join`. */
export function withInitOptions(command: Command): Command {
  return command
    .option('--name <name>', 'name of this box, unique in the circle: a-z, 0-9 and -')
    .option('--mesh-listen <a:p>', 'where friends reach it (default 0.0.0.0:4853)')
    .option('--dns-listen <a:p,…>', 'where it answers DNS queries, or none (default 0.0.0.0:53,[::]:53)')
    .option('--smtp-listen <a:p,…>', 'where it takes mail, or none (default 0.0.0.0:25)')
    .option('--http-listen <a:p,…>', 'status page, or none (default 127.0.0.1:8853)');
}
