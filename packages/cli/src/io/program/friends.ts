import { type Command, Option } from 'commander';
import { knownRights } from '../../rights.ts';
import type { InitOptions } from '../init-command.ts';
import { type Run, withExamples, withInitOptions } from './command-kit.ts';

const circleCommands = () => import('../circle-commands.ts');

interface InviteCommandOptions {
  may?: string;
  expires?: string;
  qr?: boolean;
  list?: boolean;
  revoke?: string;
  force?: boolean;
}

/** Letting friends in, and what they may: `peer invite`, `peer join`, `peer friends …`. */
export function addFriendCommands(program: Command, run: Run): void {
  const rights = knownRights.join(',');
  withExamples(
    program
      .command('invite')
      .argument('[name]', 'what you call the friend')
      .description('ask a friend in: prints a code'),
    'peer invite bob',
    'peer invite bob --may dns,mail --expires 24h',
    'peer invite --list',
    'peer invite --revoke ID',
  )
    .option('--may <rights>', `what this box will do for the friend: ${rights}`)
    .option('--expires <span>', 'how long the code works (default 72h)')
    .option('--qr', 'show the code as a picture too')
    .option('--force', 'also before a friend has told what this box signed before')
    .addOption(new Option('--list', 'the invites there are').conflicts(['revoke', 'may', 'expires']))
    .addOption(new Option('--revoke <id>', 'take an invite back').conflicts(['may', 'expires']))
    .action(
      run(
        circleCommands,
        async (
          circle,
          session,
          name: string | undefined,
          options: InviteCommandOptions,
          command: Command,
        ) => {
          if ((name === undefined) === (options.list === undefined && options.revoke === undefined))
            command.error('error: name a friend, or use --list or --revoke ID');
          if (options.list === true) await circle.listInvites(session);
          else if (options.revoke !== undefined) await circle.revokeInvite(session, options.revoke, options);
          else await circle.inviteFriend(session, name ?? '', options);
        },
      ),
    );
  withExamples(
    withInitOptions(
      program
        .command('join')
        .argument('[source]', '- reads the code from stdin')
        .description('join a circle with the code a friend gave you'),
    ),
    'peer join',
    'peer join --code-file invite.txt',
    'ssh friend cat invite.txt | peer join - --yes',
  )
    .option('--code-file <file>', 'read the code from a file, - for stdin')
    .action(
      run(
        circleCommands,
        async (
          { join },
          session,
          source: string | undefined,
          options: InitOptions & { codeFile?: string },
          command: Command,
        ) => {
          if (source !== undefined && source !== '-')
            command.error(
              'error: a code is not written on the command line, where others could see it; use --code-file',
            );
          await join(session, { ...options, codeFile: source ?? options.codeFile });
        },
      ),
    );

  const friends = withExamples(
    program.command('friends').description('who is there, and what this box does for them'),
    'peer friends',
    'peer friends show bob',
    'peer friends may bob +mail -backup',
  );
  withExamples(
    friends.command('list', { isDefault: true }).description('all friends (also without "list")'),
    'peer friends',
  ).action(run(circleCommands, ({ listFriends }, session) => listFriends(session)));
  withExamples(
    friends.command('show').argument('<name>').description('one friend in full'),
    'peer friends show bob',
  ).action(run(circleCommands, ({ showFriend }, session, name: string) => showFriend(session, name)));
  withExamples(
    friends
      .command('may')
      .argument('<name>')
      .argument('<rights...>', `+right, -right, or the whole list: ${rights}`)
      .allowUnknownOption()
      .description('what this box does for a friend'),
    'peer friends may bob +mail -backup',
    'peer friends may bob dns,mail',
  ).action(
    run(circleCommands, ({ changeFriendRights }, session, name: string, words: string[]) =>
      changeFriendRights(session, name, words),
    ),
  );
  withExamples(
    friends
      .command('quota')
      .argument('<name>')
      .argument('<size>')
      .description('how much a friend may store here'),
    'peer friends quota bob 20GB',
  ).action(
    run(circleCommands, ({ changeFriendQuota }, session, name: string, size: string) =>
      changeFriendQuota(session, name, size),
    ),
  );
  withExamples(
    friends
      .command('rename')
      .argument('<old>')
      .argument('<new>')
      .description('what this box calls a friend; nobody else hears of it'),
    'peer friends rename bob robert',
    'peer friends rename bob-2 bob',
  ).action(
    run(circleCommands, ({ renameFriend }, session, name: string, to: string) =>
      renameFriend(session, name, to),
    ),
  );
  withExamples(
    friends.command('remove').argument('<name>').description('take somebody out of the circle, for good'),
    'peer friends remove bob',
    'peer friends remove bob --yes',
  )
    .option('--force', 'also before a friend has told what this box signed before')
    .action(
      run(circleCommands, ({ removeFriend }, session, name: string, options: { force?: boolean }) =>
        removeFriend(session, name, options),
      ),
    );
}
