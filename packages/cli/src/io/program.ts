import { Command, Option } from 'commander';
import { knownRights } from '../rights.ts';
import type { InitOptions } from './init-command.ts';
import { type GlobalOptions, Session, type World } from './session.ts';

/** Receives the exit status of the command that ran. */
export type Finish = (exit: number) => void;

/** Puts examples before everything else in the help of a command. */
function withExamples(command: Command, ...examples: string[]): Command {
  const lines = examples.map((example) => `  ${example}\n`).join('');
  return command.addHelpText('before', `Examples:\n${lines}`);
}

/** What the builders of all commands share. */
interface Kit {
  /** Runs an action with the session of its command; a number it returns becomes the exit status. */
  run: (command: Command, action: (session: Session) => Promise<unknown>) => Promise<void>;
}

function withInitOptions(command: Command): Command {
  return command
    .option('--name <name>', 'name of this box, unique in the circle: a-z, 0-9 and -')
    .option('--mesh-listen <a:p>', 'where friends reach it (default 0.0.0.0:4853)')
    .option('--dns-listen <a:p,…>', 'where it answers DNS queries, or none (default 0.0.0.0:53,[::]:53)')
    .option('--smtp-listen <a:p,…>', 'where it takes mail, or none (default 0.0.0.0:25)')
    .option('--http-listen <a:p,…>', 'status page, or none (default 127.0.0.1:8853)');
}

