import { Command } from 'commander';
import { addAddressCommands } from './program/address.ts';
import { addAlertCommands } from './program/alerts.ts';
import { addAwayCommands } from './program/away.ts';
import { addBoxCommands } from './program/boxes.ts';
import { type Run, withExamples } from './program/command-kit.ts';
import { addCompletionCommand } from './program/completion.ts';
import { addConfigCommands } from './program/config.ts';
import { addDoctorCommands } from './program/doctor.ts';
import { addFriendCommands } from './program/friends.ts';
import { addKeyCommands } from './program/keys.ts';
import { addMailCommands } from './program/mail.ts';
import { addServiceCommands } from './program/services.ts';
import { addThisBoxCommands } from './program/this-box.ts';
import { addWatchCommands } from './program/watching.ts';
import { addZoneCommands } from './program/zones.ts';
import { type GlobalOptions, Session, type World } from './session.ts';

/** Receives the exit status of the command that ran. */
export type Finish = (exit: number) => void;

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
  const run = runner(world, finish);
  program.commandsGroup('This box:');
  addThisBoxCommands(program, run);
  addConfigCommands(program, run);
  addKeyCommands(program, run);
  addBoxCommands(program, run);
  addAddressCommands(program, run);
  program.commandsGroup('Friends:');
  addFriendCommands(program, run);
  addAwayCommands(program, run);
  program.commandsGroup('Zones, mail and services:');
  addZoneCommands(program, run);
  addMailCommands(program, run);
  addServiceCommands(program, run);
  program.commandsGroup('Looking:');
  addWatchCommands(program, run);
  addDoctorCommands(program, run);
  addAlertCommands(program, run);
  addCompletionCommand(program, run);
  return program;
}

function runner(world: World, finish: Finish): Run {
  return (load, act) =>
    async (...given) => {
      // Commander passes the command last, after its arguments and options.
      const command = given.at(-1) as Command;
      const session = new Session(world, command.optsWithGlobals<GlobalOptions>());
      const status = await act(await load(), session, ...(given as never));
      if (typeof status === 'number') finish(status);
    };
}
