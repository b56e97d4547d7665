import type { Command } from 'commander';
import { type Run, withExamples } from './command-kit.ts';

const alertCommands = () => import('../alert-commands.ts');

/** `peer alerts …` */
export function addAlertCommands(program: Command, run: Run): void {
  const alerts = withExamples(
    program.command('alerts').description('what you are told of wherever you are, and how'),
    'peer alerts',
    'peer alerts test',
    'peer alerts mute 2h --about bob',
  );
  withExamples(
    alerts
      .command('list', { isDefault: true })
      .description('what is wrong, what was within a day, and which ways work (also without "list")'),
    'peer alerts',
    'peer alerts list --json | jq .alerts',
  ).action(run(alertCommands, ({ listAlerts }, session) => listAlerts(session)));
  withExamples(
    alerts.command('test').description('send a real message on every way; exit 1 where one was not taken'),
    'peer alerts test',
  ).action(run(alertCommands, ({ testAlerts }, session) => testAlerts(session)));
  withExamples(
    alerts
      .command('mute')
      .argument('<span>', 'how long (2h, 7d), or off')
      .description('say nothing for some time; what still stands then is said then'),
    'peer alerts mute 2h',
    'peer alerts mute 7d --about bob',
    'peer alerts mute off',
  )
    .option(
      '--about <what>',
      'a friend, zone, domain or service, or a kind such as mail; default: everything',
    )
    .action(
      run(alertCommands, ({ muteAlerts }, session, span: string, options: { about?: string }) =>
        muteAlerts(session, span, options),
      ),
    );
}