function addBoxCommands(program: Command, { run }: Kit): void {
  program.commandsGroup('This box:');
  withExamples(
    withInitOptions(program.command('init').description('make keys, peer.toml and state; never overwrites')),
    'peer init --name alice',
    'peer init --name demo --home ./demo --mesh-listen 127.0.53.1:4853 --dns-listen 127.0.53.1:5353 --smtp-listen none',
  ).action(async (options: InitOptions, command: Command) => {
    await run(command, async (session) => await (await import('./init-command.ts')).init(session, options));
  });
  withExamples(
    program.command('up').description('run the agent in the foreground; it logs on stdout'),
    'peer up',
    'peer up --home ./demo',
  ).action(async (_options: object, command: Command) => {
    await run(command, async (session) => await (await import('./agent-commands.ts')).up(session));
  });
  withExamples(
    program.command('reload').description('have the agent read peer.toml again'),
    'peer config check && peer reload',
  ).action(async (_options: object, command: Command) => {
    await run(command, async (session) => await (await import('./agent-commands.ts')).reload(session));
  });
  withExamples(
    program.command('stop').description('stop the agent and wait until it is gone'),
    'peer stop',
  ).action(async (_options: object, command: Command) => {
    await run(command, async (session) => await (await import('./agent-commands.ts')).stop(session));
  });
  withExamples(
    program.command('version').description('versions of this command, the agent and the friends'),
    'peer version',
    'peer version --friends',
  )
    .option('--friends', "the friends' versions too")
    .action(async (options: { friends?: boolean }, command: Command) => {
      await run(
        command,
        async (session) => await (await import('./agent-commands.ts')).version(session, options),
      );
    });

  withExamples(
    program.command('save').argument('<file>').description('all that this box needs, in one encrypted file'),
    'peer save /backup/alice.age',
    'peer save /backup/alice.age --without-mail',
    'peer save alice.age --passphrase-file passphrase.txt',
  )
    .option('--without-mail', 'leave out the mail that waits')
    .option('--passphrase-file <file>', 'a passphrase opens it, instead of the owner key and the paper key')
    .action(
      async (file: string, options: { withoutMail?: boolean; passphraseFile?: string }, command: Command) => {
        await run(command, async (session) => {
          const { save } = await import('./save-commands.ts');
          await save(session, file, {
            mail: options.withoutMail !== true,
            passphraseFile: options.passphraseFile,
          });
        });
      },
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
      async (file: string, options: { keyFile?: string; passphraseFile?: string }, command: Command) => {
        await run(command, async (session) => {
          await (await import('./save-commands.ts')).restore(session, file, options);
        });
      },
    );

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
  ).action(async (file: string | undefined, _options: object, command: Command) => {
    await run(
      command,
      async (session) => await (await import('./config-commands.ts')).checkConfig(session, file),
    );
  });
  withExamples(
    config.command('show').description('every value, defaults filled in'),
    'peer config show --json',
  ).action(async (_options: object, command: Command) => {
    await run(command, async (session) => await (await import('./config-commands.ts')).showConfig(session));
  });

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
  ).action(async (name: string, _options: object, command: Command) => {
    await run(
      command,
      async (session) => await (await import('./agent-commands.ts')).keyWords(session, name),
    );
  });
  withExamples(
    key.command('show').description('epoch, keys and boxes, and where each secret lies'),
    'peer key show',
  ).action(async (_options: object, command: Command) => {
    await run(command, async (session) => await (await import('./key-commands.ts')).showKeys(session));
  });
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
      async (file: string, options: { passphraseFile?: string; remove?: boolean }, command: Command) => {
        await run(command, async (session) => {
          await (await import('./key-commands.ts')).exportKey(session, file, options);
        });
      },
    );
  withExamples(
    key.command('import').argument('<file>').description('put an owner or paper key on this box'),
    'peer key import owner.key',
  )
    .option('--passphrase-file <file>', 'the passphrase that the file is sealed with')
    .action(async (file: string, options: { passphraseFile?: string }, command: Command) => {
      await run(command, async (session) => {
        await (await import('./key-commands.ts')).importKey(session, file, options);
      });
    });
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
      async (
        options: { paper?: boolean; keyFile?: string; passphraseFile?: string; force?: boolean },
        command: Command,
      ) => {
        await run(command, async (session) => {
          await (await import('./key-commands.ts')).rotateKey(session, options);
        });
      },
    );

  const box = withExamples(
    program.command('box').description('further boxes of yours: a second server, the laptop'),
    'peer box list',
    'peer box add laptop',
    'peer box revoke laptop',
  );
  withExamples(
    box.command('list').description('your boxes, and which of them are up'),
    'peer box list',
  ).action(async (_options: object, command: Command) => {
    await run(command, async (session) => await (await import('./box-commands.ts')).listBoxes(session));
  });
  withExamples(
    box.command('add').argument('<name>').description('a further box of yours: prints a code for it'),
    'peer box add laptop',
    'peer box add second --roles sign-zone,sign-grant,mail,relay,watch',
  )
    .option('--roles <list>', 'sign-zone,sign-grant,mail,relay,watch (default sign-grant,relay,watch)')
    .option('--expires <span>', 'how long the code works (default 72h)')
    .option('--force', 'also before a friend told what this box signed before')
    .action(
      async (
        name: string,
        options: { roles?: string; expires?: string; force?: boolean },
        command: Command,
      ) => {
        await run(command, async (session) => {
          await (await import('./box-commands.ts')).addBox(session, name, options);
        });
      },
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
      async (
        name: string,
        options: { keyFile?: string; passphraseFile?: string; force?: boolean },
        command: Command,
      ) => {
        await run(command, async (session) => {
          await (await import('./box-commands.ts')).revokeBox(session, name, options);
        });
      },
    );
}

