import { Argument, type Command } from 'commander';
import type { ServiceOptions } from '../service-commands.ts';
import { type Run, withExamples } from './command-kit.ts';

const drillCommand = () => import('../drill-command.ts');
const serviceCommands = () => import('../service-commands.ts');

/** `peer service …` */
export function addServiceCommands(program: Command, run: Run): void {
  const service = withExamples(
    program.command('service').description('what a friend stands in for while you are down'),
    'peer service add web --record www.alice.example --check https://www.alice.example/ --standby bob=198.51.100.7',
    'peer service list',
    'peer service pin web up',
  );
  withExamples(
    service
      .command('add')
      .argument('<name>')
      .description('have every friend who answers the zone answer the standby when enough of them agree'),
    'peer service add web --record www.alice.example --check https://www.alice.example/ --standby bob=198.51.100.7',
    'peer service add xmpp --record _xmpp-server._tcp.alice.example --check tcp://xmpp.alice.example:5269 --standby bob=xmpp.bob.example:5269',
  )
    .requiredOption('--record <name>', 'the name whose A and AAAA, or SRV, are swapped')
    .requiredOption('--check <url>', 'how friends try it: https://, http://, tcp://host:port or smtp://host')
    .requiredOption(
      '--standby <friend=address>',
      'who stands in, and where; twice for IPv4 and IPv6; host:port for SRV',
      (value: string, before: string[] | undefined) => [...(before ?? []), value],
    )
    .option(
      '--signed <file>',
      'of a zone signed with DNSSEC: its records at the standby and their RRSIGs, by your own signer',
    )
    .option('--after <span>', 'how long it must be down (default 180s)')
    .option('--max <span>', 'how long a friend may stand in (default 30d)')
    .option(
      '--hold <span>',
      'how long it must be well again (default 10m, doubled with each takeover in a day)',
    )
    .option('--ttl <span>', 'TTL of what is answered then (default 300s)')
    .action(
      run(serviceCommands, ({ addService }, session, name: string, options: ServiceOptions) =>
        addService(session, name, options),
      ),
    );
  withExamples(
    service
      .command('list')
      .description('your services and those of friends, and where they are answered from'),
    'peer service list',
    'peer service list --json',
  ).action(run(serviceCommands, ({ listServices }, session) => listServices(session)));
  withExamples(
    service
      .command('pin')
      .argument('<name>')
      .addArgument(
        new Argument('<where>', 'home, its standby, or as friends agree').choices(['up', 'down', 'obey']),
      )
      .description('say yourself where it is answered from'),
    'peer service pin web up',
    'peer service pin web down',
    'peer service pin web obey',
  ).action(
    run(serviceCommands, ({ pinService }, session, name: string, pin: 'up' | 'down' | 'obey') =>
      pinService(session, name, pin),
    ),
  );
  withExamples(
    service.command('remove').argument('<name>').description('nobody stands in for it any more'),
    'peer service remove web',
  ).action(run(serviceCommands, ({ removeService }, session, name: string) => removeService(session, name)));
  withExamples(
    program
      .command('drill')
      .description(
        'rehearse a takeover with real answers: friends answer the standby for a while, and you hear what held',
      ),
    'peer drill --for 5m',
    'peer drill --friend bob',
  )
    .option('--friend <name>', 'only services whose standby is this friend')
    .option('--for <span>', 'how long', '10m')
    .option('--force', 'also before a friend has told what this box signed before')
    .action(
      run(drillCommand, ({ drill }, session, options: { friend?: string; for: string; force?: boolean }) =>
        drill(session, options),
      ),
    );
}
