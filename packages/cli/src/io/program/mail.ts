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
    .option('--recipients <which>', 'learn (the default), any, or a file with one address a line')
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
  addReadingCommands(mail, run);
  withExamples(
    mail
      .command('dns')
      .argument('<domain>')
      .description('the DNS records that fit for its mail and its backups, and which of them are published'),
    'peer mail dns alice.example',
    'peer mail dns alice.example --json | jq .records',
  ).action(
    run(
      () => import('../mail-dns-command.ts'),
      ({ mailDns }, session, domain: string) => mailDns(session, domain),
    ),
  );
  withExamples(
    mail
      .command('receipts')
      .argument('[name]')
      .description('what friends signed that they accepted for you, and what of it arrived here'),
    'peer mail receipts',
    'peer mail receipts bob --settle',
  )
    .option('--settle', 'let go what is missing of his, once you know why; asks before')
    .action(
      run(
        () => import('../receipt-commands.ts'),
        ({ mailReceipts }, session, name: string | undefined, options: { settle?: boolean }) =>
          mailReceipts(session, name, options),
      ),
    );
  addQuarantineCommands(mail, run);
  withExamples(
    mail.command('flush').argument('[domain]').description('try to hand over now'),
    'peer mail flush',
    'peer mail flush alice.example',
  ).action(
    run(mailCommands, ({ flushMail }, session, domain: string | undefined) => flushMail(session, domain)),
  );
  withExamples(
    mail
      .command('recipients')
      .argument('<domain>')
      .argument('[change]', 'add or remove')
      .argument('[address...]')
      .description('who is known to have a mailbox, so that friends can tell while your server is away'),
    'peer mail recipients alice.example',
    'peer mail recipients alice.example add anna@alice.example',
    'peer mail recipients alice.example remove anna',
  ).action(
    run(
      mailCommands,
      ({ mailRecipients }, session, domain: string, change: string | undefined, addresses: string[]) =>
        mailRecipients(session, domain, change, addresses),
    ),
  );
}

const withKeyOptions = (command: Command): Command =>
  command
    .option('--key-file <file>', 'owner key or paper key to open it with, where none is on this box')
    .option('--passphrase-file <file>', 'where the key file is sealed');

function addReadingCommands(mail: Command, run: Run): void {
  withExamples(
    mail
      .command('list')
      .description('messages that wait here, and what friends hold for you, also while your server is off'),
    'peer mail list',
    'peer mail list --here --json',
  )
    .option('--here', 'only what lies on this box')
    .action(
      run(mailCommands, ({ listMail }, session, options: { here?: boolean }) => listMail(session, options)),
    );
  withExamples(
    mail
      .command('show')
      .argument('<id>')
      .description('envelope, state, last reply and next try of one message'),
    'peer mail show 3f9a17c2b04d',
    'peer mail show 3f9a',
  ).action(run(mailCommands, ({ showMail }, session, id: string) => showMail(session, id)));
  withKeyOptions(
    withExamples(
      mail
        .command('read')
        .argument('<id>')
        .description('read a message, wherever it lies; it stays there, and nothing is marked'),
      'peer mail read 3f9a17c2b04d',
      'peer mail read 3f9a --raw > mail.eml',
      'peer mail read 3f9a --key-file paper.key',
    ),
  )
    .option('--raw', 'its bytes as they were received')
    .action(
      run(
        () => import('../read-command.ts'),
        (
          { readMail },
          session,
          id: string,
          options: { raw?: boolean; keyFile?: string; passphraseFile?: string },
        ) => readMail(session, id, options),
      ),
    );
  withKeyOptions(
    withExamples(
      mail
        .command('export')
        .argument('[id...]')
        .description('copies of messages into a Maildir, an mbox, or as age files for their owner'),
      'peer mail export --out rescued',
      'peer mail export --format mbox --out rescued.mbox --domain alice.example',
      'peer mail export --format age --out for-alice --domain alice.example',
    ),
  )
    .requiredOption('--out <path>', 'where to')
    .addOption(
      new Option('--format <format>', 'what to write').choices(['maildir', 'mbox', 'age']).default('maildir'),
    )
    .option('--domain <domain>', 'only messages for it')
    .action(
      run(
        () => import('../export-command.ts'),
        (
          { exportMail },
          session,
          ids: string[],
          options: {
            out: string;
            format: 'mbox' | 'maildir' | 'age';
            domain?: string;
            keyFile?: string;
            passphraseFile?: string;
          },
        ) => exportMail(session, ids, options),
      ),
    );
  withExamples(
    mail
      .command('import')
      .argument('<path...>')
      .description('take in sealed messages that a friend wrote to files; each arrives once'),
    'peer mail import for-alice',
    'peer mail import for-alice/3f9a17c2b04d.age',
  ).action(
    run(
      () => import('../import-command.ts'),
      ({ importMail }, session, paths: string[]) => importMail(session, paths),
    ),
  );
}

function addQuarantineCommands(mail: Command, run: Run): void {
  const quarantine = withExamples(
    mail
      .command('quarantine')
      .description('what your mail server refused for good; it is kept until you decide'),
    'peer mail quarantine list',
    'peer mail quarantine release 3f9a17c2b04d',
  );
  withExamples(
    quarantine.command('list').description('refused messages'),
    'peer mail quarantine list',
  ).action(run(mailCommands, ({ listQuarantine }, session) => listQuarantine(session)));
  withExamples(
    quarantine.command('show').argument('<id>').description('one of them, with what your mail server said'),
    'peer mail quarantine show 3f9a17c2b04d',
  ).action(run(mailCommands, ({ showMail }, session, id: string) => showMail(session, id)));
  withExamples(
    quarantine.command('release').argument('<id>').description('offer it to your mail server again'),
    'peer mail quarantine release 3f9a17c2b04d',
  ).action(run(mailCommands, ({ releaseMail }, session, id: string) => releaseMail(session, id)));
  withExamples(
    quarantine.command('delete').argument('<id>').description('let it go for good; asks before'),
    'peer mail quarantine delete 3f9a17c2b04d',
  ).action(run(mailCommands, ({ deleteMail }, session, id: string) => deleteMail(session, id)));
}