function addCircleCommands(program: Command, { run }: Kit): void {
  program.commandsGroup('Friends:');
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
      async (
        name: string | undefined,
        options: {
          may?: string;
          expires?: string;
          qr?: boolean;
          list?: boolean;
          revoke?: string;
          force?: boolean;
        },
        command: Command,
      ) => {
        if ((name === undefined) === (options.list === undefined && options.revoke === undefined))
          command.error('error: name a friend, or use --list or --revoke ID');
        await run(command, async (session) => {
          const circle = await import('./circle-commands.ts');
          if (options.list === true) await circle.listInvites(session);
          else if (options.revoke !== undefined) await circle.revokeInvite(session, options.revoke, options);
          else await circle.inviteFriend(session, name ?? '', options);
        });
      },
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
      async (source: string | undefined, options: InitOptions & { codeFile?: string }, command: Command) => {
        if (source !== undefined && source !== '-')
          command.error(
            'error: a code is not written on the command line, where others could see it; use --code-file',
          );
        await run(command, async (session) => {
          const { join } = await import('./circle-commands.ts');
          await join(session, { ...options, codeFile: source ?? options.codeFile });
        });
      },
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
  ).action(async (_options: object, command: Command) => {
    await run(command, async (session) => await (await import('./circle-commands.ts')).listFriends(session));
  });
  withExamples(
    friends.command('show').argument('<name>').description('one friend in full'),
    'peer friends show bob',
  ).action(async (name: string, _options: object, command: Command) => {
    await run(
      command,
      async (session) => await (await import('./circle-commands.ts')).showFriend(session, name),
    );
  });
  withExamples(
    friends
      .command('may')
      .argument('<name>')
      .argument('<rights...>', `+right, -right, or the whole list: ${rights}`)
      .allowUnknownOption()
      .description('what this box does for a friend'),
    'peer friends may bob +mail -backup',
    'peer friends may bob dns,mail',
  ).action(async (name: string, words: string[], _options: object, command: Command) => {
    await run(command, async (session) => {
      await (await import('./circle-commands.ts')).changeFriendRights(session, name, words);
    });
  });
  withExamples(
    friends
      .command('quota')
      .argument('<name>')
      .argument('<size>')
      .description('how much a friend may store here'),
    'peer friends quota bob 20GB',
  ).action(async (name: string, size: string, _options: object, command: Command) => {
    await run(command, async (session) => {
      await (await import('./circle-commands.ts')).changeFriendQuota(session, name, size);
    });
  });
  withExamples(
    friends
      .command('rename')
      .argument('<old>')
      .argument('<new>')
      .description('what this box calls a friend; nobody else hears of it'),
    'peer friends rename bob robert',
    'peer friends rename bob-2 bob',
  ).action(async (name: string, to: string, _options: object, command: Command) => {
    await run(command, async (session) => {
      await (await import('./circle-commands.ts')).renameFriend(session, name, to);
    });
  });
  withExamples(
    friends.command('remove').argument('<name>').description('take somebody out of the circle, for good'),
    'peer friends remove bob',
    'peer friends remove bob --yes',
  )
    .option('--force', 'also before a friend has told what this box signed before')
    .action(async (name: string, options: { force?: boolean }, command: Command) => {
      await run(command, async (session) => {
        await (await import('./circle-commands.ts')).removeFriend(session, name, options);
      });
    });
}

