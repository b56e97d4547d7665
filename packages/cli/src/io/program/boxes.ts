import type { Command } from 'commander';
import { type Run, withExamples } from './command-kit.ts';

const boxCommands = () => import('../box-commands.ts');

/** `peer box …` */
export function addBoxCommands(program: Command, run: Run): void {
  const box = withExamples(
    program.command('box').description('further boxes of yours: a second server, the laptop'),
    'peer box list',
    'peer box add laptop',
    'peer box revoke laptop',
  );
  withExamples(
    box.command('list').description('your boxes, and which of them are up'),
    'peer box list',
  ).action(run(boxCommands, ({ listBoxes }, session) => listBoxes(session)));
  withExamples(
    box.command('add').argument('<name>').description('a further box of yours: prints a code for it'),
    'peer box add laptop',
    'peer box add second --roles sign-zone,sign-grant,mail,relay,watch',
  )
    .option('--roles <list>', 'sign-zone,sign-grant,mail,relay,watch (default sign-grant,relay,watch)')
    .option('--expires <span>', 'how long the code works (default 72h)')
    .option('--force', 'also before a friend told what this box signed before')
    .action(
      run(
        boxCommands,
        ({ addBox }, session, name: string, options: { roles?: string; expires?: string; force?: boolean }) =>
          addBox(session, name, options),
      ),
    );
  withExamples(
    box.command('revoke').argument('<name>').description('a box of yours that is lost, stolen or retired'),
    'peer box revoke laptop',
    'peer box revoke home --key-file paper.txt',
  )
    .option('--key-file <file>', 'sign with the key in this file')
    .option('--passphrase-file <file>', 'the passphrase that the file is sealed with')
    .option('--force', 'also before a friend told what this box signed before')
    .action(
      run(
        boxCommands,
        (
          { revokeBox },
          session,
          name: string,
          options: { keyFile?: string; passphraseFile?: string; force?: boolean },
        ) => revokeBox(session, name, options),
      ),
    );
}
