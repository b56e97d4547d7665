import type { Command } from 'commander';
import { type Run, withExamples } from './command-kit.ts';

const addressCommands = () => import('../address-commands.ts');

/** `peer address …` */
export function addAddressCommands(program: Command, run: Run): void {
  const address = withExamples(
    program.command('address').description('the public address of this box, and what follows it'),
    'peer address',
    'peer address watch',
    'peer address set 203.0.113.7',
  );
  withExamples(
    address
      .command('show', { isDefault: true })
      .description('what friends in two networks see, or you set; and the names that follow it'),
    'peer address show',
    'peer address --json | jq -r .ipv4.address',
  ).action(run(addressCommands, ({ showAddress }, session) => showAddress(session)));
  withExamples(
    address.command('history').description('every change, oldest first'),
    'peer address history',
  ).action(run(addressCommands, ({ addressHistory }, session) => addressHistory(session)));
  withExamples(
    address
      .command('set')
      .argument('<ip>', 'an IPv4 or IPv6 address; auto: friends say it again')
      .description('this is the address, whatever friends see'),
    'peer address set 203.0.113.7',
    'peer address set auto',
  ).action(run(addressCommands, ({ setAddress }, session, ip: string) => setAddress(session, ip)));
  withExamples(
    address.command('watch').description('a line for every change, until interrupted'),
    'peer address watch --json | while read -r change; do …; done',
  ).action(run(addressCommands, ({ watchAddress }, session) => watchAddress(session)));
}