function addZoneCommands(program: Command, { run }: Kit): void {
  program.commandsGroup('Zones and mail:');
  const zone = withExamples(
    program.command('zone').description('the zones that friends answer for you, and you for them'),
    'peer zone add alice.example --file zones/alice.example.zone',
    'peer zone list',
    'peer zone show alice.example',
  );
  withExamples(
    zone.command('add').argument('<origin>').description('own a zone: friends who offer dns answer it too'),
    'peer zone add alice.example --file zones/alice.example.zone',
    'peer zone add alice.example --primary 127.0.0.1:5300 --tsig-file tsig.key',
  )
    .addOption(
      new Option('--file <file>', 'a master file; copain watches it').conflicts(['primary', 'tsigFile']),
    )
    .option('--primary <host:port>', 'an existing hidden primary, asked by zone transfer')
    .option('--tsig-file <file>', 'key for transfers from the primary')
    .action(
      async (
        origin: string,
        options: { file?: string; primary?: string; tsigFile?: string },
        command: Command,
      ) => {
        await run(command, async (session) => {
          await (await import('./zone-commands.ts')).addZone(session, origin, options);
        });
      },
    );
  withExamples(
    zone.command('remove').argument('<origin>').description('own it no longer; the master file stays'),
    'peer zone remove alice.example',
  ).action(async (origin: string, _options: object, command: Command) => {
    await run(
      command,
      async (session) => await (await import('./zone-commands.ts')).removeZone(session, origin),
    );
  });
  withExamples(
    zone.command('list').description('all zones, their serials and who holds them'),
    'peer zone list',
    'peer zone list --json',
  ).action(async (_options: object, command: Command) => {
    await run(command, async (session) => await (await import('./zone-commands.ts')).listZones(session));
  });
  withExamples(
    zone.command('show').argument('<origin>').description('one zone: mistakes, copies, expiry'),
    'peer zone show alice.example',
  ).action(async (origin: string, _options: object, command: Command) => {
    await run(
      command,
      async (session) => await (await import('./zone-commands.ts')).showZone(session, origin),
    );
  });
  withExamples(
    zone
      .command('push')
      .argument('<origin>')
      .description('publish the file as it is now, and tell every friend'),
    'peer zone push alice.example',
    'peer zone push alice.example --force',
  )
    .option('--force', 'also before a friend has told what this box signed before')
    .action(async (origin: string, options: { force?: boolean }, command: Command) => {
      await run(
        command,
        async (session) => await (await import('./zone-commands.ts')).pushZone(session, origin, options),
      );
    });
  withExamples(
    zone
      .command('diff')
      .argument('<origin>')
      .description('what the file says beside what is published; exit 1 where they differ'),
    'peer zone diff alice.example',
    'peer zone diff alice.example --json | jq .added',
  ).action(async (origin: string, _options: object, command: Command) => {
    await run(
      command,
      async (session) => await (await import('./zone-commands.ts')).diffZone(session, origin),
    );
  });
  withExamples(
    zone
      .command('history')
      .argument('<origin>')
      .description('the versions of a zone of yours that this box knows, newest first'),
    'peer zone history alice.example',
  ).action(async (origin: string, _options: object, command: Command) => {
    await run(
      command,
      async (session) => await (await import('./zone-commands.ts')).zoneHistory(session, origin),
    );
  });
  withExamples(
    zone
      .command('check')
      .argument('<file>')
      .argument('<origin>')
      .description('every mistake of a master file; exit 1 where it has any'),
    'peer zone check zones/alice.example.zone alice.example',
  ).action(async (file: string, origin: string, _options: object, command: Command) => {
    await run(
      command,
      async (session) => await (await import('./zone-commands.ts')).checkZone(session, file, origin),
    );
  });

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
      async (
        domain: string,
        options: {
          deliver: string;
          client?: 'proxy-v1' | 'proxy-v2' | 'xclient' | 'none';
          recipients?: string;
        },
        command: Command,
      ) => {
        await run(command, async (session) => {
          await (await import('./mail-commands.ts')).addMail(session, domain, options);
        });
      },
    );
  withExamples(
    mail.command('remove').argument('<domain>').description('own its mail no longer'),
    'peer mail remove alice.example',
  ).action(async (domain: string, _options: object, command: Command) => {
    await run(
      command,
      async (session) => await (await import('./mail-commands.ts')).removeMail(session, domain),
    );
  });
  withExamples(mail.command('list').description('messages that wait on this box'), 'peer mail list').action(
    async (_options: object, command: Command) => {
      await run(command, async (session) => await (await import('./mail-commands.ts')).listMail(session));
    },
  );
  withExamples(
    mail.command('show').argument('<id>').description('the envelope of one message'),
    'peer mail show ID',
  ).action(async (id: string, _options: object, command: Command) => {
    await run(command, async (session) => await (await import('./mail-commands.ts')).showMail(session, id));
  });
  withExamples(
    mail.command('flush').argument('[domain]').description('try to hand over now'),
    'peer mail flush',
    'peer mail flush alice.example',
  ).action(async (domain: string | undefined, _options: object, command: Command) => {
    await run(
      command,
      async (session) => await (await import('./mail-commands.ts')).flushMail(session, domain),
    );
  });
}

