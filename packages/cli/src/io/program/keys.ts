import type { Command } from 'commander';
import { type Run, withExamples } from './command-kit.ts';

const agentCommands = () => import('../agent-commands.ts');
const keyCommands = () => import('../key-commands.ts');

/** `peer key …` */
export function addKeyCommands(program: Command, run: Run): void {
  const key = withExamples(
    program.command('key').description('the keys of this box and its owner'),
    'peer key show',
    'peer key words bob',
    'peer key export owner.key --remove',
    'peer key rotate --key-file paper.txt',
  );
  withExamples(
    key.command('words').argument('<name>').description('four words to compare with a friend by phone'),
    'peer key words bob',
  ).action(run(agentCommands, ({ keyWords }, session, name: string) => keyWords(session, name)));
  withExamples(
    key.command('show').description('epoch, keys and boxes, and where each secret lies'),
    'peer key show',
  ).action(run(keyCommands, ({ showKeys }, session) => showKeys(session)));
  withExamples(
    key
      .command('export')
      .argument('<file>')
      .description('write the owner key to a file that only you can read'),
    'peer key export owner.key',
    'peer key export /media/stick/owner.key --passphrase-file pass.txt --remove',
  )
    .option('--passphrase-file <file>', 'seal the file with this passphrase')
    .option('--remove', 'and take the key off this box; the agent does not need it')
    .action(
      run(
        keyCommands,
        ({ exportKey }, session, file: string, options: { passphraseFile?: string; remove?: boolean }) =>
          exportKey(session, file, options),
      ),
    );
  withExamples(
    key.command('import').argument('<file>').description('put an owner or paper key on this box'),
    'peer key import owner.key',
  )
    .option('--passphrase-file <file>', 'the passphrase that the file is sealed with')
    .action(
      run(keyCommands, ({ importKey }, session, file: string, options: { passphraseFile?: string }) =>
        importKey(session, file, options),
      ),
    );
  withExamples(
    key
      .command('rotate')
      .description('a new owner key; with the paper key where the old one is lost or stolen'),
    'peer key rotate',
    'peer key rotate --key-file paper.txt',
    'peer key rotate --paper --key-file paper.txt',
  )
    .option('--paper', 'a new paper key instead; only the old one can replace it')
    .option('--key-file <file>', 'sign with the key in this file')
    .option('--passphrase-file <file>', 'the passphrase that the file is sealed with')
    .option('--force', 'also before a friend told what this box signed before')
    .action(
      run(
        keyCommands,
        (
          { rotateKey },
          session,
          options: { paper?: boolean; keyFile?: string; passphraseFile?: string; force?: boolean },
        ) => rotateKey(session, options),
      ),
    );
}
