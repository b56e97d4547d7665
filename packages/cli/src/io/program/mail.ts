import { type Command, Option } from 'commander';
import { type Run, withExamples } from './command-kit.ts';

const mailCommands = () => import('../mail-commands.ts');

/** `peer mail …` */
export function addMailCommands(program: Command, run: Run): void {
  const mail = withExamples(
    program.command('mail').description('mail that friends keep for you, and you for them'),
    'peer mail add alice.example --deliver 127.0.0.1:2525',
    'peer mail list',
  );
  withExamples(
    mail
      .command('add')
      .argument('<domain>')
      .description('own the mail of a domain: friends who offer mail keep it'),
    'peer mail add alice.example --deliver 127.0.0.1:2525',
    'peer mail add alice.example --deliver 127.0.0.1:25 --client proxy-v2 --recipients learn',
  )
    .requiredOption('--deliver <host:port>', 'your mail server, SMTP')
    .addOption(
      new Option('--client <how>', 'how it learns the true client').choices([
        'proxy-v1',
        'proxy-v2',
        'xclient',
        'none',
      ]),
    )
    .option('--recipients <which>', 'learn, any, or a file with one address a line')
    .action(
      run(
        mailCommands,
        (
          { addMail },
          session,
          domain: string,
          options: {
            deliver: string;
            client?: 'proxy-v1' | 'proxy-v2' | 'xclient' | 'none';
            recipients?: string;
          },
        ) => addMail(session, domain, options),
      ),
    );
  withExamples(
    mail.command('remove').argument('<domain>').description('own its mail no longer'),
    'peer mail remove alice.example',
  ).action(run(mailCommands, ({ removeMail }, session, domain: string) => removeMail(session, domain)));
  withExamples(mail.command('list').description('messages that wait on this box'), 'peer mail list').action(
    run(mailCommands, ({ listMail }, session) => listMail(session)),
  );
  withExamples(
    mail.command('show').argument('<id>').description('the envelope of one message'),
    'peer mail show ID',
  ).action(run(mailCommands, ({ showMail }, session, id: string) => showMail(session, id)));
  withExamples(
    mail.command('flush').argument('[domain]').description('try to hand over now'),
    'peer mail flush',
    'peer mail flush alice.example',
  ).action(
    run(mailCommands, ({ flushMail }, session, domain: string | undefined) => flushMail(session, domain)),
  );
}