function addWatchCommands(program: Command, { run }: Kit): void {
  program.commandsGroup('Looking:');
  withExamples(
    program
      .command('status')
      .argument('[name]', 'one friend')
      .description('what happens if this box dies now'),
    'peer status',
    'peer status bob',
    'peer status --json | jq .verdict',
    'peer status --watch',
  )
    .option('--watch', 'again every two seconds')
    .option('--plain', 'tab-separated records, one a line')
    .action(
      async (name: string | undefined, options: { watch?: boolean; plain?: boolean }, command: Command) => {
        await run(command, async (session) => {
          await (await import('./status-commands.ts')).status(session, name, options);
        });
      },
    );
  withExamples(
    program.command('events').description('what happened, oldest first'),
    'peer events --since 2h',
    'peer events -f',
  )
    .option('-f, --follow', 'and what happens from now on')
    .option('--since <when>', 'so long ago (2h) or at a time (2026-11-22T20:00:00Z)')
    .action(async (options: { follow?: boolean; since?: string }, command: Command) => {
      await run(
        command,
        async (session) => await (await import('./status-commands.ts')).events(session, options),
      );
    });
  withExamples(
    program.command('wait').description('wait until something is so; exit 1 when the time is up'),
    'peer wait --for ready',
    'peer wait --for friend:bob --timeout 10s',
    'peer wait --for zone:alice.example=2026112204',
    'peer wait --for mail-empty:alice.example',
  )
    .requiredOption('--for <what>', 'ready | friend:NAME | zone:ORIGIN[=SERIAL] | mail-empty:DOMAIN')
    .option('--timeout <span>', 'how long', '60s')
    .action(async (options: { for: string; timeout: string }, command: Command) => {
      await run(
        command,
        async (session) => await (await import('./status-commands.ts')).waitFor(session, options),
      );
    });
}

function addDoctorCommands(program: Command, { run }: Kit): void {
  const doctor = withExamples(
    program.command('doctor').description('measures and checks that take a moment'),
    'peer doctor net --ask-friends',
    'peer doctor line bob',
  );
  withExamples(
    doctor.command('net').description('how this box looks from outside; exit 1 where it cannot be reached'),
    'peer doctor net',
    'peer doctor net --ask-friends',
    'peer doctor net --json | jq .checks',
  )
    .option('--ask-friends', 'have friends dial now, instead of telling what they found last')
    .action(async (options: { askFriends?: boolean }, command: Command) => {
      await run(
        command,
        async (session) => await (await import('./doctor-net-command.ts')).doctorNet(session, options),
      );
    });
  withExamples(
    doctor
      .command('line')
      .argument('<name>')
      .description('fill the line to a friend for some seconds: what it carries, and what limits it'),
    'peer doctor line bob',
    'peer doctor line bob --for 30s --json',
  )
    .option('--for <span>', 'how long, 1s to 30s; a friend allows it once a minute', '10s')
    .action(async (name: string, options: { for: string }, command: Command) => {
      await run(
        command,
        async (session) =>
          await (await import('./doctor-line-command.ts')).doctorLine(session, name, options),
      );
    });
}

/**
 * The tree of commands. Each action loads the module that does the work only when it runs, so that a command costs no
 * more than itself. Nothing here ends the process: usage errors are thrown as CommanderError.
 */
export function buildProgram(world: World, finish: Finish): Command {
  const program = new Command('peer');
  program
    .description('copain: DNS, mail and watch among friends who host themselves')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      writeErr: (text) => world.stderr.write(text),
    })
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true })
    .helpCommand('help [command]', 'show the help of a command')
    .showHelpAfterError('(peer help shows all commands)')
    .version(world.version, '--version')
    .option('--home <dir>', 'everything of one box lies here (or PEER_HOME)')
    .option('--json', 'answer with one JSON document')
    .option('--yes', 'answer every question with yes')
    .option('--no-input', 'never ask');
  withExamples(
    program,
    'peer init --name alice && peer up     the first box of a circle',
    'peer invite bob                       ask a friend in',
    'peer join                             on the friend’s box',
    'peer status                           what happens if this box dies now',
  );
  const run: Kit['run'] = async (command, action) => {
    const session = new Session(world, command.optsWithGlobals<GlobalOptions>());
    const status = await action(session);
    if (typeof status === 'number') finish(status);
  };
  addBoxCommands(program, { run });
  addCircleCommands(program, { run });
  addZoneCommands(program, { run });
  addWatchCommands(program, { run });
  addDoctorCommands(program, { run });
  return program;
}
