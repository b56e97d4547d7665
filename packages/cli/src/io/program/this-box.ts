import { type Command, Option } from 'commander';
import type { InitOptions } from '../init-command.ts';
import { type Run, withExamples, withInitOptions } from './command-kit.ts';

const agentCommands = () => import('../agent-commands.ts');
const initCommand = () => import('../init-command.ts');
const saveCommands = () => import('../save-commands.ts');

/** The life of this box: from `peer init` to `peer save` and `peer restore`. */
export function addThisBoxCommands(program: Command, run: Run): void {
  withExamples(
    withInitOptions(program.command('init').description('make keys, peer.toml and state; never overwrites')),
    'peer init --name alice',
    'peer init --name demo --home ./demo --mesh-listen 127.0.53.1:4853 --dns-listen 127.0.53.1:5353 --smtp-listen none',
  ).action(run(initCommand, ({ init }, session, options: InitOptions) => init(session, options)));
  withExamples(
    program.command('up').description('run the agent in the foreground; it logs on stdout'),
    'peer up',
    'peer up --home ./demo',
  ).action(run(agentCommands, ({ up }, session) => up(session)));
  withExamples(
    program.command('reload').description('have the agent read peer.toml again'),
    'peer config check && peer reload',
  ).action(run(agentCommands, ({ reload }, session) => reload(session)));
  withExamples(
    program.command('stop').description('stop the agent and wait until it is gone'),
    'peer stop',
  ).action(run(agentCommands, ({ stop }, session) => stop(session)));
  withExamples(
    program.command('version').description('versions of this command, the agent and the friends'),
    'peer version',
    'peer version --friends',
  )
    .option('--friends', "the friends' versions too")
    .action(
      run(agentCommands, ({ version }, session, options: { friends?: boolean }) => version(session, options)),
    );
  withExamples(
    program.command('save').argument('<file>').description('all that this box needs, in one encrypted file'),
    'peer save /backup/alice.age',
    'peer save /backup/alice.age --without-mail',
    'peer save alice.age --passphrase-file passphrase.txt',
  )
    .option('--without-mail', 'leave out the mail that waits')
    .option('--passphrase-file <file>', 'a passphrase opens it, instead of the owner key and the paper key')
    .action(
      run(
        saveCommands,
        ({ save }, session, file: string, options: { withoutMail?: boolean; passphraseFile?: string }) =>
          save(session, file, { mail: options.withoutMail !== true, passphraseFile: options.passphraseFile }),
      ),
    );
  withExamples(
    program.command('restore').argument('<file>').description('make the box again in an empty home'),
    'peer restore alice.age',
    'peer restore alice.age --key-file paper.txt && peer up',
  )
    .addOption(
      new Option('--key-file <file>', 'the owner key or the paper key; else it is asked for').conflicts([
        'passphraseFile',
      ]),
    )
    .option('--passphrase-file <file>', 'what it was saved with')
    .action(
      run(
        saveCommands,
        ({ restore }, session, file: string, options: { keyFile?: string; passphraseFile?: string }) =>
          restore(session, file, options),
      ),
    );
}
